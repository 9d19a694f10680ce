//! What becomes of a run in progress: a due trigger waits for it, lets it answer, or takes its place; one that has
//! been running for too long is cancelled.

use super::{Act, Draft, Standing, due::Due};
use crate::{
    api::{IntentAction, Mode, Reason, StopReason, TriggerRef, WhenRunning},
    observe::Doing,
};

impl Draft<'_> {
    /// What is due meets a run in progress (contract, `whenRunning`).
    pub(super) fn meet_run(&mut self, due: &[Due]) {
        let is_ending = self.is_stopping();
        // An unfinished row alone may be what a crashed run left.
        let is_running = self.doing().is_certain_run() && self.doing() != Doing::Canceling;
        match self.object.spec.when_running {
            WhenRunning::Adopt if is_running && !is_ending => self.adopt(due),
            WhenRunning::Replace if is_running && !is_ending => {
                if self.is_put_off() {
                    return;
                }
                self.stop_run(
                    StopReason::Replace,
                    "cancelling the run in progress; another one is due",
                );
            }
            WhenRunning::Wait | WhenRunning::Adopt | WhenRunning::Replace => self.say(Standing::waiting(
                Reason::WaitingForRun,
                "due; waits for the run in progress to end",
            )),
        }
    }

    /// The run in progress answers what is due.
    fn adopt(&mut self, due: &[Due]) {
        if !self.observed.fresh {
            self.needs.fresh = true;
            return;
        }
        if self.observed.server.mode == Mode::Plan {
            let message = "would let the run in progress answer what is due";
            return self.say(Standing::fine(Reason::Planned, message));
        }
        let triggers: Vec<TriggerRef> = due.iter().map(|due| due.trigger.clone()).collect();
        let Some(run) = &mut self.status.run else { return };
        run.triggers.extend(triggers.iter().cloned());
        self.accept(&triggers);
        self.answer_slots(&triggers);
        self.look_ahead();
    }

    /// Cancels the run in flight; it is settled by the run's end like any cancel.
    pub(super) fn stop_run(&mut self, why: StopReason, message: &str) {
        if !self.observed.fresh {
            self.needs.fresh = true;
            return;
        }
        self.call(IntentAction::Cancel, 1, Vec::new(), None);
        if self.act == Act::Nothing {
            return;
        }
        if let Some(run) = &mut self.status.run {
            run.stopping = Some(why);
        }
        self.say(Standing::waiting(Reason::CancelRequested, message));
    }

    /// A run that has been running, not queued, for longer than `activeDeadline` is cancelled.
    pub(super) fn enforce_deadline(&mut self) {
        let Some(limit) = &self.object.spec.active_deadline else {
            return;
        };
        let Some(run) = &self.status.run else { return };
        let started = run.started_at.as_ref().map(|time| time.0);
        let over = started.and_then(|started| started.checked_add(limit.get()).ok());
        let (Some(over), Doing::Running) = (over, self.doing()) else {
            return;
        };
        if self.is_stopping() || self.is_latched() || self.object.is_deleted() {
            return;
        }
        if self.now < over {
            return self.wake_at(over);
        }
        if self.status.intent.is_some() || self.act != Act::Nothing || self.is_put_off() {
            return;
        }
        if let Some(hold) = self.hold() {
            return self.say(hold);
        }
        let message =
            format!("cancelling the run: it has been running for longer than activeDeadline ({limit})");
        self.stop_run(StopReason::Deadline, &message);
        if self.act != Act::Nothing {
            self.notice = Some((Reason::DeadlineExceeded, message));
        }
    }

    /// Whether a refused call is not to be repeated yet; says so.
    fn is_put_off(&mut self) -> bool {
        let Some(next) = self.put_off_until() else {
            return false;
        };
        self.wake_at(next);
        let said = self.said_before(&[Reason::CancelRefused]);
        let message = said.map_or_else(
            || format!("the NAS refused to cancel; next attempt at {next}"),
            |(_, message)| message,
        );
        self.say(Standing::waiting(Reason::CancelRefused, message));
        true
    }
}
