//! What can go wrong, and the plan that says at which step it does. A step is one call of a process to the API
//! server or to the NAS: there is no other await at which the world can change under it.

use std::fmt;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The process dies before the call.
    CrashBefore,
    /// The process dies after the effect of the call, before its answer.
    CrashAfter,
    /// Every process dies before the call.
    AllCrash,
    /// The process stops for longer than the Lease and any connection lives, then goes on.
    Pause,
    /// Another takes the Lease.
    LeaseLoss,
    /// The watch lags behind for two minutes.
    StaleView,
    /// Somebody else writes the object first.
    Conflict,
    /// No answer to the write, which was not committed.
    WriteLostBefore,
    /// No answer to the write, which was committed.
    WriteLostAfter,
    /// The NAS's answer is lost before the effect.
    ReplyLostBefore,
    /// The NAS's answer is lost after the effect.
    ReplyLostAfter,
    /// No answer, and the effect comes within the settling time.
    LateEffect,
    /// No answer, and the effect comes after the settling time: what no client can exclude. Not one of [`ALL`].
    #[allow(dead_code, reason = "the test's")]
    TooLateEffect,
    /// The effect comes at once, its answer after the deadline.
    SlowReply,
    /// No effect and no end.
    Hang,
    /// The session is gone.
    SessionExpired,
    /// 106: the session has timed out.
    SessionTimeout,
    /// 107: another login has taken its place.
    SessionReplaced,
    /// 150: the session belongs to another address.
    SessionElsewhere,
    /// 105 without an effect.
    NoPermission,
    /// A reverse proxy answers.
    BadGateway,
    /// The effect takes place, the body is empty.
    EmptyBody,
    /// The effect takes place, the body breaks off.
    CutBody,
    /// The effect takes place, the answer has another shape.
    WrongType,
    /// No effect, a login page answers.
    LoginPage,
    /// The effect takes place, and the answer says that there is a conflict.
    ConflictAfterEffect,
    /// A refusal that passes.
    QueueDown,
    /// The task is missing from one list.
    MissingRow,
    /// The NAS restarts.
    Reboot,
    /// The package is upgraded for two minutes.
    Upgrade,
    /// The package is stopped for two minutes.
    PackageStopped,
    /// The NAS's clock jumps by two hours.
    ClockJump,
    /// The network of the NAS is gone for five minutes.
    PowerCut,
}

/// Every fault.
pub const ALL: [Fault; 32] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::AllCrash,
    Fault::Pause,
    Fault::LeaseLoss,
    Fault::StaleView,
    Fault::Conflict,
    Fault::WriteLostBefore,
    Fault::WriteLostAfter,
    Fault::ReplyLostBefore,
    Fault::ReplyLostAfter,
    Fault::LateEffect,
    Fault::SlowReply,
    Fault::Hang,
    Fault::SessionExpired,
    Fault::SessionTimeout,
    Fault::SessionReplaced,
    Fault::SessionElsewhere,
    Fault::NoPermission,
    Fault::BadGateway,
    Fault::EmptyBody,
    Fault::CutBody,
    Fault::WrongType,
    Fault::LoginPage,
    Fault::ConflictAfterEffect,
    Fault::QueueDown,
    Fault::MissingRow,
    Fault::Reboot,
    Fault::Upgrade,
    Fault::PackageStopped,
    Fault::ClockJump,
    Fault::PowerCut,
];

/// What kind of call a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A write to the API server.
    Write,
    /// A read from the API server, or an Event.
    Read,
    /// A read from the NAS, or a login.
    NasRead,
    /// `list` of the NAS.
    NasList,
    /// `backup`, `cancel` or `remove`.
    NasCall,
}

impl Fault {
    /// Whether it can happen at such a step; it waits for the next one where it can.
    pub fn fits(self, step: Step) -> bool {
        match self {
            Self::Conflict | Self::WriteLostBefore | Self::WriteLostAfter => step == Step::Write,
            Self::LateEffect | Self::TooLateEffect | Self::ConflictAfterEffect | Self::QueueDown => {
                step == Step::NasCall
            }
            Self::MissingRow => step == Step::NasList,
            Self::ReplyLostBefore
            | Self::ReplyLostAfter
            | Self::SlowReply
            | Self::Hang
            | Self::SessionExpired
            | Self::SessionTimeout
            | Self::SessionReplaced
            | Self::SessionElsewhere
            | Self::NoPermission
            | Self::BadGateway
            | Self::EmptyBody
            | Self::CutBody
            | Self::WrongType
            | Self::LoginPage => matches!(step, Step::NasRead | Step::NasList | Step::NasCall),
            Self::CrashBefore
            | Self::CrashAfter
            | Self::AllCrash
            | Self::Pause
            | Self::LeaseLoss
            | Self::StaleView
            | Self::Reboot
            | Self::Upgrade
            | Self::PackageStopped
            | Self::ClockJump
            | Self::PowerCut => true,
        }
    }
}

/// Faults in their order: each at a step, or at the first one after it where it fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Step and fault.
    pub faults: Vec<(u64, Fault)>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(step, fault)| format!("{fault:?}@{step}"))
            .collect();
        f.write_str(&faults.join(" "))
    }
}

/// Numbers from a seed, the same on every machine (`SplitMix64`).
pub struct Draw(pub u64);

impl Draw {
    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % limit.max(1)
    }
}
