//! The rows of the lists, field by field as DSM spells them, and their conversion into the model.
//!
//! A field that is not named here is never stored, above all the secrets of devices.

use serde::Deserialize;

use crate::nas::lenient::{Object, Row, Rows, Scalar};
use crate::nas::model::{
    Activity, Device, DeviceTask, LogRow, Progress, ResultDevice, ResultId, ResultRow, Task, TaskId,
    UniqueKey, Version,
};

/// The fields of a row of tasks that have types.
pub(super) const TASK_FIELDS: &[&str] = &[
    "task_id",
    "task_name",
    "unikey",
    "unique_id",
    "backup_type",
    "source_type",
    "device_count",
    "devices",
    "device_info",
    "share_name",
    "version_count",
    "versions",
    "next_trigger_time",
    "allow_manual_backup",
    "status",
    "target_status",
    "progress",
    "last_result",
];

#[derive(Deserialize)]
pub(super) struct TaskRow {
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    task_name: Scalar,
    #[serde(default)]
    unikey: Scalar,
    #[serde(default)]
    unique_id: Scalar,
    #[serde(default)]
    backup_type: Scalar,
    #[serde(default)]
    source_type: Scalar,
    #[serde(default)]
    device_count: Scalar,
    #[serde(default)]
    devices: Rows<DeviceRow>,
    #[serde(default)]
    device_info: Object<DeviceRow>,
    #[serde(default)]
    share_name: Scalar,
    #[serde(default)]
    version_count: Scalar,
    #[serde(default)]
    versions: Rows<VersionRow>,
    #[serde(default)]
    next_trigger_time: Scalar,
    #[serde(default)]
    allow_manual_backup: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    target_status: Scalar,
    #[serde(default)]
    progress: Object<ProgressPart>,
    #[serde(default)]
    last_result: Object<ResultPart>,
}

/// A row of `list_with_device`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct DeviceTaskRow(TaskRow);

#[derive(Deserialize)]
pub(super) struct DeviceRow {
    #[serde(default)]
    device_id: Scalar,
    #[serde(default)]
    host_name: Scalar,
    #[serde(default)]
    os_name: Scalar,
}

#[derive(Deserialize)]
pub(super) struct VersionRow {
    #[serde(default)]
    version_id: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    time_start: Scalar,
    #[serde(default)]
    time_end: Scalar,
    #[serde(default)]
    locked: Scalar,
    #[serde(default)]
    used_size: Scalar,
}

#[derive(Deserialize)]
pub(super) struct ProgressPart {
    #[serde(default)]
    running_task_status: Scalar,
    #[serde(default)]
    percentage: Scalar,
    #[serde(default)]
    transfered_bytes: Scalar,
    #[serde(default)]
    transferred_bytes: Scalar,
    #[serde(default)]
    total_bytes: Scalar,
    #[serde(default)]
    pid: Scalar,
}

#[derive(Deserialize)]
pub(super) struct ResultPart {
    #[serde(default)]
    result_id: Scalar,
    #[serde(default)]
    activity_uuid: Scalar,
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    task_name: Scalar,
    #[serde(default)]
    backup_type: Scalar,
    #[serde(default)]
    job_action: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    time_start: Scalar,
    #[serde(default)]
    time_end: Scalar,
    #[serde(default)]
    success_count: Scalar,
    #[serde(default)]
    warning_count: Scalar,
    #[serde(default)]
    error_count: Scalar,
    #[serde(default)]
    none_count: Scalar,
    #[serde(default)]
    transfered_bytes: Scalar,
    #[serde(default)]
    transferred_bytes: Scalar,
    #[serde(default)]
    task_config: Object<TaskConfigPart>,
}

#[derive(Deserialize)]
pub(super) struct TaskConfigPart {
    #[serde(default)]
    device_list: Rows<DeviceRow>,
}

impl Row for TaskRow {
    type Value = Task;

    fn convert(self) -> Option<Task> {
        task(self)
    }
}

impl Row for DeviceTaskRow {
    type Value = DeviceTask;

    fn convert(self) -> Option<DeviceTask> {
        let Self(mut row) = self;
        let unique_id = std::mem::take(&mut row.unique_id).text();
        task(row).map(|task| DeviceTask { unique_id, task })
    }
}

fn task(row: TaskRow) -> Option<Task> {
    let versions = match row.versions {
        // A version that cannot be read may be the locked one: then nothing is known of them.
        Rows::List {
            values,
            unreadable: 0,
        } => Some(values),
        Rows::List { .. } | Rows::Absent | Rows::Null | Rows::Other => None,
    };
    let mut devices = row.devices.or_empty();
    devices.extend(row.device_info.0.and_then(Row::convert));
    Some(Task {
        id: TaskId(row.task_id.int()?),
        name: row.task_name.text().unwrap_or_default(),
        unique_key: row.unikey.text().and_then(UniqueKey::new),
        backup_type: row.backup_type.int(),
        source_type: row.source_type.int(),
        device_count: row.device_count.int(),
        devices,
        share_name: row.share_name.text(),
        version_count: row.version_count.int(),
        versions,
        next_trigger_time: row.next_trigger_time.seconds(),
        allow_manual_backup: row.allow_manual_backup.flag(),
        status: row.status.text(),
        target_status: row.target_status.text(),
        progress: row.progress.0.as_ref().and_then(progress),
        last_result: row.last_result.0.and_then(Row::convert),
    })
}

impl Row for DeviceRow {
    type Value = Device;

    fn convert(self) -> Option<Device> {
        Some(Device {
            id: self.device_id.int(),
            host_name: self.host_name.text().unwrap_or_default(),
            os_name: self.os_name.text(),
        })
    }
}

impl Row for VersionRow {
    type Value = Version;

    fn convert(self) -> Option<Version> {
        Some(Version {
            id: self.version_id.int()?,
            status: self.status.int(),
            time_start: self.time_start.seconds(),
            time_end: self.time_end.seconds(),
            locked: self.locked.flag().unwrap_or(false),
            used_size: self.used_size.uint(),
        })
    }
}

fn progress(part: &ProgressPart) -> Option<Progress> {
    let progress = Progress {
        running_task_status: part.running_task_status.int(),
        percentage: part.percentage.number(),
        transferred_bytes: part.transfered_bytes.uint().or(part.transferred_bytes.uint()),
        total_bytes: part.total_bytes.uint(),
        pid: part.pid.int(),
    };
    let Progress {
        running_task_status,
        percentage,
        transferred_bytes,
        total_bytes,
        pid,
    } = &progress;
    let idle = running_task_status.is_none()
        && percentage.is_none()
        && transferred_bytes.is_none()
        && total_bytes.is_none()
        && pid.is_none_or(|pid| pid == 0);
    (!idle).then_some(progress)
}

impl Row for ResultPart {
    type Value = ResultRow;

    fn convert(self) -> Option<ResultRow> {
        let devices = self
            .task_config
            .0
            .map(|config| config.device_list.or_empty())
            .unwrap_or_default();
        Some(ResultRow {
            result_id: ResultId(self.result_id.int()?),
            activity_uuid: self.activity_uuid.text(),
            task_id: self.task_id.int().map(TaskId),
            task_name: self.task_name.text(),
            backup_type: self.backup_type.int(),
            job_action: self.job_action.int()?,
            status: self.status.int()?,
            time_start: self.time_start.seconds(),
            time_end: self.time_end.seconds(),
            success_count: self.success_count.int(),
            warning_count: self.warning_count.int(),
            error_count: self.error_count.int(),
            none_count: self.none_count.int(),
            transferred_bytes: self.transfered_bytes.uint().or(self.transferred_bytes.uint()),
            devices: devices.into_iter().map(ResultDevice::from).collect(),
        })
    }
}

/// One row: the fields of the job are in `job`, or at the top.
#[derive(Deserialize)]
pub(super) struct ActivityRow {
    #[serde(default)]
    job: Object<JobPart>,
    #[serde(default)]
    task: Object<JobPart>,
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    action: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    stage: Scalar,
    #[serde(default)]
    job_id: Scalar,
    #[serde(default)]
    user_name: Scalar,
}

#[derive(Deserialize, Default)]
pub(super) struct JobPart {
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    action: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    stage: Scalar,
    #[serde(default)]
    job_id: Scalar,
    #[serde(default)]
    user_name: Scalar,
}

#[derive(Deserialize)]
pub(super) struct LogPart {
    #[serde(default)]
    log_type: Scalar,
    #[serde(default)]
    log_time: Scalar,
    #[serde(default)]
    task_id: Scalar,
}

impl Row for LogPart {
    type Value = LogRow;

    fn convert(self) -> Option<LogRow> {
        Some(LogRow {
            log_type: self.log_type.int()?,
            log_time: self.log_time.int(),
            task_id: self.task_id.int().map(TaskId),
        })
    }
}

impl Row for ActivityRow {
    type Value = Activity;

    fn convert(self) -> Option<Activity> {
        Some(activity(self))
    }
}

fn activity(row: ActivityRow) -> Activity {
    let job = row.job.0.unwrap_or_default();
    let task = row.task.0.unwrap_or_default();
    Activity {
        task_id: job
            .task_id
            .int()
            .or(row.task_id.int())
            .or(task.task_id.int())
            .map(TaskId),
        action: job.action.int().or(row.action.int()),
        status: job.status.int().or(row.status.int()),
        stage: job.stage.int().or(row.stage.int()),
        job_id: job.job_id.int().or(row.job_id.int()),
        user_name: job.user_name.text().or_else(|| row.user_name.text()),
    }
}
