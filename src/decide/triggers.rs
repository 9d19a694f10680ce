//! What asks for a run, and what keeps it from starting. A token is accepted in the write that records its
//! intent; one that is accepted and has neither intent nor run nor outcome is still due.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Act, Draft, Standing, is_deleted, settle::receipt_of, time};
use crate::api::{
    ANNOTATION_BACKUP, IntentAction, Mode, Reason, Receipt, ReceiptOutcome, RemovalWhen, TriggerKind,
    TriggerRef, WhenRunning,
};
use crate::observe::{Admission, Inventory};

impl Draft<'_> {
    /// Starts what is due, or says why not.
    pub(super) fn trigger(&mut self) {
        if self.is_latched() || is_deleted(self.object) {
            return;
        }
        if let Some(missing) = self.not_supported() {
            self.say(Standing::blocked(
                Reason::NotSupported,
                format!("this version does not act on {missing} yet; everything else is carried out"),
            ));
        }
        let due = self.due();
        self.due = !due.is_empty();
        if due.is_empty() {
            if let Some(hold) = self.hold() {
                self.say(hold);
            }
            return;
        }
        if self.status.intent.is_some() || self.act != Act::Nothing || self.standing_forbids() {
            return;
        }
        if let Some(hold) = self.hold() {
            return self.say(hold);
        }
        if self.doing().is_run() || self.status.run.is_some() {
            return self.say(Standing::waiting(
                Reason::WaitingForRun,
                "due; waits for the run in progress to end",
            ));
        }
        if let Some(next) = self
            .status
            .next_attempt_time
            .as_ref()
            .map(|time| time.0)
            .filter(|next| *next > self.now)
        {
            self.wake_at(next);
            return self.say(Standing::waiting(
                Reason::BackupRefused,
                format!("the NAS refused; next attempt at {next}"),
            ));
        }
        self.wants_start = true;
        if let Admission::Queued { position, limit } = self.observed.admission {
            let message = format!("due; number {position} in the queue of the server ({limit} runs at once)");
            return self.say(Standing::waiting(Reason::Queued, message));
        }
        if !self.observed.fresh {
            self.needs.fresh = true;
            return;
        }
        self.call(IntentAction::Backup, 1, due.clone(), None);
        if self.act != Act::Nothing {
            self.accept(&due);
            self.say(Standing::waiting(
                Reason::BackupRequested,
                "asking the NAS for a run",
            ));
        }
    }

    /// Nothing starts for a task that is not bound, or that is about to be removed.
    fn standing_forbids(&self) -> bool {
        let removal = &self.object.spec.removal;
        let removing =
            removal.when == RemovalWhen::Now && removal.not_after.as_ref().is_some_and(|t| t.0 >= self.now);
        self.task().is_none() || removing
    }

    /// Tokens that are due, after those that expired or are satisfied were answered.
    fn due(&mut self) -> Vec<TriggerRef> {
        let spec = self.object.spec.triggers.request.clone();
        let annotation = self.object.annotations().get(ANNOTATION_BACKUP).cloned();
        [
            (TriggerKind::Request, spec),
            (TriggerKind::RequestAnnotation, annotation),
        ]
        .into_iter()
        .filter_map(|(kind, token)| Some((kind, token.filter(|token| !token.is_empty())?)))
        .filter(|(kind, token)| self.is_due(*kind, token))
        .map(|(kind, token)| TriggerRef {
            kind,
            token: Some(token),
            slot: None,
        })
        .collect()
    }

    fn is_due(&mut self, kind: TriggerKind, token: &str) -> bool {
        let receipts = self.status.receipts.get_or_insert_default();
        let known = receipt_of(receipts, kind)
            .and_then(|slot| slot.as_ref())
            .filter(|receipt| receipt.token == token);
        let fresh_token = match known {
            None => true,
            Some(receipt) if receipt.outcome.is_final() => return false,
            Some(_) => false,
        };
        let of_token = |trigger: &TriggerRef| trigger.kind == kind && trigger.token.as_deref() == Some(token);
        let in_intent = self
            .status
            .intent
            .as_ref()
            .is_some_and(|intent| intent.triggers.iter().any(of_token));
        let in_run = self
            .status
            .run
            .as_ref()
            .is_some_and(|run| run.triggers.iter().any(of_token));
        if in_intent || in_run {
            return false;
        }
        if kind == TriggerKind::Request
            && self
                .object
                .spec
                .triggers
                .request_not_after
                .as_ref()
                .is_some_and(|limit| limit.0 < self.now)
            && !self.is_suspended_silently()
        {
            self.finish_token(kind, token, ReceiptOutcome::Expired, None);
            self.notice = Some((
                Reason::RequestExpired,
                format!("the request {token:?} was not started in time"),
            ));
            return false;
        }
        let Ok(since) = token.parse::<Timestamp>() else {
            return true;
        };
        if fresh_token && since > self.now {
            self.wake_at(since);
            return false;
        }
        self.is_due_since(kind, token, since)
    }

    /// A token that is a time is satisfied by any successful run that started at or after it.
    fn is_due_since(&mut self, kind: TriggerKind, token: &str, since: Timestamp) -> bool {
        if self.task().is_none() {
            return true;
        }
        let skew = self
            .observed
            .inventory
            .and_then(Inventory::skew)
            .unwrap_or_default();
        let trusted = skew.abs() <= TRUSTED_SKEW;
        let success = self.status.last_success.as_ref().and_then(|result| {
            let started = result.start_time.as_ref()?.0 - skew;
            (trusted && started >= since).then_some(result.result_id)
        });
        if let Some(result) = success {
            self.finish_token(kind, token, ReceiptOutcome::AlreadySatisfied, Some(result));
            return false;
        }
        true
    }

    /// Plan and Observe answer nothing, so that Enforce still finds what is due.
    fn is_suspended_silently(&self) -> bool {
        self.observed.server.mode != Mode::Enforce
    }

    fn finish_token(
        &mut self,
        kind: TriggerKind,
        token: &str,
        outcome: ReceiptOutcome,
        result_id: Option<i64>,
    ) {
        let now = time(self.now);
        let receipts = self.status.receipts.get_or_insert_default();
        let Some(slot) = receipt_of(receipts, kind) else {
            return;
        };
        let accepted = slot
            .take()
            .filter(|receipt| receipt.token == token)
            .and_then(|receipt| receipt.accepted_at);
        *slot = Some(Receipt {
            token: token.to_owned(),
            outcome,
            result_id,
            accepted_at: accepted.or(Some(now.clone())),
            finished_at: Some(now),
        });
    }

    fn accept(&mut self, triggers: &[TriggerRef]) {
        let now = time(self.now);
        let receipts = self.status.receipts.get_or_insert_default();
        for trigger in triggers {
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
        }
    }

    /// Fields of the contract that this version reports instead of acting on them.
    fn not_supported(&self) -> Option<String> {
        let spec = &self.object.spec;
        let fields = [
            ("triggers.schedule", spec.triggers.schedule.is_some()),
            ("triggers.maxAge", spec.triggers.max_age.is_some()),
            ("whenRunning: Adopt", spec.when_running == WhenRunning::Adopt),
            ("whenRunning: Replace", spec.when_running == WhenRunning::Replace),
            ("activeDeadline", spec.active_deadline.is_some()),
            ("retries", spec.retries > 0),
        ];
        let used: Vec<&str> = fields
            .into_iter()
            .filter(|(_, used)| *used)
            .map(|(name, _)| name)
            .collect();
        (!used.is_empty()).then(|| used.join(", "))
    }
}

/// With a larger difference of the clocks a NAS time says too little about ours (contract, Rules).
const TRUSTED_SKEW: SignedDuration = SignedDuration::from_secs(5);
