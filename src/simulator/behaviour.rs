//! How this NAS answers where nobody has published what a real one does. Every open question of the API is a
//! switch here, so that a client can be tried against each answer. All of it can be changed while running.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::answers::{
    AgentOffline, BackupWhileRunning, CancelIdle, CancelWaiting, CancelWaitingBackup, CreateAnswer,
    DeadSession, DsmGeneration, ErrorShape, LastResultWhileRunning, MissingToken, Pollution, RemoveRunning,
    ResultRowAt, UnknownTask, WindowClosed,
};

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
    /// Whether list rows carry numbers as strings, nulls and missing fields, by task.
    pub polymorphic_rows: bool,
    /// What `cancel_waiting_backup` does without ids.
    pub cancel_waiting_backup: CancelWaitingBackup,
    /// What the methods that create a task answer.
    pub create_answer: CreateAnswer,
    /// Seconds the deletion of versions takes; shortened by the time scale.
    pub delete_version_seconds: f64,
    /// Whether each successful run is followed by a deletion of old versions, which becomes the last result.
    pub retention_after_run: bool,
    /// Seconds until a result row shows what happened to it; shortened by the time scale.
    pub result_row_delay_seconds: f64,
    /// Seconds until `last_result` shows what happened; shortened by the time scale.
    pub last_result_delay_seconds: f64,
    /// Whether rows carry kinds, statuses and actions that nobody knows, by task.
    pub unknown_enums: bool,
    /// Shape of refusals.
    pub error_shape: ErrorShape,
    /// Code of every login; none when missing.
    pub login_answer: Option<i64>,
    /// Failed logins after which logins are blocked until the lever releases them; never when missing.
    pub lockout_after: Option<u32>,
    /// Code for a session that is gone.
    pub dead_session: DeadSession,
    /// Code for a call that lacks the token of its session.
    pub missing_token: MissingToken,
    /// Whether the account may use the package; every API of the package answers 105 when not.
    pub permission: bool,
    /// Whether several calls may be sent in one; 102 when not.
    pub compound: bool,
    /// Whether a session is checked for each of several calls in one, and not for the whole, which then succeeds.
    pub compound_checks_inside: bool,
    /// Whether `get` of the list of packages works; 103 when not.
    pub package_get: bool,
    /// Generation of the web API.
    pub dsm_generation: DsmGeneration,
    /// Whether answers above one KiB are compressed for clients that accept it.
    pub gzip: bool,
    /// Whether answers come without a length, in chunks.
    pub chunked: bool,
    /// Whether answers call themselves `text/plain`.
    pub text_plain: bool,
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
            cancel_waiting_backup: CancelWaitingBackup::ClearsQueue,
            create_answer: CreateAnswer::Nothing,
            delete_version_seconds: 2.0,
            retention_after_run: false,
            result_row_delay_seconds: 0.0,
            last_result_delay_seconds: 0.0,
            unknown_enums: false,
            error_shape: ErrorShape::Plain,
            login_answer: None,
            lockout_after: None,
            dead_session: DeadSession::Error119,
            missing_token: MissingToken::Error119,
            permission: true,
            compound: true,
            compound_checks_inside: false,
            package_get: false,
            dsm_generation: DsmGeneration::Dsm7,
            gzip: true,
            chunked: true,
            text_plain: false,
        }
    }
}

impl Behaviour {
    /// The same behaviour with the fields of a JSON object replaced.
    pub(super) fn merged(&self, patch: Value) -> Result<Self, Error> {
        merged(self, patch)
    }
}

/// The same value with the fields of a JSON object replaced.
pub(super) fn merged<T: Serialize + DeserializeOwned>(value: &T, patch: Value) -> Result<T, Error> {
    let mut whole = serde_json::to_value(value).map_err(|source| Error::ReadControl { source })?;
    merge(&mut whole, patch);
    serde_json::from_value(whole).map_err(|source| Error::ReadControl { source })
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
