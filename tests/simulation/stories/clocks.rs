//! A clock of the NAS that is off or jumps, reboots, and power that is gone.

use abb_operator::{
    api::{ReceiptOutcome, State},
    simulator::{self, Control, Fault, FaultKind, Origin},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, aged, at, nas, server, story},
    TASKS, cancel,
    removals::remove_now,
    with,
};

fn jump(offset_seconds: i64) -> Do {
    Do::Nas(Control::Clock { offset_seconds })
}

/// Clocks that are off all the time.
pub(super) fn off(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            nas: simulator::Scenario {
                clock_offset_seconds: -10_000,
                ..nas()
            },
            ..story("a NAS clock hours behind", token)
        },
        Scenario {
            nas: simulator::Scenario {
                clock_offset_seconds: 10_000,
                ..nas()
            },
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a NAS clock hours ahead", token)
        },
        Scenario {
            // The newest success claims to be younger than the token: the clock that says so is ahead.
            nas: simulator::Scenario {
                clock_offset_seconds: 10_000,
                ..aged(5000)
            },
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "a token that is a time, by a NAS clock hours ahead",
                &json!({ "triggers": { "request": at(-10) } }),
            )
        },
        Scenario {
            nas: {
                let mut nas = aged(10_000 - 100_000);
                nas.clock_offset_seconds = 10_000;
                nas
            },
            ..story(
                "an age by a NAS clock hours ahead",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: {
                let mut nas = aged(-200_000);
                nas.clock_offset_seconds = -100_000;
                nas.behaviour.emit_date = false;
                nas
            },
            ..story(
                "an age by a clock a day behind that only results tell",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
    ]
}

/// Clocks that jump.
pub(super) fn jumps(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            script: vec![(30, jump(7200))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a clock that jumps ahead in mid-run", token)
        },
        Scenario {
            script: vec![(30, jump(-7200))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a clock that jumps back in mid-run", token)
        },
        Scenario {
            script: vec![(30, jump(-7200)), (100, jump(0))],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "a clock that jumps back and returns, and a token that is a time",
                &json!({ "triggers": { "request": at(-10) } }),
            )
        },
        Scenario {
            nas: aged(-26 * 3600 + 200),
            script: vec![(100, jump(-7200))],
            lasts: 700,
            ..story(
                "a clock that jumps back before an age is exceeded",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: with(|nas| {
                nas.faults = vec![Fault::new(FaultKind::LoseReplyBefore).on(TASKS, "backup")];
            }),
            script: vec![(40, jump(7200))],
            lasts: 500,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a clock that jumps ahead while an answer is missing", token)
        },
    ]
}

/// Restarts of the NAS: sessions gone, runs end as failed.
pub(super) fn reboots(token: &Value) -> Vec<Scenario> {
    let reboot = || Do::Nas(Control::Reboot);
    let retried = json!({ "triggers": { "request": "a" }, "retries": 1, "retryBackoff": "30s" });
    vec![
        Scenario {
            script: vec![(30, reboot())],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot in mid-run", token)
        },
        Scenario {
            script: vec![(30, reboot())],
            backups: 2,
            // The token's own run; the retry is another one.
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot in mid-run, and a retry", &retried)
        },
        Scenario {
            nas: with(|nas| nas.behaviour.start_delay_seconds = 100.0),
            script: vec![(30, reboot())],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot while a run is queued", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].run_seconds = Some(300.0);
                nas.behaviour.cancel_seconds = 90.0;
            }),
            script: vec![(40, Do::Edit("task-1", cancel)), (70, reboot())],
            answer: Some(ReceiptOutcome::Failed),
            ..story("a reboot during a slow cancel", token)
        },
        Scenario {
            nas: with(|nas| nas.behaviour.remove_seconds = 100.0),
            server: server(&json!({ "removals": { "allowed": true } })),
            script: vec![(10, Do::Edit("task-1", remove_now)), (60, reboot())],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a reboot during a removal", &json!({}))
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(300.0)),
            script: vec![
                (
                    1,
                    Do::Nas(Control::StartTask {
                        id: 1,
                        origin: Origin::Person,
                    }),
                ),
                (
                    20,
                    Do::Edit("task-1", |task| task.spec.triggers.request = Some("a".to_owned())),
                ),
                (60, reboot()),
            ],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a reboot ends the run that was waited for", &json!({}))
        },
        Scenario {
            script: vec![
                (30, Do::Nas(Control::Power { on: false })),
                (400, Do::Nas(Control::Power { on: true })),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a NAS that is not reached while its run ends", token)
        },
    ]
}
