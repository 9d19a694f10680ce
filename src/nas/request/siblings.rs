//! What is asked of the siblings of `SYNO.ActiveBackup.Task`, and of DSM (dsm-api-facts 4), beyond what the operator
//! polls.

use serde::Serialize;

use super::Request;
use super::tasks::Extra;
use crate::nas::model::{ResultId, TaskId};

pub(in crate::nas) const LOG: &str = "SYNO.ActiveBackup.Log";
pub(in crate::nas) const OVERVIEW: &str = "SYNO.ActiveBackup.Overview";
pub(in crate::nas) const VERSION: &str = "SYNO.ActiveBackup.Version";
pub(in crate::nas) const DEVICE: &str = "SYNO.ActiveBackup.Device";
pub(in crate::nas) const SETTING: &str = "SYNO.ActiveBackup.Setting";
pub(in crate::nas) const PACKAGE: &str = "SYNO.Core.Package";
pub(in crate::nas) const COMPOUND: &str = "SYNO.Entry.Request";

/// `Log.list_result_detail`: the lines of one result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListResultDetail {
    /// The result.
    pub result_id: i64,
    /// Rows to skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Rows at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// `log_level` or `log_time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// `ASC` or `DESC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ListResultDetail {
    /// All lines of a result, in the order of the NAS.
    #[must_use]
    pub fn of(ResultId(result_id): ResultId) -> Self {
        Self {
            result_id,
            offset: None,
            limit: None,
            order_by: None,
            direction: None,
            extra: Extra::new(),
        }
    }

    pub(in crate::nas) fn request(&self) -> Request {
        Request::new(LOG, 1, "list_result_detail").members(self)
    }
}

/// `Overview.list_device_transfer_size`: the runs of each device in a span of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ListTransfers {
    /// Not older, seconds since 1970; the NAS requires it.
    pub time_start: i64,
    /// Not newer, seconds since 1970; clients always send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_end: Option<i64>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ListTransfers {
    pub(in crate::nas) fn request(&self) -> Request {
        Request::new(OVERVIEW, 1, "list_device_transfer_size").members(self)
    }
}

/// `Version.delete`: destroys versions. Nothing brings them back.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeleteVersions {
    /// The task.
    pub task_id: i64,
    /// Its versions.
    pub version_ids: Vec<i64>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

impl DeleteVersions {
    /// Versions of one task.
    #[must_use]
    pub fn of(TaskId(task_id): TaskId, version_ids: Vec<i64>) -> Self {
        Self {
            task_id,
            version_ids,
            extra: Extra::new(),
        }
    }

    pub(in crate::nas) fn request(&self) -> Request {
        Request::new(VERSION, 1, "delete").members(self)
    }
}

/// `Device.list`: the machines that Active Backup knows, also those in no task.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ListDevices {
    /// Adds the last result of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_result: Option<bool>,
    /// Which ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<DeviceFilter>,
    /// Rows to skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Rows at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Which devices.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeviceFilter {
    /// As in a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_type: Option<i64>,
    /// The host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
}

impl ListDevices {
    pub(in crate::nas) fn request(&self) -> Request {
        Request::new(DEVICE, 1, "list").members(self)
    }
}

pub(in crate::nas) fn list_settings() -> Request {
    Request::new(SETTING, 1, "list")
}

/// The packages with their state.
pub(in crate::nas) fn list_packages() -> Request {
    Request::new(PACKAGE, 2, "list").plain("additional", "[\"status\"]")
}

/// Several reads in one request, one after the other, each whether or not the one before failed.
pub(in crate::nas) fn compound(parts: &[Request]) -> Request {
    let parts: Vec<serde_json::Value> = parts.iter().map(part).collect();
    Request::new(COMPOUND, 1, "request")
        .plain("mode", "\"sequential\"")
        .plain("stop_when_error", "false")
        .plain("compound", serde_json::Value::Array(parts).to_string())
}

/// A part has its parameters as native JSON beside the routing fields.
fn part(request: &Request) -> serde_json::Value {
    let mut part = serde_json::Map::new();
    for (name, value) in &request.fields {
        // No secret is ever part of a compound request: logins are no parts.
        if let super::Value::Plain(text) = value {
            let value = serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
            part.insert(name.to_string(), value);
        }
    }
    part.insert("api".to_owned(), request.call.api.into());
    part.insert("method".to_owned(), request.call.method.into());
    part.insert("version".to_owned(), request.version.into());
    serde_json::Value::Object(part)
}
