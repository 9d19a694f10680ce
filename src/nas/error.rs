//! Why a read, a login or the opening of a connection failed, sorted by what someone has to do about it.
//!
//! One function, [`Error::from_code`], sorts the codes. Messages name the call, the code and its meaning; they never
//! hold an address with user information, a credential or an answer's body.

use std::fmt;
use std::time::Duration;

use super::code::{Context, Meaning, NO_CODE};

/// Codes of a login that was refused (dsm-api-facts 1.6); any other is of a NAS that is busy.
const LOGIN_CODES: std::ops::RangeInclusive<i64> = 400..=411;

/// The name of one remote method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// Such as `SYNO.ActiveBackup.Task`.
    pub api: &'static str,
    /// Such as `list`.
    pub method: &'static str,
}

impl Call {
    /// The table that the error codes of this call are read from.
    #[must_use]
    pub fn context(self) -> Context {
        if self.api == "SYNO.API.Auth" {
            Context::Login
        } else if self.api.starts_with("SYNO.ActiveBackup.") {
            Context::ActiveBackup
        } else {
            Context::Common
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.api, self.method)
    }
}

/// A failed read, login or connection. Mutations that were sent answer with [`super::Answer`] instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings cannot work: a broken PEM, a scheme that does not fit the trust, user information in the URL.
    #[error("failed to set up the connection: {what}")]
    Configuration {
        /// What is wrong.
        what: String,
    },
    /// The certificate authority given is no certificate in PEM.
    #[error("failed to read the certificate authority: {what}")]
    Authority {
        /// What is wrong.
        what: String,
    },
    /// The seed of the second factor cannot be one.
    #[error("failed to read the seed of the second factor: it is not base32")]
    SecondFactorSeed,
    /// No connection, or it broke: name resolution, refusal, reset. Nothing that speaks HTTP answered.
    #[error("failed to reach the NAS for {call}: {source}")]
    Unreachable {
        /// The call.
        call: Call,
        /// The causes, outermost first.
        source: Cause,
    },
    /// The certificate is not trusted.
    #[error("failed to trust the certificate of the NAS for {call}: {source}")]
    CertificateRejected {
        /// The call.
        call: Call,
        /// Why.
        source: Cause,
    },
    /// No complete answer in time.
    #[error("failed to get an answer to {call} within {after:?}")]
    Timeout {
        /// The call.
        call: Call,
        /// How long it was waited for.
        after: Duration,
    },
    /// Something answered, but not as DSM does: HTML, an HTTP status, half an answer, missing fields or a
    /// redirect.
    #[error("failed to understand the answer to {call}: {what}")]
    Unexpected {
        /// The call.
        call: Call,
        /// What was there instead.
        what: String,
    },
    /// An answer went on beyond what any NAS has to say. The connection was dropped.
    #[error("failed to take the answer to {call}: it is larger than {} MiB", .most >> 20)]
    TooLarge {
        /// The call.
        call: Call,
        /// Bytes that are read at most, uncompressed.
        most: usize,
    },
    /// Active Backup answers, and does not have a method that it should have.
    #[error("failed to understand the answer to {call}: error {code} ({})", Meaning::of(*.code, .call.context()).describe())]
    MethodMissing {
        /// The call.
        call: Call,
        /// 103.
        code: i64,
    },
    /// The login was refused. Repeating it makes it worse; the client does not.
    #[error("failed to log in (SYNO.API.Auth login): error {code} ({})", Meaning::of(*.code, Context::Login).describe())]
    LoginRefused {
        /// A login code (400-411) or any other that the login answered.
        code: i64,
    },
    /// The account needs a second factor, or the one sent was wrong.
    #[error("failed to log in (SYNO.API.Auth login): error {code} ({})", Meaning::of(*.code, Context::Login).describe())]
    SecondFactorRequired {
        /// 403, 404 or 406.
        code: i64,
    },
    /// The NAS blocks this client or the account after too many attempts.
    #[error("failed to log in (SYNO.API.Auth login): error {code} ({})", Meaning::of(*.code, Context::Login).describe())]
    AccountBlocked {
        /// 407 or 411.
        code: i64,
    },
    /// The account works but may not do this.
    #[error("failed to be allowed {call}: error {code} ({})", Meaning::of(*.code, .call.context()).describe())]
    PermissionDenied {
        /// The call.
        call: Call,
        /// 105 on a fresh session, 160, 402, 1011, 1014, 1036.
        code: i64,
    },
    /// Active Backup is not installed, not running or being upgraded.
    #[error("failed to find the package running for {call}: error {code} ({})",
        Meaning::of(*.code, .call.context()).describe())]
    PackageNotRunning {
        /// The call.
        call: Call,
        /// 102, 1006, 1007, 1008.
        code: i64,
    },
    /// There is no session, or it is over, and this client opens no other.
    #[error("failed to ask for {call}: there is no session any more")]
    SessionOver {
        /// The call.
        call: Call,
    },
    /// Any other error code, a second session error in a row included.
    #[error("failed to get {call} accepted: error {code} ({})", Meaning::of(*.code, .call.context()).describe())]
    Refused {
        /// The call.
        call: Call,
        /// The code.
        code: i64,
    },
}

impl Error {
    /// Sorts an error code that `call` answered. For reads, 105 must have been tried on a fresh session before.
    #[must_use]
    pub fn from_code(call: Call, code: i64) -> Self {
        let context = call.context();
        match Meaning::of(code, context) {
            Meaning::SecondFactorRequired | Meaning::SecondFactorWrong | Meaning::SecondFactorEnforced => {
                Self::SecondFactorRequired { code }
            }
            Meaning::AddressBlocked | Meaning::AccountLocked => Self::AccountBlocked { code },
            Meaning::LoginNotPermitted => Self::PermissionDenied { call, code },
            _ if context == Context::Login => Self::LoginRefused { code },
            Meaning::PermissionDenied
            | Meaning::ApplicationDenied
            | Meaning::TaskDenied
            | Meaning::DelegationDenied => Self::PermissionDenied { call, code },
            Meaning::ApiMissing if context == Context::ActiveBackup => Self::PackageNotRunning { call, code },
            Meaning::UpgradeInitialising | Meaning::UpgradeRunning | Meaning::UpgradeFailed => {
                Self::PackageNotRunning { call, code }
            }
            Meaning::MethodMissing if context == Context::ActiveBackup => Self::MethodMissing { call, code },
            _ => Self::Refused { call, code },
        }
    }

    /// Whether the NAS refused the login as such, so that repeating it makes it worse (400-411).
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        match self {
            // Why a login was refused is not known without a code: as if the password were wrong.
            Self::LoginRefused { code } => LOGIN_CODES.contains(code) || *code == NO_CODE,
            Self::SecondFactorRequired { .. } | Self::AccountBlocked { .. } => true,
            Self::PermissionDenied { call, .. } => call.context() == Context::Login,
            Self::Configuration { .. }
            | Self::Authority { .. }
            | Self::SecondFactorSeed
            | Self::Unreachable { .. }
            | Self::CertificateRejected { .. }
            | Self::Timeout { .. }
            | Self::Unexpected { .. }
            | Self::TooLarge { .. }
            | Self::MethodMissing { .. }
            | Self::PackageNotRunning { .. }
            | Self::SessionOver { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// Whether another login may help, which this client did not do: see [`super::Client::without_renewal`].
    #[must_use]
    pub fn is_session_over(&self) -> bool {
        matches!(self, Self::SessionOver { .. })
    }

    /// Whether the NAS says that this account, or this machine, cannot be asked such a thing at all. Any other refusal
    /// may pass.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let (Self::PermissionDenied { call, code } | Self::Refused { call, code }) = self else {
            return false;
        };
        call.context() != Context::Login && Meaning::of(*code, call.context()).is_unavailable()
    }

    /// One word for metrics and for conditions.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Configuration { .. } => "configuration",
            Self::Authority { .. } => "authority",
            Self::SecondFactorSeed => "second_factor_seed",
            Self::Unreachable { .. } => "unreachable",
            Self::CertificateRejected { .. } => "certificate_rejected",
            Self::Timeout { .. } => "timeout",
            Self::Unexpected { .. } | Self::TooLarge { .. } | Self::MethodMissing { .. } => "unexpected",
            Self::LoginRefused { .. } => "login_refused",
            Self::SecondFactorRequired { .. } => "second_factor_required",
            Self::AccountBlocked { .. } => "account_blocked",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::PackageNotRunning { .. } => "package_not_running",
            Self::SessionOver { .. } => "session_over",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether the code is the answer to this call, and not to a login before it.
    #[must_use]
    pub fn code_of(&self, asked: Call) -> bool {
        match self {
            Self::PermissionDenied { call, .. }
            | Self::MethodMissing { call, .. }
            | Self::PackageNotRunning { call, .. }
            | Self::Refused { call, .. } => *call == asked,
            _ => false,
        }
    }

    /// The code of the NAS, where it sent one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::LoginRefused { code }
            | Self::SecondFactorRequired { code }
            | Self::AccountBlocked { code }
            | Self::MethodMissing { code, .. }
            | Self::PermissionDenied { code, .. }
            | Self::PackageNotRunning { code, .. }
            | Self::Refused { code, .. } => Some(*code),
            Self::Configuration { .. }
            | Self::Authority { .. }
            | Self::SecondFactorSeed
            | Self::Unreachable { .. }
            | Self::CertificateRejected { .. }
            | Self::Timeout { .. }
            | Self::Unexpected { .. }
            | Self::TooLarge { .. }
            | Self::SessionOver { .. } => None,
        }
    }
}

/// A chain of causes as one text, without addresses. It can be cloned and kept, which the causes themselves cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// The texts of `error` and its sources, each once.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut texts: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(current) = next {
            let text = current.to_string();
            if !texts.iter().any(|earlier| earlier.contains(&text)) {
                texts.push(text);
            }
            next = current.source();
        }
        Self::text(texts.join(": "))
    }

    pub(super) fn text(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Call = Call {
        api: "SYNO.API.Auth",
        method: "login",
    };
    const LIST: Call = Call {
        api: "SYNO.ActiveBackup.Task",
        method: "list",
    };
    const INFO: Call = Call {
        api: "SYNO.DSM.Info",
        method: "getinfo",
    };

    #[test]
    fn codes_are_sorted_by_who_must_act() {
        for (call, code, label) in [
            (LOGIN, 400, "login_refused"),
            (LOGIN, 401, "login_refused"),
            (LOGIN, 402, "permission_denied"),
            (LOGIN, 403, "second_factor_required"),
            (LOGIN, 404, "second_factor_required"),
            (LOGIN, 405, "login_refused"),
            (LOGIN, 406, "second_factor_required"),
            (LOGIN, 407, "account_blocked"),
            (LOGIN, 408, "login_refused"),
            (LOGIN, 411, "account_blocked"),
            (LOGIN, 100, "login_refused"),
            (LOGIN, 105, "login_refused"),
            (LOGIN, 119, "login_refused"),
            (LIST, 105, "permission_denied"),
            (LIST, 160, "permission_denied"),
            (LIST, 1011, "permission_denied"),
            (LIST, 1014, "permission_denied"),
            (LIST, 1036, "permission_denied"),
            (LIST, 102, "package_not_running"),
            (LIST, 1006, "package_not_running"),
            (LIST, 1007, "package_not_running"),
            (LIST, 1008, "package_not_running"),
            (LIST, 103, "unexpected"),
            (LIST, 104, "refused"),
            (LIST, 120, "refused"),
            (LIST, 119, "refused"),
            (LIST, 400, "refused"),
            (LIST, 407, "refused"),
            (INFO, 102, "refused"),
            (INFO, 103, "refused"),
            (INFO, 1006, "refused"),
        ] {
            assert_eq!(Error::from_code(call, code).label(), label, "{call} {code}");
        }
    }

    #[test]
    fn a_refused_login_and_a_missing_right_are_told_apart() {
        for (call, code, refused_login, unavailable) in [
            (LOGIN, 400, true, false),
            (LOGIN, 402, true, false),
            (LOGIN, 407, true, false),
            (LOGIN, 411, true, false),
            (LOGIN, 105, false, false),
            (LOGIN, 109, false, false),
            (INFO, 102, false, true),
            (INFO, 103, false, true),
            (INFO, 104, false, true),
            (INFO, 105, false, true),
            (INFO, 160, false, true),
            (INFO, 109, false, false),
            (INFO, 119, false, false),
            (INFO, 402, false, false),
        ] {
            let error = Error::from_code(call, code);
            let found = (error.is_refused_login(), error.is_unavailable());
            assert_eq!(found, (refused_login, unavailable), "{call} {code}");
        }
    }

    #[test]
    fn messages_name_call_code_and_meaning() {
        assert_eq!(
            Error::from_code(LIST, 1007).to_string(),
            "failed to find the package running for SYNO.ActiveBackup.Task list: \
             error 1007 (the package is being upgraded)"
        );
        assert_eq!(
            Error::from_code(LOGIN, 407).to_string(),
            "failed to log in (SYNO.API.Auth login): error 407 (the address of this client is blocked)"
        );
        assert_eq!(Error::from_code(LOGIN, 407).code(), Some(407));
    }
}
