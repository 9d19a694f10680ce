//! Settles an open `remove`: it is done when the task is gone for certain, and never sent again while an earlier one
//! may still be working.

use jiff::{SignedDuration, Timestamp};

use super::{
    Draft, Standing,
    settle::{Absence, UNPROVABLE, is_same},
};
use crate::{
    api::{Intent, Reason, RemovalWhen, status_time},
    nas::{Context, Meaning},
    observe::{Answered, Bound, Call, Doing, Queue},
};

impl Draft<'_> {
    /// Gone means: absent from two complete lists, `settle` apart, with no deletion job.
    pub(super) fn settle_remove(&mut self, intent: &Intent, call: &Call) -> Option<Standing> {
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
            Some(answered @ (Answered::NotDispatched | Answered::Withheld)) => self.not_removed(answered),
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

    /// Nothing was sent. The guards decide anew after a pause, which doubles: a lasting obstacle is no loop.
    fn not_removed(&mut self, answered: Answered) -> Option<Standing> {
        self.status.intent = None;
        let before = self.status.refusals.unwrap_or(0);
        let pause = doubled(self.observed.server.settle, before);
        let next = status_time(self.now.saturating_add(pause).unwrap_or(self.now));
        self.status.refusals = Some(before.saturating_add(1));
        self.status.next_attempt_time = Some(next.clone());
        self.wake_at(next.0);
        if !self.wants_removal() {
            return None;
        }
        let why = self.observed.knowledge.withheld.clone();
        let (reason, why) = why
            .filter(|_| answered == Answered::Withheld)
            .unwrap_or_else(|| (Reason::RemovalInProgress, "nothing could be sent".to_owned()));
        Some(held_back(reason, &why, next.0))
    }

    /// Why the last attempt was held back, in this pass or in an earlier one: what is said of it ends with the time of
    /// the next, so that no older word is taken for it.
    pub(super) fn held_back(&self, next: Timestamp) -> Option<Standing> {
        let end = until(next);
        let just_now = self.standing.clone().filter(|said| said.message.ends_with(&end));
        let before = || {
            let (reason, message) = self.said_before(&HELD_BACK)?;
            message.ends_with(&end).then(|| held(reason, message))
        };
        just_now.or_else(before)
    }

    /// A `remove` that may still be working is never sent again: its intent stays while the object asks for it.
    pub(super) fn stuck_removal(&mut self, intent: &Intent, why: &str) -> Option<Standing> {
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
}

/// What may hold a removal back at its last check.
const HELD_BACK: [Reason; 9] = [
    Reason::RemovalInProgress,
    Reason::RemovalNotAllowed,
    Reason::RemovalNotConfirmed,
    Reason::RemovalBreakerOpen,
    Reason::TaskReplaced,
    Reason::WaitingForRun,
    Reason::Suspended,
    Reason::ServerNotReady,
    Reason::SecretNotFound,
];

fn held_back(reason: Reason, why: &str, next: Timestamp) -> Standing {
    held(reason, format!("the removal was held back: {why}{}", until(next)))
}

fn held(reason: Reason, message: String) -> Standing {
    let needs_somebody = matches!(
        reason,
        Reason::RemovalNotAllowed
            | Reason::RemovalNotConfirmed
            | Reason::TaskReplaced
            | Reason::SecretNotFound
    );
    if needs_somebody {
        Standing::blocked(reason, message)
    } else {
        Standing::waiting(reason, message)
    }
}

fn until(next: Timestamp) -> String {
    format!("; next attempt at {next}")
}

/// Doubled for each attempt before, at most 6h.
fn doubled(first: SignedDuration, before: i32) -> SignedDuration {
    let factor = 1_i32
        .checked_shl(before.clamp(0, 20).cast_unsigned())
        .unwrap_or(i32::MAX);
    first
        .checked_mul(factor)
        .unwrap_or(super::LONGEST_BACKOFF)
        .min(super::LONGEST_BACKOFF)
}

/// A version of the task is locked (dsm-api-facts 2.2).
const LOCKED_VERSION: i64 = 1101;
