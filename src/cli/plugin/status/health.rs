//! What can be said of an object: how it is, in which words, and what a person can do. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::cli::screen::Tone;

/// Which way a task counts in the last line. In the order in which they are counted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Fine,
    Running,
    Waiting,
    Held,
    Canceled,
    Failed,
    Stalled,
    Unknown,
}

impl Health {
    pub const ALL: [Self; 8] = [
        Self::Fine,
        Self::Running,
        Self::Waiting,
        Self::Held,
        Self::Canceled,
        Self::Failed,
        Self::Stalled,
        Self::Unknown,
    ];

    /// As it is counted.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Held => "held back",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
            Self::Stalled => "stalled",
            Self::Unknown => "unknown",
        }
    }

    pub fn tone(self) -> Tone {
        match self {
            Self::Fine => Tone::Good,
            Self::Running | Self::Waiting => Tone::Busy,
            Self::Held => Tone::Faint,
            Self::Canceled | Self::Unknown => Tone::Warn,
            Self::Failed | Self::Stalled => Tone::Bad,
        }
    }

    /// The mark before a line about it, as `doctor` has them.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Running | Self::Waiting => "wait",
            Self::Held => "held",
            Self::Canceled | Self::Unknown => "warn",
            Self::Failed | Self::Stalled => "fail",
        }
    }
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    /// The message says it.
    Said,
    /// Look for what is between the operator and its server.
    Doctor(String),
    /// Look at what the server's NAS has.
    Tasks(String),
    /// Take the annotation away.
    Resume,
    /// Look at the runs, and at the NAS for the cause.
    History,
    /// Ask for a run.
    Backup,
    /// Read the object as it is.
    Read,
    /// Something else.
    Do(&'static str),
}

/// What is said of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub health: Health,
    /// The word in the column READY.
    pub ready: String,
    /// The condition's reason, or one of ours where the operator has no word.
    pub reason: String,
    /// In words; empty where nothing is to be said.
    pub message: String,
    pub remedy: Remedy,
}

/// The word in the column READY where the operator has not seen what is written.
pub(super) const NOT_SEEN: &str = "NotSeen";

impl Verdict {
    pub fn new(
        health: Health,
        ready: &str,
        reason: &str,
        message: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self {
            health,
            ready: ready.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            remedy,
        }
    }

    pub fn fine(ready: &Condition) -> Self {
        Self::new(Health::Fine, &ready.status, &ready.reason, "", Remedy::Said)
    }

    /// Of an object that this program cannot read.
    pub fn unreadable(error: &str) -> Self {
        let message = format!("this program cannot read it: {error}");
        Self::new(Health::Unknown, "Unknown", "Unreadable", message, Remedy::Read)
    }

    /// Whether the tables say all that there is to say: nothing is wrong, or a run goes its way.
    pub fn is_plain(&self) -> bool {
        let is_run = matches!(self.reason.as_str(), "BackupRunning" | "BackupRequested");
        self.health == Health::Fine || self.health == Health::Running && is_run
    }

    /// How the word in the column READY is meant.
    pub fn tone(&self) -> Tone {
        match self.ready.as_str() {
            "True" => Tone::Good,
            "False" => Tone::Bad,
            _ => Tone::Warn,
        }
    }
}
