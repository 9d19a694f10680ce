//! Where backups lie and what tasks are made from: shares, their storages and volumes, templates, and the tasks of
//! devices. Read only.

use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Failure, as_numbers};
use super::core::Nas;
use super::job::Job;

const SHARE: &str = "ActiveBackupforBusiness";

impl Nas {
    /// `SYNO.ActiveBackup.Share` `list_storage`: the one storage, and what is under way on it.
    pub(super) fn storages(&self) -> Value {
        let tasks = |wanted: fn(&Job) -> bool| -> Vec<Value> {
            let jobs = self.jobs.iter().filter(|job| wanted(job));
            jobs.filter_map(|job| self.tasks.get(&job.task_id))
                .map(|task| json!({"task_id": task.id, "task_name": task.name}))
                .collect()
        };
        let of_type = |kind: i64| self.pairs().filter(|(task, _)| task.backup_type == kind).count();
        let versions = self.tasks.values().flat_map(|task| &task.versions);
        let size: i64 = versions.map(|version| version.used_size).sum();
        json!({"storages": [{
            "automount_iv": "",
            "automount_location": "",
            "backup_tasks": tasks(Job::is_active_run),
            "compacting": false,
            "compacting_percentage": 0,
            "compressed_size": 0,
            "dedup_size": size,
            "delete_tasks": tasks(Job::is_deletion),
            "delete_versions": tasks(Job::is_trimming),
            "device_count": self.pairs().count(),
            "device_info": {
                "agentless_count": of_type(4),
                "agentless_size": 0,
                "dsm_count": of_type(5),
                "dsm_size": 0,
                "pc_count": of_type(2),
                "pc_size": size,
                "server_count": of_type(3),
                "server_size": 0,
                "vm_count": of_type(1),
                "vm_size": 0,
            },
            "fs_name": "btrfs",
            "fs_type": 3,
            "mounted": true,
            "relink_state": {"alive": false, "owner": true, "state": 0},
            "repo_dir": "@ActiveBackup",
            "share_name": SHARE,
            "storage_compress_algorithm": 0,
            "storage_encrypt_algorithm": 0,
            "storage_id": 1,
            "vol_name": "Volume 1",
            "volume_path": "/volume1",
        }]})
    }

    /// `SYNO.ActiveBackup.TaskTemplate` `list`: one template, its retention in numbers.
    pub(super) fn templates(&self) -> Value {
        let mut template = self.seed.task.clone();
        for name in ["task_id", "unikey", "devices", "next_trigger_time", "target_dir"] {
            template.remove(name);
        }
        template.insert("template_id".to_owned(), json!(1));
        template.insert("pre_post_script_setting".to_owned(), Value::Null);
        template.insert("retention_policy".to_owned(), super::shapes::retention(0));
        json!({"success": true, "template_list": [template], "total": 1})
    }

    /// `SYNO.ActiveBackup.Device` `list_tasks`.
    pub(super) fn list_tasks_of_devices(&self, call: &ApiCall) -> Answer {
        let ids = call.value("device_ids").ok_or(Failure::missing("device_ids"))?;
        let ids = as_numbers(&ids);
        let tasks: Vec<Value> = self
            .pairs()
            .filter(|(_, device)| ids.contains(&device.id))
            .map(|(task, device)| {
                json!({
                    "backup_type": task.backup_type,
                    "device_id": device.id,
                    "task_id": task.id,
                    "task_name": task.name,
                })
            })
            .collect();
        Ok(Some(json!({"tasks": tasks, "total": tasks.len()})))
    }
}

/// `SYNO.ActiveBackup.Share` `list`. Its shape is not public.
pub(super) fn shares() -> Value {
    json!({"shares": [{"share_name": SHARE, "storage_id": 1, "volume_path": "/volume1"}], "total": 1})
}

/// `SYNO.ActiveBackup.Share` `list_volume`: sizes are strings.
pub(super) fn volumes() -> Value {
    json!({"volumes": [{
        "fs_type": "btrfs",
        "total_bytes": "7999376588800",
        "used_bytes": "1617010274304",
        "volume_path": "/volume1",
    }]})
}

/// `SYNO.ActiveBackup.General` `get_sys_mem_info`. Its shape is not public.
pub(super) fn memory() -> Value {
    json!({"total_mem": 8_589_934_592_i64, "used_mem": 2_147_483_648_i64})
}
