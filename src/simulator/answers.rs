//! The choices of the switches: for each open question the answers that a real NAS might give.

use serde::{Deserialize, Serialize};

/// Answer to `backup` while a run of the task is queued or active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackupWhileRunning {
    /// Code 1202, job conflict.
    Conflict1202,
    /// Code 4007, another backup exists.
    Conflict4007,
    /// Success, and a second run is queued behind the first.
    Success,
    /// Success, but only a log row (1137) comes of it.
    SuccessLogOnly,
}

/// What becomes of `backup` while the agents of the task are offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentOffline {
    /// Code 5001, device offline.
    Error5001,
    /// A run starts and ends as cancelled.
    Cancelled,
    /// A run starts, pauses (log row 1125), and goes on when the agents are back.
    Paused,
}

/// Answer to `backup` outside the backup window of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowClosed {
    /// Code 1104, the window does not allow it.
    Error1104,
    /// Code 1105, the window is denying.
    Error1105,
    /// Success, but only a log row (1124) comes of it.
    LogOnly,
}

/// Answer to `cancel` of a task that is idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelIdle {
    /// Success without an effect.
    Success,
    /// Code 1201, job not found.
    Error1201,
}

/// Answer to `cancel` of a queued run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelWaiting {
    /// The run leaves the queue.
    Success,
    /// Code 1201, job not found; the run stays in the queue.
    Error,
}

/// Answer to `remove` of a task that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RemoveRunning {
    /// Code 1204, locked by backup.
    Error1204,
    /// Success; the run ends as cancelled and the task is deleted.
    Success,
}

/// Answer to a call for an id that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownTask {
    /// Success without an effect.
    Success,
    /// Code 1010, no task exists.
    Error1010,
    /// Code 1103, task does not exist.
    Error1103,
}

/// When a run gets its result row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResultRowAt {
    /// At its start, with status 1 and `time_end` 0, completed at its end.
    AtStart,
    /// Only at its end.
    AtEnd,
}

/// What `last_result` of a task shows while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastResultWhileRunning {
    /// The result before this run.
    Previous,
    /// The unfinished row of this run, where there is one.
    Running,
}

/// Values of the secret fields that a NAS sends with every device. They are canaries: none of them may ever
/// turn up in what a client prints or stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pollution {
    /// Value of `agent_token`.
    pub agent_token: String,
    /// Value of `login_password`.
    pub login_password: String,
    /// Value of `mssql_password`.
    pub mssql_password: String,
    /// Value of `oracle_password`.
    pub oracle_password: String,
}

impl Default for Pollution {
    fn default() -> Self {
        Self {
            agent_token: "canary-agent-token-5d0c7e".to_owned(),
            login_password: "canary-login-password-91b3fa".to_owned(),
            mssql_password: "canary-mssql-password-c2684d".to_owned(),
            oracle_password: "canary-oracle-password-7e35b0".to_owned(),
        }
    }
}

/// Answer to `cancel_waiting_backup` without ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelWaitingBackup {
    /// Every queued run leaves the queue.
    ClearsQueue,
    /// Success without an effect; only runs of the tasks in `task_ids` leave the queue.
    NeedsIds,
}

/// Data of the answer to `create_vm`, `create_agent` and `create_agentless`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreateAnswer {
    /// None.
    Nothing,
    /// The id of the new task.
    TaskId,
}

/// Code for a session that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadSession {
    /// Code 105, as it has been seen after a restart.
    Error105,
    /// Code 106, session timed out.
    Error106,
    /// Code 107, replaced by another login.
    Error107,
    /// Code 119, session not found.
    Error119,
}

impl DeadSession {
    /// The code itself.
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Error105 => 105,
            Self::Error106 => 106,
            Self::Error107 => 107,
            Self::Error119 => 119,
        }
    }
}

/// Code for a call without the token that its session was opened with; a wrong one is always 119.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingToken {
    /// Code 103, as if the method did not exist.
    Error103,
    /// Code 119, session not found.
    Error119,
}

/// Generation of the web API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DsmGeneration {
    /// Logins at `auth.cgi` up to version 6, keys at `encryption.cgi`, and fewer APIs of the package.
    Dsm6,
    /// Everything at `entry.cgi`, logins up to version 7.
    Dsm7,
}

/// Shape of `error` in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorShape {
    /// The code, and `errors` where there is something to say.
    Plain,
    /// `errors` is an object.
    Object,
    /// `errors` is a list with an entry for each item of the call.
    List,
    /// `errors` is a text.
    Text,
    /// The code is a string.
    CodeAsText,
    /// `error` is null.
    Null,
    /// There is no `error`.
    Absent,
}
