//! What asks for a run: tokens, slots of the schedule, freshness that lapsed, another attempt after a failed run.
//! Each with the time since when it is due, which is its place in the queue of the server.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Act, Draft, Standing, backoff, receipts::receipt_of, schedule::Calendar};
use crate::api::{
    ANNOTATION_BACKUP, Mode, Reason, ReceiptOutcome, ResultSummary, ScheduleReceipt, TriggerKind, TriggerRef,
    status_time,
};

/// A trigger that no run answers yet.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// The trigger.
    pub(super) trigger: TriggerRef,
    /// Since when it is due.
    pub(super) since: Timestamp,
}

/// The time that a token names, if it is one in the form of RFC 3339. What only a generous reader takes for a time
/// (`20261201T0800Z`) is opaque.
fn time_of(token: &str) -> Option<Timestamp> {
    let digit_to_zero = |c: char| {
        if c.is_ascii_digit() {
            '0'
        } else {
            c.to_ascii_uppercase()
        }
    };
    let shape: String = token.chars().map(digit_to_zero).collect();
    let rest = shape.strip_prefix("0000-00-00T00:00:00")?;
    let zone = rest
        .strip_prefix('.')
        .map_or(rest, |fraction| fraction.trim_start_matches('0'));
    let is_time = matches!(zone, "Z" | "+00:00" | "-00:00");
    is_time.then(|| token.parse().ok())?
}

impl Draft<'_> {
    /// Whether the inventory was begun after the newest of these became due (protocol, step 3). A token was seen before
    /// the pass that reads.
    pub(super) fn is_read_after(&self, due: &[Due]) -> bool {
        let own_time = |due: &&Due| {
            due.trigger
                .token
                .as_deref()
                .is_none_or(|token| time_of(token).is_some())
        };
        let came = |since: &Timestamp| *since <= self.now;
        let newest = due
            .iter()
            .filter(own_time)
            .map(|due| due.since)
            .filter(came)
            .max();
        self.observed
            .inventory
            .is_some_and(|inventory| newest.is_none_or(|newest| inventory.begun >= newest))
    }

    /// Everything that is due, after what expired, was skipped or is satisfied already was answered.
    pub(super) fn due(&mut self) -> Vec<Due> {
        let mut due = self.due_tokens();
        // After a call of unknown outcome only a new token moves the object (protocol, step 6).
        let is_held = self.status.unsettled.is_some();
        let by_itself = [self.due_slot(), self.due_freshness(), self.due_retry()];
        if !is_held || !due.is_empty() {
            due.extend(by_itself.into_iter().flatten());
        }
        due
    }

    /// Looks for what comes next once a call or a run answers all that was due.
    pub(super) fn look_ahead(&mut self) {
        self.next_run = None;
        self.next_attempt = None;
        let since = self.due().iter().map(|due| due.since).min();
        self.status.due_since = since.map(status_time);
    }

    /// A run becomes due by itself at that time.
    fn expect_run(&mut self, at: Timestamp) {
        self.next_run = Some(self.next_run.map_or(at, |earlier| earlier.min(at)));
        if at > self.now {
            self.wake_at(at);
        }
    }

    /// A further attempt becomes due at that time.
    fn expect_attempt(&mut self, at: Timestamp) {
        self.next_attempt = Some(self.next_attempt.map_or(at, |earlier| earlier.min(at)));
        self.expect_run(at);
    }

    /// Plan and Observe answer nothing, so that Enforce still finds what is due.
    pub(super) fn answers_nothing(&self) -> bool {
        self.observed.server.mode != Mode::Enforce
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

    /// The request tokens of the spec and of the annotation.
    pub(super) fn tokens(&self) -> (Option<String>, Option<String>) {
        let of = |token: Option<&String>| token.filter(|token| !token.is_empty()).cloned();
        (
            of(self.object.spec.triggers.request.as_ref()),
            of(self.object.annotations().get(ANNOTATION_BACKUP)),
        )
    }

    fn due_tokens(&mut self) -> Vec<Due> {
        let (spec, annotation) = self.tokens();
        [
            (TriggerKind::Request, spec),
            (TriggerKind::RequestAnnotation, annotation),
        ]
        .into_iter()
        .filter_map(|(kind, token)| self.due_token(kind, &token?))
        .collect()
    }

    fn due_token(&mut self, kind: TriggerKind, token: &str) -> Option<Due> {
        let trigger = TriggerRef {
            kind,
            token: Some(token.to_owned()),
            slot: None,
        };
        let receipts = self.status.receipts.get_or_insert_default();
        let known = receipt_of(receipts, kind)
            .and_then(|slot| slot.as_ref())
            .filter(|receipt| receipt.token == token)
            .map(|receipt| receipt.outcome);
        let is_final = known.is_some_and(ReceiptOutcome::is_final);
        if is_final || self.is_in_flight(&trigger) {
            return None;
        }
        let asked_since = time_of(token);
        if self.is_expired(std::slice::from_ref(&trigger)) {
            // A success that was there in time is its answer all the same.
            let since = asked_since.filter(|_| known.is_none());
            if since.is_none_or(|since| self.is_unsatisfied(kind, token, since)) {
                self.expire(kind, token);
            }
            return None;
        }
        if kind == TriggerKind::Request
            && let Some(limit) = &self.object.spec.triggers.request_not_after
        {
            // The limit itself still counts; a second later the answer is due.
            let over = limit.0.checked_add(SignedDuration::from_secs(1));
            self.wake_at(over.unwrap_or(limit.0));
        }
        let seen = self
            .object
            .status
            .as_ref()
            .and_then(|status| status.due_since.as_ref());
        let seen = seen.map_or(self.now, |time| time.0);
        let Some(since) = asked_since else {
            return Some(Due { trigger, since: seen });
        };
        if known.is_none() && since > self.now {
            self.expect_run(since);
            return None;
        }
        let is_due = self.is_due_since(kind, token, since);
        // A time of long ago is no way to the head of the queue: the object was not there then.
        let first = self.object.creation_timestamp().map_or(since, |time| time.0);
        is_due.then(|| Due {
            trigger,
            since: since.max(first).min(seen),
        })
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
        self.knows_newest_success() && self.is_unsatisfied(kind, token, since)
    }

    /// Answers the token where a run that was recorded satisfies it.
    fn is_unsatisfied(&mut self, kind: TriggerKind, token: &str, since: Timestamp) -> bool {
        let history = self.status.history.iter().map(|entry| &entry.result);
        let known = self.status.last_success.iter().chain(history);
        let satisfies = |result: &&ResultSummary| {
            let is_trusted = result.clock_skew_seconds.is_none() || result.seen_in_flight;
            let started = super::freshness::started(result);
            is_trusted
                && self.is_success(result.status_code)
                && started.is_some_and(|started| started >= since)
        };
        let success = known.filter(satisfies).map(|result| result.result_id).max();
        if let Some(result) = success
            && !self.answers_nothing()
        {
            self.finish_token(kind, token, ReceiptOutcome::AlreadySatisfied, Some(result));
        }
        success.is_none()
    }

    /// Whether no newer success can hide in a history that was not read; says so where it cannot be read.
    fn knows_newest_success(&mut self) -> bool {
        if self.is_history_seen() && !self.is_success_hidden() {
            return true;
        }
        if !self.need_history() {
            self.say(Standing::waiting(
                Reason::ServerNotReady,
                "whether a newer backup exists cannot be seen: the NAS's history cannot be read",
            ));
        }
        false
    }

    /// The newest slot that came and was not answered.
    fn due_slot(&mut self) -> Option<Due> {
        let calendar = self.keep_schedule()?;
        let uid = self.object.uid().unwrap_or_default();
        loop {
            let next = self
                .status
                .receipts
                .as_ref()?
                .schedule
                .as_ref()?
                .next_slot
                .as_ref()?
                .0;
            let first = calendar.due(&uid, next);
            if first > self.now {
                self.expect_run(first);
                return None;
            }
            let newest = calendar.last_until(self.now).map_or(next, |slot| slot.max(next));
            let slot = if calendar.due(&uid, newest) <= self.now {
                newest
            } else {
                // Its delay has not passed yet; the one before is due for certain.
                calendar
                    .last_until(newest - SignedDuration::from_secs(1))
                    .map_or(next, |slot| slot.max(next))
            };
            let due = calendar.due(&uid, slot);
            let limit = self.object.spec.triggers.starting_deadline.as_ref();
            let limit = limit.and_then(|limit| due.checked_add(limit.get()).ok());
            let trigger = TriggerRef {
                kind: TriggerKind::Schedule,
                token: None,
                slot: Some(Time(slot)),
            };
            if self.is_in_flight(&trigger) {
                self.expect_next_slot(&calendar, &uid, slot);
                return None;
            }
            if limit.is_some_and(|limit| limit < self.now) {
                if self.answers_nothing() {
                    return None;
                }
                self.pass_slot(slot, &calendar);
                self.notice = Some((
                    Reason::SlotSkipped,
                    format!("the slot {slot} could not be started within startingDeadline"),
                ));
                continue;
            }
            if let Some(limit) = limit {
                self.wake_at(
                    limit
                        .saturating_add(SignedDuration::from_secs(1))
                        .unwrap_or(limit),
                );
            }
            self.expect_next_slot(&calendar, &uid, slot);
            self.expect_run(due);
            return Some(Due { trigger, since: due });
        }
    }

    fn expect_next_slot(&mut self, calendar: &Calendar, uid: &str, slot: Timestamp) {
        if let Some(next) = calendar.next_after(slot) {
            self.expect_run(calendar.due(uid, next));
        }
    }

    /// Keeps the record of the schedule: slots before the object was first seen, or before expression or zone last
    /// changed, do not exist.
    fn keep_schedule(&mut self) -> Option<Calendar> {
        let spec = &self.object.spec.triggers;
        let receipts = self.status.receipts.get_or_insert_default();
        let Some(expression) = spec.schedule.as_ref().map(|schedule| &schedule.0) else {
            receipts.schedule = None;
            return None;
        };
        let jitter = SignedDuration::try_from(spec.jitter.get()).unwrap_or(SignedDuration::ZERO);
        let calendar = Calendar::new(expression, &spec.time_zone, jitter);
        let kept = receipts
            .schedule
            .as_ref()
            .is_some_and(|kept| kept.expression == *expression && kept.time_zone == spec.time_zone);
        if !kept {
            let next = calendar
                .as_ref()
                .ok()
                .and_then(|calendar| calendar.next_after(self.now));
            receipts.schedule = Some(ScheduleReceipt {
                expression: expression.clone(),
                time_zone: spec.time_zone.clone(),
                since: status_time(self.now),
                last_slot: None,
                next_slot: next.map(Time),
            });
        }
        let never = receipts
            .schedule
            .as_ref()
            .is_some_and(|kept| kept.next_slot.is_none());
        match calendar {
            Ok(_) if never => {
                self.say(Standing::blocked(
                    Reason::InvalidSchedule,
                    super::schedule::never(expression),
                ));
                None
            }
            Ok(calendar) => Some(calendar),
            Err(message) => {
                self.say(Standing::blocked(Reason::InvalidSchedule, message));
                None
            }
        }
    }

    /// The newest success started longer ago than `maxAge`, or never; not before `retryBackoff` after the previous
    /// run ended, however it ended.
    fn due_freshness(&mut self) -> Option<Due> {
        self.object.spec.triggers.max_age.as_ref()?;
        let trigger = TriggerRef {
            kind: TriggerKind::MaxAge,
            token: None,
            slot: None,
        };
        if self.is_in_flight(&trigger) {
            return None;
        }
        let until = self.status.fresh_until.as_ref().map(|time| time.0);
        if let Some(until) = until.filter(|until| *until > self.now) {
            self.expect_run(until);
            return None;
        }
        if self.task().is_none() || !self.knows_newest_success() {
            return None;
        }
        let created = self.object.creation_timestamp().map_or(self.now, |time| time.0);
        let since = until.unwrap_or(created);
        if let Some(next) = self.after_backoff().filter(|next| *next > self.now) {
            self.expect_attempt(next);
            return None;
        }
        self.expect_run(since);
        Some(Due { trigger, since })
    }

    /// When the time after the newest run is over; doubles with each failed one in a row.
    fn after_backoff(&self) -> Option<Timestamp> {
        let failed = self.status.consecutive_failures.unwrap_or(0);
        let status = &self.status;
        let ends = [
            &status.last_run_end_time,
            &status.last_failure_time,
            &status.last_success_time,
        ];
        let ended = ends.into_iter().flatten().map(|time| time.0).max()?;
        let before = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        ended.checked_add(backoff(self.object, before)).ok()
    }

    /// Another attempt after a failed run that was asked for here.
    fn due_retry(&mut self) -> Option<Due> {
        let attempt = self.status.retry_attempt?;
        let trigger = TriggerRef {
            kind: TriggerKind::Retry,
            token: None,
            slot: None,
        };
        if self.is_in_flight(&trigger) {
            return None;
        }
        if attempt > self.object.spec.retries {
            if self.act == Act::Nothing && !self.answers_nothing() {
                self.status.retry_attempt = None;
            }
            return None;
        }
        let failed = self
            .status
            .last_failure_time
            .as_ref()
            .map_or(self.now, |time| time.0);
        let at = failed
            .checked_add(backoff(self.object, attempt.saturating_sub(1)))
            .unwrap_or(failed);
        if at > self.now {
            self.expect_attempt(at);
            return None;
        }
        self.expect_run(at);
        Some(Due { trigger, since: at })
    }
}
