//! What asks for a run, and what keeps it from starting. A token is accepted in the write that records its
//! intent; one that is accepted and has neither intent nor run nor outcome is still due.

use super::{Act, Draft, Standing};
use crate::{
    api::{IntentAction, Reason, Receipt, ReceiptOutcome, RemovalWhen, TriggerRef, status_time},
    observe::Admission,
};

const UNKNOWN: &str = "whether the backup took effect cannot be found out; a new token asks again";

impl Draft<'_> {
    /// Starts what is due, or says why not.
    pub(super) fn trigger(&mut self) {
        self.status.due_since = None;
        if self.is_latched() || self.object.is_deleted() {
            return;
        }
        let due = self.due();
        let since = due.iter().map(|due| due.since).min();
        self.status.due_since = since.map(status_time);
        self.due_since = since;
        if due.is_empty() {
            return self.say_why_idle();
        }
        if self.status.intent.is_some() || self.act != Act::Nothing || self.standing_forbids() {
            return;
        }
        if let Some(hold) = self.hold() {
            return self.say(hold);
        }
        if self.doing().is_run() || self.status.run.is_some() {
            return self.meet_run(&due);
        }
        if let Some(wait) = self.put_off() {
            return self.say(wait);
        }
        self.wants_start = true;
        if let Some(wait) = self.queued() {
            return self.say(wait);
        }
        if !self.observed.fresh || !self.is_read_after(&due) {
            self.needs.fresh = true;
            return;
        }
        if self.task().is_some_and(|task| task.last_result.is_none()) && self.need_history() {
            // Without a newest job in view only the history has the baseline.
            return;
        }
        let triggers: Vec<TriggerRef> = due.into_iter().map(|due| due.trigger).collect();
        self.call(IntentAction::Backup, 1, triggers.clone(), None);
        if self.act != Act::Nothing {
            self.accept(&triggers);
            self.look_ahead();
            self.say(Standing::waiting(
                Reason::BackupRequested,
                "asking the NAS for a run",
            ));
        }
    }

    /// Whether it is another task's turn.
    pub(super) fn queued(&self) -> Option<Standing> {
        match self.observed.admission {
            Admission::Open => None,
            Admission::Queued { position, limit } => {
                Some(Standing::waiting(Reason::Queued, place_in_queue(position, limit)))
            }
        }
    }

    /// What the NAS refused is asked for again only after a while.
    fn put_off(&mut self) -> Option<Standing> {
        let next = self.put_off_until()?;
        self.wake_at(next);
        let said = self.said_before(&[Reason::BackupRefused]);
        let message = said.map_or_else(
            || format!("the NAS refused; next attempt at {next}"),
            |(_, message)| message,
        );
        let lasts = self.is_stalled_by(Reason::BackupRefused);
        let stand = if lasts {
            Standing::blocked
        } else {
            Standing::waiting
        };
        Some(stand(Reason::BackupRefused, message))
    }

    /// Nothing is due: what came of the last token where somebody has to act, else what holds the object back.
    fn say_why_idle(&mut self) {
        if self.status.intent.is_none() && !self.wants_removal() && !self.is_stopping() {
            // A later refusal is a new one.
            self.status.refusals = None;
        }
        if let Some(stop) = self.lasting() {
            self.say(stop);
        }
        if let Some(hold) = self.hold() {
            self.say(hold);
        }
    }

    /// A token that ended without a run stalls the object until there is another one.
    pub(super) fn lasting(&self) -> Option<Standing> {
        let (spec, annotation) = self.tokens();
        let asked = |receipt: &Option<Receipt>, token: Option<String>| {
            receipt
                .clone()
                .filter(|receipt| token.as_ref() == Some(&receipt.token))
        };
        if self.status.unsettled.is_some() {
            let said = self.said_before(&[Reason::OutcomeUnknown]);
            let message = said.map_or_else(|| UNKNOWN.to_owned(), |(_, message)| message);
            return Some(Standing::blocked(Reason::OutcomeUnknown, message));
        }
        let receipts = self.status.receipts.as_ref()?;
        let newest = [
            asked(&receipts.request, spec),
            asked(&receipts.request_annotation, annotation),
        ]
        .into_iter()
        .flatten()
        .max_by_key(|receipt| receipt.accepted_at.as_ref().map(|time| time.0))?;
        let (reason, default) = match newest.outcome {
            ReceiptOutcome::OutcomeUnknown => (Reason::OutcomeUnknown, UNKNOWN),
            // A run that failed has a result.
            ReceiptOutcome::Failed if newest.result_id.is_none() => (
                Reason::BackupRefused,
                "the NAS refuses the backup; a new token asks again",
            ),
            _ => return None,
        };
        let said = self.said_before(&[reason]);
        let message = said.map_or_else(|| default.to_owned(), |(_, message)| message);
        Some(Standing::blocked(reason, message))
    }

    /// Nothing starts for a task that is not bound, or that is about to be removed.
    fn standing_forbids(&self) -> bool {
        let removal = &self.object.spec.removal;
        let removing =
            removal.when == RemovalWhen::Now && removal.not_after.as_ref().is_some_and(|t| t.0 >= self.now);
        self.task().is_none() || removing
    }
}

/// The exact place near the head; further back only about how many are in front, so that a long queue that moves is
/// not written anew for every one in it.
fn place_in_queue(position: usize, limit: usize) -> String {
    const EXACT: usize = 10;
    let place = if position <= EXACT {
        format!("number {position}")
    } else {
        let mut about = EXACT;
        for factor in [2, 5, 2].iter().cycle() {
            if position <= about {
                break;
            }
            about = if *factor == 5 { about / 2 * 5 } else { about * 2 };
        }
        format!("among the first {about}")
    };
    format!("due; {place} in the queue of the server ({limit} runs at once)")
}

#[cfg(test)]
mod tests {
    use super::place_in_queue;

    #[test]
    fn a_place_far_back_is_told_roughly() {
        let place = |position| {
            let text = place_in_queue(position, 5);
            text.trim_start_matches("due; ")
                .split(" in the")
                .next()
                .map(str::to_owned)
        };
        let rows = [
            (1, "number 1"),
            (10, "number 10"),
            (11, "among the first 20"),
            (20, "among the first 20"),
            (21, "among the first 50"),
            (51, "among the first 100"),
            (101, "among the first 200"),
            (201, "among the first 500"),
            (501, "among the first 1000"),
            (9_999, "among the first 10000"),
        ];
        for (position, expected) in rows {
            assert_eq!(place(position).as_deref(), Some(expected));
        }
    }
}
