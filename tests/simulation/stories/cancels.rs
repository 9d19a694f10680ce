//! `cancel`: of a run, of a queued one, of none.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{Behaviour, CancelWaiting},
};
use serde_json::Value;

use super::{
    super::scenarios::{Do, Scenario, story},
    behaving, cancel,
};

pub(super) fn cancels(token: &Value) -> Vec<Scenario> {
    let long = |change: fn(&mut Behaviour)| {
        let mut nas = behaving(change);
        nas.tasks[0].run_seconds = Some(300.0);
        nas
    };
    vec![
        Scenario {
            nas: behaving(|b| b.cancel_seconds = 90.0),
            script: vec![(40, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a cancel that a run wins by ending first", token)
        },
        Scenario {
            nas: long(|b| b.cancel_seconds = 45.0),
            script: vec![(60, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Canceled),
            ..story("a cancel that takes its time", token)
        },
        Scenario {
            nas: long(|b| b.start_delay_seconds = 120.0),
            script: vec![(40, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Canceled),
            ..story("a cancel in the queue", token)
        },
        Scenario {
            nas: behaving(|b| {
                b.start_delay_seconds = 80.0;
                b.cancel_waiting = CancelWaiting::Error;
            }),
            script: vec![(40, Do::Edit("task-1", cancel))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a cancel that the queue does not take", token)
        },
    ]
}
