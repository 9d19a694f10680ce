//! What a NAS tells when a person or a probe asks, beyond what is polled: devices, settings, packages, lines of a result,
//! bytes per device. Fields without a type of their own are kept beside the typed ones, the secret ones never.

use serde_json::{Map, Value};

use super::model::{ResultId, TaskId};

/// A value and the fields of its row that have no type here, by name. Secret fields are skipped by the parser.
#[derive(Debug, Clone, PartialEq)]
pub struct Open<T> {
    /// What has a type.
    pub known: T,
    /// The rest, as DSM spells it.
    pub extra: Map<String, Value>,
}

/// A list of such rows.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenList<T> {
    /// The readable rows, in the order of the NAS.
    pub rows: Vec<Open<T>>,
    /// How many the NAS says there are, on all pages.
    pub total: Option<u64>,
    /// Rows that could not be read; they are left out of `rows`.
    pub unreadable_rows: usize,
}

/// A machine that Active Backup knows, with the state of its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The number.
    pub id: i64,
    /// The host name; empty when DSM sent none.
    pub host_name: String,
    /// The operating system as DSM words it.
    pub os_name: Option<String>,
    /// As in a task.
    pub backup_type: Option<i64>,
    /// 1 Windows, 2 Linux, 3 Mac, 4 DSM.
    pub platform_type: Option<i64>,
    /// `online` or `offline`; not for every kind of device.
    pub agent_status: Option<String>,
    /// Whether the agent can back up now.
    pub agent_can_backup: Option<bool>,
    /// How many tasks it is in.
    pub task_count: Option<i64>,
}

/// One setting of the package. Values are texts, also the numbers and switches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Such as `max_concurrent_devices`.
    pub name: String,
    /// As sent.
    pub value: Option<String>,
}

/// One package of the NAS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Such as `ActiveBackup`.
    pub id: String,
    /// Such as `2.7.0-13164`.
    pub version: Option<String>,
    /// `running`, `stop` or another word; only where it was asked for.
    pub status: Option<String>,
}

/// One line of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailRow {
    /// The number of the line.
    pub id: Option<i64>,
    /// The result it belongs to.
    pub result_id: Option<ResultId>,
    /// 0 error, 1 warning, 2 info, 3 debug.
    pub log_level: Option<i64>,
    /// What happened, see [`super::log_type`].
    pub log_type: i64,
    /// Seconds since 1970 on the clock of the NAS.
    pub log_time: Option<i64>,
    /// Mostly 0, also for failures: no verdict.
    pub error_code: Option<i64>,
}

/// One run of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The device, as the configuration numbers it.
    pub device_id: Option<i64>,
    /// Its name.
    pub device_name: Option<String>,
    /// The result it belongs to.
    pub result_id: ResultId,
    /// The task, where the row names it.
    pub task_id: Option<TaskId>,
    /// How it ended, see [`super::status`].
    pub status: Option<i64>,
    /// Seconds since 1970.
    pub time_start: Option<i64>,
    /// Seconds since 1970.
    pub time_end: Option<i64>,
    /// Bytes moved.
    pub transferred_bytes: Option<u64>,
    /// Bytes read at the source.
    pub processed_bytes: Option<u64>,
}

/// The answer of one part of a compound request: its data, or its error code.
pub type Part = Result<Option<Value>, i64>;
