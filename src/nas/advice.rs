//! What a failure means for a person: the NAS, the call, the code, its meaning and what to do about it.
//!
//! One text for conditions, Events, logs and commands. It names no credential and holds nothing of an answer's body.

use super::answer::{Answer, UnknownWhy};
use super::code::{Context, Meaning};
use super::error::{Call, Error};

/// The failure of a read, a login or a connection, with the remedy. `nas` names the NAS, such as its URL.
#[must_use]
pub fn explain(nas: &str, error: &Error) -> String {
    format!("{nas}: {error}; {}", remedy(error))
}

/// What came of a call that was sent, where that is not success.
#[must_use]
pub fn explain_answer(nas: &str, call: Call, answer: Answer) -> String {
    let meaning = |code| Meaning::of(code, call.context());
    match answer {
        Answer::Applied => format!("{nas}: {call} was taken"),
        Answer::NotSent => format!("{nas}: {call} was not sent; try again"),
        Answer::Session { code } | Answer::Refused { code } => format!(
            "{nas}: {call} was refused: error {code} ({}); {}",
            meaning(code).describe(),
            meaning(code).remedy()
        ),
        Answer::Unknown { why } => {
            let what = match why {
                UnknownWhy::Timeout => "no answer in time".to_owned(),
                UnknownWhy::Broken => "the connection broke".to_owned(),
                UnknownWhy::HttpStatus(status) => format!("HTTP status {status}"),
                UnknownWhy::Unreadable => "an answer that cannot be read".to_owned(),
                UnknownWhy::Conflict(code) | UnknownWhy::Code(code) => {
                    format!("error {code} ({})", meaning(code).describe())
                }
            };
            format!(
                "{nas}: it is not known whether {call} took effect: {what}; look at the task, its results and the queue \
                 before it is sent again"
            )
        }
    }
}

/// What to do about it.
fn remedy(error: &Error) -> &'static str {
    match error {
        Error::Configuration { .. } => "correct the settings named",
        Error::Authority { .. } => "put the certificate of the authority there, in PEM",
        Error::SecondFactorSeed => {
            "copy the seed that DSM showed beside its QR code (letters A to Z and digits 2 to 7) into otp-secret"
        }
        Error::Unreachable { .. } => {
            "check the address and port, that the NAS is on, and the network and firewall between"
        }
        Error::CertificateRejected { .. } => {
            "name the authority that signed it (tls.caRef) or its SHA-256 (tls.fingerprint), or give the NAS a \
             certificate for this host name"
        }
        Error::Timeout { .. } => {
            "check the load of the NAS, or allow more time (timeouts.request, timeouts.list)"
        }
        Error::Unexpected { .. } => {
            "check that the URL leads to DSM itself (usually https, port 5001) and not to a proxy, a portal or another \
             service"
        }
        Error::TooLarge { .. } => {
            "a list of 10,000 tasks is half of that: check that the URL leads to DSM itself, and on the NAS what makes the \
             answer so long"
        }
        Error::SessionOver { .. } => "the next read logs in again",
        Error::LoginRefused { code }
        | Error::SecondFactorRequired { code }
        | Error::AccountBlocked { code } => Meaning::of(*code, Context::Login).remedy(),
        Error::MethodMissing { call, code }
        | Error::PermissionDenied { call, code }
        | Error::PackageNotRunning { call, code }
        | Error::Refused { call, code } => Meaning::of(*code, call.context()).remedy(),
    }
}
