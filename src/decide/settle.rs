//! Settles the open intent from evidence (protocol, steps 5 and 6): what the NAS shows counts, the reply only
//! where it says for certain that nothing was carried out.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Act, Draft, EVIDENCE_LIMIT, Standing, backoff};
use crate::{
    api::{
        Intent, IntentAction, Origin, Reason, ReceiptOutcome, Run, StopReason, TriggerKind, TriggerRef,
        status_time,
    },
    nas::{Context, Meaning, log_type},
    observe::{Answered, Bound, Call, Doing, Queue, Reach},
};

impl Draft<'_> {
    /// Settles the intent where the evidence suffices; says what is awaited where it does not.
    pub(super) fn settle(&mut self) -> Option<Standing> {
        let intent = self.status.intent.clone()?;
        if self.is_other_nas(&intent) {
            let why = "another NAS answers under the server's address";
            let is_bound = matches!(self.observed.bound, Bound::To(_));
            // What binds the object says that it is this NAS. One of the two is damaged: nothing is destroyed on either.
            return if intent.action == IntentAction::Remove && is_bound {
                self.stuck_removal(&intent, why)
            } else {
                self.give_up(&intent, why)
            };
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
            Some(Answered::Applied) => self.ignored(intent, call).or_else(|| {
                let message = "the NAS accepted the call; no run shows yet";
                let is_open = self.status.intent.is_some();
                // Before a look at the NAS that is younger than the call nothing new is to be said: a write less.
                let has_looked = self
                    .observed
                    .inventory
                    .is_some_and(|read| read.begun >= call.sent);
                let before = self
                    .said_before(&[Reason::BackupRequested])
                    .filter(|_| !has_looked);
                let message = before.map_or_else(|| message.to_owned(), |(_, message)| message);
                is_open.then(|| Standing::waiting(Reason::BackupRequested, message))
            }),
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

    /// A NAS may say yes and write into the log only that it did nothing: that is a refusal that passes. Absence alone
    /// is none.
    fn ignored(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
        let inventory = self.observed.inventory?;
        let first = intent.nas_time.as_ref()?.0;
        let since = if intent.attempt == 1 {
            first
        } else {
            // What the log said to an earlier attempt says nothing of this call. Nor may a clock that was set back bring
            // older rows into view.
            first.max(call.sent + inventory.skew()? - DATE_ROUNDING)
        };
        let since = since.as_second();
        let Some(log) = self.observed.log else {
            let is_due = inventory.begun >= call.settles_from && matches!(inventory.queue, Queue::Read(_));
            self.needs.log_since = is_due.then_some(since);
            return None;
        };
        let has = |kinds: &[i64]| log.iter().find(|row| kinds.contains(&row.log_type));
        if has(&[log_type::STARTED, log_type::STARTED_BY_EVENT]).is_some() {
            return None;
        }
        let row = has(&[
            log_type::IGNORED_BY_WINDOW,
            log_type::SAME_BACKUP,
            log_type::ANOTHER_BACKUP,
            log_type::CONFLICT_WITH_RESTORE,
            log_type::VERIFICATION,
            log_type::DELETION,
        ])?;
        let why = match row.log_type {
            log_type::IGNORED_BY_WINDOW => "its backup window is closed",
            log_type::SAME_BACKUP | log_type::ANOTHER_BACKUP => "another backup was in progress",
            log_type::CONFLICT_WITH_RESTORE => "a restore was in progress",
            log_type::VERIFICATION => "a verification was in progress",
            _ => "a deletion was in progress",
        };
        let number = row.log_type;
        self.status.intent = None;
        let next = self.back_off();
        let message = format!(
            "the NAS ignored backup (log {number}: {why}); next attempt at {}",
            next.0
        );
        Some(Standing::waiting(Reason::BackupRefused, message))
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
            clock_skew_seconds: self.skew(),
            stopping: None,
            progress: None,
        });
        self.answer_slots(&intent.triggers);
    }

    /// The call certainly did not happen: a new intent with the first one's baseline, if nothing holds it back.
    fn again(&mut self, intent: &Intent) -> Option<Standing> {
        let hold = self.hold();
        let is_held = hold.is_some() && self.observed.reach == Reach::Readable || self.answers_nothing();
        let is_other = self.task().is_none_or(|task| !is_same(task, intent));
        if is_held || is_other || self.is_expired(&intent.triggers) {
            // Nothing is open any more, and no place is taken: the trigger is due like any other that was not started.
            self.status.intent = None;
            return None;
        }
        if let Some(hold) = hold {
            return Some(hold);
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
        // The write of an intent may arrive late, after another task was given its turn.
        self.wants_start = true;
        if let Some(wait) = self.queued() {
            return Some(wait);
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
        let passes = meaning.is_passing_refusal();
        let tokens_only = intent.triggers.iter().all(|trigger| trigger.token.is_some());
        if !passes {
            self.answer(&intent.triggers, ReceiptOutcome::Failed, None);
            if tokens_only {
                return self.end(intent, Reason::BackupRefused, message);
            }
        }
        // A slot, an age or a retry stays due whatever the NAS says.
        let next = self.back_off();
        let message = format!("{message}; next attempt at {}", next.0);
        let stand = if passes {
            Standing::waiting
        } else {
            Standing::blocked
        };
        Some(stand(Reason::BackupRefused, message))
    }

    /// Until when the next attempt is put off, where that lies ahead.
    pub(super) fn put_off_until(&self) -> Option<Timestamp> {
        self.status.refusals?;
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
    pub(super) fn give_up(&mut self, intent: &Intent, why: &str) -> Option<Standing> {
        self.status.intent = None;
        self.answer(&intent.triggers, ReceiptOutcome::OutcomeUnknown, None);
        if intent.action == IntentAction::Backup {
            self.answer_asked(&intent.triggers);
            self.status.unsettled = Some(intent.id.clone());
            self.answer_slots(&intent.triggers);
            // A token that was accepted and stands neither in the intent nor in a run is of a status that contradicts
            // itself: this may have been its call.
            if self.status.run.is_none() {
                self.answer_accepted(ReceiptOutcome::OutcomeUnknown);
            }
        }
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
    pub(super) fn is_overdue(&self, intent: &Intent) -> bool {
        let read = self.observed.inventory.map(|inventory| inventory.begun);
        read.is_some_and(|read| read.duration_since(intent.recorded_at.0) >= EVIDENCE_LIMIT)
    }

    /// Absence in two reads: both begun after the settling time started, at least half of it apart, the second
    /// not before it is over, queue and history readable (protocol, step 6). What cannot be read is given as long
    /// again, and must have failed in two reads that far apart: one failed read must not cost a run.
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
            (Queue::Unreadable | Queue::Read(_), _)
                if inventory.begun >= over + settle
                    && call
                        .unreadable_since
                        .is_some_and(|since| inventory.begun.duration_since(since) >= settle) =>
            {
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
                let is_stopping = self.is_stopping();
                self.forget_stop();
                if is_stopping {
                    let next = self.back_off();
                    let message = format!("{message}; next attempt at {}", next.0);
                    return Some(Standing::waiting(Reason::CancelRefused, message));
                }
                self.end(intent, Reason::CancelRefused, message)
            }
            // It certainly did not happen. A token's cancel is sent once, another token's may follow; what the spec asks
            // for all the time is asked for again.
            Some(Answered::Unknown) | None
                if self.doing() == Doing::Running && self.absence(call) == Absence::Proven =>
            {
                self.status.intent = None;
                if self.is_stopping() {
                    self.forget_stop();
                }
                None
            }
            _ => Some(Standing::waiting(
                Reason::CancelRequested,
                "a cancel was sent; waiting for the run to end",
            )),
        }
    }

    /// Whether the run is being cancelled for its deadline or a replacement, not for a token.
    pub(super) fn is_stopping(&self) -> bool {
        let why = self.status.run.as_ref().and_then(|run| run.stopping);
        matches!(why, Some(StopReason::Deadline | StopReason::Replace))
    }

    fn forget_stop(&mut self) {
        // A token's cancel that was sent before stays sent.
        let receipts = self.status.receipts.iter();
        let mut tokens = receipts
            .flat_map(|all| [&all.cancel, &all.cancel_annotation])
            .flatten();
        let is_sent = tokens.any(|receipt| receipt.outcome == ReceiptOutcome::Accepted);
        if let Some(run) = &mut self.status.run {
            run.stopping = is_sent.then_some(StopReason::Request);
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

    /// Until when an open cancel that nobody answered may still take effect: on the next run, were one started.
    pub(super) fn may_still_cancel_until(&self) -> Option<Timestamp> {
        let intent = self.status.intent.as_ref()?;
        let call = self.observed.knowledge.call.as_ref()?;
        let is_open = matches!(call.answered, Some(Answered::Unknown) | None);
        if intent.action != IntentAction::Cancel || call.intent != intent.id || !is_open {
            return None;
        }
        let over = call.settles_from + self.observed.server.settle;
        (self.observed.inventory?.begun < over).then(|| status_time(over).0 + SignedDuration::from_secs(1))
    }

    /// After the results were followed: a cancel whose run is over, or that finds the task idle, is done.
    pub(super) fn drop_finished_cancel(&mut self) {
        let Some(intent) = self.status.intent.clone() else {
            return;
        };
        if intent.action != IntentAction::Cancel || self.status.run.is_some() || self.doing().is_run() {
            return;
        }
        if let Some(over) = self.may_still_cancel_until() {
            self.wake_at(over);
            return self.say(Standing::waiting(
                Reason::CancelRequested,
                format!("the run has ended; a cancel without an answer may hit another one until {over}"),
            ));
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
/// A `Date` header has whole seconds.
const DATE_ROUNDING: SignedDuration = SignedDuration::from_secs(2);
/// Why an unknown answer stays unknown.
pub(super) const UNPROVABLE: &str =
    "the answer to the call is unknown and the NAS's queue or history cannot be read";
pub(super) fn is_same(task: &crate::nas::Task, intent: &Intent) -> bool {
    match (&intent.unique_key, &task.unique_key) {
        (Some(then), Some(now)) => then == now.as_str(),
        _ => intent.task_id == task.id.0,
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
