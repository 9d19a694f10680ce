//! What is asked of a NAS, as values: API, version, method, fields. Building one does no input or output.
//!
//! Routing fields go raw; every other value is JSON text, as DSM's own interface sends it. Active Backup is always
//! asked at version 1: the catalogue offers 2, where the same methods answer error 103.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::error::Call;
use super::model::TaskId;

pub mod siblings;
pub mod tasks;

const TASK: &str = "SYNO.ActiveBackup.Task";

/// One request, without its session.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) version: i64,
    pub(super) fields: Vec<(Cow<'static, str>, Value)>,
}

/// The text of a field.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Plain(String),
    Secret(SecretString),
}

impl Request {
    pub(super) fn new(api: &'static str, version: i64, method: &'static str) -> Self {
        Self {
            call: Call { api, method },
            version,
            fields: Vec::new(),
        }
    }

    pub(super) fn plain(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), Value::Plain(value.into())));
        self
    }

    /// One field per member of a serialised struct, each as JSON text, in the order of their names.
    pub(super) fn members(mut self, parameters: &impl Serialize) -> Self {
        // Structs of texts, numbers, lists and trees always serialise; their keys are texts.
        if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(parameters) {
            self.fields.extend(
                members
                    .into_iter()
                    .map(|(name, value)| (name.into(), Value::Plain(value.to_string()))),
            );
        }
        self
    }

    pub(super) fn secret(mut self, name: &'static str, value: &SecretString) -> Self {
        self.fields.push((name.into(), Value::Secret(value.clone())));
        self
    }

    /// A field that is left out when there is nothing to say.
    fn optional(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.plain(name, value.to_string()),
            None => self,
        }
    }

    /// The form body. The session id goes here and never into the URL, which proxies and DSM log.
    pub(super) fn body(&self, sid: Option<&SecretString>) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("api", self.call.api);
        form.append_pair("version", &self.version.to_string());
        form.append_pair("method", self.call.method);
        for (name, value) in &self.fields {
            let value = match value {
                Value::Plain(value) => value.as_str(),
                Value::Secret(value) => value.expose_secret(),
            };
            form.append_pair(name, value);
        }
        if let Some(sid) = sid {
            form.append_pair("_sid", sid.expose_secret());
        }
        form.finish()
    }
}

/// What `Task.list` loads. The default loads the bare rows.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "these are the switches of the remote method"
)]
pub struct ListTasks {
    /// Adds `last_result` to each row.
    pub load_result: bool,
    /// Adds the state of the agents to the devices.
    pub load_devices: bool,
    /// Adds the state of the destination.
    pub load_status: bool,
    /// Adds versions and their count; heavy.
    pub load_versions: bool,
    /// Adds the state of verification to each version.
    pub load_verify_status: bool,
    /// Only this task.
    pub task_id: Option<TaskId>,
    /// Only these tasks.
    pub filter: TaskFilter,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// What nobody has published.
    pub extra: tasks::Extra,
}

/// Which tasks `Task.list` gives, besides [`ListTasks::task_id`] (dsm-api-facts 3.1, "filter keys seen").
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskFilter {
    /// Tasks with this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<i64>,
    /// Tasks of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_type: Option<i64>,
    /// `backingup`, `waiting`, `deleting` or `unscheduled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Last backup not older, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_timestamp: Option<i64>,
    /// Last backup not newer, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_timestamp: Option<i64>,
    /// Part of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_word: Option<String>,
    /// What nobody has published.
    #[serde(flatten)]
    pub extra: tasks::Extra,
}

impl ListTasks {
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(TASK, 1, "list");
        for (name, wanted) in [
            ("load_result", self.load_result),
            ("load_devices", self.load_devices),
            ("load_status", self.load_status),
            ("load_versions", self.load_versions),
            ("load_verify_status", self.load_verify_status),
        ] {
            if wanted {
                request = request.plain(name, "true");
            }
        }
        request
            .optional("filter", self.filter())
            .optional("offset", self.offset)
            .optional("limit", self.limit)
            .members(&self.extra)
    }

    fn filter(&self) -> Option<String> {
        #[derive(Serialize)]
        struct Filter<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            task_id: Option<i64>,
            #[serde(flatten)]
            filter: &'a TaskFilter,
        }
        let filter = Filter {
            task_id: self.task_id.map(|TaskId(id)| id),
            filter: &self.filter,
        };
        // Numbers, texts and trees always serialise; an empty filter is left out.
        serde_json::to_string(&filter).ok().filter(|text| text != "{}")
    }
}

/// What `Log.list_result` selects. The default selects everything, in no promised order: give times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListResults {
    /// Only this task.
    pub task_id: Option<TaskId>,
    /// Only these actions, see [`super::job_action`]; empty for all.
    pub job_action: Vec<i64>,
    /// Only this status, see [`super::status`].
    pub status: Option<i64>,
    /// Only of tasks of this kind.
    pub backup_type: Option<i64>,
    /// Part of the name of the task.
    pub key_word: Option<String>,
    /// Not older, seconds since 1970 on the clock of the NAS.
    pub from_timestamp: Option<i64>,
    /// Not newer, seconds since 1970 on the clock of the NAS.
    pub to_timestamp: Option<i64>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// What has no type here.
    pub extra: tasks::Extra,
}

impl ListResults {
    pub(super) fn request(&self) -> Request {
        Request::new(siblings::LOG, 1, "list_result")
            .optional("task_id", self.task_id)
            .optional("filter", self.filter())
            .optional("offset", self.offset)
            .optional("limit", self.limit)
            .members(&self.extra)
    }

    fn filter(&self) -> Option<String> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Actions<'a> {
            One(i64),
            Several(&'a [i64]),
        }
        #[derive(Serialize)]
        struct Filter<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            status: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            job_action: Option<Actions<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            backup_type: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            key_word: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            from_timestamp: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            to_timestamp: Option<i64>,
        }
        let job_action = match self.job_action.as_slice() {
            [] => None,
            [one] => Some(Actions::One(*one)),
            several => Some(Actions::Several(several)),
        };
        let filter = Filter {
            status: self.status,
            job_action,
            backup_type: self.backup_type,
            key_word: self.key_word.as_deref(),
            from_timestamp: self.from_timestamp,
            to_timestamp: self.to_timestamp,
        };
        // Integers and lists of them always serialise; an empty filter is left out.
        serde_json::to_string(&filter).ok().filter(|text| text != "{}")
    }
}

/// A call that changes something. It leaves its sender nothing to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// Starts a run of one task. It carries no key and returns no run.
    Backup(TaskId),
    /// Cancels the runs of one task. Returns before they end.
    Cancel(TaskId),
    /// Deletes one task and every backup it made. Nothing brings them back.
    Remove(TaskId),
}

impl Mutation {
    /// The task it is about.
    #[must_use]
    pub fn task(self) -> TaskId {
        match self {
            Self::Backup(task) | Self::Cancel(task) | Self::Remove(task) => task,
        }
    }

    /// The remote method.
    #[must_use]
    pub fn call(self) -> Call {
        let method = match self {
            Self::Backup(_) => "backup",
            Self::Cancel(_) => "cancel",
            Self::Remove(_) => "remove",
        };
        Call { api: TASK, method }
    }

    /// One task id per call: what a partly failed list answers is not known.
    pub(super) fn request(self) -> Request {
        let Call { api, method } = self.call();
        let request = Request::new(api, 1, method).plain("task_ids", format!("[{}]", self.task()));
        match self {
            // What the button "Back up" sends: started by hand.
            Self::Backup(_) => request.plain("trigger_type", "1"),
            Self::Cancel(_) | Self::Remove(_) => request,
        }
    }
}

pub(super) fn list_with_device() -> Request {
    Request::new(TASK, 1, "list_with_device")
}

pub(super) fn list_versions(task: TaskId) -> Request {
    Request::new(siblings::VERSION, 1, "list").plain("task_id", task.to_string())
}

/// Rows of the log of one task, not older than a second of the NAS's clock.
pub(super) fn list_log(task: TaskId, from_timestamp: i64, limit: u64) -> Request {
    Request::new(siblings::LOG, 1, "list_log")
        .plain("task_id", task.to_string())
        .plain("filter", format!("{{\"from_timestamp\":{from_timestamp}}}"))
        .plain("offset", "0".to_owned())
        .plain("limit", limit.to_string())
}

pub(super) fn list_activity() -> Request {
    Request::new(siblings::OVERVIEW, 1, "list_activity")
}

pub(super) fn dsm_info() -> Request {
    Request::new("SYNO.DSM.Info", 2, "getinfo")
}

/// `query` is `all` or names separated by commas, both raw: this API is older than the JSON form.
pub(super) fn api_info(query: &str) -> Request {
    Request::new("SYNO.API.Info", 1, "query").plain("query", query)
}

#[cfg(test)]
mod tests;
