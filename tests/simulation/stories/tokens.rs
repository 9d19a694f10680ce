//! Tokens, slots and ages: what makes a run due, and what holds it back.

use abb_operator::{
    api::{CancelSpec, Mode, Reason, ReceiptOutcome},
    simulator::{self, Control, Origin},
};
use serde_json::{Value, json};

use super::super::scenarios::{Do, Scenario, aged, at, nas, server, story, task};

pub(super) fn tokens(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            script: vec![(
                60,
                Do::Edit("task-1", |task| task.spec.triggers.request = Some("b".to_owned())),
            )],
            backups: 2,
            ..story("a token changed in mid-run", token)
        },
        Scenario {
            script: vec![(
                60,
                Do::Edit("task-1", |task| {
                    task.spec.cancel = Some(CancelSpec {
                        request: "x".to_owned(),
                    });
                }),
            )],
            ..story("a cancel in mid-run", token)
        },
        Scenario {
            script: vec![
                (
                    60,
                    Do::Edit("task-1", |task| {
                        task.spec.cancel = Some(CancelSpec {
                            request: "x".to_owned(),
                        });
                    }),
                ),
                (
                    61,
                    Do::Edit("task-1", |task| task.spec.triggers.request = Some("b".to_owned())),
                ),
            ],
            backups: 2,
            ..story("a cancel and another token", token)
        },
        Scenario {
            tasks: vec![task(1, token), task(2, token)],
            server: server(&json!({ "limits": { "maxConcurrentRuns": 1 } })),
            backups: 2,
            ..story("two tasks, one at a time", token)
        },
        story(
            "a token that is a time",
            &json!({ "triggers": { "request": at(-10) } }),
        ),
        Scenario {
            script: vec![
                (20, Do::Edit("task-1", |task| task.spec.suspend = true)),
                (200, Do::Edit("task-1", |task| task.spec.suspend = false)),
            ],
            ..story("suspended in between", token)
        },
    ]
}

pub(super) fn by_themselves() -> Vec<Scenario> {
    vec![
        Scenario {
            lasts: 310,
            ..story("a slot", &json!({ "triggers": { "schedule": "5 8 15 1 *" } }))
        },
        Scenario {
            lasts: 490,
            backups: 2,
            ..story(
                "two slots",
                &json!({ "triggers": { "schedule": "5,8 8 15 1 *", "startingDeadline": "10m" } }),
            )
        },
        Scenario {
            nas: aged(-100_000),
            ..story(
                "an age that is exceeded",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: aged(-26 * 3600 + 80),
            script: vec![(
                1,
                Do::Nas(Control::StartTask {
                    id: 1,
                    origin: Origin::Schedule,
                }),
            )],
            backups: 0,
            ..story(
                "an age that the NAS's own run satisfies",
                &json!({ "triggers": { "maxAge": "26h" } }),
            )
        },
        Scenario {
            nas: {
                let mut nas = nas();
                nas.tasks[0].result = Some(4);
                nas
            },
            script: vec![(
                200,
                Do::Nas(Control::ChangeTask {
                    id: 1,
                    change: Box::new(simulator::TaskChange {
                        result: Some(2),
                        ..Default::default()
                    }),
                }),
            )],
            backups: 2,
            ..story(
                "a retry",
                &json!({ "triggers": { "request": "a" }, "retries": 3 }),
            )
        },
    ]
}

pub(super) fn modes() -> Vec<Scenario> {
    vec![
        Scenario {
            server: server(&json!({ "mode": "Plan" })),
            script: vec![
                (50, Do::See(Reason::Planned)),
                (60, Do::EditServer(|server| server.spec.mode = Mode::Enforce)),
            ],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "planned, then enforced",
                &json!({ "triggers": { "request": "a" } }),
            )
        },
        Scenario {
            script: vec![(50, Do::See(Reason::Suspended))],
            backups: 0,
            answer: Some(ReceiptOutcome::Expired),
            ..story(
                "a request that could not be started in time",
                &json!({
                    "suspend": true,
                    "triggers": { "request": "a", "requestNotAfter": at(100) },
                }),
            )
        },
        Scenario {
            script: vec![
                (
                    130,
                    Do::Edit("task-1", |task| {
                        task.spec.triggers.request = Some("a".to_owned());
                    }),
                ),
                (150, Do::Edit("task-1", |task| task.spec.suspend = false)),
            ],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "a slot and a token that come together",
                &json!({ "suspend": true, "triggers": { "schedule": "2 8 15 1 *" } }),
            )
        },
    ]
}
