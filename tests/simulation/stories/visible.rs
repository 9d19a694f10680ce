//! Results that show late, or that the package's own deletion of versions covers after each run.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{self, Behaviour, Fault, FaultKind, LastResultWhileRunning, ResultRowAt, VersionSpec},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, aged, story},
    TASKS, with,
};

/// The package deletes versions after each run.
fn retaining(change: impl FnOnce(&mut simulator::Scenario)) -> simulator::Scenario {
    with(|nas| {
        nas.behaviour.retention_after_run = true;
        nas.tasks[0].versions = Some(vec![
            VersionSpec {
                id: 2,
                ..VersionSpec::default()
            },
            VersionSpec {
                id: 1,
                ..VersionSpec::default()
            },
        ]);
        change(nas);
    })
}

fn asks_again(second: u64) -> (u64, Do) {
    let again = Do::Edit("task-1", |task| task.spec.triggers.request = Some("b".to_owned()));
    (second, again)
}

pub(super) fn deletions(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            nas: retaining(|_| {}),
            script: vec![asks_again(150), (400, Do::Entries("version-deleted", 2))],
            lasts: 400,
            backups: 2,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("versions are deleted after each run", token)
        },
        Scenario {
            nas: retaining(|nas| {
                nas.behaviour.result_row = ResultRowAt::AtEnd;
                nas.behaviour.emit_status = false;
            }),
            script: vec![(210, Do::Entries("version-deleted", 1))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("versions are deleted after a run, rows at the end", token)
        },
        Scenario {
            nas: retaining(|nas| {
                nas.behaviour.last_result_while_running = LastResultWhileRunning::Running;
                nas.behaviour.delete_version_seconds = 200.0;
            }),
            script: vec![asks_again(120), (900, Do::Entries("version-deleted", 2))],
            lasts: 900,
            backups: 2,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a slow deletion of versions, and another token meanwhile", token)
        },
        Scenario {
            nas: retaining(|nas| {
                nas.tasks[0].result = Some(4);
            }),
            script: vec![(210, Do::Entries("version-deleted", 0))],
            answer: Some(ReceiptOutcome::Failed),
            ..story("no versions are deleted after a failure", token)
        },
        Scenario {
            nas: {
                let mut nas = aged(-100_000);
                nas.behaviour.retention_after_run = true;
                nas
            },
            script: vec![(400, Do::Entries("version-deleted", 1))],
            lasts: 400,
            ..story(
                "versions are deleted after the run that an age asks for",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: retaining(|nas| nas.behaviour.last_result_delay_seconds = 40.0),
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("versions are deleted after a run, and it shows late", token)
        },
    ]
}

/// A run that has ended is looked for as long as `timeouts.settle`; what shows later than that in both places is not
/// known any more, and nothing is started on the strength of that.
pub(super) fn late(token: &Value) -> Vec<Scenario> {
    use ReceiptOutcome::{Failed, ResultUnknown, Succeeded};
    let retried = json!({ "triggers": { "request": "a" }, "retries": 1, "retryBackoff": "30s" });
    let failing = |seconds: f64| {
        with(|nas| {
            nas.tasks[0].result = Some(4);
            nas.behaviour = delayed(seconds, seconds);
        })
    };
    let mut stories: Vec<Scenario> = [
        (
            "a last result that shows half a minute late",
            30.0,
            0.0,
            Succeeded,
        ),
        ("a last result that shows ten minutes late", 600.0, 0.0, Succeeded),
        ("a row that shows half a minute late", 0.0, 30.0, Succeeded),
        ("a row that shows ten minutes late", 0.0, 600.0, Succeeded),
        (
            "a row and a last result that show half a minute late",
            30.0,
            30.0,
            Succeeded,
        ),
        (
            "a row and a last result that show minutes late",
            300.0,
            200.0,
            ResultUnknown,
        ),
    ]
    .into_iter()
    .map(|(name, last_result, row, answer)| Scenario {
        nas: with(|nas| nas.behaviour = delayed(last_result, row)),
        script: vec![asks_again(1000)],
        lasts: 2000,
        backups: 2,
        answer: Some(answer),
        ..story(name, token)
    })
    .collect();
    stories.extend([
        Scenario {
            nas: with(|nas| {
                nas.behaviour = delayed(30.0, 30.0);
                nas.behaviour.result_row = ResultRowAt::AtEnd;
                nas.behaviour.emit_status = false;
            }),
            lasts: 500,
            answer: Some(Succeeded),
            ..story("a row at the end that shows late", token)
        },
        Scenario {
            nas: failing(30.0),
            lasts: 900,
            backups: 2,
            answer: Some(Failed),
            ..story("a failure that shows late, and a retry", &retried)
        },
        Scenario {
            nas: failing(200.0),
            lasts: 900,
            answer: Some(ResultUnknown),
            ..story("a failure that shows too late for a retry", &retried)
        },
        Scenario {
            nas: {
                let mut nas = aged(-100_000);
                nas.behaviour = delayed(300.0, 300.0);
                nas
            },
            lasts: 1000,
            ..story(
                "a success that shows late to an age",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour = delayed(30.0, 30.0);
                nas.faults = vec![Fault::new(FaultKind::LoseReplyAfter).on(TASKS, "backup")];
            }),
            lasts: 900,
            answer: Some(Succeeded),
            ..story("a lost reply, and a row that shows late", token)
        },
    ]);
    stories
}

fn delayed(last_result: f64, row: f64) -> Behaviour {
    Behaviour {
        last_result_delay_seconds: last_result,
        result_row_delay_seconds: row,
        ..Behaviour::default()
    }
}
