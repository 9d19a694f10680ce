//! From the bytes of an answer to the model, purely.
//!
//! The structs here name every field that is read and nothing else: unknown fields and all secrets are skipped by the
//! parser without being stored. A list that is missing is an error and never an empty list, because an empty list says
//! that tasks are gone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::code::NO_CODE;
use super::lenient::{Object, Row, Rows, Scalar};
use super::model::{
    ActivityList, ApiEntry, Catalogue, DeviceTaskList, DsmInfo, LogPage, ResultPage, TaskList, VersionList,
};
use super::visible::Visible;
pub use open::{
    compound, detail_list, device_list, open_task_list, package_list, packages, setting_list, transfer_list,
};
use rows::{ActivityRow, DeviceTaskRow, LogPart, ResultPart, TaskRow, VersionRow};

pub use stream::{TaskListEnd, TaskSink, TaskStream};

mod open;
mod rows;
mod stream;

/// Why an answer holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The NAS answered with an error code, or refused without one ([`NO_CODE`]).
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
pub fn verdict(body: &[u8]) -> Result<(), Fault> {
    open::<Nothing>(body).map(|_| ())
}

fn open<T: for<'any> Deserialize<'any>>(body: &[u8]) -> Result<Option<T>, Fault> {
    check_start(body.trim_ascii_start())?;
    let Ok(envelope) = serde_json::from_slice::<Envelope<T>>(body) else {
        return Err(NOT_JSON);
    };
    judge(&envelope.success, &envelope.error)?;
    Ok(envelope.data.0)
}

const NOT_JSON: Fault = Fault::Unexpected("not JSON, or cut short");

fn check_start(start: &[u8]) -> Result<(), Fault> {
    if start.starts_with(b"<") {
        return Err(Fault::Unexpected("a page of HTML or XML, possibly from a proxy"));
    }
    // A derived struct would also read a list of its fields.
    if !start.starts_with(b"{") {
        return Err(Fault::Unexpected("no JSON object"));
    }
    Ok(())
}

fn judge(success: &Scalar, error: &Object<ErrorPart>) -> Result<(), Fault> {
    let code = error.0.as_ref().and_then(|error| error.code.int());
    match (success, code) {
        (Scalar::Bool(true), None) => Ok(()),
        (Scalar::Bool(true), Some(_)) => Err(Fault::Unexpected("success and an error at once")),
        (Scalar::Bool(false), Some(code)) => Err(Fault::Code(code)),
        (Scalar::Bool(false), None) => Err(Fault::Code(NO_CODE)),
        _ => Err(Fault::Unexpected("no \"success\" field")),
    }
}

/// The data of any answer as a tree, without its secret fields; `None` for a success without data.
pub fn visible(body: &[u8]) -> Result<Option<Value>, Fault> {
    let start = body.trim_ascii_start();
    check_start(start)?;
    let Ok(envelope) = serde_json::from_slice::<VisibleEnvelope>(start) else {
        return Err(NOT_JSON);
    };
    judge(&envelope.success, &envelope.error)?;
    Ok(envelope.data.map(|Visible(data)| data))
}

#[derive(Deserialize)]
struct VisibleEnvelope {
    #[serde(default)]
    success: Scalar,
    #[serde(default)]
    data: Option<Visible>,
    #[serde(default)]
    error: Object<ErrorPart>,
}

fn data<T: for<'any> Deserialize<'any>>(body: &[u8]) -> Result<T, Fault> {
    open(body)?.ok_or(Fault::Unexpected("success without data"))
}

/// A list of rows with the count that comes with it.
struct Listed<T> {
    values: Vec<T>,
    /// How many the NAS says there are, on all pages.
    total: Option<u64>,
    unreadable: usize,
}

/// A list that must be there; `null` passes for an empty one only where the NAS counts none.
fn listed<R: Row>(rows: Rows<R>, total: &Scalar, missing: &'static str) -> Result<Listed<R::Value>, Fault> {
    let total = total.uint();
    let (values, unreadable) = match rows {
        Rows::List { values, unreadable } => (values, unreadable),
        Rows::Null if total == Some(0) => (Vec::new(), 0),
        Rows::Null | Rows::Absent | Rows::Other => return Err(Fault::Unexpected(missing)),
    };
    Ok(Listed {
        values,
        total,
        unreadable,
    })
}

#[derive(Deserialize)]
#[serde(bound = "R: Row")]
struct TasksData<R: Row> {
    #[serde(default)]
    tasks: Rows<R>,
    #[serde(default)]
    total: Scalar,
}

/// The answer of `Task.list` as a whole: what [`TaskStream`] gives for it, piece by piece.
pub fn task_list(body: &[u8]) -> Result<TaskList, Fault> {
    let TasksData::<TaskRow> { tasks, total } = data(body)?;
    let Listed {
        values: tasks,
        total,
        unreadable: unreadable_rows,
    } = listed(tasks, &total, "no list of tasks")?;
    Ok(TaskList {
        tasks,
        total,
        unreadable_rows,
    })
}

/// The answer of `Task.list_with_device`.
pub fn device_task_list(body: &[u8]) -> Result<DeviceTaskList, Fault> {
    let TasksData::<DeviceTaskRow> { tasks, total } = data(body)?;
    let Listed {
        values: tasks,
        total,
        unreadable: unreadable_rows,
    } = listed(tasks, &total, "no list of tasks")?;
    Ok(DeviceTaskList {
        tasks,
        total,
        unreadable_rows,
    })
}

/// The answer of `Log.list_result`, sorted by `result_id`, newest first.
pub fn result_page(body: &[u8]) -> Result<ResultPage, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        results: Rows<ResultPart>,
        #[serde(default)]
        count: Scalar,
    }
    let Data { results, count } = data(body)?;
    let Listed {
        values: mut rows,
        total: count,
        unreadable: unreadable_rows,
    } = listed(results, &count, "no list of results")?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.result_id));
    Ok(ResultPage {
        rows,
        count,
        unreadable_rows,
    })
}

/// The answer of `Log.list_log`.
pub fn log_page(body: &[u8]) -> Result<LogPage, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        logs: Rows<LogPart>,
        #[serde(default)]
        count: Scalar,
    }
    let Data { logs, count } = data(body)?;
    let Listed {
        values: rows,
        total: count,
        unreadable: unreadable_rows,
    } = listed(logs, &count, "no list of log rows")?;
    Ok(LogPage {
        rows,
        count,
        unreadable_rows,
    })
}

/// The answer of `Version.list`.
pub fn version_list(body: &[u8]) -> Result<VersionList, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        versions: Rows<VersionRow>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { versions, total } = data(body)?;
    let Listed {
        values: versions,
        total,
        unreadable: unreadable_rows,
    } = listed(versions, &total, "no list of versions")?;
    Ok(VersionList {
        versions,
        total,
        unreadable_rows,
    })
}

/// The answer of `Overview.list_activity`.
pub fn activity_list(body: &[u8]) -> Result<ActivityList, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        activity_list: Rows<ActivityRow>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { activity_list, total } = data(body)?;
    let Listed {
        values: activities,
        total,
        unreadable: unreadable_rows,
    } = listed(activity_list, &total, "no list of activities")?;
    Ok(ActivityList {
        activities,
        total,
        unreadable_rows,
    })
}

/// The answer of `SYNO.DSM.Info` `getinfo`.
pub fn dsm_info(body: &[u8]) -> Result<DsmInfo, Fault> {
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
pub fn catalogue(body: &[u8]) -> Result<Catalogue, Fault> {
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
