//! What each device moved and when it was last backed up, as `SYNO.ActiveBackup.Overview` tells it.

use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Failure};
use super::core::Nas;
use super::results::{ACTION_BACKUP, ResultRow};
use super::tasks::{Device, Task};

impl Nas {
    /// `SYNO.ActiveBackup.Overview` `list_device_transfer_size`: the runs of each device that began within a time.
    pub(super) fn list_transfers(&self, call: &ApiCall) -> Answer {
        let from = call.number("time_start").ok_or(Failure::missing("time_start"))?;
        let to = call.number("time_end").unwrap_or(i64::MAX);
        let rows: Vec<Value> = self
            .pairs()
            .map(|(task, device)| {
                let runs = self.shown_results().filter(|row| {
                    row.task_id == task.id
                        && row.job_action == ACTION_BACKUP
                        && (from..=to).contains(&row.time_start)
                });
                let runs: Vec<Value> = runs.map(|row| transfer(task, device, row)).collect();
                json!({"device": self.device_row(device, task, false), "transfer_list": runs})
            })
            .collect();
        Ok(Some(json!({"device_list": rows, "total": rows.len()})))
    }

    /// `SYNO.ActiveBackup.Overview` `list_device_last_backup`. Its shape is not public; it follows the other list.
    pub(super) fn list_last_backups(&self) -> Value {
        let rows: Vec<Value> = self
            .pairs()
            .map(|(task, device)| {
                let last = self.shown_last_result(task).map(ResultRow::as_last_result);
                json!({"device": self.device_row(device, task, false), "last_backup": last})
            })
            .collect();
        json!({"device_list": rows, "total": rows.len()})
    }

    /// Every device of every task.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&Task, &Device)> {
        let tasks = self.tasks.values();
        tasks.flat_map(|task| task.devices.iter().map(move |device| (task, device)))
    }
}

/// The part of a run that one device had; the bytes are split evenly.
fn transfer(task: &Task, device: &Device, row: &ResultRow) -> Value {
    let count = i64::try_from(task.devices.len().max(1)).unwrap_or(1);
    json!({
        "config_device_id": device.id,
        "device_name": device.host_name,
        "device_result_id": row.result_id * 100 + device.id % 100,
        "processed_bytes": 0,
        "result_id": row.result_id,
        "status": row.status,
        "time_end": row.time_end,
        "time_start": row.time_start,
        "transfered_bytes": row.transfered_bytes / count,
    })
}
