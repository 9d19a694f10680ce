//! Versions of a task's data: listing, locking and deleting them. A deletion runs as a job of its own, which
//! becomes the task's last result; the package starts one by itself where the behaviour asks for it.

use serde_json::{Value, json};

use super::answers::ResultRowAt;
use super::call::{Answer, ApiCall, Failure, as_number};
use super::core::Nas;
use super::job::Phase;
use super::ledger::Origin;
use super::results::{ACTION_DELETE_VERSION, status};
use super::tasks::Task;

impl Nas {
    /// `SYNO.ActiveBackup.Version` `list`, newest first.
    pub(super) fn list_versions(&self, call: &ApiCall) -> Answer {
        let id = call.number("task_id").ok_or(Failure::missing("task_id"))?;
        let task = self.tasks.get(&id).ok_or(Failure::code(1103))?;
        let versions: Vec<Value> = task.versions.iter().map(|version| version.listed()).collect();
        Ok(Some(json!({"total": versions.len(), "versions": versions})))
    }

    /// The task and the versions of a call; 1103 where one is not there.
    fn versions_asked(&self, call: &ApiCall) -> Result<(&Task, Vec<i64>), Failure> {
        let id = call.number("task_id").ok_or(Failure::missing("task_id"))?;
        let ids = call.ids("version_ids")?;
        let task = self.tasks.get(&id).ok_or(Failure::code(1103))?;
        let has = |id: &i64| task.versions.iter().any(|version| version.id == *id);
        if ids.iter().all(has) {
            Ok((task, ids))
        } else {
            Err(Failure::code(1103))
        }
    }

    /// `SYNO.ActiveBackup.Version` `lock` and `unlock`.
    pub(super) fn lock_versions(&mut self, call: &ApiCall, locked: bool) -> Answer {
        let (task, ids) = self.versions_asked(call)?;
        let id = task.id;
        if let Some(task) = self.tasks.get_mut(&id) {
            for version in &mut task.versions {
                if ids.contains(&version.id) {
                    version.locked = locked;
                }
            }
        }
        Ok(None)
    }

    /// `SYNO.ActiveBackup.Version` `delete`: refused where one of the versions is locked, or another job has the
    /// task.
    pub(super) fn call_delete_versions(&mut self, call: &ApiCall, user: &str) -> Answer {
        let (task, ids) = self.versions_asked(call)?;
        let id = task.id;
        if task
            .versions
            .iter()
            .any(|version| version.locked && ids.contains(&version.id))
        {
            return Err(Failure::code(1210));
        }
        let conflict = self.jobs.iter().find(|job| job.task_id == id).map(|job| {
            if job.is_active_run() || job.is_waiting() {
                1204
            } else {
                1208
            }
        });
        if let Some(code) = conflict {
            return Err(Failure::code(code));
        }
        self.begin_deleting(id, ids, Some(user), Origin::Api);
        Ok(None)
    }

    /// The package's own deletion after a run: all but the newest version that is not locked.
    pub(super) fn rotate(&mut self, task_id: i64) {
        let Some(task) = self.tasks.get(&task_id) else {
            return;
        };
        let old = task.versions.iter().skip(1).filter(|version| !version.locked);
        let ids = old.map(|version| version.id).collect();
        self.begin_deleting(task_id, ids, None, Origin::Schedule);
    }

    fn begin_deleting(&mut self, task_id: i64, ids: Vec<i64>, user: Option<&str>, origin: Origin) {
        let until = self.clock + self.scaled(self.scenario.behaviour.delete_version_seconds);
        let id = self.new_job(task_id, Phase::Trimming { until }, user, origin, None);
        let row = self.scenario.behaviour.result_row == ResultRowAt::AtStart;
        let result_id = row.then(|| self.next_result_id());
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.versions = ids;
            job.result_id = result_id;
            let job = job.clone();
            self.write_row(&job, ACTION_DELETE_VERSION, status::RUNNING, 0);
            self.log(task_id, 1302, 2, Some(&job), user.unwrap_or_default());
        }
        self.enter_job("delete-version", id, None, None);
    }

    /// Ends the deletion of versions.
    pub(super) fn end_deleting(&mut self, job_id: i64) {
        let Some(index) = self.jobs.iter().position(|job| job.id == job_id) else {
            return;
        };
        let mut job = self.jobs[index].clone();
        job.result_id = job.result_id.or_else(|| Some(self.next_result_id()));
        let (time_end, clock) = (self.nas_time(), self.clock);
        self.write_row(&job, ACTION_DELETE_VERSION, status::SUCCESS, time_end);
        if let Some(task) = self.tasks.get_mut(&job.task_id) {
            task.versions
                .retain(|version| !job.versions.contains(&version.id));
            task.ended(job.result_id, clock);
        }
        let user = job.user.clone().unwrap_or_default();
        self.log(job.task_id, 1303, 2, Some(&job), &user);
        self.jobs[index].result_id = job.result_id;
        self.enter_job("version-deleted", job_id, Some(status::SUCCESS), None);
        self.jobs.remove(index);
    }

    /// `SYNO.ActiveBackup.Task` `get_default_task_name`.
    pub(super) fn default_task_name(&self, call: &ApiCall) -> Answer {
        let value = call.value("backup_type").ok_or(Failure::missing("backup_type"))?;
        as_number(&value).ok_or(Failure::wrong_type("backup_type"))?;
        let names = (self.tasks.len() + 1..).map(|number| format!("Task {number}"));
        let free = |name: &String| self.tasks.values().all(|task| task.name != *name);
        let name = names.into_iter().find(free).unwrap_or_default();
        Ok(Some(json!({"task_name": name})))
    }
}
