//! Cancel tokens: each cancels the run in flight when it is first seen, and nothing else. At most one call per
//! token; nothing is started until it is settled.

use kube::ResourceExt;

use super::{Act, Draft, Standing};
use crate::{
    api::{ANNOTATION_CANCEL, IntentAction, Mode, Reason, Receipt, ReceiptOutcome, StopReason, status_time},
    observe::Reach,
};

impl Draft<'_> {
    /// Accepts or answers cancel tokens.
    pub(super) fn cancel(&mut self) {
        let spec = self
            .object
            .spec
            .cancel
            .as_ref()
            .map(|cancel| cancel.request.clone());
        let annotation = self.object.annotations().get(ANNOTATION_CANCEL).cloned();
        for (token, from_annotation) in [(spec, false), (annotation, true)] {
            let Some(token) = token.filter(|token| !token.is_empty()) else {
                continue;
            };
            let known = self
                .cancel_receipt(from_annotation)
                .as_ref()
                .is_some_and(|receipt| receipt.token == token);
            if !known {
                self.take_cancel(token, from_annotation);
            } else if self.is_unsent(from_annotation) {
                self.send_cancel();
            }
        }
    }

    /// Whether an accepted token's cancel was held back, and its run still goes on.
    fn is_unsent(&mut self, from_annotation: bool) -> bool {
        let receipt = self.cancel_receipt(from_annotation).clone();
        let accepted = receipt.filter(|receipt| receipt.outcome == ReceiptOutcome::Accepted);
        let is_untouched = self.status.run.as_ref().is_some_and(|run| run.stopping.is_none());
        let is_open = self.status.intent.is_some() || self.act != Act::Nothing;
        is_untouched && !is_open && accepted.is_some_and(|receipt| self.is_still_run(receipt.result_id))
    }

    /// Whether the run in flight is certainly the one for which a token was accepted, whose row was known by that number
    /// or by none yet. Another may have followed it unseen.
    fn is_still_run(&mut self, accepted: Option<i64>) -> bool {
        let Some(run) = &self.status.run else { return false };
        let (id, baseline) = (run.result_id, run.baseline_result_id);
        if id != accepted && self.observed.results.is_none() {
            self.need_history();
            return false;
        }
        let newest = self.newest_backup_row().map(|row| row.result_id.0);
        self.is_history_seen() && newest.is_none_or(|newest| id.or(baseline).is_none_or(|own| newest <= own))
    }

    fn cancel_receipt(&mut self, from_annotation: bool) -> &mut Option<Receipt> {
        let receipts = self.status.receipts.get_or_insert_default();
        if from_annotation {
            &mut receipts.cancel_annotation
        } else {
            &mut receipts.cancel
        }
    }

    fn take_cancel(&mut self, token: String, from_annotation: bool) {
        if self.first_sight || self.is_latched() {
            // The run it was meant for belongs to an earlier life of the object, or went with its task.
            self.answer_token(token, from_annotation, ReceiptOutcome::NothingToCancel);
            return;
        }
        if self
            .status
            .intent
            .as_ref()
            .is_some_and(|intent| intent.action == IntentAction::Cancel)
        {
            // The cancel under way is for the run in flight, so it answers this token too.
            self.answer_token(token, from_annotation, ReceiptOutcome::Accepted);
            return;
        }
        if self.status.intent.is_some() || self.act != Act::Nothing {
            return self.say(Standing::waiting(
                Reason::CancelRequested,
                "a cancel waits for the open call to be settled",
            ));
        }
        let hold = self.hold();
        let is_readable = self.observed.reach == Reach::Readable;
        if hold.is_some() && self.status.run.is_some() && !self.answers_nothing() {
            // It is for this run and no later one, whenever it may be sent.
            self.answer_token(token, from_annotation, ReceiptOutcome::Accepted);
        } else if self.task().is_none() || self.observed.server.mode == Mode::Observe || !is_readable {
            // Nobody can tell yet whether there is a run, or nobody may.
        } else if !self.observed.fresh {
            self.needs.fresh = true;
        } else if self.doing().is_run() {
            if hold.is_none() && self.send_cancel() {
                self.answer_token(token, from_annotation, ReceiptOutcome::Accepted);
            }
        } else if !self.answers_nothing() {
            self.notice = Some((
                Reason::NothingToCancel,
                "the cancel token found no run in flight".to_owned(),
            ));
            self.answer_token(token, from_annotation, ReceiptOutcome::NothingToCancel);
        }
        if let Some(hold) = hold {
            self.say(hold);
        }
    }

    /// Sends a token's cancel of the run in flight, once, unless something holds it back.
    fn send_cancel(&mut self) -> bool {
        if let Some(hold) = self.hold() {
            self.say(hold);
            return false;
        }
        if !self.observed.fresh || !self.doing().is_run() {
            self.needs.fresh |= !self.observed.fresh;
            return false;
        }
        self.call(IntentAction::Cancel, 1, Vec::new(), None);
        if self.act == Act::Nothing {
            return false;
        }
        if let Some(run) = &mut self.status.run {
            run.stopping.get_or_insert(StopReason::Request);
        }
        self.say(Standing::waiting(
            Reason::CancelRequested,
            "cancelling the run in flight",
        ));
        true
    }

    fn answer_token(&mut self, token: String, from_annotation: bool, outcome: ReceiptOutcome) {
        let now = status_time(self.now);
        let result_id = self.status.run.as_ref().and_then(|run| run.result_id);
        *self.cancel_receipt(from_annotation) = Some(Receipt {
            token,
            outcome,
            result_id: result_id.filter(|_| !outcome.is_final()),
            accepted_at: Some(now.clone()),
            finished_at: outcome.is_final().then_some(now),
        });
    }
}
