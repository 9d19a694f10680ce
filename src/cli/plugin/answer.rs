//! What became of a token of the command line, from the object alone: whether it was asked before, whether it is on its
//! way, what came of it, and what makes that nothing will. Pure.

use kube::ResourceExt;

use crate::{
    api::{
        ANNOTATION_BACKUP, ANNOTATION_CANCEL, BackupTask, Mode, Reason, Receipt, ReceiptOutcome, State,
        TriggerKind, TriggerRef, WhenRunning,
    },
    cli::progress::waits_for,
};

/// What the command line asks for by an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A run.
    Backup,
    /// The end of the run in flight.
    Cancel,
}

impl Ask {
    /// The annotation that holds the token.
    pub fn annotation(self) -> &'static str {
        match self {
            Self::Backup => ANNOTATION_BACKUP,
            Self::Cancel => ANNOTATION_CANCEL,
        }
    }

    fn receipt(self, task: &BackupTask) -> Option<&Receipt> {
        let receipts = task.status.as_ref()?.receipts.as_ref()?;
        match self {
            Self::Backup => receipts.request_annotation.as_ref(),
            Self::Cancel => receipts.cancel_annotation.as_ref(),
        }
    }
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It stands in the annotation, and no operator has accepted it.
    NotAccepted,
    /// It was accepted, and its end is still to come.
    OnItsWay,
    /// It is over.
    Final(ReceiptOutcome, Option<i64>),
    /// Another token stands in its place, and nothing is known of it.
    Unknown,
}

/// What became of a token, as far as the object shows.
pub(super) fn answer(task: &BackupTask, ask: Ask, token: &str) -> Answer {
    if let Some(receipt) = ask.receipt(task).filter(|receipt| receipt.token == token) {
        return match receipt.outcome {
            ReceiptOutcome::Accepted => Answer::OnItsWay,
            outcome => Answer::Final(outcome, receipt.result_id),
        };
    }
    if ask == Ask::Backup && is_in_flight(task, token) {
        return Answer::OnItsWay;
    }
    if task
        .annotations()
        .get(ask.annotation())
        .is_some_and(|asked| asked == token)
    {
        return Answer::NotAccepted;
    }
    // A newer token has its place in the receipt, where the run of this one ended in the write that accepted that one.
    let status = task.status.as_ref().filter(|_| ask == Ask::Backup);
    let past = status.and_then(|status| {
        status
            .history
            .iter()
            .find(|entry| is_among(&entry.triggers, token))
    });
    match past {
        Some(entry) => Answer::Final(
            entry.outcome.unwrap_or(ReceiptOutcome::ResultUnknown),
            Some(entry.result.result_id),
        ),
        None => Answer::Unknown,
    }
}

/// Whether an open call or a run answers the token.
pub(super) fn is_in_flight(task: &BackupTask, token: &str) -> bool {
    let Some(status) = &task.status else { return false };
    let intent = status.intent.as_ref().map(|intent| &intent.triggers);
    let run = status.run.as_ref().map(|run| &run.triggers);
    [intent, run]
        .into_iter()
        .flatten()
        .any(|triggers| is_among(triggers, token))
}

fn is_among(triggers: &[TriggerRef], token: &str) -> bool {
    triggers.iter().any(|trigger| {
        trigger.kind == TriggerKind::RequestAnnotation && trigger.token.as_deref() == Some(token)
    })
}

/// Another token that stands in the annotation and that no operator has accepted: replaced, it was never asked for.
pub(super) fn unaccepted(task: &BackupTask, ask: Ask, token: &str) -> Option<String> {
    let asked = task.annotations().get(ask.annotation())?;
    let is_other = !asked.is_empty() && asked != token;
    (is_other && answer(task, ask, asked) == Answer::NotAccepted).then(|| asked.clone())
}

/// Why a token that is asked for now would never be answered as things stand: one word, and what to do.
pub(super) fn hopeless(task: &BackupTask, ask: Ask, mode: Option<Mode>) -> Option<(&'static str, String)> {
    let name = task.name_any();
    let server = &task.spec.server_ref.name;
    let mode_word = match mode {
        Some(Mode::Plan) => Some((Reason::Planned, "Plan")),
        Some(Mode::Observe) => Some((Reason::Observing, "Observe")),
        Some(Mode::Enforce) | None => None,
    };
    if ask == Ask::Backup {
        if task.is_deleted() {
            return Some((
                "Deleting",
                "it is being deleted, and nothing starts for it any more".to_owned(),
            ));
        }
        if task.status.as_ref().and_then(|status| status.state) == Some(State::Removed) {
            let message = "its task was removed from the NAS, as removal.when asked";
            return Some((State::Removed.as_str(), message.to_owned()));
        }
        if task.spec.suspend {
            let message = "spec.suspend holds it back: take that out of its manifest";
            return Some((Reason::Suspended.as_str(), message.to_owned()));
        }
        if task.is_suspended() {
            let message = format!("it is suspended: kubectl abb resume {name}");
            return Some((Reason::Suspended.as_str(), message));
        }
    }
    mode_word.map(|(reason, mode)| {
        let message = format!(
            "the BackupServer {server:?} is in mode {mode} and sends nothing: set its spec.mode to Enforce"
        );
        (reason.as_str(), message)
    })
}

/// What a token that is asked for now waits for, as far as it is known at once.
pub(super) fn obstacles(task: &BackupTask, ask: Ask, mode: Option<Mode>) -> Vec<String> {
    if let Some((_, message)) = hopeless(task, ask, mode) {
        return vec![format!("it will wait: {message}")];
    }
    let Some(status) = task.status.as_ref().filter(|status| status.state.is_some()) else {
        return vec!["no operator has looked at it yet: see kubectl abb doctor".to_owned()];
    };
    let is_run = status.run.is_some();
    match ask {
        Ask::Cancel if task.is_suspended() && is_run => {
            vec![
                "it is suspended: the cancel is sent once it is resumed, if the run still goes on".to_owned(),
            ]
        }
        Ask::Cancel if !is_run && status.intent.is_none() && status.state == Some(State::Idle) => {
            vec!["no run is in flight: the answer will be NothingToCancel".to_owned()]
        }
        Ask::Cancel => Vec::new(),
        Ask::Backup => {
            // A new token moves what an earlier one is stuck with, and that a run is in progress is told in its own words.
            const PASS: [Reason; 4] = [
                Reason::OutcomeUnknown,
                Reason::BackupRequested,
                Reason::BackupRunning,
                Reason::WaitingForRun,
            ];
            let said =
                waits_for(task).filter(|said| !PASS.iter().any(|reason| reason.as_str() == said.reason));
            match said {
                Some(said) => vec![format!("it will wait ({}): {}", said.reason, said.message)],
                None if is_run => vec![meets_run(task.spec.when_running).to_owned()],
                None => Vec::new(),
            }
        }
    }
}

fn meets_run(when_running: WhenRunning) -> &'static str {
    match when_running {
        WhenRunning::Wait => "a run is in progress: the one asked for starts after it",
        WhenRunning::Adopt => "a run is in progress, which answers it (whenRunning: Adopt)",
        WhenRunning::Replace => "a run is in progress, which is cancelled first (whenRunning: Replace)",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn task(annotations: &Value, spec: &Value, status: &Value) -> BackupTask {
        let mut whole = json!({ "serverRef": { "name": "nas" }, "task": { "id": 1 } });
        whole
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "activebackup.dev/v1alpha1",
            "kind": "BackupTask",
            "metadata": { "name": "laptop", "annotations": annotations },
            "spec": whole,
            "status": status,
        }))
        .unwrap()
    }

    fn asked(token: &str, status: &Value) -> BackupTask {
        task(&json!({ ANNOTATION_BACKUP: token }), &json!({}), status)
    }

    fn triggers(token: &str) -> Value {
        json!([{ "kind": "RequestAnnotation", "token": token }])
    }

    fn result(id: i64, token: &str, outcome: &str) -> Value {
        json!({
            "resultId": id, "status": "Failed", "statusCode": 4, "action": "Backup", "actionCode": 1,
            "origin": "Request", "triggers": triggers(token), "outcome": outcome,
        })
    }

    #[test]
    fn a_token_is_found_wherever_its_answer_stands() {
        let receipt = |token: &str, outcome: &str| json!({ "receipts": { "requestAnnotation": { "token": token, "outcome": outcome, "resultId": 7 } } });
        let intent = json!({
            "id": "i", "action": "Backup", "attempt": 1, "serverUID": "u", "taskId": 1, "baselineResultId": 0,
            "baselineRunActive": false, "recordedAt": "2026-12-01T08:00:00Z", "triggers": triggers("t"),
        });
        let failed = Answer::Final(ReceiptOutcome::Failed, Some(7));
        let rows = vec![
            ("nobody has looked", asked("t", &Value::Null), Answer::NotAccepted),
            (
                "the last token was another",
                asked("t", &receipt("s", "Failed")),
                Answer::NotAccepted,
            ),
            (
                "accepted",
                asked("t", &receipt("t", "Accepted")),
                Answer::OnItsWay,
            ),
            ("answered", asked("t", &receipt("t", "Failed")), failed),
            (
                "the receipt is damaged, the call is open",
                asked("t", &json!({ "intent": intent })),
                Answer::OnItsWay,
            ),
            (
                "a newer one runs, this one is history",
                asked(
                    "u",
                    &json!({ "history": [result(9, "u", "Succeeded"), result(7, "t", "Failed")] }),
                ),
                failed,
            ),
            (
                "replaced before anybody saw it",
                asked("u", &Value::Null),
                Answer::Unknown,
            ),
            (
                "taken away",
                task(&json!({}), &json!({}), &receipt("s", "Failed")),
                Answer::Unknown,
            ),
            (
                "asked for again after another one: due again, whatever the history has",
                asked("t", &json!({ "history": [result(7, "t", "Failed")] })),
                Answer::NotAccepted,
            ),
        ];
        for (case, task, expected) in rows {
            assert_eq!(answer(&task, Ask::Backup, "t"), expected, "{case}");
        }
    }

    #[test]
    fn a_cancel_has_its_own_receipt() {
        let status = json!({ "receipts": {
            "requestAnnotation": { "token": "t", "outcome": "Succeeded" },
            "cancelAnnotation": { "token": "t", "outcome": "NothingToCancel" },
        } });
        let task = task(&json!({ ANNOTATION_CANCEL: "t" }), &json!({}), &status);
        assert_eq!(
            answer(&task, Ask::Cancel, "t"),
            Answer::Final(ReceiptOutcome::NothingToCancel, None)
        );
        assert_eq!(answer(&task, Ask::Cancel, "u"), Answer::Unknown);
    }

    #[test]
    fn only_a_token_that_nobody_accepted_is_lost_when_it_is_replaced() {
        let accepted =
            json!({ "receipts": { "requestAnnotation": { "token": "old", "outcome": "Accepted" } } });
        for (case, task, lost) in [
            ("none stands there", asked("", &Value::Null), None),
            ("it is the same", asked("t", &Value::Null), None),
            ("it was accepted", asked("old", &accepted), None),
            ("nobody has seen it", asked("old", &Value::Null), Some("old")),
        ] {
            assert_eq!(unaccepted(&task, Ask::Backup, "t").as_deref(), lost, "{case}");
        }
    }

    #[test]
    fn what_would_wait_for_ever_is_told_with_the_remedy() {
        let none = json!({});
        let idle = json!({ "state": "Idle" });
        let plain = task(&none, &none, &idle);
        let suspended = task(&json!({ "activebackup.dev/suspended": "true" }), &none, &idle);
        let by_git = task(&none, &json!({ "suspend": true }), &idle);
        let removed = task(&none, &none, &json!({ "state": "Removed" }));
        for (case, task, ask, mode, part) in [
            ("nothing", &plain, Ask::Backup, Mode::Enforce, None),
            (
                "suspended",
                &suspended,
                Ask::Backup,
                Mode::Enforce,
                Some("kubectl abb resume laptop"),
            ),
            (
                "by Git",
                &by_git,
                Ask::Backup,
                Mode::Enforce,
                Some("out of its manifest"),
            ),
            (
                "removed",
                &removed,
                Ask::Backup,
                Mode::Enforce,
                Some("removed from the NAS"),
            ),
            (
                "Plan",
                &plain,
                Ask::Backup,
                Mode::Plan,
                Some("set its spec.mode to Enforce"),
            ),
            (
                "Observe",
                &plain,
                Ask::Cancel,
                Mode::Observe,
                Some("in mode Observe"),
            ),
            (
                "a cancel is answered all the same",
                &suspended,
                Ask::Cancel,
                Mode::Enforce,
                None,
            ),
        ] {
            let found = hopeless(task, ask, Some(mode)).map(|(_, message)| message);
            assert_eq!(found.is_some(), part.is_some(), "{case}: {found:?}");
            assert!(
                found.unwrap_or_default().contains(part.unwrap_or_default()),
                "{case}"
            );
        }
    }

    #[test]
    fn what_a_token_waits_for_is_told_at_once() {
        let none = json!({});
        let said = |reason: &str, message: &str| {
            json!({ "state": "Idle", "conditions": [{
                "type": "Ready", "status": "False", "reason": reason, "message": message,
                "lastTransitionTime": "2026-12-01T08:00:00Z",
            }] })
        };
        let running = json!({ "state": "Running", "run": { "origin": "External" } });
        for (case, status, ask, part) in [
            ("new", json!({}), Ask::Backup, Some("no operator has looked")),
            (
                "idle",
                said("Reconciled", "bound and observed"),
                Ask::Backup,
                None,
            ),
            (
                "unbound",
                said("TaskNotFound", "no such task"),
                Ask::Backup,
                Some("(TaskNotFound): no such task"),
            ),
            (
                "stuck before",
                said("OutcomeUnknown", "a new token asks again"),
                Ask::Backup,
                None,
            ),
            ("running", running.clone(), Ask::Backup, Some("starts after it")),
            ("running", running, Ask::Cancel, None),
            (
                "idle",
                said("Reconciled", "bound and observed"),
                Ask::Cancel,
                Some("NothingToCancel"),
            ),
        ] {
            let told = obstacles(&task(&none, &none, &status), ask, Some(Mode::Enforce)).join("\n");
            assert_eq!(told.is_empty(), part.is_none(), "{case} {ask:?}: {told}");
            assert!(told.contains(part.unwrap_or_default()), "{case}: {told}");
        }
    }
}
