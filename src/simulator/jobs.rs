//! Runs and deletions under way: the queue, what starts and what ends, each at its time. An effect is entered
//! into the ledger here or in the calls, at the line where it takes place.

use uuid::Uuid;

use super::Error;
use super::answers::{AgentOffline, ResultRowAt};
use super::core::Nas;
use super::job::{Job, PAUSED, Phase};
use super::ledger::Origin;
use super::results::{ACTION_BACKUP, ACTION_DELETE_TARGET, ResultRow, status};
use super::tasks::Version;

impl Nas {
    /// Puts a run into the queue, and starts it where there is room.
    pub(super) fn enqueue(
        &mut self,
        task_id: i64,
        user: Option<&str>,
        origin: Origin,
        trigger_type: Option<i64>,
    ) {
        let delay = self.scaled(self.scenario.behaviour.start_delay_seconds);
        let id = self.new_job(
            task_id,
            Phase::Waiting {
                ready: self.clock + delay,
            },
            user,
            origin,
            trigger_type,
        );
        let started = self.start_jobs();
        self.enter_job("backup", id, None, None);
        for job in started {
            self.enter_job("run-started", job, None, None);
        }
    }

    /// A run that somebody else starts.
    pub(super) fn start_by(&mut self, task_id: i64, origin: Origin) -> Result<(), Error> {
        let refuse = |reason: &str| {
            Err(Error::Refuse {
                reason: format!("task {task_id} {reason}"),
            })
        };
        if !self.tasks.contains_key(&task_id) {
            return refuse("does not exist");
        }
        if self.jobs.iter().any(|job| job.task_id == task_id) {
            return refuse("is already running, queued or being deleted");
        }
        let user = match origin {
            Origin::Api => Some(self.scenario.username.clone()),
            Origin::Person => Some("admin".to_owned()),
            Origin::Schedule => None,
        };
        let trigger = if origin == Origin::Schedule { 2 } else { 1 };
        self.enqueue(task_id, user.as_deref(), origin, Some(trigger));
        Ok(())
    }

    pub(super) fn new_job(
        &mut self,
        task_id: i64,
        phase: Phase,
        user: Option<&str>,
        origin: Origin,
        trigger_type: Option<i64>,
    ) -> i64 {
        self.last_job += 1;
        self.jobs.push(Job {
            id: self.last_job,
            task_id,
            phase,
            user: user.map(str::to_owned),
            origin,
            trigger_type,
            result_id: None,
            total_bytes: self.tasks.get(&task_id).map_or(0, |task| task.run_bytes),
            versions: Vec::new(),
            activity_uuid: Uuid::new_v4().to_string(),
            time_start: self.nas_time(),
        });
        self.last_job
    }

    /// Starts what may start and enters it.
    pub(super) fn start_ready(&mut self) {
        for job in self.start_jobs() {
            self.enter_job("run-started", job, None, None);
        }
    }

    /// Starts queued runs in their order, as long as there is room; one run of a task at a time.
    fn start_jobs(&mut self) -> Vec<i64> {
        let room = i64::from(self.scenario.max_concurrent_devices);
        let mut started = Vec::new();
        for index in 0..self.jobs.len() {
            let job = &self.jobs[index];
            let Phase::Waiting { ready } = job.phase else {
                continue;
            };
            let (id, task_id) = (job.id, job.task_id);
            if ready > self.clock
                || self
                    .jobs
                    .iter()
                    .any(|job| job.task_id == task_id && !job.is_waiting())
            {
                continue;
            }
            let used: i64 = self
                .jobs
                .iter()
                .filter(|job| job.is_active_run())
                .map(|job| self.weight(job.task_id))
                .sum();
            if used > 0 && used + self.weight(task_id) > room {
                break;
            }
            self.start(index);
            started.push(id);
        }
        started
    }

    /// Devices a run of the task occupies.
    fn weight(&self, task_id: i64) -> i64 {
        let devices = self
            .tasks
            .get(&task_id)
            .map_or(1, |task| task.devices.len().max(1));
        i64::try_from(devices).unwrap_or(1)
    }

    fn start(&mut self, index: usize) {
        let task_id = self.jobs[index].task_id;
        let length = self.scaled(self.tasks.get(&task_id).map_or(0.0, |task| task.run_seconds));
        let (since, time_start) = (self.clock, self.nas_time());
        let is_offline = self.tasks.get(&task_id).is_some_and(|task| !task.agent_online);
        let at_start = self.scenario.behaviour.result_row == ResultRowAt::AtStart;
        let result_id = at_start.then(|| self.next_result_id());
        let job = &mut self.jobs[index];
        let until = since + length;
        job.phase = match self.scenario.behaviour.agent_offline {
            AgentOffline::Cancelled if is_offline => Phase::Stopping {
                since,
                until: until.max(since + 1),
                stop: since,
            },
            AgentOffline::Paused if is_offline => Phase::Running { since, until: PAUSED },
            _ => Phase::Running { since, until },
        };
        job.time_start = time_start;
        job.result_id = result_id;
        let job = job.clone();
        if result_id.is_some() {
            self.write_row(&job, ACTION_BACKUP, status::RUNNING, 0);
        }
        self.log(
            task_id,
            1101,
            2,
            Some(&job),
            job.user.as_deref().unwrap_or_default(),
        );
        if is_offline {
            self.log(task_id, 1125, 1, Some(&job), "");
        }
    }

    /// The agents of a task are back: its paused run goes on.
    pub(super) fn resume(&mut self, task_id: i64) {
        let length = self.scaled(self.tasks.get(&task_id).map_or(0.0, |task| task.run_seconds));
        let clock = self.clock;
        for job in self.jobs.iter_mut().filter(|job| job.task_id == task_id) {
            if let Phase::Running { since, until: PAUSED } = job.phase {
                job.phase = Phase::Running {
                    since,
                    until: clock + length,
                };
            }
        }
    }

    /// Writes the result row of a job, a new one or over the unfinished one.
    pub(super) fn write_row(&mut self, job: &Job, job_action: i64, status: i64, time_end: i64) {
        let (Some(result_id), Some(task)) = (job.result_id, self.tasks.get(&job.task_id)) else {
            return;
        };
        let finished = job_action == ACTION_BACKUP && matches!(status, status::SUCCESS | status::PARTIAL);
        let transfered_bytes = if finished {
            job.total_bytes
        } else {
            job.transferred(self.clock)
        };
        let row = ResultRow {
            result_id,
            activity_uuid: job.activity_uuid.clone(),
            task_id: task.id,
            task_name: task.name.clone(),
            backup_type: task.backup_type,
            job_action,
            status,
            time_start: job.time_start,
            time_end,
            transfered_bytes,
            devices: task.device_names(),
            written: self.clock,
            before: self.results.remove(&result_id).map(Box::new),
        };
        self.results.insert(result_id, row);
    }

    /// Ends every job whose time has come.
    pub(super) fn end_due_jobs(&mut self) {
        let clock = self.clock;
        let due: Vec<Job> = self
            .jobs
            .iter()
            .filter(|job| !job.is_waiting() && job.next_due(clock).is_some_and(|due| due <= clock))
            .cloned()
            .collect();
        for job in due {
            match job.phase {
                Phase::Stopping { until, stop, .. } if stop < until => {
                    self.end_run(job.id, status::CANCELLED);
                }
                Phase::Deleting { .. } => self.end_deletion(job.id),
                Phase::Trimming { .. } => self.end_deleting(job.id),
                Phase::Waiting { .. } | Phase::Running { .. } | Phase::Stopping { .. } => {
                    let result = self
                        .tasks
                        .get(&job.task_id)
                        .map_or(status::SUCCESS, |task| task.result);
                    self.end_run(job.id, result);
                }
            }
        }
    }

    /// Ends a run now, with this result.
    pub(super) fn end_run(&mut self, job_id: i64, result: i64) {
        let Some(index) = self.jobs.iter().position(|job| job.id == job_id) else {
            return;
        };
        let mut job = self.jobs[index].clone();
        job.result_id = job.result_id.or_else(|| Some(self.next_result_id()));
        let (time_end, clock) = (self.nas_time(), self.clock);
        self.write_row(&job, ACTION_BACKUP, result, time_end);
        let next_version = self
            .tasks
            .values()
            .flat_map(|task| &task.versions)
            .map(|version| version.id)
            .max();
        if let Some(task) = self.tasks.get_mut(&job.task_id) {
            task.ended(job.result_id, clock);
            if matches!(result, status::SUCCESS | status::PARTIAL) {
                let version = Version {
                    id: next_version.unwrap_or(0) + 1,
                    locked: false,
                    used_size: job.total_bytes,
                    time_start: job.time_start,
                    time_end,
                    status: if result == status::SUCCESS { 3 } else { 5 },
                };
                task.versions.insert(0, version);
            }
        }
        let (log_type, level) = match result {
            status::PARTIAL => (1105, 1),
            status::FAILURE => (1104, 0),
            status::CANCELLED => (1103, 1),
            _ => (1102, 2),
        };
        self.log(
            job.task_id,
            log_type,
            level,
            Some(&job),
            job.user.as_deref().unwrap_or_default(),
        );
        self.jobs[index].result_id = job.result_id;
        self.enter_job("run-ended", job_id, Some(result), None);
        self.jobs.remove(index);
        if self.scenario.behaviour.retention_after_run && matches!(result, status::SUCCESS | status::PARTIAL)
        {
            self.rotate(job.task_id);
        }
    }

    fn end_deletion(&mut self, job_id: i64) {
        let Some(index) = self.jobs.iter().position(|job| job.id == job_id) else {
            return;
        };
        let mut job = self.jobs[index].clone();
        job.result_id = job.result_id.or_else(|| Some(self.next_result_id()));
        let time_end = self.nas_time();
        self.write_row(&job, ACTION_DELETE_TARGET, status::SUCCESS, time_end);
        self.log(
            job.task_id,
            1306,
            2,
            Some(&job),
            job.user.as_deref().unwrap_or_default(),
        );
        self.enter_job("removed", job_id, None, None);
        self.jobs.remove(index);
        self.tasks.remove(&job.task_id);
    }

    pub(super) fn is_deleting(&self, task_id: i64) -> bool {
        self.jobs
            .iter()
            .any(|job| job.task_id == task_id && job.is_deletion())
    }

    /// Whether versions of a task are being deleted.
    pub(super) fn is_trimming(&self, task_id: i64) -> bool {
        self.jobs
            .iter()
            .any(|job| job.task_id == task_id && job.is_trimming())
    }

    /// Ends the active run of a task now.
    pub(super) fn finish(&mut self, task_id: i64, result: i64) -> Result<(), Error> {
        let job = self
            .jobs
            .iter()
            .find(|job| job.task_id == task_id && job.is_active_run())
            .map(|job| job.id);
        let job = job.ok_or_else(|| Error::Refuse {
            reason: format!("task {task_id} has no active run"),
        })?;
        self.end_run(job, result);
        self.start_ready();
        Ok(())
    }

    /// Restarts the NAS: no session survives, active runs end as failures, the queue is empty.
    pub(super) fn reboot(&mut self) {
        self.sessions.drop_all();
        self.enter_plain("rebooted", None, Origin::Person);
        // A queued run ends as an active one does: nothing that was accepted goes without a trace.
        let runs = self
            .jobs
            .iter()
            .filter(|job| job.is_active_run() || job.is_waiting());
        let runs: Vec<Job> = runs.cloned().collect();
        for job in runs {
            self.log(job.task_id, 1138, 0, Some(&job), "");
            self.end_run(job.id, status::FAILURE);
        }
    }

    /// Enters an effect on a job and its task.
    pub(super) fn enter_job(&mut self, kind: &str, job_id: i64, result: Option<i64>, by: Option<&str>) {
        let Some(job) = self.jobs.iter().find(|job| job.id == job_id) else {
            return;
        };
        let task = self.tasks.get(&job.task_id);
        let mut effect = match by {
            Some(user) => self.effect(kind, Some(user), Origin::Api),
            None => self.effect(kind, job.user.as_deref(), job.origin),
        };
        effect.task_id = Some(job.task_id);
        effect.unique_key = task.map(|task| task.unique_key.clone());
        effect.task_name = task.map(|task| task.name.clone());
        effect.result_id = job.result_id;
        effect.job_id = Some(job.id);
        effect.status = result;
        self.ledger.enter(effect);
    }
}
