//! The judge: after every step it compares what is committed with the NAS's ledger, which the operator cannot read,
//! and notes the first thing that must not be (protocol, I1 to I8).

use std::collections::BTreeMap;

use abb_operator::{
    api::{BackupTask, BackupTaskStatus, Intent, IntentAction, ReceiptOutcome, ResultSummary, TriggerRef},
    simulator::{Effect, Nas, Origin},
};
use jiff::Timestamp;
use kube::ResourceExt;

use super::api_server::Snapshot;

/// How every run has ended where the NAS shows what nobody knows.
const UNKNOWN: i64 = 42;

/// One thing asked of the NAS: an intent with all its attempts.
#[derive(Debug)]
pub struct Ask {
    object: String,
    action: IntentAction,
    recorded_at: Timestamp,
    triggers: Vec<TriggerRef>,
    unique_key: Option<String>,
    task_id: i64,
    intents: Vec<String>,
    confirm: Option<String>,
    /// Effects that belong to it.
    pub effects: u32,
    /// Jobs of these effects.
    jobs: Vec<i64>,
    /// Backups of the operator in the ledger when it was recorded.
    backups_before: usize,
}

/// A process in one of its lives.
pub type Life = (usize, u64);

/// What was seen so far.
#[derive(Default)]
pub struct Judge {
    /// Everything asked.
    pub asks: Vec<Ask>,
    seen: usize,
    ended: BTreeMap<i64, i64>,
    /// Results of runs that somebody else started.
    others: Vec<i64>,
    /// The first violation.
    pub violation: Option<String>,
    backups: Vec<i64>,
    removing: BTreeMap<i64, u32>,
    /// Who recorded an intent: a process in one of its lives.
    recorders: BTreeMap<String, Life>,
    last: Option<Timestamp>,
    /// Whether the NAS shows a number that nobody knows for how a run has ended.
    pub is_told_unknown_numbers: bool,
}

fn require(violation: &mut Option<String>, holds: bool, what: impl FnOnce() -> String) {
    if !holds && violation.is_none() {
        *violation = Some(what());
    }
}

impl Judge {
    /// A call begins. I8: there is lease enough for it. And its own intent stands: one that is found is never sent.
    pub fn call(&mut self, life: Life, fence_open: bool, method: &str, task_ids: &str, api: &Snapshot) {
        require(&mut self.violation, fence_open, || {
            format!(
                "I8: process {} calls with less lease left than the call may take",
                life.0
            )
        });
        let stands = api.tasks.values().find_map(|task| {
            let intent = task.status.as_ref()?.intent.as_ref()?;
            let is_its_task = task_ids
                .split(|c: char| !c.is_ascii_digit())
                .any(|id| id.parse() == Ok(intent.task_id));
            let is_its_kind = match intent.action {
                IntentAction::Backup => method == "backup",
                IntentAction::Cancel => method == "cancel",
                IntentAction::Remove => method == "remove",
            };
            (is_its_task && is_its_kind).then_some(&intent.id)
        });
        let recorder = stands.and_then(|id| self.recorders.get(id));
        require(&mut self.violation, recorder == Some(&life), || {
            format!("{method} is sent by {life:?} on an intent that {recorder:?} recorded")
        });
    }

    /// New intents are that process's.
    pub fn recorded(&mut self, life: Life, api: &Snapshot) {
        for task in api.tasks.values() {
            if let Some(intent) = task.status.as_ref().and_then(|status| status.intent.as_ref()) {
                self.recorders.entry(intent.id.clone()).or_insert(life);
            }
        }
    }

    /// Looks at everything new.
    pub fn look(&mut self, api: &Snapshot, nas: &Nas, now: Timestamp) {
        if self.last.replace(api.at) != Some(api.at) || nas.ledger().len() > self.seen {
            for task in api.tasks.values() {
                self.take_intent(task);
            }
        }
        let new: Vec<Effect> = nas.ledger()[self.seen..].to_vec();
        self.seen = nas.ledger().len();
        for effect in &new {
            self.take_effect(effect, now);
        }
        for task in api.tasks.values() {
            if let Some(status) = &task.status {
                self.compare(task, status);
            }
        }
    }

    fn take_intent(&mut self, task: &BackupTask) {
        let Some(intent) = task.status.as_ref().and_then(|status| status.intent.as_ref()) else {
            return;
        };
        let Intent {
            id,
            action,
            recorded_at,
            triggers,
            unique_key,
            task_id,
            ..
        } = intent;
        let object = task.name_any();
        let same = |ask: &&mut Ask| {
            ask.object == object
                && ask.action == *action
                && ask.recorded_at == recorded_at.0
                && ask.triggers == *triggers
        };
        if let Some(ask) = self.asks.iter_mut().find(same) {
            if !ask.intents.contains(id) {
                ask.intents.push(id.clone());
            }
            return;
        }
        self.asks.push(Ask {
            object,
            action: *action,
            recorded_at: recorded_at.0,
            triggers: triggers.clone(),
            unique_key: unique_key.clone(),
            task_id: *task_id,
            intents: vec![id.clone()],
            confirm: task.spec.removal.confirm.clone(),
            effects: 0,
            jobs: Vec::new(),
            backups_before: self.backups.len(),
        });
    }

    fn take_effect(&mut self, effect: &Effect, now: Timestamp) {
        let action = match (effect.kind.as_str(), effect.origin) {
            ("run-ended", _) => {
                if let (Some(result), Some(status)) = (effect.result_id, effect.status) {
                    self.ended.insert(result, status);
                    if effect.origin != Origin::Api {
                        self.others.push(result);
                    }
                }
                return;
            }
            ("removed", _) => {
                self.removing.remove(&effect.task_id.unwrap_or_default());
                return;
            }
            ("backup", Origin::Api) => IntentAction::Backup,
            ("cancel", Origin::Api) => IntentAction::Cancel,
            ("remove", Origin::Api) => IntentAction::Remove,
            _ => return,
        };
        let job = effect.job_id.unwrap_or_default();
        if action == IntentAction::Backup {
            self.backups.push(job);
        }
        let backups = &self.backups;
        let violation = &mut self.violation;
        let of_task = |ask: &&mut Ask| {
            // A row may come without its key; then the number is all there is.
            let is_its = match &ask.unique_key {
                None => effect.task_id == Some(ask.task_id),
                key => *key == effect.unique_key,
            };
            ask.action == action && is_its
        };
        let Some(ask) = self.asks.iter_mut().rev().find(of_task) else {
            return require(violation, false, || {
                format!("{} without an intent at {now}", effect.kind)
            });
        };
        ask.effects += 1;
        ask.jobs.push(job);
        let again = ask.effects;
        require(violation, again == 1, || {
            let invariant = if action == IntentAction::Remove {
                "I4"
            } else {
                "I1"
            };
            format!(
                "{invariant}: {} takes effect {again} times for {:?} of {}",
                effect.kind, ask.triggers, ask.object
            )
        });
        match action {
            IntentAction::Backup => {}
            IntentAction::Cancel => {
                let is_later = backups[ask.backups_before.min(backups.len())..].contains(&job);
                require(violation, !is_later, || {
                    format!(
                        "a cancel of {} hits a run that was asked for after it",
                        ask.object
                    )
                });
            }
            IntentAction::Remove => {
                let confirmed = ask.confirm.is_some() && ask.confirm == effect.unique_key;
                require(violation, confirmed, || {
                    format!("I4: {} is removed unconfirmed", ask.object)
                });
                let under_way = self
                    .removing
                    .entry(effect.task_id.unwrap_or_default())
                    .or_default();
                *under_way += 1;
                let under_way = *under_way;
                require(violation, under_way == 1, || {
                    "I4: two removals of one task at once".to_owned()
                });
            }
        }
        self.tokens_once();
    }

    /// I1 by token and by slot, whatever calls they were part of.
    fn tokens_once(&mut self) {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for ask in self.asks.iter().filter(|ask| ask.action == IntentAction::Backup) {
            for trigger in ask
                .triggers
                .iter()
                .filter(|t| t.token.is_some() || t.slot.is_some())
            {
                let of = format!(
                    "{} {:?} {:?} {:?}",
                    ask.object, trigger.kind, trigger.token, trigger.slot
                );
                *counts.entry(of).or_default() += ask.effects;
            }
        }
        let twice = counts.iter().find(|(_, count)| **count > 1);
        require(&mut self.violation, twice.is_none(), || {
            format!("I1: twice for {twice:?}")
        });
    }

    /// I3: the status never contradicts the ledger.
    fn compare(&mut self, task: &BackupTask, status: &BackupTaskStatus) {
        let name = task.name_any();
        let results = status
            .last_result
            .iter()
            .chain(status.history.iter().map(|entry| &entry.result));
        for ResultSummary {
            result_id,
            status_code,
            ..
        } in results
        {
            let truth = self.ended.get(result_id);
            require(
                &mut self.violation,
                // That nobody saw the end of a run contradicts nothing.
                *status_code == 1
                    || self.is_told_unknown_numbers && *status_code == UNKNOWN
                    || truth.is_none_or(|truth| truth == status_code),
                || {
                    format!(
                        "I3: {name} says that run {result_id} ended with {status_code}, the ledger {truth:?}"
                    )
                },
            );
        }
        let receipts = status.receipts.clone().unwrap_or_default();
        for receipt in [receipts.request, receipts.request_annotation]
            .into_iter()
            .flatten()
        {
            let Some(id) = receipt.result_id else { continue };
            let truth = self.ended.get(&id).copied();
            let expected: &[i64] = match receipt.outcome {
                ReceiptOutcome::Succeeded => &[2, 3],
                ReceiptOutcome::Failed => &[3, 4, 6],
                ReceiptOutcome::Canceled | ReceiptOutcome::DeadlineExceeded => &[5],
                _ => continue,
            };
            require(
                &mut self.violation,
                truth.is_some_and(|truth| expected.contains(&truth)),
                || {
                    format!(
                        "I3: token {} of {name} is {:?}, run {id} ended with {truth:?}",
                        receipt.token, receipt.outcome
                    )
                },
            );
        }
    }

    /// I2 at the end: every token that stands in the spec was answered by exactly one run, or says why not. Gives the
    /// number of tokens whose outcome could not be found out.
    pub fn at_the_end(&mut self, task: &BackupTask) -> u32 {
        let name = task.name_any();
        let status = task.status.clone().unwrap_or_default();
        let receipts = status.receipts.unwrap_or_default();
        let Some(token) = &task.spec.triggers.request else {
            return 0;
        };
        let receipt = receipts.request.filter(|receipt| receipt.token == *token);
        let outcome = receipt.as_ref().map(|receipt| receipt.outcome);
        let effects: u32 = self
            .asks
            .iter()
            .filter(|ask| ask.object == name && ask.action == IntentAction::Backup)
            .filter(|ask| {
                ask.triggers
                    .iter()
                    .any(|trigger| trigger.token.as_ref() == Some(token))
            })
            .map(|ask| ask.effects)
            .sum();
        let is_adopted = task.spec.when_running == abb_operator::api::WhenRunning::Adopt;
        let expected = match outcome {
            Some(ReceiptOutcome::OutcomeUnknown) => return 1,
            Some(ReceiptOutcome::Expired | ReceiptOutcome::AlreadySatisfied) => effects == 0,
            Some(ReceiptOutcome::Failed) if receipt.as_ref().is_some_and(|r| r.result_id.is_none()) => {
                effects == 0
            }
            // A run that a person starts in the moment of an unanswered call may answer it (protocol, step 6).
            Some(outcome) if outcome.is_final() => {
                let result = receipt.as_ref().and_then(|receipt| receipt.result_id);
                effects == 1 || is_adopted || result.is_some_and(|id| self.others.contains(&id))
            }
            _ => false,
        };
        require(&mut self.violation, expected, || {
            format!("I2: token {token} of {name} ended as {outcome:?} with {effects} runs")
        });
        0
    }
}

impl Ask {
    /// Whether it asks for that.
    pub fn is(&self, action: IntentAction) -> bool {
        self.action == action
    }
}
