//! Tasks, their devices and versions: what the NAS knows of them, and how they come from a scenario. Every row
//! starts from the recorded one; the lists are made from these rows.

use serde_json::{Map, Value, json};

use super::Error;
use super::core::Nas;
use super::scenario::{DeviceSpec, ResultSpec, TaskChange, TaskSpec, VersionSpec, unique_key};

/// A task.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) unique_key: String,
    pub(super) backup_type: i64,
    pub(super) devices: Vec<Device>,
    pub(super) run_seconds: f64,
    pub(super) run_bytes: i64,
    /// Result status its runs end with.
    pub(super) result: i64,
    /// Newest first.
    pub(super) versions: Vec<Version>,
    /// Result of the last job of any kind that has ended.
    pub(super) last_result: Option<i64>,
    /// When each of its jobs ended, true time in milliseconds since 1970, and its result.
    pub(super) ended: Vec<(i64, i64)>,
    pub(super) agent_online: bool,
    pub(super) window_open: bool,
    /// Row of `list`, without what is shown by other fields.
    pub(super) row: Map<String, Value>,
    /// Row of `list_with_device`, likewise.
    pub(super) device_row: Map<String, Value>,
}

/// A device of a task.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) id: i64,
    pub(super) host_name: String,
    pub(super) row: Map<String, Value>,
    pub(super) info: Map<String, Value>,
}

/// A version of a task's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) id: i64,
    pub(super) locked: bool,
    pub(super) used_size: i64,
    pub(super) time_start: i64,
    pub(super) time_end: i64,
    /// 3 completed, 5 partial; not the enumeration of results.
    pub(super) status: i64,
}

impl From<VersionSpec> for Version {
    fn from(spec: VersionSpec) -> Self {
        let VersionSpec {
            id,
            locked,
            used_size,
            time_start,
            time_end,
        } = spec;
        Self {
            id,
            locked,
            used_size,
            time_start,
            time_end,
            status: 3,
        }
    }
}

impl Version {
    pub(super) fn listed(self) -> Value {
        json!({
            "crypto_key_id": 0,
            "data_format": 1,
            "folder_name": format!("ActiveBackup_{}", self.time_start),
            "is_snapshot": true,
            "locked": self.locked,
            "status": self.status,
            "time_end": self.time_end,
            "time_start": self.time_start,
            "used_size": self.used_size,
            "version_id": self.id,
        })
    }
}

impl Task {
    /// Id and host name of each device.
    pub(super) fn device_names(&self) -> Vec<(i64, String)> {
        self.devices
            .iter()
            .map(|device| (device.id, device.host_name.clone()))
            .collect()
    }

    /// Makes a result the last one from a time on.
    pub(super) fn ended(&mut self, result_id: Option<i64>, clock: i64) {
        self.last_result = result_id;
        self.ended.extend(result_id.map(|id| (clock, id)));
    }

    /// The result that was the last one at a time.
    pub(super) fn last_result_at(&self, clock: i64) -> Option<i64> {
        let ended = self.ended.iter().rev().find(|(at, _)| *at <= clock);
        ended.map(|(_, id)| *id)
    }

    pub(super) fn allows_manual_backup(&self) -> bool {
        self.row
            .get("allow_manual_backup")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    }

    /// Takes over what a change names.
    pub(super) fn change(&mut self, change: TaskChange) {
        let TaskChange {
            name,
            unique_key,
            run_seconds,
            run_bytes,
            result,
            versions,
            locked,
            allow_manual_backup,
            agent_online,
            window_open,
            next_trigger_time,
        } = change;
        self.agent_online = agent_online.unwrap_or(self.agent_online);
        self.window_open = window_open.unwrap_or(self.window_open);
        self.name = name.unwrap_or_else(|| self.name.clone());
        self.unique_key = unique_key.unwrap_or_else(|| self.unique_key.clone());
        self.run_seconds = run_seconds.unwrap_or(self.run_seconds);
        self.run_bytes = run_bytes.unwrap_or(self.run_bytes);
        self.result = result.unwrap_or(self.result);
        if let Some(versions) = versions {
            self.versions = newest_first(versions);
        }
        if let Some(locked) = locked {
            self.versions
                .iter_mut()
                .for_each(|version| version.locked = locked);
        }
        if let Some(allowed) = allow_manual_backup {
            self.row.insert("allow_manual_backup".to_owned(), json!(allowed));
        }
        if let Some(time) = next_trigger_time {
            self.row.insert("next_trigger_time".to_owned(), json!(time));
        }
    }
}

fn newest_first(versions: Vec<VersionSpec>) -> Vec<Version> {
    let mut versions: Vec<Version> = versions.into_iter().map(Version::from).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.time_start));
    versions
}

impl Nas {
    /// Adds a task and the result it starts with.
    pub(super) fn add_task(&mut self, spec: TaskSpec) -> Result<i64, Error> {
        let next = self.tasks.keys().max().copied().unwrap_or(0) + 1;
        let recorded = |name: &str| {
            self.seed
                .task
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let id = spec.id.unwrap_or(if spec.seed { 1 } else { next });
        if self.tasks.contains_key(&id) {
            return Err(Error::Refuse {
                reason: format!("task id {id} is taken"),
            });
        }
        let name = spec.name.or_else(|| recorded("task_name").filter(|_| spec.seed));
        let name = name.unwrap_or_else(|| format!("task-{id}"));
        let key = spec
            .unique_key
            .or_else(|| recorded("unikey").filter(|_| spec.seed));
        let specs = spec.devices.unwrap_or_else(|| {
            // The recorded device has id 1; others get the id of their task.
            let host_name = if spec.seed {
                Some("HOSTNAME".to_owned())
            } else {
                None
            };
            vec![DeviceSpec {
                id: if spec.seed { 1 } else { id },
                host_name,
                os_name: None,
            }]
        });
        let devices: Vec<Device> = specs.into_iter().map(|device| self.device(device, id)).collect();
        let (mut row, mut device_row) = (self.seed.task.clone(), self.seed.device_task.clone());
        if !spec.seed {
            row.insert("next_trigger_time".to_owned(), json!(-1));
            for row in [&mut row, &mut device_row] {
                row.insert("target_dir".to_owned(), json!(format!("{name}-{id}")));
            }
        }
        if let Some(source_type) = spec.source_type {
            row.insert("source_type".to_owned(), json!(source_type));
            device_row.insert("source_type".to_owned(), json!(source_type));
        }
        let mut task = Task {
            id,
            unique_key: key.unwrap_or_else(|| unique_key(&name, id)),
            name,
            backup_type: spec.backup_type.unwrap_or(2),
            devices,
            run_seconds: spec.run_seconds.unwrap_or(self.scenario.default_run_seconds),
            run_bytes: spec.run_bytes.unwrap_or(self.scenario.default_run_bytes),
            result: spec.result.unwrap_or(2),
            versions: newest_first(spec.versions.unwrap_or_default()),
            last_result: None,
            ended: Vec::new(),
            agent_online: spec.agent_online.unwrap_or(true),
            window_open: spec.window_open.unwrap_or(true),
            row,
            device_row,
        };
        task.change(TaskChange {
            allow_manual_backup: spec.allow_manual_backup,
            next_trigger_time: spec.next_trigger_time,
            ..TaskChange::default()
        });
        self.last_task = self.last_task.max(id);
        self.tasks.insert(id, task);
        let first = spec
            .last_result
            .or_else(|| spec.seed.then(|| self.recorded_result()));
        if let Some(result) = first {
            self.enter_result(id, &result, i64::MIN);
        }
        Ok(id)
    }

    /// The recorded last result.
    fn recorded_result(&self) -> ResultSpec {
        let number = |name: &str| self.seed.last_result.get(name).and_then(Value::as_i64);
        let uuid = self.seed.last_result.get("activity_uuid").and_then(Value::as_str);
        ResultSpec {
            result_id: number("result_id"),
            job_action: number("job_action"),
            status: number("status"),
            time_start: number("time_start"),
            time_end: number("time_end"),
            transfered_bytes: number("transfered_bytes"),
            activity_uuid: uuid.map(str::to_owned),
        }
    }

    pub(super) fn device(&self, spec: DeviceSpec, task_id: i64) -> Device {
        let DeviceSpec {
            id,
            host_name,
            os_name,
        } = spec;
        let host_name = host_name.unwrap_or_else(|| format!("host-{id}"));
        let (mut row, mut info) = (self.seed.device.clone(), self.seed.device_info.clone());
        for fields in [&mut row, &mut info] {
            fields.insert("device_id".to_owned(), json!(id));
            fields.insert("host_name".to_owned(), json!(host_name));
            if let Some(os_name) = &os_name {
                fields.insert("os_name".to_owned(), json!(os_name));
            }
            if task_id != 1 {
                let uuid = unique_key(&host_name, id).to_uppercase();
                fields.insert("device_uuid".to_owned(), json!(uuid));
            }
        }
        Device {
            id,
            host_name,
            row,
            info,
        }
    }
}
