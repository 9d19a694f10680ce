//! How this NAS answers where nobody has published what a real one does. Every open question of the API is a
//! switch here, so that a client can be tried against each answer. All of it can be changed while running.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;

/// Switches for what is unknown, and the latencies of jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each switch is one independent unknown"
)]
pub struct Behaviour {
    /// Answer to `backup` while a run of the task is queued or active.
    pub backup_while_running: BackupWhileRunning,
    /// What becomes of `backup` while the agents of the task are offline.
    pub agent_offline: AgentOffline,
    /// Answer to `backup` outside the backup window of the task.
    pub window_closed: WindowClosed,
    /// Answer to `cancel` of a task that is idle.
    pub cancel_idle: CancelIdle,
    /// Seconds from `cancel` to the end of the run; shortened by the time scale. A run that would end by
    /// itself before that ends as if it had not been cancelled.
    pub cancel_seconds: f64,
    /// Answer to `cancel` of a queued run.
    pub cancel_waiting: CancelWaiting,
    /// Whether a run cancelled in the queue leaves a result row with status 5.
    pub cancelled_waiting_row: bool,
    /// Answer to `remove` of a task that runs.
    pub remove_running: RemoveRunning,
    /// Seconds from `remove` to the task being gone; shortened by the time scale.
    pub remove_seconds: f64,
    /// Answer to `backup`, `cancel` and `remove` of an id that does not exist.
    pub unknown_task: UnknownTask,
    /// When a run gets its result row.
    pub result_row: ResultRowAt,
    /// What `last_result` of a task shows while it runs.
    pub last_result_while_running: LastResultWhileRunning,
    /// Whether the login asks for a second factor.
    pub two_factor: bool,
    /// Whether the reading methods answer 103 at version 2, although the catalogue offers it.
    pub v2_reads103: bool,
    /// Whether rows of active tasks carry the textual `status`.
    pub emit_status: bool,
    /// Whether answers carry a `Date` header with the clock of the NAS.
    pub emit_date: bool,
    /// Values of the secret fields of devices.
    pub pollute: Pollution,
    /// Seconds from a `backup` call to the run being active, spent in the queue; shortened by the time scale.
    pub start_delay_seconds: f64,
    /// Whether retention policies come as strings, as numbers or mixed, by task.
    pub polymorphic_retention: bool,
    /// Whether list rows carry numbers as strings, nulls and missing optional fields, by task.
    pub polymorphic_rows: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            backup_while_running: BackupWhileRunning::Conflict1202,
            agent_offline: AgentOffline::Error5001,
            window_closed: WindowClosed::Error1104,
            cancel_idle: CancelIdle::Success,
            cancel_seconds: 2.0,
            cancel_waiting: CancelWaiting::Success,
            cancelled_waiting_row: false,
            remove_running: RemoveRunning::Error1204,
            remove_seconds: 10.0,
            unknown_task: UnknownTask::Error1010,
            result_row: ResultRowAt::AtStart,
            last_result_while_running: LastResultWhileRunning::Previous,
            two_factor: false,
            v2_reads103: true,
            emit_status: true,
            emit_date: true,
            pollute: Pollution::default(),
            start_delay_seconds: 0.0,
            polymorphic_retention: false,
            polymorphic_rows: false,
        }
    }
}

impl Behaviour {
    /// The same behaviour with the fields of a JSON object replaced.
    pub(super) fn merged(&self, patch: Value) -> Result<Self, Error> {
        let mut whole = serde_json::to_value(self).map_err(|source| Error::ReadControl { source })?;
        merge(&mut whole, patch);
        serde_json::from_value(whole).map_err(|source| Error::ReadControl { source })
    }
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

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
