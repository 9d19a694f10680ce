//! Settles the open intent from evidence (protocol, steps 5 and 6): what the NAS shows counts, the reply only
//! where it says for certain that nothing was carried out.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Act, Draft, EVIDENCE_LIMIT, Standing, backoff};
use crate::{
    api::{
        Intent, IntentAction, Origin, Reason, Receipt, ReceiptOutcome, Receipts, RemovalWhen, Run,
        TriggerKind, TriggerRef, status_time,
    },
    nas::{Context, Meaning},
    observe::{Answered, Bound, Call, Doing, Queue},
};

impl Draft<'_> {
    /// Settles the intent where the evidence suffices; says what is awaited where it does not.
    pub(super) fn settle(&mut self) -> Option<Standing> {
        let intent = self.status.intent.clone()?;
        if self.is_other_nas(&intent) {
            return self.give_up(&intent, "another NAS answers under the server's address");
        }
        // Invariant: without knowledge of our own call nothing is sent on an intent; it was found.
        let call = self
            .observed
            .knowledge
            .call
            .clone()
            .filter(|call| call.intent == intent.id)?;
        match intent.action {
            IntentAction::Backup => self.settle_backup(&intent, &call),
            IntentAction::Cancel => self.settle_cancel(&intent, &call),
            IntentAction::Remove => self.settle_remove(&intent, &call),
        }
    }

    fn is_other_nas(&self, intent: &Intent) -> bool {
        let other = |then: &str| {
            self.observed
                .server
                .serial
                .as_deref()
                .is_some_and(|now| now != then)
        };
        // A BackupServer that was created anew for the same NAS still shows what became of the call.
        let known = intent.nas_serial.is_some() && intent.nas_serial == self.observed.server.serial;
        intent.nas_serial.as_deref().is_some_and(other)
            || (!known && intent.server_uid != self.observed.server.uid)
    }

    fn settle_backup(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
        if self.shows_run(intent) {
            self.start_run(intent);
            return None;
        }
        match call.answered {
            Some(Answered::NotDispatched | Answered::Withheld) => {
                self.pause(intent, call).or_else(|| self.again(intent))
            }
            Some(Answered::Refused(code)) => self.refused(intent, code),
            Some(Answered::Applied | Answered::Unknown) | None if self.is_out_of_sight(intent) => {
                self.give_up(intent, "its task is not the bound one any more")
            }
            Some(Answered::Applied) if self.is_overdue(intent) => {
                self.give_up(intent, "the NAS accepted the call and has shown no run for 24h")
            }
            Some(Answered::Applied) => Some(Standing::waiting(
                Reason::BackupRequested,
                "the NAS accepted the call; no run shows yet",
            )),
            Some(Answered::Unknown) | None => match self.absence(call) {
                Absence::Proven => self.again(intent),
                Absence::Unprovable => self.give_up(intent, UNPROVABLE),
                Absence::Open => Some(Standing::waiting(
                    Reason::BackupRequested,
                    "the answer to the call is unknown; looking for its run",
                )),
            },
        }
    }

    /// Whether the intent's task cannot show anything any more: another one is bound, or it is gone for certain.
    fn is_out_of_sight(&mut self, intent: &Intent) -> bool {
        match self.task() {
            Some(task) => !is_same(task, intent),
            None => self.is_gone(),
        }
    }

    /// Nothing was sent: at once again, but after a few attempts in a row only once in the settling time.
    fn pause(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
        let next = call.settles_from + self.observed.server.settle;
        if intent.attempt < ATTEMPTS_AT_ONCE || self.now >= next {
            return None;
        }
        self.wake_at(next);
        let reason = match intent.action {
            IntentAction::Backup => Reason::BackupRequested,
            IntentAction::Cancel => Reason::CancelRequested,
            IntentAction::Remove => Reason::RemovalInProgress,
        };
        let message = format!(
            "the call could not be sent; next attempt at {}",
            status_time(next).0
        );
        Some(Standing::waiting(reason, message))
    }

    /// A run that was not active before, or a backup result above the baseline.
    fn shows_run(&mut self, intent: &Intent) -> bool {
        if self.task().is_none_or(|task| !is_same(task, intent)) {
            return false;
        }
        let above = self
            .newest_backup_row()
            .filter(|row| row.result_id.0 > intent.baseline_result_id);
        if let Some(row) = above {
            let started = row.time_start;
            // With a run active before, its own row may come late: only one that began after the intent counts.
            let earliest = intent.nas_time.as_ref().map(|time| time.0.as_second());
            let after = match (started, earliest) {
                (Some(started), Some(earliest)) => started >= earliest,
                _ => false,
            };
            if !intent.baseline_run_active || after {
                return true;
            }
        }
        let after = self
            .observed
            .inventory
            .is_some_and(|inventory| inventory.begun >= intent.recorded_at.0);
        let seen = self.doing();
        !intent.baseline_run_active && after && seen.is_certain_run()
    }

    fn start_run(&mut self, intent: &Intent) {
        self.status.intent = None;
        self.status.next_attempt_time = None;
        self.status.refusals = None;
        self.status.run = Some(Run {
            origin: origin(&intent.triggers),
            triggers: intent.triggers.clone(),
            result_id: None,
            baseline_result_id: Some(intent.baseline_result_id),
            requested_at: Some(intent.recorded_at.clone()),
            started_at: None,
            progress: None,
        });
    }

    /// The call certainly did not happen: a new intent with the first one's baseline, if nothing holds it back.
    fn again(&mut self, intent: &Intent) -> Option<Standing> {
        if let Some(hold) = self.hold() {
            return Some(hold);
        }
        if self.task().is_none_or(|task| !is_same(task, intent)) || self.is_expired(&intent.triggers) {
            // Nothing is open any more: the trigger is due like any other that was not started yet.
            self.status.intent = None;
            return None;
        }
        if !self.observed.fresh {
            self.needs.fresh = true;
            return Some(Standing::waiting(
                Reason::BackupRequested,
                "the call did not happen; looking again first",
            ));
        }
        if self.doing().is_run() {
            // Somebody else's run came in between: it is waited for like any other, the trigger stays due.
            self.status.intent = None;
            return None;
        }
        self.call(
            intent.action,
            intent.attempt.saturating_add(1),
            intent.triggers.clone(),
            Some(intent),
        );
        (self.act != Act::Nothing)
            .then(|| Standing::waiting(Reason::BackupRequested, "asking the NAS once more"))
    }

    fn refused(&mut self, intent: &Intent, code: i64) -> Option<Standing> {
        let meaning = Meaning::of(code, Context::ActiveBackup);
        let message = format!(
            "the NAS refused {} with {code}: {}",
            super::action_verb(intent.action),
            meaning.describe()
        );
        self.status.intent = None;
        if meaning.is_passing_refusal() {
            let next = self.back_off();
            let message = format!("{message}; next attempt at {}", next.0);
            return Some(Standing::waiting(Reason::BackupRefused, message));
        }
        self.answer(&intent.triggers, ReceiptOutcome::Failed, None);
        self.end(intent, Reason::BackupRefused, message)
    }

    /// Until when the next attempt is put off, where that lies ahead.
    pub(super) fn put_off_until(&self) -> Option<Timestamp> {
        let next = self.status.next_attempt_time.as_ref()?.0;
        (next > self.now).then_some(next)
    }

    /// Puts the next attempt off, doubling.
    pub(super) fn back_off(&mut self) -> Time {
        let before = self.status.refusals.unwrap_or(0);
        let next = status_time(self.now + backoff(self.object, before));
        self.status.refusals = Some(before.saturating_add(1));
        self.status.next_attempt_time = Some(next.clone());
        self.wake_at(next.0);
        next
    }

    /// Whether it happened cannot be found out: said so, and nothing moves but a new token.
    fn give_up(&mut self, intent: &Intent, why: &str) -> Option<Standing> {
        self.status.intent = None;
        self.answer(&intent.triggers, ReceiptOutcome::OutcomeUnknown, None);
        if intent.action == IntentAction::Cancel {
            self.answer_cancel(ReceiptOutcome::OutcomeUnknown, None);
        }
        let verb = super::action_verb(intent.action);
        let message =
            format!("whether {verb} took effect cannot be found out: {why}; a new token asks again");
        self.end(intent, Reason::OutcomeUnknown, message)
    }

    /// An intent that ended badly stalls the object while its token stands; else an Event tells of it.
    fn end(&mut self, intent: &Intent, reason: Reason, message: String) -> Option<Standing> {
        if intent.action == IntentAction::Backup && self.lasting().is_some() {
            return Some(Standing::blocked(reason, message));
        }
        self.notice = Some((reason, message));
        None
    }

    /// Judged by reads, not by the clock: a NAS that was switched off for a day may still show the run.
    fn is_overdue(&self, intent: &Intent) -> bool {
        let read = self.observed.inventory.map(|inventory| inventory.begun);
        read.is_some_and(|read| read.duration_since(intent.recorded_at.0) >= EVIDENCE_LIMIT)
    }

    /// Absence in two reads: both begun after the settling time started, at least half of it apart, the second
    /// not before it is over, queue and history readable (protocol, step 6). What cannot be read is given as long
    /// again before it counts as unprovable: one failed read must not cost a run.
    pub(super) fn absence(&mut self, call: &Call) -> Absence {
        let settle = self.observed.server.settle;
        let over = call.settles_from + settle;
        let Some(inventory) = self.observed.inventory else {
            return Absence::Open;
        };
        if inventory.begun < over {
            self.wake_at(over);
            return Absence::Open;
        }
        let is_seen = self.is_history_seen();
        match (&inventory.queue, call.first_absence) {
            (Queue::Read(_), Some(first))
                if is_seen && inventory.begun.duration_since(first) * 2 >= settle =>
            {
                Absence::Proven
            }
            (Queue::Read(_), _) if is_seen => Absence::Open,
            (Queue::Unreadable | Queue::Read(_), _) if inventory.begun >= over + settle => {
                Absence::Unprovable
            }
            (Queue::Unreadable | Queue::Read(_) | Queue::NotAsked, _) => Absence::Open,
        }
    }

    /// A cancel is settled by the run ending; it is sent once.
    fn settle_cancel(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
        if self.task().is_some_and(|task| !is_same(task, intent)) {
            return self.give_up(intent, "its task is not the bound one any more");
        }
        match call.answered {
            Some(Answered::NotDispatched | Answered::Withheld) if self.doing().is_run() => self
                .pause(intent, call)
                .or_else(|| Some(self.again_cancel(intent))),
            Some(Answered::Refused(code)) => {
                let meaning = Meaning::of(code, Context::ActiveBackup);
                self.status.intent = None;
                self.answer_cancel(ReceiptOutcome::Failed, None);
                let message = format!("the NAS refused cancel with {code}: {}", meaning.describe());
                self.end(intent, Reason::CancelRefused, message)
            }
            _ => Some(Standing::waiting(
                Reason::CancelRequested,
                "a cancel was sent; waiting for the run to end",
            )),
        }
    }

    fn again_cancel(&mut self, intent: &Intent) -> Standing {
        if let Some(hold) = self.hold() {
            return hold;
        }
        if self.observed.fresh {
            self.call(
                IntentAction::Cancel,
                intent.attempt.saturating_add(1),
                Vec::new(),
                Some(intent),
            );
        } else {
            self.needs.fresh = true;
        }
        Standing::waiting(Reason::CancelRequested, "asking the NAS to cancel the run")
    }

    /// After the results were followed: a cancel whose run is over, or that finds the task idle, is done.
    pub(super) fn drop_finished_cancel(&mut self) {
        let Some(intent) = self.status.intent.clone() else {
            return;
        };
        if intent.action != IntentAction::Cancel || self.status.run.is_some() || self.doing().is_run() {
            return;
        }
        let later = self
            .observed
            .inventory
            .is_some_and(|inventory| inventory.begun >= intent.recorded_at.0);
        if later && matches!(self.act, Act::Nothing) {
            self.status.intent = None;
            self.answer_cancel(ReceiptOutcome::NothingToCancel, None);
        }
    }

    /// Gone means: absent from two complete lists, `settle` apart, with no deletion job.
    fn settle_remove(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
        if self.is_gone() {
            self.removed();
            return None;
        }
        if self.task().is_some_and(|task| !is_same(task, intent)) {
            return self.give_up(intent, "its task is not the bound one any more");
        }
        let working = self.doing() == Doing::Deleting
            || matches!(self.observed.bound, Bound::Missing | Bound::Replaced { .. });
        let progress = Standing::waiting(Reason::RemovalInProgress, "the NAS is removing the task");
        if working {
            return Some(progress);
        }
        match call.answered {
            Some(Answered::NotDispatched | Answered::Withheld) => {
                // The guards decide anew; a pause keeps a lasting obstacle from becoming a loop.
                let next = self.now + self.observed.server.settle;
                self.status.intent = None;
                self.status.next_attempt_time = Some(status_time(next));
                self.wake_at(next);
                None
            }
            Some(Answered::Refused(code)) => Some(self.removal_refused(code)),
            Some(Answered::Applied) if self.is_overdue(intent) => self.stuck_removal(
                intent,
                "the NAS accepted the call and the task is still there after 24h",
            ),
            Some(Answered::Applied) => Some(progress),
            Some(Answered::Unknown) | None => match self.absence(call) {
                Absence::Proven => {
                    self.status.intent = None;
                    None
                }
                Absence::Unprovable => self.stuck_removal(intent, UNPROVABLE),
                Absence::Open => Some(progress),
            },
        }
    }

    /// A `remove` that may still be working is never sent again: its intent stays while the object asks for it.
    fn stuck_removal(&mut self, intent: &Intent, why: &str) -> Option<Standing> {
        if !self.wants_removal() {
            return self.give_up(intent, why);
        }
        let stuck = Standing::blocked(
            Reason::OutcomeUnknown,
            format!(
                "whether remove took effect cannot be found out: {why}; removal.when: Never lets go of it"
            ),
        );
        Some(stuck)
    }

    /// Whether the object asks for the removal of its task as it stands now.
    pub(super) fn wants_removal(&self) -> bool {
        match self.object.spec.removal.when {
            RemovalWhen::Now => true,
            RemovalWhen::OnDelete => self.object.is_deleted(),
            RemovalWhen::Never => false,
        }
    }

    fn removal_refused(&mut self, code: i64) -> Standing {
        let meaning = Meaning::of(code, Context::ActiveBackup);
        self.status.intent = None;
        self.back_off();
        let message = format!("the NAS refused remove with {code}: {}", meaning.describe());
        let reason = if code == LOCKED_VERSION {
            Reason::VersionLocked
        } else {
            Reason::RemovalRefused
        };
        Standing::blocked(reason, message)
    }

    /// Whether the bound task is gone for certain.
    pub(super) fn is_gone(&mut self) -> bool {
        let Some(inventory) = self.observed.inventory else {
            return false;
        };
        let Some(since) = self.observed.knowledge.absent_since else {
            return false;
        };
        if !matches!(inventory.queue, Queue::Read(_)) {
            return false;
        }
        let over = since + self.observed.server.settle;
        if inventory.begun < over {
            self.wake_at(over);
        }
        inventory.begun >= over
    }

    /// Latches the removal.
    pub(super) fn removed(&mut self) {
        self.status.intent = None;
        self.status.run = None;
        self.status.next_attempt_time = None;
        self.status.refusals = None;
        let mut binding = self.status.binding.take().unwrap_or_default();
        binding.selector = self.object.spec.task.clone();
        binding.removed_by = Some(self.object.spec.removal.when);
        self.status.binding = Some(binding);
        self.finalizer = false;
        self.standing = Some(Standing::fine(
            Reason::TaskRemoved,
            "the task was removed from the NAS as asked",
        ));
    }

    /// Answers the tokens among triggers.
    pub(super) fn answer(&mut self, triggers: &[TriggerRef], outcome: ReceiptOutcome, result: Option<i64>) {
        let now = self.now;
        let receipts = self.status.receipts.get_or_insert_default();
        for trigger in triggers {
            let Some(slot) = receipt_of(receipts, trigger.kind) else {
                continue;
            };
            if let Some(receipt) = slot
                .as_mut()
                .filter(|receipt| Some(&receipt.token) == trigger.token.as_ref())
            {
                finish_receipt(receipt, outcome, result, now);
            }
        }
    }

    /// Answers the cancel tokens that are on their way.
    pub(super) fn answer_cancel(&mut self, outcome: ReceiptOutcome, result: Option<i64>) {
        let now = self.now;
        let Some(receipts) = &mut self.status.receipts else {
            return;
        };
        for receipt in [&mut receipts.cancel, &mut receipts.cancel_annotation]
            .into_iter()
            .flatten()
        {
            if receipt.outcome == ReceiptOutcome::Accepted {
                finish_receipt(receipt, outcome, result, now);
            }
        }
    }
}

/// What the absence of evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It did not happen.
    Proven,
    /// Too early to tell.
    Open,
    /// The NAS can show neither.
    Unprovable,
}

/// Attempts that follow each other at once when nothing could be sent: a session that ended, a connection that was
/// closed. More in a row is a lasting obstacle, and each attempt is a login and two writes.
const ATTEMPTS_AT_ONCE: i32 = 3;
/// Why an unknown answer stays unknown.
const UNPROVABLE: &str = "the answer to the call is unknown and the NAS's queue or history cannot be read";
/// A version of the task is locked (dsm-api-facts 2.2).
const LOCKED_VERSION: i64 = 1101;

fn is_same(task: &crate::nas::Task, intent: &Intent) -> bool {
    match (&intent.unique_key, &task.unique_key) {
        (Some(then), Some(now)) => then == now.as_str(),
        _ => intent.task_id == task.id.0,
    }
}

fn finish_receipt(receipt: &mut Receipt, outcome: ReceiptOutcome, result: Option<i64>, now: Timestamp) {
    receipt.outcome = outcome;
    receipt.result_id = result.or(receipt.result_id);
    receipt.finished_at = Some(status_time(now));
}

/// The receipt a kind of trigger is answered in.
pub(super) fn receipt_of(receipts: &mut Receipts, kind: TriggerKind) -> Option<&mut Option<Receipt>> {
    match kind {
        TriggerKind::Request => Some(&mut receipts.request),
        TriggerKind::RequestAnnotation => Some(&mut receipts.request_annotation),
        TriggerKind::Schedule | TriggerKind::MaxAge | TriggerKind::Retry => None,
    }
}

/// Who asked, when several did: the most deliberate one names the run.
fn origin(triggers: &[TriggerRef]) -> Origin {
    let has = |kind| triggers.iter().any(|trigger| trigger.kind == kind);
    if has(TriggerKind::Request) || has(TriggerKind::RequestAnnotation) {
        Origin::Request
    } else if has(TriggerKind::Schedule) {
        Origin::Schedule
    } else if has(TriggerKind::MaxAge) {
        Origin::MaxAge
    } else if has(TriggerKind::Retry) {
        Origin::Retry
    } else {
        Origin::External
    }
}
