//! What asks for a run, and what keeps it from starting. A token is accepted in the write that records its
//! intent; one that is accepted and has neither intent nor run nor outcome is still due.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Act, Draft, Standing, settle::receipt_of};
use crate::api::{
    ANNOTATION_BACKUP, IntentAction, Mode, Reason, Receipt, ReceiptOutcome, RemovalWhen, TriggerKind,
    TriggerRef, WhenRunning, status_time,
};
use crate::observe::{Admission, Inventory};

impl Draft<'_> {
    /// Starts what is due, or says why not.
    pub(super) fn trigger(&mut self) {
        if self.is_latched() || self.object.is_deleted() {
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
            return self.say_why_idle();
        }
        if self.status.intent.is_some() || self.act != Act::Nothing || self.standing_forbids() {
            return;
        }
        if let Some(wait) = self.not_startable() {
            return self.say(wait);
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

    /// What keeps a due run from starting, beside the other tasks of the server.
    fn not_startable(&mut self) -> Option<Standing> {
        if let Some(hold) = self.hold() {
            return Some(hold);
        }
        if self.doing().is_run() || self.status.run.is_some() {
            return Some(Standing::waiting(
                Reason::WaitingForRun,
                "due; waits for the run in progress to end",
            ));
        }
        let next = self.put_off_until()?;
        self.wake_at(next);
        let said = self.said_before(&[Reason::BackupRefused]);
        let message = said.map_or_else(
            || format!("the NAS refused; next attempt at {next}"),
            |(_, message)| message,
        );
        Some(Standing::waiting(Reason::BackupRefused, message))
    }

    /// Nothing is due: what came of the last token where somebody has to act, else what holds the object back.
    fn say_why_idle(&mut self) {
        if self.status.intent.is_none() && !self.wants_removal() {
            // A later refusal is a new one.
            self.status.next_attempt_time = None;
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
        let receipts = self.status.receipts.as_ref()?;
        let (spec, annotation) = self.tokens();
        let asked = |receipt: &Option<Receipt>, token: Option<String>| {
            receipt
                .clone()
                .filter(|receipt| token.as_ref() == Some(&receipt.token))
        };
        let newest = [
            asked(&receipts.request, spec),
            asked(&receipts.request_annotation, annotation),
        ]
        .into_iter()
        .flatten()
        .max_by_key(|receipt| receipt.accepted_at.as_ref().map(|time| time.0))?;
        let (reason, default) = match newest.outcome {
            ReceiptOutcome::OutcomeUnknown => (
                Reason::OutcomeUnknown,
                "whether the backup took effect cannot be found out; a new token asks again",
            ),
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

    /// The request tokens of the spec and of the annotation.
    fn tokens(&self) -> (Option<String>, Option<String>) {
        let of = |token: Option<&String>| token.filter(|token| !token.is_empty()).cloned();
        (
            of(self.object.spec.triggers.request.as_ref()),
            of(self.object.annotations().get(ANNOTATION_BACKUP)),
        )
    }

    /// Whether the request among these triggers may not be started any more.
    pub(super) fn is_expired(&self, triggers: &[TriggerRef]) -> bool {
        let spec = &self.object.spec.triggers;
        let is_request =
            |trigger: &TriggerRef| trigger.kind == TriggerKind::Request && trigger.token == spec.request;
        spec.request_not_after
            .as_ref()
            .is_some_and(|limit| limit.0 < self.now)
            && triggers.iter().any(is_request)
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
        let (spec, annotation) = self.tokens();
        [
            (TriggerKind::Request, spec),
            (TriggerKind::RequestAnnotation, annotation),
        ]
        .into_iter()
        .filter_map(|(kind, token)| Some((kind, token?)))
        .map(|(kind, token)| TriggerRef {
            kind,
            token: Some(token),
            slot: None,
        })
        .filter(|trigger| self.is_due(trigger))
        .collect()
    }

    fn is_due(&mut self, trigger: &TriggerRef) -> bool {
        let (kind, token) = (trigger.kind, trigger.token.as_deref().unwrap_or(""));
        let receipts = self.status.receipts.get_or_insert_default();
        let known = receipt_of(receipts, kind)
            .and_then(|slot| slot.as_ref())
            .filter(|receipt| receipt.token == token)
            .map(|receipt| receipt.outcome);
        let is_final = known.is_some_and(ReceiptOutcome::is_final);
        if is_final || self.is_in_flight(trigger) {
            return false;
        }
        if self.is_expired(std::slice::from_ref(trigger)) {
            self.expire(kind, token);
            return false;
        }
        if kind == TriggerKind::Request
            && let Some(limit) = &self.object.spec.triggers.request_not_after
        {
            // The limit itself still counts; a second later the answer is due.
            let over = limit.0.checked_add(SignedDuration::from_secs(1));
            self.wake_at(over.unwrap_or(limit.0));
        }
        let Ok(since) = token.parse::<Timestamp>() else {
            return true;
        };
        if known.is_none() && since > self.now {
            self.wake_at(since);
            return false;
        }
        self.is_due_since(kind, token, since)
    }

    /// Whether the open call or the run in flight answers the trigger.
    fn is_in_flight(&self, trigger: &TriggerRef) -> bool {
        let intent = self.status.intent.as_ref().map(|intent| &intent.triggers);
        let run = self.status.run.as_ref().map(|run| &run.triggers);
        [intent, run]
            .into_iter()
            .flatten()
            .any(|triggers| triggers.contains(trigger))
    }

    fn expire(&mut self, kind: TriggerKind, token: &str) {
        if self.answers_nothing() {
            return;
        }
        self.finish_token(kind, token, ReceiptOutcome::Expired, None);
        self.notice = Some((
            Reason::RequestExpired,
            format!("the request {token:?} was not started in time"),
        ));
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
            let started = result.start_time.as_ref()?.0.checked_sub(skew).ok()?;
            (trusted && started >= since).then_some(result.result_id)
        });
        if let Some(result) = success
            && !self.answers_nothing()
        {
            self.finish_token(kind, token, ReceiptOutcome::AlreadySatisfied, Some(result));
        }
        success.is_none()
    }

    /// Plan and Observe answer nothing, so that Enforce still finds what is due.
    fn answers_nothing(&self) -> bool {
        self.observed.server.mode != Mode::Enforce
    }

    fn finish_token(
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
        let now = status_time(self.now);
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
