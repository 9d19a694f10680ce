//! What came of a mutating call: sorted once, in one pure function, from what happened on the connection.
//!
//! Only an answer that *says* so is a refusal. Everything that could hide an effect is [`Answer::Unknown`]; the
//! caller then looks for evidence and never sends again on the strength of an answer.

use super::code::{Context, Meaning, NO_CODE};
use super::wire::{Fault, verdict};

/// What happened on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange<'a> {
    /// The HTTP library still holds the whole request: no byte of it was written.
    NotWritten,
    /// The deadline passed.
    TimedOut,
    /// The connection broke, or what came is not HTTP.
    Broken,
    /// More bytes came than any answer has.
    TooLarge,
    /// A complete HTTP answer.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
}

/// What is known about a mutating call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The NAS says that it took the call. It does not say that a run started.
    Applied,
    /// Refused before dispatch, for the session: it had no effect and the session was dropped.
    Session {
        /// 106, 107, 119, 150 or 105.
        code: i64,
    },
    /// Refused by a code that says so: this call had no effect. It says nothing about an earlier call.
    Refused {
        /// The code.
        code: i64,
    },
    /// It may or may not have had an effect.
    Unknown {
        /// Why.
        why: UnknownWhy,
    },
    /// Not a byte was sent.
    NotSent,
}

/// Why nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownWhy {
    /// No complete answer before the deadline.
    Timeout,
    /// The connection broke.
    Broken,
    /// An HTTP status other than 200.
    HttpStatus(u16),
    /// Not JSON, half of it, too much of it, or without `success`.
    Unreadable,
    /// Another job is in the way, possibly that of an earlier call: 1201-1208, 4004-4007.
    Conflict(i64),
    /// A code that does not say whether the call was refused, or that has no known meaning.
    Code(i64),
}

impl UnknownWhy {
    /// One word for metrics and messages.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Broken => "broken_connection",
            Self::HttpStatus(_) => "http_status",
            Self::Unreadable => "unreadable",
            Self::Conflict(_) => "conflict",
            Self::Code(_) => "code",
        }
    }
}

/// Sorts the outcome of a mutating call. `permission_is_final` is true where the session was opened because of an
/// error 105: another 105 then is about rights and not about the session.
#[must_use]
pub fn classify_mutation(exchange: &Exchange<'_>, permission_is_final: bool) -> Answer {
    let unknown = |why| Answer::Unknown { why };
    match exchange {
        Exchange::NotWritten => Answer::NotSent,
        Exchange::TimedOut => unknown(UnknownWhy::Timeout),
        Exchange::Broken => unknown(UnknownWhy::Broken),
        Exchange::TooLarge => unknown(UnknownWhy::Unreadable),
        Exchange::Reply { status: 200, body } => match verdict(body) {
            Ok(()) => Answer::Applied,
            Err(Fault::Unexpected(_) | Fault::Code(NO_CODE)) => unknown(UnknownWhy::Unreadable),
            Err(Fault::Code(code)) => classify_code(code, permission_is_final),
        },
        Exchange::Reply { status, .. } => unknown(UnknownWhy::HttpStatus(*status)),
    }
}

fn classify_code(code: i64, permission_is_final: bool) -> Answer {
    match Meaning::of(code, Context::ActiveBackup) {
        Meaning::SessionTimeout
        | Meaning::SessionReplaced
        | Meaning::SessionUnknown
        | Meaning::SourceAddressChanged => Answer::Session { code },
        Meaning::PermissionDenied if code == 105 && !permission_is_final => Answer::Session { code },

        Meaning::JobMissing
        | Meaning::JobConflict
        | Meaning::ResourceLocked
        | Meaning::LockedByBackup
        | Meaning::LockedByRestore
        | Meaning::LockedByDeletion
        | Meaning::VerificationExists
        | Meaning::DeletionExists
        | Meaning::RestoreConflict
        | Meaning::BackupConflict
        | Meaning::RestoreExists
        | Meaning::BackupExists => Answer::Unknown {
            why: UnknownWhy::Conflict(code),
        },

        // Failures on the way: they may have struck after the job was put into the queue.
        Meaning::UnknownError
        | Meaning::SystemBusy
        | Meaning::ServerTimeout
        | Meaning::InternalError
        | Meaning::BatchFailed
        | Meaning::InputOutputFailed
        | Meaning::DatabaseFailed
        | Meaning::Unnamed => Answer::Unknown {
            why: UnknownWhy::Code(code),
        },

        Meaning::ParameterRejected
        | Meaning::ApiMissing
        | Meaning::MethodMissing
        | Meaning::VersionUnsupported
        | Meaning::PermissionDenied
        | Meaning::UploadRefused
        | Meaning::CompoundFailed
        | Meaning::DemoSite
        | Meaning::ApplicationDenied
        | Meaning::SettingsUnavailable
        | Meaning::WrongPassword
        | Meaning::AccountDisabled
        | Meaning::LoginNotPermitted
        | Meaning::SecondFactorRequired
        | Meaning::SecondFactorWrong
        | Meaning::PortalMismatch
        | Meaning::SecondFactorEnforced
        | Meaning::AddressBlocked
        | Meaning::PasswordExpiredForGood
        | Meaning::PasswordExpired
        | Meaning::PasswordMustChange
        | Meaning::AccountLocked
        | Meaning::UserInfoMissing
        | Meaning::TemplateBroken
        | Meaning::DirectoryUnreachable
        | Meaning::UpgradeInitialising
        | Meaning::UpgradeRunning
        | Meaning::UpgradeFailed
        | Meaning::TaskMissing
        | Meaning::TaskDenied
        | Meaning::DataCorrupt
        | Meaning::QuotaExceeded
        | Meaning::NoSpace
        | Meaning::StorageReadOnly
        | Meaning::AclUnsupported
        | Meaning::FolderMissing
        | Meaning::ActivationFailed
        | Meaning::StorageExists
        | Meaning::ServerUnreachable
        | Meaning::StorageInUse
        | Meaning::StorageTooNew
        | Meaning::PathTooLong
        | Meaning::SyslogInvalid
        | Meaning::DelegationDenied
        | Meaning::VersionLocked
        | Meaning::SourceInUse
        | Meaning::TaskOrDeviceMissing
        | Meaning::OutsideBackupWindow
        | Meaning::BackupWindowDenies
        | Meaning::JobForbidden
        | Meaning::StorageBroken
        | Meaning::StorageEncrypted
        | Meaning::VirtualMachineManagerConflict
        | Meaning::ImageBrowsingFailed
        | Meaning::RelinkFailed
        | Meaning::MountFolderExists
        | Meaning::SshKeyRejected
        | Meaning::StorageVerificationFailed
        | Meaning::LicenceMissing
        | Meaning::HypervisorFailed
        | Meaning::GuestSystemFailed
        | Meaning::VerificationFailed
        | Meaning::ServerInUse
        | Meaning::FolderInUse
        | Meaning::TaskNameInUse
        | Meaning::FileServerFailed
        | Meaning::DeviceOffline
        | Meaning::InstallerDownloadFailed
        | Meaning::DeviceBeingDeleted
        | Meaning::AddressInvalid
        | Meaning::AgentFailed
        | Meaning::DelegationRuleRejected => Answer::Refused { code },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str) -> Answer {
        classify_mutation(
            &Exchange::Reply {
                status: 200,
                body: body.as_bytes(),
            },
            false,
        )
    }

    fn code(code: i64) -> Answer {
        reply(&format!(r#"{{"error":{{"code":{code}}},"success":false}}"#))
    }

    #[test]
    fn what_happens_on_the_connection() {
        let unknown = |why| Answer::Unknown { why };
        for (exchange, answer) in [
            (Exchange::NotWritten, Answer::NotSent),
            (Exchange::TimedOut, unknown(UnknownWhy::Timeout)),
            (Exchange::Broken, unknown(UnknownWhy::Broken)),
            (Exchange::TooLarge, unknown(UnknownWhy::Unreadable)),
            (
                Exchange::Reply {
                    status: 200,
                    body: br#"{"success":true}"#,
                },
                Answer::Applied,
            ),
            (
                Exchange::Reply {
                    status: 500,
                    body: br#"{"success":true}"#,
                },
                unknown(UnknownWhy::HttpStatus(500)),
            ),
            (
                Exchange::Reply {
                    status: 302,
                    body: b"",
                },
                unknown(UnknownWhy::HttpStatus(302)),
            ),
            (
                Exchange::Reply {
                    status: 204,
                    body: b"",
                },
                unknown(UnknownWhy::HttpStatus(204)),
            ),
        ] {
            assert_eq!(classify_mutation(&exchange, false), answer, "{exchange:?}");
        }
    }

    #[test]
    fn bodies_that_say_nothing_are_unknown() {
        for body in [
            "",
            "<html>",
            "{",
            "{\"success\":tr",
            "{}",
            "[]",
            "null",
            "true",
            "{\"success\":null}",
            "{\"success\":\"true\"}",
            "{\"success\":1}",
            "{\"success\":true} trailing",
            "{\"success\":true,\"error\":{\"code\":1202}}",
            "{\"success\":false}",
            "{\"success\":false,\"error\":null}",
            "{\"success\":false,\"error\":{\"code\":0}}",
            "{\"success\":false,\"error\":\"Execute Error: login fail\"}",
            "{\"success\":false,\"error\":{\"code\":\"x\"}}",
            "{\"success\":false,\"error\":{\"code\":[1202]}}",
            "{\"success\":false,\"error\":[{\"code\":1202}]}",
        ] {
            assert_eq!(
                reply(body),
                Answer::Unknown {
                    why: UnknownWhy::Unreadable
                },
                "{body}"
            );
        }
        assert_eq!(reply("{\"success\":true,\"data\":[]}"), Answer::Applied);
        assert_eq!(reply("{\"success\":true,\"data\":null}"), Answer::Applied);
        assert_eq!(
            reply("{\"success\":false,\"error\":{\"code\":\"1010\",\"errors\":[]}}"),
            Answer::Refused { code: 1010 }
        );
    }

    #[test]
    fn codes() {
        for session in [106, 107, 119, 150] {
            assert_eq!(code(session), Answer::Session { code: session });
        }
        for conflict in (1201..=1208).chain(4004..=4007) {
            assert_eq!(
                code(conflict),
                Answer::Unknown {
                    why: UnknownWhy::Conflict(conflict)
                }
            );
        }
        for refused in [
            101, 102, 103, 104, 114, 120, 160, 1006, 1007, 1008, 1010, 1011, 1014, 1036, 1101, 1103, 1104,
            1105, 1209, 1210, 1250, 1253, 4003, 5001, 5003,
        ] {
            assert_eq!(code(refused), Answer::Refused { code: refused });
        }
        for unknown in [
            100, 109, 110, 111, 117, 118, 121, 125, 400, 405, 1001, 1009, 1013, 1018, 1031, 1037, 7777, 9999,
            -1,
        ] {
            assert_eq!(
                code(unknown),
                Answer::Unknown {
                    why: UnknownWhy::Code(unknown)
                }
            );
        }
    }

    #[test]
    fn error_105_is_a_session_error_once() {
        let body = br#"{"error":{"code":105},"success":false}"#;
        let exchange = Exchange::Reply { status: 200, body };
        assert_eq!(classify_mutation(&exchange, false), Answer::Session { code: 105 });
        assert_eq!(classify_mutation(&exchange, true), Answer::Refused { code: 105 });
    }
}
