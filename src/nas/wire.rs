//! From the bytes of an answer to the model, purely.
//!
//! The structs here name every field that is read and nothing else: unknown fields and all secrets are skipped by the
//! parser without being stored. A list that is missing is an error and never an empty list, because an empty list says
//! that tasks are gone.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient::{Object, Rows, Scalar};
use super::model::{
    Activity, ActivityList, ApiEntry, Catalogue, Device, DeviceTask, DeviceTaskList, DsmInfo, Progress,
    ResultDevice, ResultId, ResultPage, ResultRow, Task, TaskId, TaskList, UniqueKey, Version, VersionList,
};

/// Why an answer holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The NAS answered with an error code.
    Code(i64),
    /// It is no answer of DSM, or a field is missing.
    Unexpected(&'static str),
}

#[derive(Deserialize)]
#[serde(bound = "T: for<'any> Deserialize<'any>")]
struct Envelope<T> {
    #[serde(default)]
    success: Scalar,
    #[serde(default)]
    data: Object<T>,
    #[serde(default)]
    error: Object<ErrorPart>,
}

#[derive(Deserialize)]
struct ErrorPart {
    #[serde(default)]
    code: Scalar,
}

#[derive(Deserialize)]
struct Nothing {}

/// Whether an answer without data says success.
pub(super) fn verdict(body: &[u8]) -> Result<(), Fault> {
    open::<Nothing>(body).map(|_| ())
}

fn open<T: for<'any> Deserialize<'any>>(body: &[u8]) -> Result<Option<T>, Fault> {
    let start = body.trim_ascii_start();
    if start.starts_with(b"<") {
        return Err(Fault::Unexpected("a page of HTML or XML, possibly from a proxy"));
    }
    // A derived struct would also read a list of its fields.
    if !start.starts_with(b"{") {
        return Err(Fault::Unexpected("no JSON object"));
    }
    let Ok(envelope) = serde_json::from_slice::<Envelope<T>>(body) else {
        return Err(Fault::Unexpected("not JSON, or cut short"));
    };
    let code = envelope.error.0.and_then(|error| error.code.int());
    match (envelope.success, code) {
        (Scalar::Bool(true), None) => Ok(envelope.data.0),
        (Scalar::Bool(true), Some(_)) => Err(Fault::Unexpected("success and an error at once")),
        (Scalar::Bool(false), Some(code)) => Err(Fault::Code(code)),
        (Scalar::Bool(false), None) => Err(Fault::Unexpected("an error without a code")),
        _ => Err(Fault::Unexpected("no \"success\" field")),
    }
}

fn data<T: for<'any> Deserialize<'any>>(body: &[u8]) -> Result<T, Fault> {
    open(body)?.ok_or(Fault::Unexpected("success without data"))
}

/// A list that must be there; `null` passes for an empty one only where the NAS counts none.
fn required<T>(rows: Rows<T>, total: Option<u64>, missing: &'static str) -> Result<(Vec<T>, usize), Fault> {
    match rows {
        Rows::List { rows, unreadable } => Ok((rows, unreadable)),
        Rows::Null if total == Some(0) => Ok((Vec::new(), 0)),
        Rows::Null | Rows::Absent | Rows::Other => Err(Fault::Unexpected(missing)),
    }
}

/// Converts each row and counts the ones that cannot be.
fn convert<T, U>(rows: Vec<T>, unreadable: &mut usize, into: impl Fn(T) -> Option<U>) -> Vec<U> {
    let before = rows.len();
    let converted: Vec<U> = rows.into_iter().filter_map(into).collect();
    *unreadable += before - converted.len();
    converted
}

#[derive(Deserialize)]
struct TasksData {
    #[serde(default)]
    tasks: Rows<TaskRow>,
    #[serde(default)]
    total: Scalar,
}

#[derive(Deserialize)]
struct TaskRow {
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

#[derive(Deserialize)]
struct DeviceRow {
    #[serde(default)]
    device_id: Scalar,
    #[serde(default)]
    host_name: Scalar,
    #[serde(default)]
    os_name: Scalar,
}

#[derive(Deserialize)]
struct VersionRow {
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
struct ProgressPart {
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
struct ResultPart {
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
struct TaskConfigPart {
    #[serde(default)]
    device_list: Rows<DeviceRow>,
}

/// The answer of `Task.list`.
pub(super) fn task_list(body: &[u8]) -> Result<TaskList, Fault> {
    let TasksData { tasks, total } = data(body)?;
    let total = total.uint();
    let (rows, mut unreadable_rows) = required(tasks, total, "no list of tasks")?;
    let tasks = convert(rows, &mut unreadable_rows, task);
    Ok(TaskList {
        tasks,
        total,
        unreadable_rows,
    })
}

/// The answer of `Task.list_with_device`.
pub(super) fn device_task_list(body: &[u8]) -> Result<DeviceTaskList, Fault> {
    let TasksData { tasks, total } = data(body)?;
    let total = total.uint();
    let (rows, mut unreadable_rows) = required(tasks, total, "no list of tasks")?;
    let tasks = convert(rows, &mut unreadable_rows, |row| {
        let unique_id = row.unique_id.text();
        task(row).map(|task| DeviceTask { unique_id, task })
    });
    Ok(DeviceTaskList {
        tasks,
        total,
        unreadable_rows,
    })
}

fn task(row: TaskRow) -> Option<Task> {
    let versions = match row.versions {
        Rows::List { rows, .. } => Some(rows.into_iter().filter_map(version).collect()),
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
            .into_iter()
            .chain(row.device_info.0)
            .map(device)
            .collect(),
        share_name: row.share_name.text(),
        version_count: row.version_count.int(),
        versions,
        next_trigger_time: row.next_trigger_time.seconds(),
        allow_manual_backup: row.allow_manual_backup.flag(),
        status: row.status.text(),
        target_status: row.target_status.text(),
        progress: row.progress.0.and_then(progress),
        last_result: row.last_result.0.and_then(result),
    })
}

fn device(row: DeviceRow) -> Device {
    Device {
        id: row.device_id.int(),
        host_name: row.host_name.text().unwrap_or_default(),
        os_name: row.os_name.text(),
    }
}

fn version(row: VersionRow) -> Option<Version> {
    Some(Version {
        id: row.version_id.int()?,
        status: row.status.int(),
        time_start: row.time_start.seconds(),
        time_end: row.time_end.seconds(),
        locked: row.locked.flag().unwrap_or(false),
        used_size: row.used_size.uint(),
    })
}

fn progress(part: ProgressPart) -> Option<Progress> {
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

fn result(part: ResultPart) -> Option<ResultRow> {
    let devices = part
        .task_config
        .0
        .map(|config| config.device_list.or_empty())
        .unwrap_or_default();
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
            .into_iter()
            .map(|row| ResultDevice {
                id: row.device_id.int(),
                host_name: row.host_name.text().unwrap_or_default(),
            })
            .collect(),
    })
}

/// The answer of `Log.list_result`, sorted by `result_id`, newest first.
pub(super) fn result_page(body: &[u8]) -> Result<ResultPage, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        results: Rows<ResultPart>,
        #[serde(default)]
        count: Scalar,
    }
    let Data { results, count } = data(body)?;
    let count = count.uint();
    let (rows, mut unreadable_rows) = required(results, count, "no list of results")?;
    let mut rows = convert(rows, &mut unreadable_rows, result);
    rows.sort_by_key(|row| std::cmp::Reverse(row.result_id));
    Ok(ResultPage {
        rows,
        count,
        unreadable_rows,
    })
}

/// The answer of `Version.list`.
pub(super) fn version_list(body: &[u8]) -> Result<VersionList, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        versions: Rows<VersionRow>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { versions, total } = data(body)?;
    let total = total.uint();
    let (rows, mut unreadable_rows) = required(versions, total, "no list of versions")?;
    let versions = convert(rows, &mut unreadable_rows, version);
    Ok(VersionList {
        versions,
        total,
        unreadable_rows,
    })
}

/// One row: the fields of the job are in `job`, or at the top.
#[derive(Deserialize)]
struct ActivityRow {
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
struct JobPart {
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

/// The answer of `Overview.list_activity`.
pub(super) fn activity_list(body: &[u8]) -> Result<ActivityList, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        activity_list: Rows<ActivityRow>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { activity_list, total } = data(body)?;
    let total = total.uint();
    let (rows, unreadable_rows) = required(activity_list, total, "no list of activities")?;
    let activities = rows.into_iter().map(activity).collect();
    Ok(ActivityList {
        activities,
        total,
        unreadable_rows,
    })
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

/// The answer of `SYNO.DSM.Info` `getinfo`.
pub(super) fn dsm_info(body: &[u8]) -> Result<DsmInfo, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        model: Scalar,
        #[serde(default)]
        version: Scalar,
        #[serde(default)]
        version_string: Scalar,
        #[serde(default)]
        serial: Scalar,
        #[serde(default)]
        uptime: Scalar,
    }
    let Data {
        model,
        version,
        version_string,
        serial,
        uptime,
    } = data(body)?;
    Ok(DsmInfo {
        model: model.text(),
        version: version_string.text().or_else(|| version.text()),
        serial: serial.text(),
        uptime: uptime.uint(),
    })
}

/// The answer of `SYNO.API.Info` `query`.
pub(super) fn catalogue(body: &[u8]) -> Result<Catalogue, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        #[serde(default)]
        path: Scalar,
        #[serde(default)]
        min_version: Scalar,
        #[serde(default)]
        max_version: Scalar,
    }
    let entries: BTreeMap<String, Object<Entry>> = data(body)?;
    let apis = entries
        .into_iter()
        .filter_map(|(name, Object(entry))| {
            let entry = entry?;
            let entry = ApiEntry {
                path: entry.path.text(),
                min_version: entry.min_version.int(),
                max_version: entry.max_version.int(),
            };
            Some((name, entry))
        })
        .collect();
    Ok(Catalogue { apis })
}

/// What a login gives. The values are secrets: no `Debug`.
pub(super) struct LoginData {
    pub(super) sid: String,
    pub(super) token: Option<String>,
}

/// The answer of `SYNO.API.Auth` `login`.
pub(super) fn login(body: &[u8]) -> Result<LoginData, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        sid: Scalar,
        #[serde(default)]
        synotoken: Scalar,
    }
    let Data { sid, synotoken } = data(body)?;
    let sid = sid
        .text()
        .ok_or(Fault::Unexpected("a login without a session id"))?;
    Ok(LoginData {
        sid,
        token: synotoken.text(),
    })
}
