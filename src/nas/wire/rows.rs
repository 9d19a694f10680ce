//! The rows of the lists, field by field as DSM spells them, and their conversion into the model.
//!
//! A field that is not named here is never stored, above all the secrets of devices.

use serde::Deserialize;

use crate::nas::lenient::{Object, Rows, Scalar};
use crate::nas::model::{
    Activity, Device, LogRow, Progress, ResultDevice, ResultId, ResultRow, Task, TaskId, UniqueKey, Version,
};

#[derive(Deserialize)]
pub(super) struct TaskRow {
    #[serde(default)]
    task_id: Scalar,
    #[serde(default)]
    task_name: Scalar,
    #[serde(default)]
    unikey: Scalar,
    #[serde(default)]
    pub(super) unique_id: Scalar,
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

pub(super) fn task(row: &TaskRow) -> Option<Task> {
    let versions = match &row.versions {
        Rows::List { rows, .. } => Some(rows.iter().filter_map(version).collect()),
        Rows::Absent | Rows::Null | Rows::Other => None,
    };
    Some(Task {
        id: TaskId(row.task_id.int()?),
        name: row.task_name.text().unwrap_or_default(),
        unique_key: row.unikey.text().and_then(UniqueKey::new),
        backup_type: row.backup_type.int(),
        source_type: row.source_type.int(),
        device_count: row.device_count.int(),
        devices: row
            .devices
            .or_empty()
            .iter()
            .chain(&row.device_info.0)
            .map(device)
            .collect(),
        share_name: row.share_name.text(),
        version_count: row.version_count.int(),
        versions,
        next_trigger_time: row.next_trigger_time.seconds(),
        allow_manual_backup: row.allow_manual_backup.flag(),
        status: row.status.text(),
        target_status: row.target_status.text(),
        progress: row.progress.0.as_ref().and_then(progress),
        last_result: row.last_result.0.as_ref().and_then(result),
    })
}

fn device(row: &DeviceRow) -> Device {
    Device {
        id: row.device_id.int(),
        host_name: row.host_name.text().unwrap_or_default(),
        os_name: row.os_name.text(),
    }
}

pub(super) fn version(row: &VersionRow) -> Option<Version> {
    Some(Version {
        id: row.version_id.int()?,
        status: row.status.int(),
        time_start: row.time_start.seconds(),
        time_end: row.time_end.seconds(),
        locked: row.locked.flag().unwrap_or(false),
        used_size: row.used_size.uint(),
    })
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

pub(super) fn result(part: &ResultPart) -> Option<ResultRow> {
    let devices = part
        .task_config
        .0
        .as_ref()
        .map_or(&[][..], |config| config.device_list.or_empty());
    Some(ResultRow {
        result_id: ResultId(part.result_id.int()?),
        activity_uuid: part.activity_uuid.text(),
        task_id: part.task_id.int().map(TaskId),
        task_name: part.task_name.text(),
        backup_type: part.backup_type.int(),
        job_action: part.job_action.int()?,
        status: part.status.int()?,
        time_start: part.time_start.seconds(),
        time_end: part.time_end.seconds(),
        success_count: part.success_count.int(),
        warning_count: part.warning_count.int(),
        error_count: part.error_count.int(),
        none_count: part.none_count.int(),
        transferred_bytes: part.transfered_bytes.uint().or(part.transferred_bytes.uint()),
        devices: devices
            .iter()
            .map(|row| ResultDevice {
                id: row.device_id.int(),
                host_name: row.host_name.text().unwrap_or_default(),
            })
            .collect(),
    })
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

pub(super) fn log_row(row: &LogPart) -> Option<LogRow> {
    Some(LogRow {
        log_type: row.log_type.int()?,
        log_time: row.log_time.int(),
        task_id: row.task_id.int().map(TaskId),
    })
}

pub(super) fn activity(row: &ActivityRow) -> Activity {
    let nothing = JobPart::default();
    let job = row.job.0.as_ref().unwrap_or(&nothing);
    let task = row.task.0.as_ref().unwrap_or(&nothing);
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
