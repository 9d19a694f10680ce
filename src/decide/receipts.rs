//! How tokens and slots are answered: a token is receipted in the write that records its intent, a slot in the write
//! that shows its run. Both are answered once.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Draft, schedule::Calendar};
use crate::api::{Receipt, ReceiptOutcome, Receipts, TriggerKind, TriggerRef, status_time};

impl Draft<'_> {
    /// Answers a token that no run of ours answers.
    pub(super) fn finish_token(
        &mut self,
        kind: TriggerKind,
        token: &str,
        outcome: ReceiptOutcome,
        result_id: Option<i64>,
    ) {
        let now = status_time(self.now);
        let receipts = self.status.receipts.get_or_insert_default();
        let Some(slot) = receipt_of(receipts, kind) else {
            return;
        };
        let before = slot.take().filter(|receipt| receipt.token == token);
        let is_new = before.is_none();
        let accepted = before.and_then(|receipt| receipt.accepted_at);
        *slot = Some(Receipt {
            token: token.to_owned(),
            outcome,
            result_id,
            accepted_at: accepted.or(Some(now.clone())),
            finished_at: Some(now),
        });
        if is_new {
            self.status.unsettled = None;
        }
    }

    /// Receipts the tokens among triggers that a run will answer.
    pub(super) fn accept(&mut self, triggers: &[TriggerRef]) {
        let now = status_time(self.now);
        for trigger in triggers {
            let receipts = self.status.receipts.get_or_insert_default();
            let (Some(token), Some(slot)) = (&trigger.token, receipt_of(receipts, trigger.kind)) else {
                continue;
            };
            if slot.as_ref().is_some_and(|receipt| receipt.token == *token) {
                continue;
            }
            *slot = Some(Receipt {
                token: token.clone(),
                outcome: ReceiptOutcome::Accepted,
                result_id: None,
                accepted_at: Some(now.clone()),
                finished_at: None,
            });
            self.status.unsettled = None;
        }
        let retries = triggers.iter().any(|trigger| trigger.kind == TriggerKind::Retry);
        self.status.retry_attempt = self.status.retry_attempt.filter(|_| retries);
    }

    /// Notes the slots among triggers as answered.
    pub(super) fn answer_slots(&mut self, triggers: &[TriggerRef]) {
        let Some(kept) = self
            .status
            .receipts
            .as_ref()
            .and_then(|receipts| receipts.schedule.clone())
        else {
            return;
        };
        let Ok(calendar) = Calendar::new(&kept.expression, &kept.time_zone, SignedDuration::ZERO) else {
            return;
        };
        for slot in triggers.iter().filter_map(|trigger| trigger.slot.as_ref()) {
            // One of an earlier expression does not exist any more.
            if slot.0 > kept.since.0 {
                self.pass_slot(slot.0, &calendar);
            }
        }
    }

    /// The slot, and those before it, are over.
    pub(super) fn pass_slot(&mut self, slot: Timestamp, calendar: &Calendar) {
        let receipts = self.status.receipts.as_mut();
        let Some(kept) = receipts.and_then(|receipts| receipts.schedule.as_mut()) else {
            return;
        };
        if kept.last_slot.as_ref().is_some_and(|last| last.0 >= slot) {
            return;
        }
        kept.last_slot = Some(Time(slot));
        kept.next_slot = calendar.next_after(slot).map(Time);
    }

    /// Answers the tokens among triggers. They were accepted, also where a damaged status has lost the receipt.
    pub(super) fn answer(&mut self, triggers: &[TriggerRef], outcome: ReceiptOutcome, result: Option<i64>) {
        let now = self.now;
        for trigger in triggers {
            let receipts = self.status.receipts.get_or_insert_default();
            let (Some(slot), Some(token)) = (receipt_of(receipts, trigger.kind), &trigger.token) else {
                continue;
            };
            let receipt = slot.get_or_insert_with(|| Receipt {
                token: token.clone(),
                outcome,
                result_id: None,
                accepted_at: Some(status_time(now)),
                finished_at: None,
            });
            if receipt.token == *token {
                finish_receipt(receipt, outcome, result, now);
            }
        }
    }

    /// Answers those of the tokens that are asked for now as not to be found out, also where a damaged status shows the
    /// receipt of another. A call that names nothing, which none is recorded as, may have been for all of them.
    pub(super) fn answer_asked(&mut self, triggers: &[TriggerRef]) {
        let (request, annotation) = self.tokens();
        for (kind, asked) in [
            (TriggerKind::Request, request),
            (TriggerKind::RequestAnnotation, annotation),
        ] {
            let is_named = triggers.is_empty()
                || triggers
                    .iter()
                    .any(|trigger| trigger.kind == kind && trigger.token == asked);
            if let Some(token) = asked.as_ref().filter(|_| is_named) {
                self.finish_token(kind, token, ReceiptOutcome::OutcomeUnknown, None);
            }
        }
    }

    /// Answers the request tokens that were accepted and have no end yet.
    pub(super) fn answer_accepted(&mut self, outcome: ReceiptOutcome) {
        let now = self.now;
        if let Some(receipts) = &mut self.status.receipts {
            let requests = [&mut receipts.request, &mut receipts.request_annotation];
            finish_accepted(requests, outcome, None, now);
        }
    }

    /// Answers the cancel tokens that are on their way.
    pub(super) fn answer_cancel(&mut self, outcome: ReceiptOutcome, result: Option<i64>) {
        let now = self.now;
        if let Some(receipts) = &mut self.status.receipts {
            let cancels = [&mut receipts.cancel, &mut receipts.cancel_annotation];
            finish_accepted(cancels, outcome, result, now);
        }
    }
}

fn finish_accepted(
    receipts: [&mut Option<Receipt>; 2],
    outcome: ReceiptOutcome,
    result: Option<i64>,
    now: Timestamp,
) {
    for receipt in receipts.into_iter().flatten() {
        if receipt.outcome == ReceiptOutcome::Accepted {
            finish_receipt(receipt, outcome, result, now);
        }
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
