//! `cancel`: of a run, of a queued one, of none.

use abb_operator::{
    api::ReceiptOutcome,
    simulator::{Behaviour, CancelIdle, CancelWaiting, Control, PackageState},
};
use serde_json::Value;

use super::{
    super::scenarios::{Do, Scenario, story},
    OVERVIEW, behaving, cancel, slow, with,
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

/// A run that ends between our look and our `cancel`: both answers.
pub(super) fn of_nothing(token: &Value) -> Vec<Scenario> {
    let mut list: Vec<Scenario> = [
        (
            "a cancel that finds nothing, and succeeds",
            CancelIdle::Success,
            "ok",
        ),
        ("a cancel that finds nothing, 1201", CancelIdle::Error1201, "1201"),
    ]
    .map(|(name, how, outcome)| Scenario {
        nas: with(|nas| {
            nas.tasks[0].run_seconds = Some(300.0);
            nas.behaviour.cancel_idle = how;
            // The queue is older than the end of the run by the time it arrives.
            nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
        }),
        script: vec![
            (60, Do::Edit("task-1", cancel)),
            (64, finished()),
            (80, Do::Answered("cancel", outcome)),
        ],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    })
    .into();
    list.push(Scenario {
        script: vec![(100, Do::Edit("task-1", cancel))],
        answer: Some(ReceiptOutcome::Succeeded),
        ..story("a cancel after the run", token)
    });
    list.push(Scenario {
        nas: with(|nas| {
            nas.tasks[0].run_seconds = Some(300.0);
            nas.behaviour.cancel_seconds = 200.0;
        }),
        script: vec![
            (60, Do::Edit("task-1", cancel)),
            (
                120,
                Do::Nas(Control::Package {
                    state: PackageState::Upgrading,
                }),
            ),
            (
                400,
                Do::Nas(Control::Package {
                    state: PackageState::Running,
                }),
            ),
        ],
        lasts: 700,
        answer: Some(ReceiptOutcome::Canceled),
        ..story("a slow cancel that an upgrade hides", token)
    });
    list
}

fn finished() -> Do {
    Do::Nas(Control::FinishTask { id: 1, status: 2 })
}
