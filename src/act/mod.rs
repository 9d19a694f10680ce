//! Sends exactly one recorded call. Nothing is decided here but whether the fence is still open; what the answer
//! means is `nas`'s to say, what follows from it `decide`'s.

mod fence;

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    api::{Intent, IntentAction},
    clock::Clock,
    nas::{self, Answer, Armed, Client, Mutation, TaskId},
    observe::Answered,
};

pub use fence::Fence;

/// What came of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it was answered.
    pub answered: Answered,
    /// When it began.
    pub sent: Timestamp,
    /// The call's deadline: from here the settling time runs.
    pub deadline: Timestamp,
}

impl Outcome {
    /// A call that a last check held back.
    #[must_use]
    pub fn withheld(now: Timestamp) -> Self {
        Self {
            answered: Answered::Withheld,
            sent: now,
            deadline: now,
        }
    }

    /// A call for which there was no connection.
    #[must_use]
    pub fn not_sent(now: Timestamp) -> Self {
        Self {
            answered: Answered::NotDispatched,
            ..Self::withheld(now)
        }
    }
}

/// A NAS that was asked who it is.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The way to it.
    pub client: Client,
    /// Logins of the client when it was asked.
    pub login: u64,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// No session, or no connection.
    #[error(transparent)]
    Connect(#[from] nas::Error),
    /// There was another login since.
    #[error("failed to tell whether the same NAS still answers: there was another login since it was asked")]
    Unidentified,
}

impl Peer {
    /// Opens the connection for one call. Network: that, and a login where there is no session. A machine that was not
    /// asked who it is since gets no call.
    pub async fn arm(&self, mutation: Mutation) -> Result<Armed, ArmError> {
        let armed = self.client.arm(mutation).await?;
        if self.client.logins() == self.login {
            Ok(armed)
        } else {
            Err(ArmError::Unidentified)
        }
    }
}

/// Opens the connection for the call of an intent. Network: that, and a login where there is no session.
///
/// Nothing of the call is sent before [`fire`], so this may run beside the write that records the intent. A connection
/// that nobody fires is closed without a byte of HTTP on it. One that the NAS closed while the write was under way sends
/// nothing either ([`Answered::NotDispatched`]).
pub async fn arm(peer: &Peer, intent: &Intent) -> Result<Armed, ArmError> {
    let task = TaskId(intent.task_id);
    let mutation = match intent.action {
        IntentAction::Backup => Mutation::Backup(task),
        IntentAction::Cancel => Mutation::Cancel(task),
        IntentAction::Remove => Mutation::Remove(task),
    };
    peer.arm(mutation).await
}

/// Sends the call of an intent that this process recorded a moment ago. Network.
///
/// The connection was opened before. Between the fence's answer and the first byte there is no await, so a pause of
/// the process in between meets either the fence or, if it is longer than the connection lives, a closed socket.
/// What remains is a pause inside the write itself.
///
/// A crash before the call leaves an intent that the next process finds and does not send on; a crash after it
/// leaves the same intent, whose run that process finds by evidence.
pub async fn fire(armed: Armed, fence: &Fence, clock: Clock, request: Duration) -> Outcome {
    let Some(allowance) = fence.allowance(request) else {
        return Outcome::withheld(clock.now());
    };
    let sent = clock.now();
    let deadline = sent + allowance;
    let answered = match armed.send(allowance).await {
        Answer::Applied => Answered::Applied,
        Answer::Session { .. } | Answer::NotSent => Answered::NotDispatched,
        Answer::Refused { code } => Answered::Refused(code),
        Answer::Unknown { why } => {
            tracing::info!(why = why.label(), "the answer to a call is unknown");
            Answered::Unknown
        }
    };
    Outcome {
        answered,
        sent,
        deadline,
    }
}
