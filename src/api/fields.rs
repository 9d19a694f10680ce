//! Enumerations of the NAS with the names users see; the NAS's own number always stands beside them in a
//! `…Code` field. A number without a name is `Unknown`, never an error and never a success
//! (dsm-api-facts 3.3: values differ between versions and sources).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! named_codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A number without a name; see the code beside it.
            Unknown,
        }

        impl $name {
            /// The name of the NAS's number.
            #[must_use]
            pub fn from_code(code: i64) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    _ => Self::Unknown,
                }
            }

            /// The name as it stands in the status.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                    Self::Unknown => "Unknown",
                }
            }
        }
    };
}

named_codes! {
    /// How a run ended.
    ResultStatus {
        /// The run has not ended (or its row was never finished).
        Incomplete = 1,
        /// Everything was backed up.
        Success = 2,
        /// Some devices or files were not backed up.
        PartialSuccess = 3,
        /// The run failed.
        Failed = 4,
        /// The run was cancelled.
        Canceled = 5,
        /// Nothing was backed up.
        NoBackup = 6,
    }
}

named_codes! {
    /// What kind of source a task protects.
    BackupType {
        /// Virtual machines.
        VirtualMachine = 1,
        /// A personal computer with the agent.
        PC = 2,
        /// A physical server with the agent.
        PhysicalServer = 3,
        /// A file server, without an agent.
        FileServer = 4,
        /// Another Synology NAS.
        NAS = 5,
    }
}

named_codes! {
    /// What part of the source a task protects.
    SourceType {
        /// Nothing chosen.
        None = 0,
        /// The entire device.
        EntireDevice = 1,
        /// The system volume.
        SystemVolume = 2,
        /// Volumes chosen by hand.
        CustomVolume = 3,
    }
}

named_codes! {
    /// What a job did.
    JobAction {
        /// A backup.
        Backup = 1,
        /// A restore of a whole device.
        RestoreDevice = 128,
        /// A migration.
        Migrate = 256,
        /// A verification.
        Verify = 512,
        /// A restore of files.
        RestoreFile = 1024,
        /// A restore of a physical machine.
        RestorePhysical = 2048,
        /// The removal of a task with its data.
        DeleteTarget = 65536,
        /// The deletion of versions.
        DeleteVersion = 131_072,
    }
}

/// How a token was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ReceiptOutcome {
    /// The token was accepted and its run or cancel is on its way.
    Accepted,
    /// The run it asked for succeeded.
    Succeeded,
    /// The run failed, or the NAS refuses it for good.
    Failed,
    /// The run was cancelled; for a cancel token: the run it was meant for.
    Canceled,
    /// The run was cancelled because it exceeded `activeDeadline`.
    DeadlineExceeded,
    /// A successful run that satisfies the token existed already.
    AlreadySatisfied,
    /// `requestNotAfter` passed before the run could be started.
    Expired,
    /// There was no run to cancel, or it ended first.
    NothingToCancel,
    /// A run took place; the meaning of its result is unknown.
    ResultUnknown,
    /// Whether the call took effect cannot be found out; only a new token asks again.
    OutcomeUnknown,
}

impl ReceiptOutcome {
    /// Whether nothing more will happen for the token.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Accepted
    }
}
