//! What the NAS remembers of finished and running jobs: result rows and log rows, and the two methods that
//! list them. Result ids rise over all tasks.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, ApiCall, Failure, as_number, as_numbers};
use super::core::Nas;
use super::job::Job;
use super::lists::{keyword_matches, page};
use super::scenario::ResultSpec;
use super::shapes::estrange_result;
use super::tasks::Task;

/// A backup, in the field `job_action`.
pub(super) const ACTION_BACKUP: i64 = 1;
/// The deletion of a task, in the field `job_action`.
pub(super) const ACTION_DELETE_TARGET: i64 = 65_536;

/// The deletion of versions, in the field `job_action`.
pub(super) const ACTION_DELETE_VERSION: i64 = 131_072;

/// Result statuses.
pub(super) mod status {
    pub(in super::super) const RUNNING: i64 = 1;
    pub(in super::super) const SUCCESS: i64 = 2;
    pub(in super::super) const PARTIAL: i64 = 3;
    pub(in super::super) const FAILURE: i64 = 4;
    pub(in super::super) const CANCELLED: i64 = 5;
}

/// One result row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResultRow {
    pub(super) result_id: i64,
    pub(super) activity_uuid: String,
    pub(super) task_id: i64,
    pub(super) task_name: String,
    pub(super) backup_type: i64,
    pub(super) job_action: i64,
    pub(super) status: i64,
    pub(super) time_start: i64,
    pub(super) time_end: i64,
    pub(super) transfered_bytes: i64,
    /// Id and host name of each device.
    pub(super) devices: Vec<(i64, String)>,
    /// When it was written, true time in milliseconds since 1970.
    pub(super) written: i64,
    /// What stood here before.
    pub(super) before: Option<Box<ResultRow>>,
}

impl ResultRow {
    /// The row as it stood at a time.
    fn at(&self, clock: i64) -> Option<&Self> {
        if self.written <= clock {
            Some(self)
        } else {
            self.before.as_deref().and_then(|row| row.at(clock))
        }
    }

    /// The row as `list_result` shows it.
    fn listed(&self) -> Map<String, Value> {
        let counted = |wanted: i64| i64::from(self.status == wanted);
        let devices: Vec<Value> = self
            .devices
            .iter()
            .map(|(id, host)| match self.job_action {
                ACTION_BACKUP | ACTION_DELETE_TARGET => json!({"device_id": id, "host_name": host}),
                // The id is missing after the deletion of a version.
                _ => json!({"host_name": host}),
            })
            .collect();
        let row = json!({
            "activity_uuid": self.activity_uuid,
            "backup_type": self.backup_type,
            "detail_path": "",
            "error_count": counted(status::FAILURE),
            "job_action": self.job_action,
            "none_count": 0,
            "result_id": self.result_id,
            "status": self.status,
            "success_count": 0,
            "task_config": {"device_list": devices},
            "task_id": self.task_id,
            "task_name": self.task_name,
            "time_end": self.time_end,
            "time_start": self.time_start,
            "warning_count": counted(status::PARTIAL),
        });
        match row {
            Value::Object(row) => row,
            _ => Map::new(),
        }
    }

    /// The row as `last_result` shows it.
    pub(super) fn as_last_result(&self) -> Value {
        let mut row = self.listed();
        row.insert("transfered_bytes".to_owned(), json!(self.transfered_bytes));
        Value::Object(row)
    }
}

/// One log row.
#[derive(Debug, Clone)]
pub(super) struct LogRow {
    log_time: i64,
    log_level: i64,
    log_type: i64,
    result_id: i64,
    task_id: i64,
    task_name: String,
    device: Option<(i64, String)>,
    backup_type: i64,
    user: String,
    trigger_type: Option<i64>,
}

impl Nas {
    pub(super) fn next_result_id(&mut self) -> i64 {
        self.last_result += 1;
        self.last_result
    }

    /// Enters the row of a finished job that no run of this NAS made, and makes it the task's last result.
    pub(super) fn enter_result(&mut self, task_id: i64, spec: &ResultSpec, written: i64) -> Option<i64> {
        let now = self.nas_time();
        let result_id = spec.result_id.unwrap_or_else(|| self.next_result_id());
        self.last_result = self.last_result.max(result_id);
        let task = self.tasks.get_mut(&task_id)?;
        let row = ResultRow {
            result_id,
            activity_uuid: spec
                .activity_uuid
                .clone()
                .unwrap_or_else(|| Uuid::new_v4().to_string()),
            task_id,
            task_name: task.name.clone(),
            backup_type: task.backup_type,
            job_action: spec.job_action.unwrap_or(ACTION_BACKUP),
            status: spec.status.unwrap_or(status::SUCCESS),
            time_start: spec.time_start.unwrap_or(now),
            time_end: spec.time_end.or(spec.time_start).unwrap_or(now),
            transfered_bytes: spec.transfered_bytes.unwrap_or_default(),
            devices: task.device_names(),
            written,
            before: None,
        };
        task.ended(Some(result_id), written);
        self.results.insert(result_id, row);
        Some(result_id)
    }

    /// Writes a log row about a task.
    pub(super) fn log(&mut self, task_id: i64, log_type: i64, log_level: i64, job: Option<&Job>, user: &str) {
        let Some(task) = self.tasks.get(&task_id) else {
            return;
        };
        self.logs.push(LogRow {
            log_time: self.nas_time(),
            log_level,
            log_type,
            result_id: job.and_then(|job| job.result_id).unwrap_or_default(),
            task_id,
            task_name: task.name.clone(),
            device: task.device_names().into_iter().next(),
            backup_type: task.backup_type,
            user: user.to_owned(),
            trigger_type: job.and_then(|job| job.trigger_type),
        });
    }

    /// The result rows as lists show them by now, oldest first.
    pub(super) fn shown_results(&self) -> impl Iterator<Item = &ResultRow> {
        let seen = self.clock - self.scaled(self.scenario.behaviour.result_row_delay_seconds);
        self.results.values().filter_map(move |row| row.at(seen))
    }

    /// `SYNO.ActiveBackup.Log` `list_result`: newest first, but oldest first when nothing is asked for.
    pub(super) fn list_result(&self, call: &ApiCall) -> Value {
        let filter = call.filter();
        let statuses = filter.get("status").map(as_numbers).unwrap_or_default();
        let actions = filter.get("job_action").map(as_numbers).unwrap_or_default();
        let backup_type = filter.get("backup_type").and_then(as_number);
        let result_id = call.number("result_id");
        let wanted = |row: &&ResultRow| {
            task_asked(call, &filter).is_none_or(|ids| ids.contains(&row.task_id))
                && (statuses.is_empty() || statuses == [-1] || statuses.contains(&row.status))
                && (actions.is_empty() || actions.contains(&row.job_action))
                && backup_type.is_none_or(|wanted| wanted == row.backup_type)
                && result_id.is_none_or(|wanted| wanted == row.result_id)
                && in_time(&filter, row.time_start)
                && keyword_matches(&filter, &[&row.task_name])
        };
        let mut rows: Vec<&ResultRow> = self.shown_results().filter(wanted).collect();
        if ["task_id", "filter", "offset", "limit"]
            .iter()
            .any(|name| call.raw(name).is_some())
        {
            rows.reverse();
        }
        let count = rows.len();
        let results: Vec<Value> = page(rows, call, &filter)
            .map(|row| {
                let mut listed = row.listed();
                if self.scenario.behaviour.unknown_enums {
                    estrange_result(&mut listed, row.task_id);
                }
                Value::Object(listed)
            })
            .collect();
        json!({"count": count, "results": results})
    }

    /// `SYNO.ActiveBackup.Log` `list_log`, newest first.
    pub(super) fn list_log(&self, call: &ApiCall) -> Value {
        let filter = call.filter();
        let level = filter
            .get("log_level")
            .and_then(as_number)
            .filter(|level| *level >= 0);
        let device = filter.get("device_id").and_then(as_number);
        let wanted = |(_, row): &(usize, &LogRow)| {
            task_asked(call, &filter).is_none_or(|ids| ids.contains(&row.task_id))
                && level.is_none_or(|level| level == row.log_level)
                && device.is_none_or(|wanted| row.device.as_ref().is_some_and(|(id, _)| *id == wanted))
                && in_time(&filter, row.log_time)
                && keyword_matches(&filter, &[&row.task_name])
        };
        let rows: Vec<(usize, &LogRow)> = self.logs.iter().enumerate().rev().filter(wanted).collect();
        let count = rows.len();
        let logs: Vec<Value> = page(rows, call, &filter)
            .map(|(index, row)| {
                let (device_id, device_name) = row.device.clone().unwrap_or_default();
                json!({
                    "backup_type": row.backup_type,
                    "device_id": device_id,
                    "device_name": device_name,
                    "error_code": 0,
                    "log_id": index + 1,
                    "log_level": row.log_level,
                    "log_time": row.log_time,
                    "log_type": row.log_type,
                    "other_params": {"trigger_type": row.trigger_type, "task_name": row.task_name},
                    "result_id": row.result_id,
                    "task_id": row.task_id,
                    "task_name": row.task_name,
                    "user_id": if row.user.is_empty() { 0 } else { 1026 },
                    "user_name": row.user,
                })
            })
            .collect();
        json!({"count": count, "logs": logs})
    }

    /// The result that a row of this task shows as its last one.
    pub(super) fn shown_last_result(&self, task: &Task) -> Option<&ResultRow> {
        use super::answers::LastResultWhileRunning::Running;
        let behaviour = &self.scenario.behaviour;
        let seen = self.clock - self.scaled(behaviour.last_result_delay_seconds);
        let ended = task
            .last_result_at(seen)
            .and_then(|id| self.results.get(&id)?.at(seen));
        if behaviour.last_result_while_running != Running {
            return ended;
        }
        let mut jobs = self.jobs.iter().filter(|job| job.task_id == task.id);
        let current = jobs.find_map(|job| job.result_id).or(task.last_result);
        let row = current.and_then(|id| self.results.get(&id)?.at(seen));
        row.or(ended)
    }

    /// `SYNO.ActiveBackup.Log` `list_result_detail`: the log rows of one result.
    pub(super) fn list_result_detail(&self, call: &ApiCall) -> Answer {
        let id = call.number("result_id").ok_or(Failure::missing("result_id"))?;
        let mut rows: Vec<(usize, &LogRow)> = self
            .logs
            .iter()
            .enumerate()
            .filter(|(_, row)| row.result_id == id)
            .collect();
        if call.text("order_by").as_deref() == Some("log_level") {
            rows.sort_by_key(|(index, row)| (row.log_level, *index));
        }
        if call.text("direction").as_deref() == Some("DESC") {
            rows.reverse();
        }
        let count = rows.len();
        let details: Vec<Value> = page(rows, call, &Map::new())
            .map(|(index, row)| {
                json!({
                    "error_code": 0,
                    "log_level": row.log_level,
                    "log_time": row.log_time,
                    "log_type": row.log_type,
                    "other_params": {"os_name": "", "path": "", "task_id": row.task_id, "task_name": row.task_name},
                    "result_detail_id": index + 1,
                    "result_id": row.result_id,
                })
            })
            .collect();
        Ok(Some(json!({"count": count, "result_detail_list": details})))
    }
}

/// Task ids a log method is asked for, as a field of its own or in the filter.
fn task_asked(call: &ApiCall, filter: &Map<String, Value>) -> Option<Vec<i64>> {
    call.value("task_id")
        .as_ref()
        .or(filter.get("task_id"))
        .map(as_numbers)
}

/// Whether a time is within `from_timestamp` and `to_timestamp`; zero or less is no bound.
pub(super) fn in_time(filter: &Map<String, Value>, time: i64) -> bool {
    let bound = |name: &str| filter.get(name).and_then(as_number).filter(|bound| *bound > 0);
    bound("from_timestamp").is_none_or(|from| time >= from)
        && bound("to_timestamp").is_none_or(|to| time <= to)
}
