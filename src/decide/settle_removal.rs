//! Settles an open `remove`: it is done when the task is gone for certain, and never sent again while an earlier one
//! may still be working.

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
            Some(Answered::NotDispatched | Answered::Withheld) => {
                // The guards decide anew; a pause keeps a lasting obstacle from becoming a loop.
                let next = self.now + self.observed.server.settle;
                self.status.intent = None;
                self.status.next_attempt_time = Some(status_time(next));
                self.status.refusals.get_or_insert(0);
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
}

/// A version of the task is locked (dsm-api-facts 2.2).
const LOCKED_VERSION: i64 = 1101;
