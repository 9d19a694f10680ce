//! From the bytes of an answer to the model, purely.
//!
//! The structs here name every field that is read and nothing else: unknown fields and all secrets are skipped by the
//! parser without being stored. A list that is missing is an error and never an empty list, because an empty list says
//! that tasks are gone.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient::{Object, Rows, Scalar};
use super::model::{
    ActivityList, ApiEntry, Catalogue, DeviceTask, DeviceTaskList, DsmInfo, LogPage, ResultPage, TaskList,
    VersionList,
};
use rows::{ActivityRow, LogPart, ResultPart, TaskRow, VersionRow, activity, log_row, result, task, version};

mod rows;

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
fn convert<T, U>(rows: &[T], unreadable: &mut usize, into: impl Fn(&T) -> Option<U>) -> Vec<U> {
    let before = rows.len();
    let converted: Vec<U> = rows.iter().filter_map(into).collect();
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

/// The answer of `Task.list`.
pub(super) fn task_list(body: &[u8]) -> Result<TaskList, Fault> {
    let TasksData { tasks, total } = data(body)?;
    let total = total.uint();
    let (rows, mut unreadable_rows) = required(tasks, total, "no list of tasks")?;
    let tasks = convert(&rows, &mut unreadable_rows, task);
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
    let tasks = convert(&rows, &mut unreadable_rows, |row| {
        let unique_id = row.unique_id.text();
        task(row).map(|task| DeviceTask { unique_id, task })
    });
    Ok(DeviceTaskList {
        tasks,
        total,
        unreadable_rows,
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
    let mut rows = convert(&rows, &mut unreadable_rows, result);
    rows.sort_by_key(|row| std::cmp::Reverse(row.result_id));
    Ok(ResultPage {
        rows,
        count,
        unreadable_rows,
    })
}

/// The answer of `Log.list_log`.
pub(super) fn log_page(body: &[u8]) -> Result<LogPage, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        logs: Rows<LogPart>,
        #[serde(default)]
        count: Scalar,
    }
    let Data { logs, count } = data(body)?;
    let count = count.uint();
    let (rows, mut unreadable_rows) = required(logs, count, "no list of log rows")?;
    let rows = convert(&rows, &mut unreadable_rows, log_row);
    Ok(LogPage {
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
    let versions = convert(&rows, &mut unreadable_rows, version);
    Ok(VersionList {
        versions,
        total,
        unreadable_rows,
    })
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
    let activities = rows.iter().map(activity).collect();
    Ok(ActivityList {
        activities,
        total,
        unreadable_rows,
    })
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

#[cfg(test)]
mod tests;
