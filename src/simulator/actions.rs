//! What `backup`, `cancel` and `remove` do to a task, and how they are refused. Where the real answer is
//! unknown the behaviour of the scenario decides.

use super::answers::{
    AgentOffline, BackupWhileRunning, CancelIdle, CancelWaiting, CancelWaitingBackup, RemoveRunning,
    ResultRowAt, UnknownTask, WindowClosed,
};
use super::call::{Answer, ApiCall, Failure};
use super::core::Nas;
use super::job::{Job, Phase};
use super::ledger::Origin;
use super::results::{ACTION_DELETE_TARGET, status};
use super::tasks::Version;

impl Nas {
    /// `SYNO.ActiveBackup.Task` `backup`.
    pub(super) fn call_backup(&mut self, call: &ApiCall, user: &str) -> Answer {
        let trigger = call.number("trigger_type");
        self.for_each_task(call, |nas, id| nas.backup(id, user, trigger))
    }

    /// `SYNO.ActiveBackup.Task` `cancel`.
    pub(super) fn call_cancel(&mut self, call: &ApiCall, user: &str) -> Answer {
        self.for_each_task(call, |nas, id| nas.cancel(id, user))
    }

    /// `SYNO.ActiveBackup.Task` `remove`.
    pub(super) fn call_remove(&mut self, call: &ApiCall, user: &str) -> Answer {
        self.for_each_task(call, |nas, id| nas.remove(id, user))
    }

    /// `SYNO.ActiveBackup.Task` `cancel_waiting_backup`: without ids it clears the whole queue, the reading
    /// a careful client has to expect, or nothing.
    pub(super) fn call_cancel_waiting(&mut self, call: &ApiCall, user: &str) -> Answer {
        let only = if call.raw("task_ids").is_some() {
            Some(call.ids("task_ids")?)
        } else if self.scenario.behaviour.cancel_waiting_backup == CancelWaitingBackup::NeedsIds {
            return Ok(None);
        } else {
            None
        };
        let asked =
            |job: &&Job| job.is_waiting() && only.as_ref().is_none_or(|ids| ids.contains(&job.task_id));
        let waiting: Vec<i64> = self.jobs.iter().filter(asked).map(|job| job.id).collect();
        for id in waiting {
            self.cancel_waiting_job(id, user);
        }
        Ok(None)
    }

    /// Does something to every task of a call. A single refusal is answered as it is, one among several as
    /// a batch error, what succeeded stays done.
    pub(super) fn for_each_task(
        &mut self,
        call: &ApiCall,
        act: impl Fn(&mut Self, i64) -> Result<(), i64>,
    ) -> Answer {
        let ids = call.ids("task_ids")?;
        let mut refusals = Vec::new();
        for id in &ids {
            let done = if self.tasks.contains_key(id) {
                act(self, *id)
            } else {
                self.unknown_task()
            };
            refusals.extend(done.err());
        }
        match refusals.as_slice() {
            [] => Ok(None),
            [code] if ids.len() == 1 => Err(Failure::code(*code)),
            _ => Err(Failure::code(1009)),
        }
    }

    fn unknown_task(&self) -> Result<(), i64> {
        match self.scenario.behaviour.unknown_task {
            UnknownTask::Success => Ok(()),
            UnknownTask::Error1010 => Err(1010),
            UnknownTask::Error1103 => Err(1103),
        }
    }

    fn backup(&mut self, task_id: i64, user: &str, trigger_type: Option<i64>) -> Result<(), i64> {
        if self.is_deleting(task_id) || self.is_trimming(task_id) {
            return Err(1208);
        }
        if self
            .tasks
            .get(&task_id)
            .is_some_and(|task| !task.allows_manual_backup())
        {
            return Err(1209);
        }
        let is = |state: fn(&super::tasks::Task) -> bool| self.tasks.get(&task_id).is_some_and(state);
        let behaviour = &self.scenario.behaviour;
        if is(|task| !task.window_open) {
            match behaviour.window_closed {
                WindowClosed::Error1104 => return Err(1104),
                WindowClosed::Error1105 => return Err(1105),
                WindowClosed::LogOnly => {
                    self.log(task_id, 1124, 1, None, user);
                    return Ok(());
                }
            }
        }
        if is(|task| !task.agent_online) && behaviour.agent_offline == AgentOffline::Error5001 {
            return Err(5001);
        }
        if self.jobs.iter().any(|job| job.task_id == task_id) {
            match self.scenario.behaviour.backup_while_running {
                BackupWhileRunning::Conflict1202 => return Err(1202),
                BackupWhileRunning::Conflict4007 => return Err(4007),
                BackupWhileRunning::SuccessLogOnly => {
                    self.log(task_id, 1137, 1, None, user);
                    return Ok(());
                }
                BackupWhileRunning::Success => {}
            }
        }
        self.enqueue(task_id, Some(user), Origin::Api, trigger_type);
        Ok(())
    }

    fn cancel(&mut self, task_id: i64, user: &str) -> Result<(), i64> {
        let stop = self.clock + self.scaled(self.scenario.behaviour.cancel_seconds);
        let waiting: Vec<i64> = self
            .jobs
            .iter()
            .filter(|job| job.task_id == task_id && job.is_waiting())
            .map(|job| job.id)
            .collect();
        let active = self
            .jobs
            .iter_mut()
            .find(|job| job.task_id == task_id && job.is_active_run());
        let (any_active, mut hit) = (active.is_some(), None);
        if let Some(job) = active
            && let Phase::Running { since, until } = job.phase
        {
            job.phase = Phase::Stopping { since, until, stop };
            hit = Some(job.id);
        }
        if let Some(job) = hit {
            self.enter_job("cancel", job, None, Some(user));
        }
        match (
            any_active,
            waiting.is_empty(),
            self.scenario.behaviour.cancel_waiting,
        ) {
            (false, true, _) => match self.scenario.behaviour.cancel_idle {
                CancelIdle::Success => Ok(()),
                CancelIdle::Error1201 => Err(1201),
            },
            (false, false, CancelWaiting::Error) => Err(1201),
            (_, false, CancelWaiting::Success) => {
                for job in waiting {
                    self.cancel_waiting_job(job, user);
                }
                Ok(())
            }
            (true, _, _) => Ok(()),
        }
    }

    fn cancel_waiting_job(&mut self, job_id: i64, user: &str) {
        let Some(index) = self.jobs.iter().position(|job| job.id == job_id) else {
            return;
        };
        self.enter_job("cancel", job_id, None, Some(user));
        if self.scenario.behaviour.cancelled_waiting_row {
            self.end_run(job_id, status::CANCELLED);
            return;
        }
        let job = self.jobs.remove(index);
        self.log(job.task_id, 1103, 1, Some(&job), user);
    }

    fn remove(&mut self, task_id: i64, user: &str) -> Result<(), i64> {
        if self.is_deleting(task_id) {
            return Err(1206);
        }
        if self.is_trimming(task_id) {
            return Err(1208);
        }
        let locked = |version: &Version| version.locked;
        if self
            .tasks
            .get(&task_id)
            .is_some_and(|task| task.versions.iter().any(locked))
        {
            return Err(1101);
        }
        let runs: Vec<Job> = self
            .jobs
            .iter()
            .filter(|job| job.task_id == task_id)
            .cloned()
            .collect();
        if !runs.is_empty() && self.scenario.behaviour.remove_running == RemoveRunning::Error1204 {
            return Err(1204);
        }
        for run in runs {
            if run.is_waiting() {
                self.jobs.retain(|job| job.id != run.id);
            } else {
                self.end_run(run.id, status::CANCELLED);
            }
        }
        let until = self.clock + self.scaled(self.scenario.behaviour.remove_seconds);
        let id = self.new_job(task_id, Phase::Deleting { until }, Some(user), Origin::Api, None);
        if self.scenario.behaviour.result_row == ResultRowAt::AtStart {
            let result_id = self.next_result_id();
            if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
                job.result_id = Some(result_id);
                let job = job.clone();
                self.write_row(&job, ACTION_DELETE_TARGET, status::RUNNING, 0);
            }
        }
        self.log(task_id, 1305, 2, None, user);
        self.enter_job("remove", id, None, None);
        self.start_ready();
        Ok(())
    }
}
