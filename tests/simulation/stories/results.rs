//! How a run ends, and what the NAS tells of it.

use abb_operator::{api::ReceiptOutcome, simulator::TaskChange};
use serde_json::json;

use super::{
    super::scenarios::{Scenario, story},
    changed, with,
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
