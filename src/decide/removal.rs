//! Removal of a task with all its versions: every guard of the contract, in the order in which a person would
//! mend them. `removal_clearance` repeats them on live reads at the line of the call.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Act, Draft, Standing, nas_time, quoted};
use crate::{
    api::{
        BackupServer, BackupTask, Intent, IntentAction, Mode, Reason, RemovalPlan, RemovalWhen,
        RemovalsStatus, StopReason, WhenRunning, status_time,
    },
    nas::{Task, Version},
    observe::{Bound, Doing, Queue, doing},
};

/// The breaker counts removals in windows of this length.
const BREAKER_WINDOW: SignedDuration = SignedDuration::from_hours(24);

impl Draft<'_> {
    /// Removes what is to be removed, or says why not; releases the finalizer where nothing is left to do.
    pub(super) fn remove(&mut self) {
        if self.is_latched() {
            return;
        }
        let when = self.object.spec.removal.when;
        match (self.object.is_deleted(), when) {
            (true, RemovalWhen::OnDelete) if self.object.has_finalizer() => self.remove_on_delete(),
            (true, _) => self.finalizer = false,
            (false, RemovalWhen::Now) => self.carry_out_removal(),
            (false, RemovalWhen::Never | RemovalWhen::OnDelete) => {
                if self.status.removal_plan.take().is_some() {
                    // The pause was the removal's; a backup does not wait for it.
                    self.status.refusals = None;
                    self.status.next_attempt_time = None;
                }
            }
        }
    }

    fn remove_on_delete(&mut self) {
        let abandoned = self.object.is_abandoned();
        if abandoned || self.observed.server.deleting {
            let why = if abandoned {
                "the abandon annotation is set"
            } else {
                "the BackupServer is being deleted"
            };
            self.notice = Some((
                Reason::RemovalAbandoned,
                format!("nothing was removed from the NAS: {why}"),
            ));
            self.finalizer = false;
            return;
        }
        match self.observed.bound {
            Bound::Missing | Bound::Replaced { .. } => {
                if self.is_gone() {
                    self.removed();
                } else {
                    self.needs.fresh |= self.queue_is_due();
                    let message = "waiting for a second list without the task before letting the object go";
                    self.standing = Some(Standing::waiting(Reason::RemovalInProgress, message));
                    self.due_since = Some(self.now);
                }
            }
            Bound::Unread | Bound::Ambiguous(_) | Bound::To(_) => self.carry_out_removal(),
        }
    }

    /// The time has passed, but the list of that time came without the queue.
    fn queue_is_due(&self) -> bool {
        let settle = self.observed.server.settle;
        let over = self
            .observed
            .knowledge
            .absent_since
            .is_none_or(|since| self.now.duration_since(since) >= settle);
        let asked = self
            .observed
            .inventory
            .is_some_and(|inventory| matches!(inventory.queue, Queue::Read(_)));
        over && !self.observed.fresh && !asked
    }

    fn carry_out_removal(&mut self) {
        self.due_since = Some(self.now);
        if self.status.intent.is_some() || self.act != Act::Nothing {
            return;
        }
        let Some(task) = self.task() else { return };
        if let Some(stop) = self.removal_guard(task) {
            // A removal that cannot go on outweighs everything else that could be said.
            self.standing = Some(stop);
            return;
        }
        if let Some(wait) = self.unreadable_for_removal() {
            self.standing = Some(wait);
            return;
        }
        if !self.observed.fresh || self.observed.versions.is_none() {
            self.needs.fresh = !self.observed.fresh;
            self.needs.versions = self.observed.versions.is_none();
            return;
        }
        let plan = removal_plan(self.observed.versions.unwrap_or(&[]));
        let locked = plan.locked_versions;
        let message = describe(&plan, task);
        self.status.removal_plan = Some(plan);
        if locked > 0 {
            self.standing = Some(Standing::blocked(
                Reason::VersionLocked,
                format!(
                    "{locked} versions are locked on the NAS: unlock them there, or set removal.when: Never"
                ),
            ));
            return;
        }
        self.call(IntentAction::Remove, 1, Vec::new(), None);
        if self.act != Act::Nothing {
            self.notice = Some((Reason::RemovalPlanned, message.clone()));
            self.standing = Some(Standing::waiting(Reason::RemovalInProgress, message));
        }
    }

    /// What has to be read before anything is removed, and cannot be at the moment.
    fn unreadable_for_removal(&mut self) -> Option<Standing> {
        let queue = self.observed.inventory.map(|inventory| &inventory.queue);
        let what = if self.observed.fresh && !matches!(queue, Some(Queue::Read(_))) {
            "the NAS's job queue"
        } else if self.observed.versions.is_none() && self.observed.knowledge.versions_unreadable {
            "the versions of the task"
        } else {
            return None;
        };
        self.wake_at(self.now + self.observed.server.settle);
        let message = format!("{what} cannot be read; nothing is removed before that");
        Some(Standing::waiting(Reason::ServerNotReady, message))
    }

    /// What the NAS refused the last attempt with, in this pass or in an earlier one.
    fn removal_refusal(&self) -> Option<Standing> {
        let reasons = [Reason::RemovalRefused, Reason::VersionLocked];
        let just_now = self
            .standing
            .clone()
            .filter(|said| reasons.contains(&said.reason));
        let before = || self.said_before(&reasons);
        just_now.or_else(|| before().map(|(reason, message)| Standing::blocked(reason, message)))
    }

    fn removal_guard(&mut self, task: &Task) -> Option<Standing> {
        let server = self.observed.server;
        let declared = || {
            let other = self.observed.claim.other.as_ref()?;
            let message = format!("the BackupTask {} declares the same NAS task", quoted(other));
            Some(Standing::blocked(Reason::RemovalNotAllowed, message))
        };
        // A successor owns the task of a deleted object: that is what has to be said of it.
        let succeeded = declared().filter(|_| self.object.is_deleted());
        if let Some(hold) = succeeded.or_else(|| self.hold()) {
            return Some(hold);
        }
        if let Err((reason, message)) =
            permitted(self.object, task, self.now, server.removals_allowed, &server.name)
        {
            return Some(Standing::blocked(reason, message));
        }
        if let Some(stop) = declared() {
            return Some(stop);
        }
        if self
            .observed
            .inventory
            .is_none_or(|inventory| !inventory.complete)
        {
            let message =
                "the NAS listed its tasks in part: whether another object means this one cannot be told";
            return Some(Standing::waiting(Reason::ServerNotReady, message));
        }
        let doing = self.doing();
        if doing == Doing::Deleting {
            return Some(Standing::waiting(
                Reason::RemovalInProgress,
                "the NAS is removing the task",
            ));
        }
        let is_ending = self.is_stopping();
        if doing.is_run() && !is_ending && self.object.spec.when_running == WhenRunning::Replace {
            if let Some(pause) = self.removal_pause() {
                return Some(pause);
            }
            self.stop_run(
                StopReason::Replace,
                "cancelling the run in progress; the task is to be removed",
            );
            return Some(Standing::waiting(
                Reason::WaitingForRun,
                "the removal cancels the run in progress first",
            ));
        }
        if doing.is_run() || self.status.run.is_some() {
            return Some(Standing::waiting(
                Reason::WaitingForRun,
                "the removal waits for the run in progress to end",
            ));
        }
        self.removal_pause().or_else(|| self.open_breaker())
    }

    /// The time between two attempts.
    fn removal_pause(&mut self) -> Option<Standing> {
        let next = self.put_off_until()?;
        self.wake_at(next);
        if let Some(said) = self.removal_refusal().or_else(|| self.held_back(next)) {
            return Some(said);
        }
        let message = format!("the last attempt was refused or withheld; next attempt at {next}");
        Some(Standing::waiting(Reason::RemovalInProgress, message))
    }

    fn open_breaker(&mut self) -> Option<Standing> {
        let (count, until) = breaker(self.observed.server.breaker, self.now);
        if count >= self.observed.server.removals_per_day {
            if let Some(until) = until {
                self.wake_at(until);
            }
            let message = format!(
                "{count} of {} removals of the server's day are used up; more wait",
                self.observed.server.removals_per_day
            );
            return Some(Standing::waiting(Reason::RemovalBreakerOpen, message));
        }
        None
    }
}

/// The guards that a live read can judge as well.
fn permitted(
    object: &BackupTask,
    task: &Task,
    now: Timestamp,
    allowed: bool,
    server: &str,
) -> Result<(), Withheld> {
    let removal = &object.spec.removal;
    let Some(key) = task.unique_key.as_ref().map(crate::nas::UniqueKey::as_str) else {
        let message = "the NAS gives this task no uniqueKey; a task without one is never removed".to_owned();
        return Err((Reason::RemovalNotConfirmed, message));
    };
    if removal.confirm.as_deref() != Some(key) {
        let message = format!(
            "removal.confirm is not the uniqueKey of the bound task; to remove it, set confirm: {key}"
        );
        return Err((Reason::RemovalNotConfirmed, message));
    }
    if removal.not_after.as_ref().is_some_and(|limit| limit.0 < now) {
        return Err((
            Reason::RemovalNotAllowed,
            "removal.notAfter has passed; nothing is removed any more".to_owned(),
        ));
    }
    if !allowed {
        let message = format!("the BackupServer {} has removals.allowed: false", quoted(server));
        return Err((Reason::RemovalNotAllowed, message));
    }
    Ok(())
}

/// Removals counted in the running window, and when it ends.
fn breaker(state: (Option<Timestamp>, i32), now: Timestamp) -> (i32, Option<Timestamp>) {
    match state {
        (Some(start), count) if now.duration_since(start) < BREAKER_WINDOW => {
            (count, Some(start + BREAKER_WINDOW))
        }
        _ => (0, None),
    }
}

/// What will die.
fn removal_plan(versions: &[Version]) -> RemovalPlan {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let sizes: Option<Vec<u64>> = versions.iter().map(|version| version.used_size).collect();
    let starts = || versions.iter().filter_map(|version| version.time_start);
    RemovalPlan {
        versions: count(versions.len()),
        locked_versions: count(versions.iter().filter(|version| version.locked).count()),
        oldest: nas_time(starts().min()),
        newest: nas_time(starts().max()),
        used_bytes: sizes
            .filter(|sizes| !sizes.is_empty())
            .map(|sizes| sizes.iter().sum::<u64>().cast_signed()),
    }
}

fn describe(plan: &RemovalPlan, task: &Task) -> String {
    let span = match (&plan.oldest, &plan.newest) {
        (Some(oldest), Some(newest)) => format!(" from {} to {}", oldest.0, newest.0),
        _ => String::new(),
    };
    format!(
        "removing task {} ({}) with its {} versions{span}",
        task.id.0,
        quoted(&task.name),
        plan.versions
    )
}

/// Why a removal is not sent after all.
pub type Withheld = (Reason, String);

/// Judges live reads of object, server and NAS task right before `remove` (protocol, "`remove` is stricter"). Gives
/// the state of the breaker to reserve before the call, this removal counted.
pub fn removal_clearance(
    object: &BackupTask,
    intent_id: &str,
    server: &BackupServer,
    task: Option<(&Task, &Queue)>,
    now: Timestamp,
) -> Result<RemovalsStatus, Withheld> {
    let intent = object.status.as_ref().and_then(|status| status.intent.as_ref());
    let intent = intent.filter(|intent| intent.id == intent_id).ok_or_else(|| {
        withheld(
            Reason::RemovalNotAllowed,
            "the recorded intent is not ours any more",
        )
    })?;
    still_asked(object)?;
    still_served(server, intent)?;
    let (task, queue) = task
        .filter(|(task, _)| is_confirmed(task, intent))
        .ok_or_else(|| {
            withheld(
                Reason::TaskReplaced,
                "the NAS task is not the one that was confirmed any more",
            )
        })?;
    permitted(
        object,
        task,
        now,
        server.spec.removals.allowed,
        &server.name_any(),
    )?;
    if !is_idle(task, queue, intent) {
        return Err(withheld(Reason::WaitingForRun, "the NAS task is busy"));
    }
    removal_reservation(server, now)
}

/// Whether nothing occupies the task. The row of a run that nobody ended is no run: it stood there when the intent was
/// recorded, and `decide` had seen nothing behind it for the settling time. A newer one may be.
fn is_idle(task: &Task, queue: &Queue, intent: &Intent) -> bool {
    match doing(task, queue) {
        Doing::Nothing => true,
        Doing::PerhapsRunning => {
            let row = task.last_result.as_ref().map(|row| row.result_id.0);
            !intent.baseline_run_active && row.is_some_and(|row| row <= intent.baseline_result_id)
        }
        Doing::Waiting | Doing::Running | Doing::Canceling | Doing::Deleting => false,
    }
}

fn withheld(reason: Reason, message: &str) -> Withheld {
    (reason, message.to_owned())
}

fn still_asked(object: &BackupTask) -> Result<(), Withheld> {
    let wanted = match object.spec.removal.when {
        RemovalWhen::Now => true,
        RemovalWhen::OnDelete => object.is_deleted(),
        RemovalWhen::Never => false,
    };
    if !wanted || object.is_abandoned() {
        return Err(withheld(
            Reason::RemovalNotAllowed,
            "the object does not ask for the removal any more",
        ));
    }
    if object.is_suspended() {
        return Err(withheld(Reason::Suspended, "the object was suspended"));
    }
    Ok(())
}

fn still_served(server: &BackupServer, intent: &Intent) -> Result<(), Withheld> {
    if server.metadata.uid.as_deref() != Some(intent.server_uid.as_str()) {
        return Err(withheld(
            Reason::RemovalNotAllowed,
            "the BackupServer is another one now",
        ));
    }
    if server.spec.mode != Mode::Enforce || server.metadata.deletion_timestamp.is_some() {
        return Err(withheld(
            Reason::RemovalNotAllowed,
            "the BackupServer is not in mode Enforce, or is being deleted",
        ));
    }
    Ok(())
}

fn is_confirmed(task: &Task, intent: &Intent) -> bool {
    let key = task.unique_key.as_ref().map(crate::nas::UniqueKey::as_str);
    task.id.0 == intent.task_id && key == intent.unique_key.as_deref()
}

/// The state of the breaker to reserve before a call, one more removal counted; or that there is none left for the day.
pub fn removal_reservation(server: &BackupServer, now: Timestamp) -> Result<RemovalsStatus, Withheld> {
    let state = server.status.as_ref().and_then(|status| status.removals.as_ref());
    let state = state.map_or((None, 0), |r| {
        (r.window_start.as_ref().map(|time| time.0), r.count)
    });
    let (count, until) = breaker(state, now);
    if count >= server.spec.removals.max_per_day {
        return Err(withheld(
            Reason::RemovalBreakerOpen,
            "the server's removals of the day are used up",
        ));
    }
    let window_start = until.map_or(now, |until| until - BREAKER_WINDOW);
    Ok(RemovalsStatus {
        window_start: Some(status_time(window_start)),
        count: count.saturating_add(1),
    })
}
