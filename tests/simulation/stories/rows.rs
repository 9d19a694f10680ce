//! Rows in other shapes: numbers as strings, nulls, absent keys, numbers that nobody has a name for.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{Control, ResultSpec},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, aged, story, task},
    behaving, with,
};

/// A result that no run of ours made.
fn added(result: ResultSpec) -> Do {
    Do::Nas(Control::AddResult { id: 1, result })
}

pub(super) fn rows(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            nas: behaving(|b| b.polymorphic_rows = true),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("numbers as strings", token)
        },
        Scenario {
            // Rows of tasks with an even number carry these.
            nas: behaving(|b| b.polymorphic_rows = true),
            tasks: vec![task(2, token)],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("nulls and absent keys", token)
        },
        Scenario {
            nas: behaving(|b| b.polymorphic_retention = true),
            tasks: vec![task(1, token), task(2, token)],
            backups: 2,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("retention policies in three shapes", token)
        },
        Scenario {
            nas: behaving(|b| b.emit_status = false),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("rows that do not say what a task is doing", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].backup_type = Some(99);
                nas.tasks[0].source_type = Some(17);
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a task of a kind that nobody knows", token)
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].result = Some(42)),
            answer: Some(ReceiptOutcome::ResultUnknown),
            ..story("a run that ends with a number that nobody knows", token)
        },
        Scenario {
            // It stands there before the first look, and is younger than the age.
            nas: aged(-100_000),
            script: vec![(
                0,
                added(ResultSpec {
                    status: Some(42),
                    ..ResultSpec::default()
                }),
            )],
            ..story(
                "a result that nobody knows satisfies no age",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(55.0)),
            script: vec![(
                57,
                added(ResultSpec {
                    job_action: Some(1 << 40),
                    status: Some(42),
                    ..ResultSpec::default()
                }),
            )],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a job of a kind that nobody knows on top", token)
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(55.0)),
            script: vec![(
                57,
                added(ResultSpec {
                    job_action: Some((1 << 40) | 1),
                    status: Some(4),
                    ..ResultSpec::default()
                }),
            )],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a job of several kinds on top", token)
        },
    ]
}
