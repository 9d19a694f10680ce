//! What is to be done about one task, and why not more: `decide` turns object, observation and time into the
//! next status, at most one call, and the reason for waiting. `queue` then says for one server who has to wait.
//!
//! Invariant: pure. No async, no client, no clock, no randomness, no logging: the same input gives the same
//! decision, which is what the table tests and the simulation rest on.

mod admit;
mod cancel;
mod due;
mod freshness;
mod receipts;
mod removal;
mod results;
mod running;
mod schedule;
mod settle;
mod settle_removal;
mod standing;
mod state;
mod triggers;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{
        BackupTask, BackupTaskStatus, Binding, ConditionType, Intent, IntentAction, Mode, Reason,
        ReceiptOutcome, RemovalWhen, TriggerRef, condition, status_time,
    },
    nas::{ResultId, Task},
    observe::{Bound, Doing, Observation, Reach, doing},
};

pub use admit::{Candidate, admit, queue};
pub use removal::{Withheld, removal_clearance, removal_reservation};
pub use schedule::schedule_fault;
pub use standing::{Standing, StandingKind};

/// What `decide` makes of one task.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own; no two make a state"
)]
pub struct Decision {
    /// The status after this pass, without conditions; with the intent when there is a call.
    pub status: BackupTaskStatus,
    /// What is to be said of the object: the condition's reason and message.
    pub standing: Standing,
    /// The one call to make, after the status with its intent is written.
    pub act: Act,
    /// What has to be read before more can be decided.
    pub needs: Needs,
    /// Whether the object must carry our finalizer.
    pub finalizer: bool,
    /// Whether the NAS must be read at `polling.active`.
    pub active: bool,
    /// When something becomes due by itself.
    pub wake: Option<Timestamp>,
    /// Whether a run is due, queued or in flight.
    pub seeking: bool,
    /// Whether a run would be started now if it is this task's turn.
    pub wants_start: bool,
    /// Since when the oldest trigger that was not started yet is due: its place in the queue of the server.
    pub due: Option<Timestamp>,
    /// Something to tell beside a change of state.
    pub notice: Option<(Reason, String)>,
}

/// A call to the NAS.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// None.
    Nothing,
    /// Record this intent, then send it.
    Call(Intent),
}

/// What has to be read before more can be decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// An inventory begun after the trigger was seen, with the queue.
    pub fresh: bool,
    /// The task's backup results.
    pub results: bool,
    /// The task's versions.
    pub versions: bool,
    /// The task's log since that second of the NAS's clock.
    pub log_since: Option<i64>,
}

/// The decision under way: each step reads the observation and changes the draft.
#[allow(clippy::struct_excessive_bools, reason = "as in the decision it becomes")]
struct Draft<'a> {
    object: &'a BackupTask,
    observed: &'a Observation<'a>,
    now: Timestamp,
    intent_id: &'a str,
    first_sight: bool,
    status: BackupTaskStatus,
    standing: Option<Standing>,
    act: Act,
    needs: Needs,
    finalizer: bool,
    wake: Option<Timestamp>,
    /// Earliest time at which a run becomes, or became, due.
    next_run: Option<Timestamp>,
    /// When a failed run, or a success that came too late, is tried again.
    next_attempt: Option<Timestamp>,
    /// Since when the oldest unanswered trigger is due.
    due_since: Option<Timestamp>,
    wants_start: bool,
    notice: Option<(Reason, String)>,
}

/// Judges one task. `intent_id` is the identity a new intent would get.
#[must_use]
pub fn decide(object: &BackupTask, observed: &Observation<'_>, now: Timestamp, intent_id: &str) -> Decision {
    let mut draft = Draft::new(object, observed, now, intent_id);
    draft.latch();
    draft.identify();
    let settled = draft.settle();
    let open = draft.status.intent.is_some();
    draft.follow_results();
    draft.drop_finished_cancel();
    // What was awaited of a call that the results have ended is not awaited any more.
    if let Some(stop) = settled.filter(|_| draft.status.intent.is_some() == open) {
        draft.say(stop);
    }
    draft.keep_freshness();
    draft.cancel();
    draft.enforce_deadline();
    draft.remove();
    draft.trigger();
    draft.finish()
}

impl<'a> Draft<'a> {
    fn new(
        object: &'a BackupTask,
        observed: &'a Observation<'a>,
        now: Timestamp,
        intent_id: &'a str,
    ) -> Self {
        let mut status = object.status.clone().unwrap_or_default();
        let first_sight = status.observed_generation.is_none_or(|generation| generation < 0);
        status.observed_generation = object.metadata.generation;
        let wanted = object.spec.removal.when == RemovalWhen::OnDelete;
        Self {
            object,
            observed,
            now,
            intent_id,
            first_sight,
            status,
            standing: None,
            act: Act::Nothing,
            needs: Needs::default(),
            finalizer: wanted && (!object.is_deleted() || object.has_finalizer()),
            wake: None,
            next_run: None,
            next_attempt: None,
            due_since: None,
            wants_start: false,
            notice: None,
        }
    }

    /// `Removed` holds until `removal.when` or `spec.task` changes.
    fn latch(&mut self) {
        let Some(binding) = &self.status.binding else {
            return;
        };
        if binding.removed_by.is_none() {
            return;
        }
        if binding.removed_by == Some(self.object.spec.removal.when)
            && binding.selector == self.object.spec.task
        {
            self.finalizer = false;
            self.say(Standing::fine(
                Reason::TaskRemoved,
                "the task was removed from the NAS as asked",
            ));
        } else {
            self.status.binding = None;
            self.status.task = None;
            self.status.removal_plan = None;
            self.forget_task();
        }
    }

    /// What was seen of one task says nothing of another: its run, its results, what it was refused.
    fn forget_task(&mut self) {
        if let Some(run) = self.status.run.take() {
            self.answer(&run.triggers, ReceiptOutcome::ResultUnknown, run.result_id);
            let action = self.status.intent.as_ref().map(|intent| intent.action);
            let canceled = match action {
                Some(IntentAction::Cancel) => ReceiptOutcome::OutcomeUnknown,
                _ => ReceiptOutcome::NothingToCancel,
            };
            self.answer_cancel(canceled, None);
        }
        let status = &mut self.status;
        status.last_result = None;
        status.last_success = None;
        status.last_success_time = None;
        status.last_failure_time = None;
        status.last_run_end_time = None;
        status.consecutive_failures = None;
        status.retry_attempt = None;
        status.refusals = None;
        status.next_attempt_time = None;
        status.history.clear();
    }

    /// Whether the task that is bound now is not the one that was bound before.
    fn is_another(&self, task: &Task) -> bool {
        let Some(before) = &self.status.binding else {
            return false;
        };
        let key = task.unique_key.as_ref().map(crate::nas::UniqueKey::as_str);
        match (before.unique_key.as_deref(), key) {
            (Some(before), Some(now)) => before != now,
            _ => self
                .status
                .task
                .as_ref()
                .is_some_and(|before| before.id != task.id.0),
        }
    }

    fn is_latched(&self) -> bool {
        self.status
            .binding
            .as_ref()
            .is_some_and(|binding| binding.removed_by.is_some())
    }

    /// Writes down what is bound.
    fn identify(&mut self) {
        if self.is_latched() {
            return;
        }
        let name = &self.observed.server.name;
        match &self.observed.bound {
            Bound::To(task) => {
                let unique_key = task.unique_key.as_ref().map(|key| key.as_str().to_owned());
                let serial = self.observed.server.serial.clone();
                let selector = self.object.spec.task.clone();
                if self.is_another(task) {
                    self.forget_task();
                }
                let kept = self.status.binding.take().and_then(|binding| binding.nas_serial);
                self.status.binding =
                    Some(Binding { selector, unique_key, nas_serial: serial.or(kept), removed_by: None });
                self.status.task = Some(state::bound_task(task, self.status.task.as_ref()));
            }
            Bound::Unread if self.observed.inventory.is_some() => self.say(Standing::waiting(
                Reason::ServerNotReady,
                format!("{} listed its tasks in part, without {}", quoted(name), self.selector()),
            )),
            Bound::Unread => {}
            Bound::Missing => self.say(Standing::blocked(
                Reason::TaskNotFound,
                format!("{} lists no task with {}", quoted(name), self.selector()),
            )),
            Bound::Ambiguous(count) => self.say(Standing::blocked(
                Reason::TaskAmbiguous,
                format!("{count} tasks of {} match {}: name one by id or uniqueKey", quoted(name), self.selector()),
            )),
            Bound::Replaced { by } => self.say(Standing::blocked(
                Reason::TaskReplaced,
                format!(
                    "another task ({by}) now stands under {}: edit spec.task, or name the new uniqueKey in the annotation {}",
                    self.selector(),
                    crate::api::ANNOTATION_REBIND
                ),
            )),
        }
    }

    fn selector(&self) -> String {
        let selector = &self.object.spec.task;
        match (&selector.unique_key, selector.id, &selector.name) {
            (Some(key), _, _) => format!("uniqueKey {}", quoted(key)),
            (None, Some(id), _) => format!("id {id}"),
            (None, None, name) => format!("name {}", quoted(name.as_deref().unwrap_or(""))),
        }
    }

    /// The first thing said stands: steps come in the order of what matters most.
    fn say(&mut self, standing: Standing) {
        self.standing.get_or_insert(standing);
    }

    fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |earlier| earlier.min(time)));
    }

    /// The bound task.
    fn task(&self) -> Option<&'a Task> {
        match &self.observed.bound {
            Bound::To(task) => Some(task),
            _ => None,
        }
    }

    fn doing(&self) -> Doing {
        match (self.task(), self.observed.inventory) {
            (Some(task), Some(inventory)) => match doing(task, &inventory.queue) {
                Doing::PerhapsRunning if self.is_quiet() || self.is_row_given_up(task) => Doing::Nothing,
                seen => seen,
            },
            _ => Doing::Nothing,
        }
    }

    /// Whether the unfinished row of a task is that of a run that was given up on.
    fn is_row_given_up(&self, task: &Task) -> bool {
        let row = task.last_result.as_ref();
        row.is_some_and(|row| self.is_given_up(row.result_id.0))
    }

    /// Whether no run has shown for the settling time, judged by reads, not by the clock.
    fn is_quiet(&self) -> bool {
        self.is_quiet_for(self.observed.server.settle)
    }

    fn is_quiet_for(&self, time: SignedDuration) -> bool {
        let Some(inventory) = self.observed.inventory else {
            return false;
        };
        let since = self.observed.knowledge.quiet_since;
        since.is_some_and(|since| inventory.begun.duration_since(since) >= time)
    }

    /// The reason and message of `Ready` as it stands, if it has one of these reasons: what was said of an obstacle
    /// is said of it until it is gone, so that a quiet pass changes nothing.
    fn said_before(&self, reasons: &[Reason]) -> Option<(Reason, String)> {
        let conditions = &self.object.status.as_ref()?.conditions;
        let stalled = condition(conditions, ConditionType::Stalled);
        let said = stalled.or_else(|| condition(conditions, ConditionType::Ready))?;
        let reason = reasons.iter().find(|reason| reason.as_str() == said.reason)?;
        Some((*reason, said.message.clone()))
    }

    /// Whether the object stands stalled for that reason.
    fn is_stalled_by(&self, reason: Reason) -> bool {
        let conditions = self.object.status.as_ref().map(|status| &status.conditions);
        let stalled = conditions.and_then(|conditions| condition(conditions, ConditionType::Stalled));
        stalled.is_some_and(|stalled| stalled.reason == reason.as_str())
    }

    /// Why nothing may be sent for this object at all, if so.
    fn hold(&self) -> Option<Standing> {
        let server = self.observed.server;
        if self.object.is_suspended() {
            return Some(Standing::fine(
                Reason::Suspended,
                "suspended: nothing is sent to the NAS",
            ));
        }
        if let Some(owner) = &self.observed.claim.owner {
            let message = format!(
                "the BackupTask {} is older and acts for the same NAS task",
                quoted(owner)
            );
            return Some(Standing::blocked(Reason::TaskClaimed, message));
        }
        if server.mode == Mode::Observe {
            return Some(Standing::fine(
                Reason::Observing,
                "the server is in mode Observe: nothing is planned or sent",
            ));
        }
        if server.deleting {
            return Some(Standing::waiting(
                Reason::ServerNotReady,
                "the BackupServer is being deleted",
            ));
        }
        match &self.observed.reach {
            Reach::Readable => None,
            Reach::Failing { .. } => Some(Standing::waiting(
                Reason::ServerNotReady,
                "the NAS cannot be read at the moment",
            )),
        }
    }

    /// Takes up an intent: the status carries it, the act sends it.
    fn call(
        &mut self,
        action: IntentAction,
        attempt: i32,
        triggers: Vec<TriggerRef>,
        baseline: Option<&Intent>,
    ) {
        let (Some(task), Some(inventory)) = (self.task(), self.observed.inventory) else {
            return;
        };
        if self.observed.server.mode == Mode::Plan {
            let message = format!(
                "would send {} for task {} ({})",
                action_verb(action),
                task.id.0,
                quoted(&task.name)
            );
            self.say(Standing::fine(Reason::Planned, message));
            return;
        }
        let known = self.newest_row_id(task);
        let intent = Intent {
            id: self.intent_id.to_owned(),
            action,
            attempt,
            server_uid: self.observed.server.uid.clone(),
            nas_serial: self.observed.server.serial.clone(),
            task_id: task.id.0,
            unique_key: task.unique_key.as_ref().map(|key| key.as_str().to_owned()),
            baseline_result_id: baseline.map_or(known, |first| first.baseline_result_id),
            baseline_run_active: baseline.map_or(self.doing().is_run(), |first| first.baseline_run_active),
            recorded_at: status_time(baseline.map_or(self.now, |first| first.recorded_at.0)),
            nas_time: baseline.map_or(inventory.nas_time.map(status_time), |first| {
                first.nas_time.clone()
            }),
            triggers,
        };
        self.status.intent = Some(intent.clone());
        self.act = Act::Call(intent);
    }

    /// The newest job of any kind: result numbers grow with every job, so no row above it is older than the call,
    /// also where the backup rows themselves stand hidden behind it.
    fn newest_row_id(&self, task: &Task) -> i64 {
        let in_view = task
            .last_result
            .as_ref()
            .into_iter()
            .chain(self.newest_backup_row());
        let newest = in_view.map(|row| row.result_id.0).max();
        newest.unwrap_or_else(|| self.last_known_result())
    }
}

fn action_verb(action: IntentAction) -> &'static str {
    match action {
        IntentAction::Backup => "backup",
        IntentAction::Cancel => "cancel",
        IntentAction::Remove => "remove",
    }
}

/// A time of the NAS as the status keeps it.
fn nas_time(second: Option<i64>) -> Option<Time> {
    second
        .and_then(|second| Timestamp::from_second(second).ok())
        .map(Time)
}

/// `retryBackoff`, doubled for each attempt before, at most 6h.
fn backoff(object: &BackupTask, before: i32) -> SignedDuration {
    let base = SignedDuration::try_from(object.spec.retry_backoff.get()).unwrap_or(LONGEST_BACKOFF);
    let factor = 1_i32
        .checked_shl(before.clamp(0, 20).cast_unsigned())
        .unwrap_or(i32::MAX);
    base.checked_mul(factor)
        .unwrap_or(LONGEST_BACKOFF)
        .min(LONGEST_BACKOFF)
}

/// The contract's cap on `retryBackoff`.
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_hours(6);
/// How long an answered call may stay without evidence (protocol, step 6).
const EVIDENCE_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// No backup result yet.
const NO_RESULT: ResultId = ResultId(0);

fn quoted(text: &str) -> String {
    format!("{text:?}")
}
