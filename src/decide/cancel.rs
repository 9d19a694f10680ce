//! Cancel tokens: each cancels the run in flight when it is first seen, and nothing else. At most one call per
//! token; nothing is started until it is settled.

use kube::ResourceExt;

use super::{Act, Draft, Standing};
use crate::api::{ANNOTATION_CANCEL, IntentAction, Reason, Receipt, ReceiptOutcome, StopReason, status_time};

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
            }
        }
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
        if let Some(hold) = self.hold() {
            return self.say(hold);
        }
        if self.task().is_none() {
            return;
        }
        if !self.observed.fresh {
            self.needs.fresh = true;
        } else if self.doing().is_run() {
            self.call(IntentAction::Cancel, 1, Vec::new(), None);
            if self.act != Act::Nothing {
                if let Some(run) = &mut self.status.run {
                    run.stopping.get_or_insert(StopReason::Request);
                }
                self.answer_token(token, from_annotation, ReceiptOutcome::Accepted);
                self.say(Standing::waiting(
                    Reason::CancelRequested,
                    "cancelling the run in flight",
                ));
            }
        } else {
            self.notice = Some((
                Reason::NothingToCancel,
                "the cancel token found no run in flight".to_owned(),
            ));
            self.answer_token(token, from_annotation, ReceiptOutcome::NothingToCancel);
        }
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
