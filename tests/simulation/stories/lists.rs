//! Lists that are slow, in parts, or do not show what there is.

use abb_operator::{
    api::{ReceiptOutcome, State},
    simulator::{Control, Fault, FaultKind},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, server, story},
    OVERVIEW, TASKS, deletes_a_version,
    removals::remove_now,
    slow, with,
};

pub(super) fn lists(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            server: server(&json!({ "polling": { "active": "2m" } })),
            nas: with(|nas| nas.tasks[0].run_seconds = Some(50.0)),
            script: vec![(60, deletes_a_version())],
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
            script: vec![(25, missing(1, 1))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a row that is missing for one read", token)
        },
        Scenario {
            // Its end is not seen, and the row comes back with the result.
            script: vec![(52, missing(1, 2))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a row that is missing as the run ends", token)
        },
        Scenario {
            nas: with(|nas| nas.behaviour.remove_seconds = 200.0),
            server: server(&json!({ "removals": { "allowed": true } })),
            script: vec![(10, Do::Edit("task-1", remove_now)), (60, missing(1, 1))],
            backups: 0,
            ends: State::Removed,
            lasts: 500,
            ..story("a row that is missing during a slow deletion", &json!({}))
        },
        Scenario {
            script: vec![(25, part(1)), (26, Do::Nas(Control::VanishTask { id: 2 }))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a list in part, and another task gone", token)
        },
    ]
}

fn missing(id: i64, times: u32) -> Do {
    let rows = FaultKind::MissingRows { task_ids: vec![id] };
    Do::Nas(Control::AddFault(Fault::new(rows).on(TASKS, "list").times(times)))
}

fn part(rows: usize) -> Do {
    let part = FaultKind::ShortPage { rows };
    Do::Nas(Control::AddFault(Fault::new(part).on(TASKS, "list")))
}
