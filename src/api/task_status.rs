//! The status of a `BackupTask`: what is bound, what was asked of the NAS, what came of it.
//!
//! Invariant: `intent` is written before a call and removed in the write that records its outcome; settling
//! uses these fields and never the current spec (protocol, steps 3 to 7).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BackupType, JobAction, ReceiptOutcome, ResultStatus, SourceType, TaskSelector, task::RemovalWhen,
};

/// What is known about the task and what was asked of the NAS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupTaskStatus {
    /// The generation of the spec this status speaks of; -1 until the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Bound`, `LastBackupSucceeded`; `Fresh` with `maxAge`; `Reconciling`, `Stalled`, `Removed` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What the task is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Time>,
    /// The bound task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<BoundTask>,
    /// What the binding rests on: a later edit of `spec.task` binds anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The unanswered call, present only while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The run in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// How tokens were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<Receipts>,
    /// The earliest time at which a run becomes due by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Time>,
    /// When a retry or a refused call is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
    /// Since when the oldest trigger that was not started yet is due: its place in the queue of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_since: Option<Time>,
    /// Which further attempt after a failed run is pending or in flight; 1 for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_attempt: Option<i32>,
    /// Identity of the newest call whose outcome cannot be found out: until another token is accepted nothing starts
    /// by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<String>,
    /// Refusals in a row: the next attempt's delay doubles with each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals: Option<i32>,
    /// The newest backup result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_result: Option<ResultSummary>,
    /// The newest good backup result; kept when `lastResult` moves on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<ResultSummary>,
    /// When the newest good run ended, our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,
    /// When the newest failed run ended, our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_time: Option<Time>,
    /// When the newest run ended, our clock, whatever came of it: `retryBackoff` of `maxAge` counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_end_time: Option<Time>,
    /// Failed runs since the newest good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<i64>,
    /// Until when `Fresh` can be believed if nobody writes any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Time>,
    /// Finished runs, newest first, at most `historyLimit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// What a removal destroys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal_plan: Option<RemovalPlan>,
}

/// What the task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Nothing runs.
    Idle,
    /// A run is queued on the NAS.
    Waiting,
    /// A run is in progress.
    Running,
    /// A run is being cancelled.
    Canceling,
    /// The task is being removed.
    Deleting,
    /// The NAS lists no such task.
    Missing,
    /// The task was removed as asked.
    Removed,
    /// The NAS has not been read.
    Unknown,
}

impl State {
    /// The state as it stands in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Waiting => "Waiting",
            Self::Running => "Running",
            Self::Canceling => "Canceling",
            Self::Deleting => "Deleting",
            Self::Missing => "Missing",
            Self::Removed => "Removed",
            Self::Unknown => "Unknown",
        }
    }
}

/// The bound task as the NAS lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundTask {
    /// The NAS's number of the task.
    pub id: i64,
    /// Its name now.
    pub name: String,
    /// Its lasting identity, where the NAS gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// What kind of source it protects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_type: Option<BackupType>,
    /// The NAS's number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_type_code: Option<i64>,
    /// What part of the source it protects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<SourceType>,
    /// The NAS's number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type_code: Option<i64>,
    /// Devices of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_count: Option<i64>,
    /// The first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<BoundDevice>,
    /// The shared folder its versions are kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Versions kept, where the NAS was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_count: Option<i64>,
    /// The next run of the NAS's own schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_trigger_time: Option<Time>,
}

/// A device of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundDevice {
    /// The NAS's number of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its host name.
    pub host_name: String,
    /// Its operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_name: Option<String>,
}

/// What the binding rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// `spec.task` as it was when the task was bound.
    pub selector: TaskSelector,
    /// The identity it was bound to; absent where the NAS gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// The serial of the NAS it was bound on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nas_serial: Option<String>,
    /// `spec.removal.when` at the time the task was removed; binds nothing again until it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<RemovalWhen>,
}

/// The unanswered call with all that settling needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Identity of this attempt.
    pub id: String,
    /// What is asked of the NAS.
    pub action: IntentAction,
    /// 1 for the first attempt.
    pub attempt: i32,
    /// UID of the BackupServer.
    #[serde(rename = "serverUID")]
    pub server_uid: String,
    /// Serial of the NAS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nas_serial: Option<String>,
    /// The NAS's number of the task.
    pub task_id: i64,
    /// The task's lasting identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Newest backup result before the call; 0 when there was none.
    pub baseline_result_id: i64,
    /// Whether a run was active before the call.
    pub baseline_run_active: bool,
    /// When the intent was recorded, our clock.
    pub recorded_at: Time,
    /// The NAS's clock at that time, where it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nas_time: Option<Time>,
    /// What the call answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRef>,
}

/// A mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IntentAction {
    /// Start a run.
    Backup,
    /// Cancel the run in flight.
    Cancel,
    /// Remove the task with all its versions.
    Remove,
}

impl IntentAction {
    /// The action as it stands in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Cancel => "Cancel",
            Self::Remove => "Remove",
        }
    }
}

/// One thing that asked for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRef {
    /// Which kind of trigger.
    pub kind: TriggerKind,
    /// The token, for tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The slot, for schedules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Time>,
}

/// Kinds of triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TriggerKind {
    /// `spec.triggers.request`.
    Request,
    /// The annotation `activebackup.dev/backup-requested`.
    RequestAnnotation,
    /// A slot of `spec.triggers.schedule`.
    Schedule,
    /// `spec.triggers.maxAge`.
    MaxAge,
    /// A further attempt after a failed run.
    Retry,
}

/// Who asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// A request token.
    Request,
    /// A slot of the schedule.
    Schedule,
    /// `maxAge`.
    MaxAge,
    /// A further attempt.
    Retry,
    /// The NAS's own schedule, or a person.
    External,
}

/// The run in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Who asked for it.
    pub origin: Origin,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRef>,
    /// Its result row on the NAS, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_id: Option<i64>,
    /// Newest backup result before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_result_id: Option<i64>,
    /// When it was asked for, our clock; absent for a run we did not ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Time>,
    /// When it started, our clock: as the NAS says where its clock can be trusted, else when it was first seen
    /// running. `activeDeadline` runs from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// The NAS's clock minus ours when the run was first seen, where they differ by more than 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<i64>,
    /// Why the operator cancels it, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<StopReason>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// Why the operator cancels a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StopReason {
    /// A cancel token.
    Request,
    /// It ran for longer than `activeDeadline`.
    Deadline,
    /// `whenRunning: Replace`, for a trigger or a removal.
    Replace,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<i32>,
    /// Bytes moved so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferred_bytes: Option<i64>,
}

/// How tokens were answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipts {
    /// `spec.triggers.request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Receipt>,
    /// The annotation `activebackup.dev/backup-requested`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_annotation: Option<Receipt>,
    /// `spec.cancel.request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Receipt>,
    /// The annotation `activebackup.dev/cancel-requested`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_annotation: Option<Receipt>,
    /// `spec.triggers.schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleReceipt>,
}

/// How one token was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The last accepted token.
    pub token: String,
    /// What came of it so far.
    pub outcome: ReceiptOutcome,
    /// The result row of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_id: Option<i64>,
    /// When it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Time>,
    /// When its outcome became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// What the schedule has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleReceipt {
    /// The expression these slots belong to.
    pub expression: String,
    /// Its time zone.
    pub time_zone: String,
    /// Slots before this do not exist.
    pub since: Time,
    /// The last slot that was answered or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<Time>,
    /// The next slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot: Option<Time>,
}

/// A backup result of the NAS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultSummary {
    /// The NAS's number of the result; larger is newer.
    pub result_id: i64,
    /// How the run ended.
    pub status: ResultStatus,
    /// The NAS's number for it.
    pub status_code: i64,
    /// What the job did.
    pub action: JobAction,
    /// The NAS's number for it.
    pub action_code: i64,
    /// The NAS's identity of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity_uuid: Option<String>,
    /// What kind of source was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_type: Option<BackupType>,
    /// The NAS's number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_type_code: Option<i64>,
    /// The NAS's clock minus ours when the run was first seen, where they differ by more than 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<i64>,
    /// Whether the run was seen in flight, so that its times can be corrected whatever the NAS's clock did later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_in_flight: bool,
    /// When the run started, the NAS's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended, the NAS's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// Bytes moved; absent where the NAS gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferred_bytes: Option<i64>,
    /// The NAS's count of successes; 0 on many good runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_count: Option<i64>,
    /// The NAS's count of warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_count: Option<i64>,
    /// The NAS's count of errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_count: Option<i64>,
    /// The NAS's count of devices without a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_count: Option<i64>,
    /// The devices of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<ResultDevice>,
    /// Who asked for the run.
    pub origin: Origin,
}

/// A device of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultDevice {
    /// The NAS's number of the device; absent in some rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its host name.
    pub host_name: String,
}

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The result, without devices.
    #[serde(flatten)]
    pub result: ResultSummary,
    /// What the run answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRef>,
    /// How its tokens were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ReceiptOutcome>,
}

/// What a removal destroys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovalPlan {
    /// Versions that will be gone.
    pub versions: i64,
    /// Locked ones among them; with any, nothing is sent.
    pub locked_versions: i64,
    /// When the oldest began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// When the newest began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
    /// Bytes they use, where the NAS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<i64>,
}
