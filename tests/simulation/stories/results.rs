//! How a run ends, and what the NAS tells of it.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{LastResultWhileRunning, ResultRowAt, TaskChange},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Scenario, aged, story},
    behaving, changed, deletes_a_version, with,
};

pub(super) fn results() -> Vec<Scenario> {
    let ending = |result: i64| with(|nas| nas.tasks[0].result = Some(result));
    vec![
        Scenario {
            nas: ending(4),
            backups: 3,
            answer: Some(ReceiptOutcome::Failed),
            ..story(
                "retries that are used up",
                &json!({ "triggers": { "request": "a" }, "retries": 2, "retryBackoff": "30s" }),
            )
        },
        Scenario {
            nas: ending(9),
            answer: Some(ReceiptOutcome::ResultUnknown),
            ..story(
                "a result that nobody knows",
                &json!({ "triggers": { "request": "a" }, "retries": 2 }),
            )
        },
        Scenario {
            nas: ending(3),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "a partial success that counts",
                &json!({ "triggers": { "request": "a" }, "partialIsSuccess": true, "retries": 2 }),
            )
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(200.0)),
            script: vec![(
                60,
                changed(TaskChange {
                    run_seconds: Some(15.0),
                    ..TaskChange::default()
                }),
            )],
            backups: 2,
            answer: Some(ReceiptOutcome::DeadlineExceeded),
            ..story(
                "another attempt after a deadline",
                &json!({
                    "triggers": { "request": "a" },
                    "activeDeadline": "30s",
                    "retries": 1,
                    "retryBackoff": "90s",
                }),
            )
        },
    ]
}

/// When a run gets its row, and what stands over it.
pub(super) fn rows(token: &Value) -> Vec<Scenario> {
    use LastResultWhileRunning::{Previous, Running};
    vec![
        Scenario {
            nas: behaving(|b| {
                b.result_row = ResultRowAt::AtStart;
                b.last_result_while_running = Previous;
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a row at the start that only the history has", token)
        },
        Scenario {
            nas: behaving(|b| {
                b.result_row = ResultRowAt::AtStart;
                b.last_result_while_running = Running;
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a row at the start, shown as the last one", token)
        },
        Scenario {
            nas: behaving(|b| b.result_row = ResultRowAt::AtEnd),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a row at the end", token)
        },
        Scenario {
            nas: behaving(|b| {
                b.result_row = ResultRowAt::AtEnd;
                b.emit_status = false;
                b.start_delay_seconds = 90.0;
            }),
            ..story("a queue and no row before the end", token)
        },
        Scenario {
            nas: {
                let mut nas = behaving(|b| b.last_result_while_running = Running);
                // It ends between two polls, and the deletion stands over its result at the second one.
                nas.tasks[0].run_seconds = Some(55.0);
                nas
            },
            script: vec![(57, deletes_a_version()), (100, deletes_a_version())],
            ..story("a version deletion on top", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].run_seconds = Some(55.0);
                nas.tasks[0].result = Some(4);
            }),
            script: vec![(57, deletes_a_version())],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a version deletion on top of a failure", token)
        },
        Scenario {
            nas: {
                let mut nas = aged(-100_000);
                nas.tasks[0].run_seconds = Some(55.0);
                nas
            },
            script: vec![(57, deletes_a_version())],
            ..story(
                "a version deletion on top of what an age waits for",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
    ]
}
