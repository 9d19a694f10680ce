//! The two kinds of the group `activebackup.dev` as users write and read them: types, defaults, schema rules,
//! conditions and reasons. Nothing here acts or decides; every other module builds on these types, and the
//! doc comments are what `kubectl explain` shows.

mod conditions;
mod crd;
mod cron;
mod duration;
mod fields;
mod server;
mod task;
mod task_status;

pub use conditions::{ConditionType, Reason, condition, set_condition, status_time, take_condition};
pub use crd::{definitions, definitions_yaml};
pub use duration::{DurationError, GoDuration};
pub use fields::{BackupType, JobAction, ReceiptOutcome, ResultStatus, SourceType};
pub use server::{
    BackupServer, BackupServerSpec, BackupServerStatus, CaKind, CaRef, CredentialsSpec, DsmInfo, LimitsSpec,
    LoginStatus, Mode, PackageInfo, PollingSpec, RemovalsSpec, RemovalsStatus, SecretRef, TaskCounts,
    TimeoutsSpec, TlsSpec, UnmanagedTask,
};
pub use task::{
    BackupTask, BackupTaskSpec, CancelSpec, Readiness, RemovalSpec, RemovalWhen, Schedule, ServerRef,
    TaskSelector, Triggers, WhenRunning,
};
pub use task_status::{
    BackupTaskStatus, Binding, BoundDevice, BoundTask, HistoryEntry, Intent, IntentAction, Origin, Progress,
    Receipt, Receipts, RemovalPlan, ResultDevice, ResultSummary, Run, ScheduleReceipt, State, StopReason,
    TriggerKind, TriggerRef,
};

/// The API group of both kinds.
pub const GROUP: &str = "activebackup.dev";
/// The finalizer that holds a deleted `BackupTask` while `removal.when: OnDelete` is being carried out.
pub const FINALIZER: &str = "activebackup.dev/removal";
/// Annotation with a token that asks for one run, beside `spec.triggers.request`.
pub const ANNOTATION_BACKUP: &str = "activebackup.dev/backup-requested";
/// Annotation with a token that cancels the run in flight, beside `spec.cancel.request`.
pub const ANNOTATION_CANCEL: &str = "activebackup.dev/cancel-requested";
/// Annotation that suspends as `spec.suspend` does when its value is `true`.
pub const ANNOTATION_SUSPENDED: &str = "activebackup.dev/suspended";
/// Annotation naming the `uniqueKey` to bind to after `TaskReplaced`.
pub const ANNOTATION_REBIND: &str = "activebackup.dev/rebind";
/// Annotation that lets a deleted object go without removing anything when its value is `true`.
pub const ANNOTATION_ABANDON: &str = "activebackup.dev/abandon";
