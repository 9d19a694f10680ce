//! The lists of tasks, devices and versions. Every row starts from the recorded one, so that no field of a
//! real answer is missing; what the flags of a call do not ask for stays out, as on the real thing.

use serde_json::{Map, Value, json};

use super::call::{ApiCall, as_number, as_numbers};
use super::core::Nas;
use super::job::{Job, Phase};
use super::results::in_time;
use super::shapes::{disguise, estrange, retention};
use super::tasks::{Device, Task};

/// State of the verification of a version; the only number that has been seen, its meaning is not known.
const NOT_VERIFIED: i64 = 6;

impl Nas {
    /// `SYNO.ActiveBackup.Task` `list`.
    pub(super) fn list(&self, call: &ApiCall) -> Value {
        let filter = call.filter();
        let tasks: Vec<&Task> = self
            .tasks
            .values()
            .filter(|task| self.asked(task, &filter))
            .collect();
        let total = tasks.len();
        let loaded = call.flag("load_devices");
        let platform = |number: i64| {
            loaded
                && tasks
                    .iter()
                    .flat_map(|task| &task.devices)
                    .any(|device| device.row.get("platform_type").and_then(Value::as_i64) == Some(number))
        };
        let flags = json!({
            "has_devices": loaded && tasks.iter().any(|task| !task.devices.is_empty()),
            "has_dsm_agent": platform(4),
            "has_hyperv_inventories": false,
            "has_linux_agent": platform(2),
            "has_mac_agent": platform(3),
            "has_vmware_inventories": false,
            "has_windows_agent": platform(1),
        });
        let rows: Vec<Value> = page(tasks, call, &filter)
            .map(|task| self.row(task, call))
            .collect();
        let mut data = flags;
        data["tasks"] = json!(rows);
        data["total"] = json!(total);
        data
    }

    fn row(&self, task: &Task, call: &ApiCall) -> Value {
        let mut row = task.row.clone();
        let devices: Vec<Value> = task
            .devices
            .iter()
            .map(|device| self.device_row(device, task, call.flag("load_devices")))
            .collect();
        row.insert("device_count".to_owned(), json!(devices.len()));
        row.insert("devices".to_owned(), json!(devices));
        if call.flag("load_status") {
            row.insert("target_status".to_owned(), json!("online"));
        }
        if let (true, Some(result)) = (call.flag("load_result"), self.shown_last_result(task)) {
            row.insert("last_result".to_owned(), result.as_last_result());
        }
        if call.flag("load_versions") {
            let listed = |version: &super::tasks::Version| {
                let mut listed = version.listed();
                if call.flag("load_verify_status") {
                    listed["verify_status"] = json!(NOT_VERIFIED);
                }
                listed
            };
            let versions: Vec<Value> = task.versions.iter().map(listed).collect();
            row.insert(
                "last_version_id".to_owned(),
                json!(task.versions.first().map_or(0, |last| last.id)),
            );
            row.insert("version_count".to_owned(), json!(versions.len()));
            row.insert("versions".to_owned(), json!(versions));
        }
        self.common(task, row)
    }

    pub(super) fn device_row(&self, device: &Device, task: &Task, loaded: bool) -> Value {
        let mut row = device.row.clone();
        self.pollute(&mut row, task);
        if loaded {
            row.insert("agent_can_backup".to_owned(), json!(true));
            row.insert("agent_driver_status".to_owned(), json!("enable"));
            let state = if task.agent_online { "online" } else { "offline" };
            row.insert("agent_status".to_owned(), json!(state));
            row.insert("driver_status".to_owned(), Value::Null);
        }
        Value::Object(row)
    }

    /// The secret fields of a device, which a NAS does send.
    fn pollute(&self, row: &mut Map<String, Value>, task: &Task) {
        let secrets = &self.scenario.behaviour.pollute;
        row.insert("agent_token".to_owned(), json!(secrets.agent_token));
        row.insert("login_password".to_owned(), json!(secrets.login_password));
        row.insert("mssql_password".to_owned(), json!(secrets.mssql_password));
        row.insert("oracle_password".to_owned(), json!(secrets.oracle_password));
        row.insert("backup_type".to_owned(), json!(task.backup_type));
    }

    /// What both kinds of rows share: identity, and what the task is doing.
    fn common(&self, task: &Task, mut row: Map<String, Value>) -> Value {
        row.insert("task_id".to_owned(), json!(task.id));
        row.insert("task_name".to_owned(), json!(task.name));
        row.insert("unikey".to_owned(), json!(task.unique_key));
        row.insert("backup_type".to_owned(), json!(task.backup_type));
        let behaviour = &self.scenario.behaviour;
        if let Some(job) = self.foremost_job(task.id) {
            if behaviour.emit_status {
                row.insert("status".to_owned(), json!(status_text(job)));
            }
            if !job.is_deletion() {
                row.insert("progress".to_owned(), self.progress(job));
            }
        }
        if behaviour.polymorphic_retention {
            row.insert("retention_policy".to_owned(), retention(task.id));
        }
        if behaviour.unknown_enums {
            estrange(&mut row, task.id);
        }
        if behaviour.polymorphic_rows {
            disguise(&mut row, task.id);
        }
        Value::Object(row)
    }

    /// The job a row shows: a deletion or an active run before a queued one. The deletion of versions shows only in
    /// the queue.
    fn foremost_job(&self, task_id: i64) -> Option<&Job> {
        self.jobs
            .iter()
            .filter(|job| job.task_id == task_id && !job.is_trimming())
            .min_by_key(|job| job.is_waiting())
    }

    fn progress(&self, job: &Job) -> Value {
        let status = match job.phase {
            Phase::Waiting { .. } => 0,
            Phase::Running { .. } if job.is_paused() => 2,
            Phase::Running { .. } | Phase::Deleting { .. } | Phase::Trimming { .. } => 1,
            Phase::Stopping { .. } => 3,
        };
        let part = i32::try_from(job.done(self.clock)).unwrap_or_default();
        json!({
            "percentage": f64::from(part) / 10_000.0,
            "pid": if job.is_waiting() { 0 } else { job.pid() },
            "running_task_status": status,
            "total_bytes": job.total_bytes,
            "transfered_bytes": job.transferred(self.clock),
        })
    }

    /// `SYNO.ActiveBackup.Task` `list_with_device`: a row for each device of each task.
    pub(super) fn list_with_device(&self, call: &ApiCall) -> Value {
        let filter = call.filter();
        let asked = self.tasks.values().filter(|task| self.asked(task, &filter));
        let pairs: Vec<(&Task, &Device)> = asked
            .flat_map(|task| task.devices.iter().map(move |device| (task, device)))
            .collect();
        let total = pairs.len();
        let rows: Vec<Value> = page(pairs, call, &filter)
            .map(|(task, device)| {
                let mut row = task.device_row.clone();
                let mut info = device.info.clone();
                self.pollute(&mut info, task);
                row.insert("device_info".to_owned(), Value::Object(info));
                row.insert(
                    "unique_id".to_owned(),
                    json!(format!("{}-{}", task.id, device.id)),
                );
                if let Some(result) = self.shown_last_result(task) {
                    row.insert("last_result".to_owned(), result.as_last_result());
                }
                self.common(task, row)
            })
            .collect();
        json!({
            "cms_info": {
                "is_managed": false,
                "leader_address": "",
                "local_address": "synology01",
                "unfiltered_task_size": self.tasks.len(),
            },
            "has_hyperv_inventories": false,
            "has_vmware_inventories": false,
            "tasks": rows,
            "total": total,
        })
    }

    /// `SYNO.ActiveBackup.Device` `list`.
    pub(super) fn list_devices(&self, call: &ApiCall) -> Value {
        let filter = call.filter();
        let pairs: Vec<(&Task, &Device)> = self
            .tasks
            .values()
            .filter(|task| self.asked(task, &filter))
            .flat_map(|task| task.devices.iter().map(move |device| (task, device)))
            .filter(|(_, device)| {
                let wanted = filter.get("host_name").and_then(Value::as_str);
                wanted.is_none_or(|wanted| wanted == device.host_name)
            })
            .collect();
        let total = pairs.len();
        let devices: Vec<Value> = page(pairs, call, &filter)
            .map(|(task, device)| {
                let mut row = self.device_row(device, task, true);
                row["task_count"] = json!(1);
                if let (true, Some(result)) = (call.flag("load_result"), self.shown_last_result(task)) {
                    row["last_result"] = result.as_last_result();
                }
                row
            })
            .collect();
        json!({"devices": devices, "total": total, "total_devices_of_backup_type": total})
    }

    /// Whether a task passes the filter of a list.
    fn asked(&self, task: &Task, filter: &Map<String, Value>) -> bool {
        let one_of = |name: &str, has: &dyn Fn(i64) -> bool| {
            filter
                .get(name)
                .map(as_numbers)
                .is_none_or(|wanted| wanted.into_iter().any(has))
        };
        let times = ["from_timestamp", "to_timestamp"]
            .iter()
            .any(|name| filter.contains_key(*name));
        let last = task
            .last_result
            .and_then(|id| self.results.get(&id))
            .map_or(0, |row| row.time_end);
        one_of("task_id", &|id| id == task.id)
            && one_of("device_id", &|id| {
                task.devices.iter().any(|device| device.id == id)
            })
            && one_of("backup_type", &|kind| kind == task.backup_type)
            && filter
                .get("status")
                .is_none_or(|wanted| self.has_status(task, wanted))
            && (!times || in_time(filter, last))
            && keyword_matches(filter, &[&task.name])
    }

    fn has_status(&self, task: &Task, wanted: &Value) -> bool {
        let state = self.foremost_job(task.id).map(status_text);
        match (wanted.as_str(), as_number(wanted)) {
            (_, Some(-1)) => true,
            (Some("backingup"), _) | (_, Some(1)) => state == Some("backingup"),
            (Some("waiting"), _) | (_, Some(2)) => state == Some("waiting"),
            (Some("deleting"), _) | (_, Some(3)) => state == Some("deleting"),
            (Some("unscheduled"), _) | (_, Some(4)) => task
                .row
                .get("next_trigger_time")
                .and_then(Value::as_i64)
                .is_none_or(|time| time <= 0),
            _ => false,
        }
    }
}

fn status_text(job: &Job) -> &'static str {
    match job.phase {
        Phase::Waiting { .. } => "waiting",
        Phase::Running { .. } | Phase::Stopping { .. } => "backingup",
        Phase::Deleting { .. } | Phase::Trimming { .. } => "deleting",
    }
}

/// The part of a list that offset and limit ask for, in the fields or in the filter; a limit below 1 is none.
pub(super) fn page<T>(rows: Vec<T>, call: &ApiCall, filter: &Map<String, Value>) -> impl Iterator<Item = T> {
    let number = |name: &str| call.number(name).or(filter.get(name).and_then(as_number));
    let offset = number("offset")
        .and_then(|offset| usize::try_from(offset).ok())
        .unwrap_or(0);
    let limit = number("limit")
        .filter(|limit| *limit > 0)
        .and_then(|limit| usize::try_from(limit).ok());
    rows.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX))
}

/// Whether one of the texts contains the key word of a filter.
pub(super) fn keyword_matches(filter: &Map<String, Value>, texts: &[&str]) -> bool {
    let word = filter
        .get("key_word")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_lowercase();
    texts.iter().any(|text| text.to_lowercase().contains(&word))
}
