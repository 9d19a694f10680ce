//! The methods of `SYNO.ActiveBackup.Task` that the operator itself never needs: creating and changing tasks, checks of
//! virtual machines, default names.
//!
//! Each struct names the parameters that somebody has published (dsm-api-facts 3.5 to 3.7, with their confidence in
//! [`super::super::methods`]); [`Extra`] takes the ones that nobody has. A parameter that is `None` is not sent.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Request, TASK};
use crate::nas::model::TaskId;

/// Parameters that nobody has published, by name; each value is sent as JSON text. One that has the name of a typed
/// parameter takes its place.
pub type Extra = BTreeMap<String, Value>;

/// Which versions the NAS keeps. Types differ between captures (dsm-api-facts 3.3); numbers are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetentionPolicy {
    /// Whether nothing is ever deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_all: Option<bool>,
    /// The newest versions to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_versions: Option<i64>,
    /// Days for which every version is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<i64>,
    /// Days for which one version a day is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gfs_days: Option<i64>,
    /// Weeks for which one version a week is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gfs_weeks: Option<i64>,
    /// Months for which one version a month is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gfs_months: Option<i64>,
    /// Years for which one version a year is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gfs_years: Option<i64>,
    /// What has no type here.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The NAS's own schedule of a task, in its local time (dsm-api-facts 3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// Flags: 0 by hand, 1 by schedule, 2 by event, 4 continuous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_setting_type: Option<i64>,
    /// `Weekly`; `Daily` and `Once` are reported, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_type: Option<String>,
    /// Hours between runs of a day; 0 is once a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_hour: Option<i64>,
    /// Hour of the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_hour: Option<i64>,
    /// Minute of the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_min: Option<i64>,
    /// Days of the week, 0 is Sunday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_weekday: Option<Vec<i64>>,
    /// The day from which it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_year: Option<i64>,
    /// Its month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_month: Option<i64>,
    /// Its day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_day: Option<i64>,
    /// Whether runs are limited to the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_backup_window: Option<bool>,
    /// 168 characters `0` or `1`: the hours of a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_window: Option<String>,
    /// Whether a continuous task pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_continuous_paused: Option<bool>,
    /// What has no type here.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One virtual machine as `create_vm` and `set` name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VirtualMachine {
    /// Its name at the hypervisor.
    pub host_name: String,
    /// Its operating system.
    pub os_name: String,
    /// Its instance UUID.
    pub device_uuid: String,
    /// Its managed object, such as `vm-123`.
    pub vm_moid_path: String,
    /// The hypervisor, as Active Backup numbers it.
    pub inventory_id: i64,
    /// Its name in Active Backup.
    pub inventory_name: String,
    /// What has no type here.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `create_vm`, and the same parameters again for `create_vm_check` (dsm-api-facts 3.6, 3.7).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CreateVm {
    /// The name of the new task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// What it backs up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<VirtualMachine>>,
    /// The shared folder for its backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_name: Option<String>,
    /// Machines at the same time; 4 in the one client that creates tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_devices: Option<i64>,
    /// Which versions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sched_content: Option<Schedule>,
    /// Whether changed block tracking is used. Sent as a boolean, listed as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cbt_enable_mode: Option<bool>,
    /// Percents of the datastore to leave free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastore_reserved_percentage: Option<i64>,
    /// Application-aware backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_app_aware_bkp: Option<bool>,
    /// Compressed transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_compress_transfer: Option<bool>,
    /// Whether the datastore's free space is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_datastore_aware: Option<bool>,
    /// Encrypted transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_encrypt_transfer: Option<bool>,
    /// Whether each backup is verified by starting it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_verification: Option<bool>,
    /// Seconds of the verification's recording; 120 in every capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_policy: Option<i64>,
    /// `vim.VirtualMachine-Folder` or `vim.VirtualMachine-Host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_type: Option<String>,
    /// Scripts; an empty object in the one client that creates tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scripts: Option<Value>,
    /// Users (uid) who may restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<i64>>,
    /// Groups (gid) who may restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<i64>>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `create_agent` and `create_agentless`. No parameter of either is public: these are the fields of a task as `list` shows
/// it, as a guess (dsm-api-facts 3.7).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CreateTask {
    /// The name of the new task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// 2 PC, 3 physical server, 4 file server, 5 DSM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_type: Option<i64>,
    /// 1 entire device, 2 system volume, 3 custom volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<i64>,
    /// Volumes, such as `C:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_volume: Option<Vec<String>>,
    /// Devices, in whatever shape the NAS takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<Value>>,
    /// The shared folder for its backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_name: Option<String>,
    /// Which versions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sched_content: Option<Schedule>,
    /// The folder of a file server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agentless_backup_path: Option<String>,
    /// Of a file server: 0 incremental, 1 mirror, 2 versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agentless_backup_policy: Option<i64>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One folder of a hypervisor, all of whose machines belong to a task (`check_folders` of `set`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckFolder {
    /// The hypervisor, as Active Backup numbers it.
    pub inventory_id: i64,
    /// The folder.
    pub folder_id: String,
    /// Its path.
    pub folder_path: String,
    /// Its kind.
    pub folder_type: String,
    /// As `view_type` of the task; this one is spelt without an underscore.
    pub viewtype: String,
    /// Folders in it that do not belong to the task.
    pub exclusive_folder_id: Vec<String>,
    /// Their paths.
    pub exclusive_folder_path: Vec<String>,
    /// Machines in it that do not belong to the task.
    pub exclusive_vm_id: Vec<String>,
    /// Their paths.
    pub exclusive_vm_path: Vec<String>,
    /// What has no type here.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `set`: changes what is given, for every task named (dsm-api-facts 3.7).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SetTasks {
    /// The tasks; all of them get every change.
    #[serde(serialize_with = "numbers")]
    pub task_ids: Vec<TaskId>,
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// What they back up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<VirtualMachine>>,
    /// The shared folder for their backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_name: Option<String>,
    /// Which versions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<RetentionPolicy>,
    /// When they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sched_content: Option<Schedule>,
    /// As for [`CreateVm`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_type: Option<String>,
    /// Folders whose machines belong to the tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_folders: Option<Vec<CheckFolder>>,
    /// Machines at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_devices: Option<i64>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `get_default_task_name`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DefaultTaskName {
    /// As in a task; the NAS requires it.
    pub backup_type: i64,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `cancel_waiting_backup`. Nobody knows which runs it hits without ids: all that wait, or none. The operator never
/// sends it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CancelWaiting {
    /// The tasks; whether the NAS reads them is not known.
    #[serde(serialize_with = "some_numbers", skip_serializing_if = "Option::is_none")]
    pub task_ids: Option<Vec<TaskId>>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `create_vm_check`, `list_vm_check`, `vm_check_cancel`: known without parameters only.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VmCheck {
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

fn numbers<S: serde::Serializer>(ids: &[TaskId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(|TaskId(id)| id))
}

#[allow(clippy::ref_option, reason = "the shape that serde calls")]
fn some_numbers<S: serde::Serializer>(ids: &Option<Vec<TaskId>>, serializer: S) -> Result<S::Ok, S::Error> {
    numbers(ids.as_deref().unwrap_or_default(), serializer)
}

pub(in crate::nas) fn request(method: &'static str, parameters: &impl Serialize) -> Request {
    Request::new(TASK, 1, method).members(parameters)
}
