//! The queue as `SYNO.ActiveBackup.Overview` shows it: every run and deletion that waits or is under way, and
//! who asked for it.

use serde_json::{Value, json};

use super::core::Nas;
use super::job::{Job, Phase};
use super::results::{ACTION_BACKUP, ACTION_DELETE_TARGET, ACTION_DELETE_VERSION};

impl Nas {
    /// `SYNO.ActiveBackup.Overview` `list_activity`: the queue as it stands.
    pub(super) fn list_activity(&self) -> Value {
        let rows: Vec<Value> = self.jobs.iter().filter_map(|job| self.activity(job)).collect();
        json!({"total": rows.len(), "activity_list": rows})
    }

    fn activity(&self, job: &Job) -> Option<Value> {
        let task = self.tasks.get(&job.task_id)?;
        let action = match job.phase {
            Phase::Deleting { .. } => ACTION_DELETE_TARGET,
            Phase::Trimming { .. } => ACTION_DELETE_VERSION,
            Phase::Waiting { .. } | Phase::Running { .. } | Phase::Stopping { .. } => ACTION_BACKUP,
        };
        let (status, stage) = match job.phase {
            Phase::Waiting { .. } => (1, 0),
            Phase::Running { .. } | Phase::Deleting { .. } | Phase::Trimming { .. } => (3, 2),
            Phase::Stopping { .. } => (4, 2),
        };
        let sub_jobs: Vec<Value> = task
            .devices
            .iter()
            .map(|device| {
                json!({
                    "action": action,
                    "config_device_id": device.id,
                    "job_id": job.id,
                    "pid": if job.is_waiting() { 0 } else { job.pid() },
                    "stage": stage,
                    "status": status,
                })
            })
            .collect();
        let devices: Vec<Value> = task
            .device_names()
            .iter()
            .map(|(id, host)| json!({"device_id": id, "host_name": host}))
            .collect();
        Some(json!({
            "device": devices,
            "job": {
                "action": action,
                "backup_type": task.backup_type,
                "job_id": job.id,
                "job_type": action,
                "max_parallel": 0,
                "params": {},
                "stage": stage,
                "status": status,
                "storage_id": 1,
                "sub_jobs": sub_jobs,
                "task_id": task.id,
                "trigger_uid": if job.user.is_some() { 1026 } else { 0 },
                "user_name": job.user.clone().unwrap_or_default(),
            },
            "storage": {"share_name": "ActiveBackupforBusiness", "storage_id": 1},
            "task": {"backup_type": task.backup_type, "task_id": task.id, "task_name": task.name},
        }))
    }
}
