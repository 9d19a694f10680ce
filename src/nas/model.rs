//! What a NAS told, as types: tasks, results, versions, the queue.
//!
//! Every value here was parsed once, in `wire`; nothing is guessed. Field names are those of DSM where DSM has a good
//! one. Secrets that DSM puts into its answers (agent tokens, passwords) have no place in these types.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a task on one NAS (`task_id`). A NAS may give a freed number to another task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct TaskId(pub i64);

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The number of a result row (`result_id`); it grows with every job of a NAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct ResultId(pub i64);

impl fmt::Display for ResultId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The lasting identity of a task (`unikey`, a UUID). Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct UniqueKey(String);

impl UniqueKey {
    /// `None` for an empty text, which is what DSM sends for a task that has no key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Option<Self> {
        let key = key.into();
        (!key.trim().is_empty()).then_some(Self(key))
    }

    /// The key as DSM wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The values of [`ResultRow::status`]. Others exist or may come: keep the number, and never read one as success.
pub mod status {
    /// No verdict.
    pub const NONE: i64 = 0;
    /// The job runs, or ended without a verdict.
    pub const INCOMPLETE: i64 = 1;
    /// Everything was backed up.
    pub const SUCCESS: i64 = 2;
    /// Some devices or files were not backed up.
    pub const PARTIAL: i64 = 3;
    /// Failed.
    pub const FAILED: i64 = 4;
    /// Cancelled by a person, a window or this operator.
    pub const CANCELED: i64 = 5;
    /// There was nothing to back up.
    pub const NO_BACKUP: i64 = 6;
}

/// The values of [`ResultRow::job_action`] and [`Activity::action`]: one bit each.
pub mod job_action {
    /// A backup.
    pub const BACKUP: i64 = 1;
    /// A whole device is restored.
    pub const RESTORE_DEVICE: i64 = 128;
    /// A device is migrated.
    pub const MIGRATE: i64 = 256;
    /// A version is verified.
    pub const VERIFY: i64 = 512;
    /// Files are restored.
    pub const RESTORE_FILE: i64 = 1024;
    /// A physical machine is restored.
    pub const RESTORE_PHYSICAL: i64 = 2048;
    /// A task and its backups are deleted.
    pub const DELETE_TARGET: i64 = 65_536;
    /// Versions are deleted, by hand or by retention.
    pub const DELETE_VERSION: i64 = 131_072;
    /// A hypervisor or host is deleted.
    pub const DELETE_HOST: i64 = 262_144;
    /// Deduplication.
    pub const DEDUPLICATE: i64 = 1_048_576;
    /// Backups are linked to tasks again.
    pub const RELINK: i64 = 2_097_152;
    /// Storage is compacted.
    pub const COMPACT: i64 = 4_194_304;
    /// A task is created.
    pub const CREATE_TASK: i64 = 268_435_456;
}

/// The answer of `Task.list`.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskList {
    /// The readable rows, in the order of the NAS.
    pub tasks: Vec<Task>,
    /// How many tasks the NAS says there are.
    pub total: Option<u64>,
    /// Rows without a usable `task_id`; they are left out of `tasks`.
    pub unreadable_rows: usize,
}

impl TaskList {
    /// Whether a task that is not in the list is not on the NAS: every row was read and none is on another page.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        is_complete(self.tasks.len(), self.total, self.unreadable_rows)
    }
}

pub(super) fn is_complete(rows: usize, total: Option<u64>, unreadable_rows: usize) -> bool {
    unreadable_rows == 0 && total.is_none_or(|total| rows as u64 >= total)
}

/// One task.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Task {
    /// The number.
    pub id: TaskId,
    /// The name; empty when DSM sent none. Not unique.
    pub name: String,
    /// The lasting identity; absent on some tasks.
    pub unique_key: Option<UniqueKey>,
    /// 1 virtual machine, 2 PC, 3 physical server, 4 file server, 5 DSM.
    pub backup_type: Option<i64>,
    /// 0 none, 1 entire device, 2 system volume, 3 custom volumes.
    pub source_type: Option<i64>,
    /// How many devices the task has.
    pub device_count: Option<i64>,
    /// The devices; one in a row of `list_with_device`.
    pub devices: Vec<Device>,
    /// The shared folder that holds the backups.
    pub share_name: Option<String>,
    /// How many versions there are; only with `load_versions`.
    pub version_count: Option<i64>,
    /// The versions, in the order of the NAS, which differs by call; only with `load_versions`.
    pub versions: Option<Vec<Version>>,
    /// The next scheduled start, seconds since 1970; `None` when unscheduled (DSM sends -1 or 0).
    pub next_trigger_time: Option<i64>,
    /// Whether a person may start it by hand; absent in `list_with_device`.
    pub allow_manual_backup: Option<bool>,
    /// `backingup`, `waiting`, `deleting`, `unscheduled` or a number as text; in no public capture.
    pub status: Option<String>,
    /// The state of the destination, such as `online`; only with `load_status`.
    pub target_status: Option<String>,
    /// There while a run is in progress or waits.
    pub progress: Option<Progress>,
    /// The latest job of *any* kind, which may be a deletion of versions; only with `load_result`.
    pub last_result: Option<ResultRow>,
}

/// One device of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Device {
    /// The number of the device.
    pub id: Option<i64>,
    /// The host name; empty when DSM sent none.
    pub host_name: String,
    /// The operating system as DSM words it.
    pub os_name: Option<String>,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Progress {
    /// 0 waiting, 1 running, 2 pausing, 3 canceling.
    pub running_task_status: Option<i64>,
    /// From 0.0 to 1.0, as sent.
    pub percentage: Option<f64>,
    /// Bytes moved so far.
    pub transferred_bytes: Option<u64>,
    /// Bytes to move.
    pub total_bytes: Option<u64>,
    /// The process on the NAS; 0 when none.
    pub pid: Option<i64>,
}

/// One finished or running job: a row of the log, or the `last_result` of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResultRow {
    /// The number; grows with every job.
    pub result_id: ResultId,
    /// The run's identity; absent on old rows and old versions of the package.
    pub activity_uuid: Option<String>,
    /// The task.
    pub task_id: Option<TaskId>,
    /// The name of the task when the job ran.
    pub task_name: Option<String>,
    /// As [`Task::backup_type`].
    pub backup_type: Option<i64>,
    /// What the job did, see [`job_action`].
    pub job_action: i64,
    /// How it ended, see [`status`].
    pub status: i64,
    /// Seconds since 1970 on the clock of the NAS.
    pub time_start: Option<i64>,
    /// Seconds since 1970 on the clock of the NAS; `None` while unfinished (DSM sends 0).
    pub time_end: Option<i64>,
    /// Can be 0 on a successful backup: no verdict.
    pub success_count: Option<i64>,
    /// Devices with warnings.
    pub warning_count: Option<i64>,
    /// Devices with errors.
    pub error_count: Option<i64>,
    /// Devices without a verdict.
    pub none_count: Option<i64>,
    /// Bytes moved; DSM spells it `transfered_bytes` and leaves it out of log rows.
    pub transferred_bytes: Option<u64>,
    /// The devices, as far as the row names them.
    pub devices: Vec<ResultDevice>,
}

impl ResultRow {
    /// Whether the job was a backup and nothing else.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        self.job_action == job_action::BACKUP
    }

    /// Whether the job is over. A row with status 1 is in progress, unless it has an end that is not before its start.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status != status::INCOMPLETE
            || self
                .time_end
                .is_some_and(|end| self.time_start.is_none_or(|start| end >= start))
    }
}

/// A device as a result row names it; the number is missing after its versions were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResultDevice {
    /// The number of the device.
    pub id: Option<i64>,
    /// The host name; empty when DSM sent none.
    pub host_name: String,
}

impl From<Device> for ResultDevice {
    fn from(
        Device {
            id,
            host_name,
            os_name: _,
        }: Device,
    ) -> Self {
        Self { id, host_name }
    }
}

/// The answer of `Task.list_with_device`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTaskList {
    /// One row per pair of task and device.
    pub tasks: Vec<DeviceTask>,
    /// How many rows the NAS says there are.
    pub total: Option<u64>,
    /// Rows without a usable `task_id`; they are left out of `tasks`.
    pub unreadable_rows: usize,
}

impl DeviceTaskList {
    /// As [`TaskList::is_complete`], for pairs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        is_complete(self.tasks.len(), self.total, self.unreadable_rows)
    }
}

/// One pair of task and device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTask {
    /// `task-device`, such as `1-1`.
    pub unique_id: Option<String>,
    /// The task, with this one device in `devices`. It lacks the fields that this method does not send, and
    /// `last_result` comes without being asked for.
    pub task: Task,
}

/// One page of `Log.list_result`, newest `result_id` first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPage {
    /// The readable rows, sorted here: the order of the NAS is not to be relied on.
    pub rows: Vec<ResultRow>,
    /// How many rows match on all pages.
    pub count: Option<u64>,
    /// Rows without a usable `result_id`, `job_action` or `status`; they are left out of `rows`.
    pub unreadable_rows: usize,
}

impl ResultPage {
    /// Whether these are all rows that match, every one of them readable.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        is_complete(self.rows.len(), self.count, self.unreadable_rows)
    }
}

/// One page of `Log.list_log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The readable rows, in the order of the NAS.
    pub rows: Vec<LogRow>,
    /// How many rows match on all pages.
    pub count: Option<u64>,
    /// Rows without a usable `log_type`; they are left out of `rows`.
    pub unreadable_rows: usize,
}

/// One row of the log of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRow {
    /// What happened, see [`log_type`].
    pub log_type: i64,
    /// When, seconds since 1970 on the clock of the NAS.
    pub log_time: Option<i64>,
    /// The task.
    pub task_id: Option<TaskId>,
}

/// Kinds of rows in the log of a task (dsm-api-facts 4).
pub mod log_type {
    /// A backup has started.
    pub const STARTED: i64 = 1101;
    /// Not started: a restore goes on.
    pub const CONFLICT_WITH_RESTORE: i64 = 1106;
    /// Not started: another backup goes on.
    pub const ANOTHER_BACKUP: i64 = 1107;
    /// Not started: a verification goes on.
    pub const VERIFICATION: i64 = 1112;
    /// Not started: a deletion goes on.
    pub const DELETION: i64 = 1114;
    /// A backup was started by an event.
    pub const STARTED_BY_EVENT: i64 = 1115;
    /// Not started: the backup window is closed.
    pub const IGNORED_BY_WINDOW: i64 = 1124;
    /// Not started: the task is being backed up already.
    pub const SAME_BACKUP: i64 = 1137;
}

/// The answer of `Version.list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionList {
    /// The versions, in the order of the NAS, which differs by call: sort by time.
    pub versions: Vec<Version>,
    /// How many versions the NAS says there are.
    pub total: Option<u64>,
    /// Rows without a usable `version_id`; they are left out of `versions`.
    pub unreadable_rows: usize,
}

/// One backed-up version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Version {
    /// The number.
    pub id: i64,
    /// Not a result status: 0 backing up, 1 deleting, 2 paused, 3 completed, 4 failed, 5 partial, 6 cancelled,
    /// 7 deletion failed, 8 cloning, 777 waiting for a connection.
    pub status: Option<i64>,
    /// Seconds since 1970.
    pub time_start: Option<i64>,
    /// Seconds since 1970.
    pub time_end: Option<i64>,
    /// Whether a person locked it; a task with a locked version cannot be removed (error 1101).
    pub locked: bool,
    /// Bytes.
    pub used_size: Option<u64>,
}

/// The answer of `Overview.list_activity`: what runs and what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityList {
    /// The rows.
    pub activities: Vec<Activity>,
    /// How many rows the NAS says there are.
    pub total: Option<u64>,
    /// Rows that are no objects; they are left out of `activities`.
    pub unreadable_rows: usize,
}

impl ActivityList {
    /// Whether a backup or a deletion of a task that is not in the list neither runs nor waits. A row that names no task
    /// spoils that, unless it is known to be about something else.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let tells = |activity: &Activity| {
            let elsewhere = |action| action & (job_action::BACKUP | job_action::DELETE_TARGET) == 0;
            activity.task_id.is_some() || activity.action.is_some_and(elsewhere)
        };
        is_complete(self.activities.len(), self.total, self.unreadable_rows)
            && self.activities.iter().all(tells)
    }
}

/// One job that runs or waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The task, if the row names one.
    pub task_id: Option<TaskId>,
    /// What the job does, see [`job_action`].
    pub action: Option<i64>,
    /// 0 none, 1 waits for its task, 2 waits for storage, 3 runs, 4 stops, 8 delegates.
    pub status: Option<i64>,
    /// 0 none, 1 before, 2 at its sub-jobs, 3 after.
    pub stage: Option<i64>,
    /// The number of the job.
    pub job_id: Option<i64>,
    /// The account that started it.
    pub user_name: Option<String>,
}

/// The answer of `SYNO.DSM.Info` `getinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DsmInfo {
    /// Such as `DS918+`.
    pub model: Option<String>,
    /// Such as `DSM 7.2.1-69057 Update 5`, else the bare build number.
    pub version: Option<String>,
    /// The serial number, the identity of the NAS.
    pub serial: Option<String>,
    /// Seconds since the NAS started.
    pub uptime: Option<u64>,
}

/// The answer of `SYNO.API.Info` `query`: which APIs there are. The ones of a stopped package are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By API name.
    pub apis: BTreeMap<String, ApiEntry>,
}

impl Catalogue {
    /// Whether Active Backup for Business is installed and runs.
    #[must_use]
    pub fn has_active_backup(&self) -> bool {
        self.apis.contains_key("SYNO.ActiveBackup.Task")
    }
}

/// Where an API is served, and in which versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiEntry {
    /// Relative to `/webapi/`; comes from the network, so it is checked before use.
    pub path: Option<String>,
    /// The oldest version.
    pub min_version: Option<i64>,
    /// The newest version.
    pub max_version: Option<i64>,
}
