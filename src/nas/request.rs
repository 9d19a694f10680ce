//! What is asked of a NAS, as values: API, version, method, fields. Building one does no input or output.
//!
//! Routing fields go raw; every other value is JSON text, as DSM's own interface sends it. Active Backup is always
//! asked at version 1: the catalogue offers 2, where the same methods answer error 103.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::error::Call;
use super::model::TaskId;

const TASK: &str = "SYNO.ActiveBackup.Task";

/// One request, without its session.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) version: i64,
    pub(super) fields: Vec<(&'static str, Value)>,
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
        self.fields.push((name, Value::Plain(value.into())));
        self
    }

    pub(super) fn secret(mut self, name: &'static str, value: &SecretString) -> Self {
        self.fields.push((name, Value::Secret(value.clone())));
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "these are the four switches of the remote method"
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
    /// Only this task.
    pub task_id: Option<TaskId>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Rows at most.
    pub limit: Option<u64>,
}

impl ListTasks {
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(TASK, 1, "list");
        for (name, wanted) in [
            ("load_result", self.load_result),
            ("load_devices", self.load_devices),
            ("load_status", self.load_status),
            ("load_versions", self.load_versions),
        ] {
            if wanted {
                request = request.plain(name, "true");
            }
        }
        let filter = self.task_id.map(|TaskId(id)| format!("{{\"task_id\":{id}}}"));
        request
            .optional("filter", filter)
            .optional("offset", self.offset)
            .optional("limit", self.limit)
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
    /// Not older, seconds since 1970 on the clock of the NAS.
    pub from_timestamp: Option<i64>,
    /// Not newer, seconds since 1970 on the clock of the NAS.
    pub to_timestamp: Option<i64>,
    /// Rows to skip.
    pub offset: Option<u64>,
    /// Rows at most.
    pub limit: Option<u64>,
}

impl ListResults {
    pub(super) fn request(&self) -> Request {
        Request::new("SYNO.ActiveBackup.Log", 1, "list_result")
            .optional("task_id", self.task_id)
            .optional("filter", self.filter())
            .optional("offset", self.offset)
            .optional("limit", self.limit)
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
    Request::new("SYNO.ActiveBackup.Version", 1, "list").plain("task_id", task.to_string())
}

/// Rows of the log of one task, not older than a second of the NAS's clock.
pub(super) fn list_log(task: TaskId, from_timestamp: i64, limit: u64) -> Request {
    Request::new("SYNO.ActiveBackup.Log", 1, "list_log")
        .plain("task_id", task.to_string())
        .plain("filter", format!("{{\"from_timestamp\":{from_timestamp}}}"))
        .plain("offset", "0".to_owned())
        .plain("limit", limit.to_string())
}

pub(super) fn list_activity() -> Request {
    Request::new("SYNO.ActiveBackup.Overview", 1, "list_activity")
}

pub(super) fn dsm_info() -> Request {
    Request::new("SYNO.DSM.Info", 2, "getinfo")
}

/// `query` is `all` or names separated by commas, both raw: this API is older than the JSON form.
pub(super) fn api_info(query: &str) -> Request {
    Request::new("SYNO.API.Info", 1, "query").plain("query", query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_request() {
        let everything = ListTasks {
            load_result: true,
            load_devices: true,
            load_status: true,
            load_versions: true,
            task_id: Some(TaskId(5)),
            offset: Some(0),
            limit: Some(100),
        };
        let results = ListResults {
            task_id: Some(TaskId(5)),
            job_action: vec![1],
            status: Some(2),
            from_timestamp: Some(10),
            to_timestamp: Some(20),
            offset: Some(0),
            limit: Some(50),
        };
        let several = ListResults {
            job_action: vec![1, 65_536],
            ..ListResults::default()
        };
        for (request, body) in [
            (
                ListTasks::default().request(),
                "api=SYNO.ActiveBackup.Task&version=1&method=list",
            ),
            (
                everything.request(),
                "api=SYNO.ActiveBackup.Task&version=1&method=list&load_result=true&load_devices=true\
                 &load_status=true&load_versions=true&filter=%7B%22task_id%22%3A5%7D&offset=0&limit=100",
            ),
            (
                list_with_device(),
                "api=SYNO.ActiveBackup.Task&version=1&method=list_with_device",
            ),
            (
                list_log(TaskId(5), 10, 50),
                "api=SYNO.ActiveBackup.Log&version=1&method=list_log&task_id=5&\
                 filter=%7B%22from_timestamp%22%3A10%7D&offset=0&limit=50",
            ),
            (
                ListResults::default().request(),
                "api=SYNO.ActiveBackup.Log&version=1&method=list_result",
            ),
            (
                results.request(),
                "api=SYNO.ActiveBackup.Log&version=1&method=list_result&task_id=5&filter=%7B%22status%22%3A2\
                 %2C%22job_action%22%3A1%2C%22from_timestamp%22%3A10%2C%22to_timestamp%22%3A20%7D&offset=0&limit=50",
            ),
            (
                several.request(),
                "api=SYNO.ActiveBackup.Log&version=1&method=list_result\
                 &filter=%7B%22job_action%22%3A%5B1%2C65536%5D%7D",
            ),
            (
                list_versions(TaskId(7)),
                "api=SYNO.ActiveBackup.Version&version=1&method=list&task_id=7",
            ),
            (
                list_activity(),
                "api=SYNO.ActiveBackup.Overview&version=1&method=list_activity",
            ),
            (dsm_info(), "api=SYNO.DSM.Info&version=2&method=getinfo"),
            (
                api_info("all"),
                "api=SYNO.API.Info&version=1&method=query&query=all",
            ),
            (
                Mutation::Backup(TaskId(5)).request(),
                "api=SYNO.ActiveBackup.Task&version=1&method=backup&task_ids=%5B5%5D&trigger_type=1",
            ),
            (
                Mutation::Cancel(TaskId(5)).request(),
                "api=SYNO.ActiveBackup.Task&version=1&method=cancel&task_ids=%5B5%5D",
            ),
            (
                Mutation::Remove(TaskId(5)).request(),
                "api=SYNO.ActiveBackup.Task&version=1&method=remove&task_ids=%5B5%5D",
            ),
        ] {
            assert_eq!(request.body(None), body);
        }
    }

    #[test]
    fn the_session_goes_into_the_body() {
        let sid = SecretString::from("a&b=c");
        assert_eq!(
            list_activity().body(Some(&sid)),
            "api=SYNO.ActiveBackup.Overview&version=1&method=list_activity&_sid=a%26b%3Dc"
        );
    }
}
