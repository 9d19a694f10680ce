//! What is to be said of an object: the value that becomes the `Ready` condition, never a log line.

use crate::api::Reason;

/// A verdict with its reason and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which way it counts.
    pub kind: StandingKind,
    /// The condition's reason.
    pub reason: Reason,
    /// The condition's message.
    pub message: String,
}

/// Which way a standing counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingKind {
    /// Nothing is wrong and nothing awaited.
    Fine,
    /// Nothing is wrong; something is awaited.
    Waiting,
    /// Somebody has to act.
    Blocked,
    /// Nobody can tell.
    Unknown,
}

impl Standing {
    pub(super) fn fine(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: StandingKind::Fine,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn waiting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: StandingKind::Waiting,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn blocked(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: StandingKind::Blocked,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: StandingKind::Unknown,
            reason,
            message: message.into(),
        }
    }
}
