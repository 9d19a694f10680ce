//! Lists that are slow, in parts, or do not show what there is.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{BackupWhileRunning, Control, Fault, FaultKind, ResultSpec},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    OVERVIEW, TASKS, slow, started_by_a_person, with,
};

pub(super) fn lists(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            server: server(&json!({ "polling": { "active": "2m" } })),
            nas: with(|nas| nas.tasks[0].run_seconds = Some(50.0)),
            script: vec![(
                60,
                Do::Nas(Control::AddResult {
                    id: 1,
                    result: ResultSpec {
                        job_action: Some(131_072),
                        ..ResultSpec::default()
                    },
                }),
            )],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a run that only the history shows", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![slow("list", TASKS, 60_000)]),
            lasts: 600,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a list that takes a minute", token)
        },
        Scenario {
            nas: with(|nas| {
                let part = Fault::new(FaultKind::ShortPage { rows: 1 });
                nas.faults = vec![part.on(TASKS, "list").times(9)];
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("lists in parts", token)
        },
        Scenario {
            nas: with(|nas| {
                let refused = Fault::new(FaultKind::ErrorCode { code: 103 });
                nas.faults = vec![refused.on(OVERVIEW, "list_activity").times(0)];
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a queue that cannot be read", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour.backup_while_running = BackupWhileRunning::Conflict4007;
                // The queue is older than the person's run by the time it arrives.
                nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
            }),
            script: vec![
                (
                    30,
                    Do::Edit("task-1", |task| {
                        task.spec.triggers.request = Some("a".to_owned());
                    }),
                ),
                (32, started_by_a_person()),
            ],
            backups: 0,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a person is a moment faster", &json!({}))
        },
    ]
}
