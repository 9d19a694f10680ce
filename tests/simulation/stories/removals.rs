//! `remove`: what holds it back, and how it ends.

use abb_operator::{
    api::{BackupTask, Reason, RemovalWhen, State, WhenRunning},
    simulator::{Control, Fault, FaultKind, RemoveRunning, TaskChange, UnknownTask, VersionSpec},
};
use serde_json::json;

use super::{
    super::scenarios::{Do, Scenario, at, server, story, task, time},
    OVERVIEW, TASKS, behaving, changed, slow, started_by_a_person, with,
};

pub(super) fn remove_now(task: &mut BackupTask) {
    task.spec.removal.when = RemovalWhen::Now;
    task.spec.removal.confirm = Some("key-1".to_owned());
    task.spec.removal.not_after = Some(time(10 * 86_400));
}

pub(super) fn plain() -> Vec<Scenario> {
    let allowed = json!({ "removals": { "allowed": true } });
    vec![
        Scenario {
            server: server(&allowed),
            backups: 0,
            ends: State::Removed,
            ..story(
                "a removal",
                &json!({ "removal": { "when": "Now", "confirm": "key-1", "notAfter": at(86_400) } }),
            )
        },
        Scenario {
            server: server(&allowed),
            script: vec![(60, Do::Delete("task-1"))],
            backups: 0,
            ends: State::Removed,
            ..story(
                "a deletion",
                &json!({ "removal": { "when": "OnDelete", "confirm": "key-1" } }),
            )
        },
        Scenario {
            server: server(&allowed),
            script: vec![(90, Do::Delete("task-1"))],
            ends: State::Removed,
            ..story(
                "a deletion in mid-run",
                &json!({ "triggers": { "request": "a" }, "removal": { "when": "OnDelete", "confirm": "key-1" } }),
            )
        },
    ]
}

pub(super) fn obstacles() -> Vec<Scenario> {
    let allowed = || server(&json!({ "removals": { "allowed": true } }));
    vec![
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(300.0)),
            server: allowed(),
            script: vec![
                (1, started_by_a_person()),
                (
                    30,
                    Do::Edit("task-1", |task| {
                        remove_now(task);
                        task.spec.when_running = WhenRunning::Replace;
                    }),
                ),
            ],
            backups: 0,
            ends: State::Removed,
            ..story("a removal that cancels a run first", &json!({}))
        },
        Scenario {
            nas: behaving(|b| b.remove_seconds = 200.0),
            server: allowed(),
            script: vec![(10, Do::Edit("task-1", remove_now))],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a deletion that takes its time", &json!({}))
        },
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].versions = Some(vec![VersionSpec {
                    id: 1,
                    locked: true,
                    ..VersionSpec::default()
                }]);
            }),
            server: allowed(),
            script: vec![
                (10, Do::Edit("task-1", remove_now)),
                (60, Do::See(Reason::VersionLocked)),
                (
                    100,
                    changed(TaskChange {
                        locked: Some(false),
                        ..TaskChange::default()
                    }),
                ),
            ],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a version that is locked for a while", &json!({}))
        },
    ]
}

pub(super) fn held_back() -> Vec<Scenario> {
    let mut other = task(1, &json!({}));
    other.metadata.name = Some("task-1b".to_owned());
    let on_delete = json!({ "removal": { "when": "OnDelete", "confirm": "key-1" } });
    vec![
        Scenario {
            script: vec![
                (10, Do::Edit("task-1", remove_now)),
                (60, Do::See(Reason::RemovalNotAllowed)),
                (70, Do::EditServer(|server| server.spec.removals.allowed = true)),
            ],
            backups: 0,
            ends: State::Removed,
            ..story("a removal that is allowed later", &json!({}))
        },
        Scenario {
            server: server(&json!({ "removals": { "allowed": true } })),
            tasks: vec![task(1, &json!({})), other],
            script: vec![
                (10, Do::Edit("task-1", remove_now)),
                (60, Do::See(Reason::RemovalNotAllowed)),
            ],
            backups: 0,
            ..story("a removal of what another object declares", &json!({}))
        },
        Scenario {
            script: vec![
                (30, Do::Delete("task-1")),
                (
                    120,
                    Do::Edit("task-1", |task| {
                        task.metadata
                            .annotations
                            .get_or_insert_default()
                            .insert("activebackup.dev/abandon".to_owned(), "true".to_owned());
                    }),
                ),
            ],
            backups: 0,
            ..story("a deletion that is abandoned", &on_delete)
        },
    ]
}

/// What happens between our last look and our `remove`.
pub(super) fn races() -> Vec<Scenario> {
    let removing = |name: &'static str| Scenario {
        server: server(&json!({ "removals": { "allowed": true } })),
        script: vec![(10, Do::Edit("task-1", remove_now))],
        backups: 0,
        ends: State::Removed,
        lasts: 400,
        ..story(name, &json!({}))
    };
    // The queue is older than what happens by the time it arrives.
    let look = || slow("list_activity", OVERVIEW, 5_000);
    let started = |how, outcome, name| Scenario {
        nas: with(|nas| {
            nas.behaviour.remove_running = how;
            nas.faults = vec![look()];
        }),
        script: vec![
            (10, Do::Edit("task-1", remove_now)),
            (17, started_by_a_person()),
            (60, Do::Answered("remove", outcome)),
        ],
        ..removing(name)
    };
    let gone = |how, outcome, ends, name| Scenario {
        nas: with(|nas| {
            nas.behaviour.unknown_task = how;
            nas.faults = vec![look()];
        }),
        script: vec![
            (10, Do::Edit("task-1", remove_now)),
            (17, Do::Nas(Control::VanishTask { id: 1 })),
            (60, Do::Answered("remove", outcome)),
        ],
        ends,
        ..removing(name)
    };
    vec![
        started(RemoveRunning::Success, "ok", "a removal as a person starts a run"),
        started(
            RemoveRunning::Error1204,
            "1204",
            "a removal as a person starts a run, 1204",
        ),
        Scenario {
            nas: with(|nas| {
                nas.tasks[0].versions = Some(vec![VersionSpec {
                    id: 1,
                    ..VersionSpec::default()
                }]);
                let locked = FaultKind::ErrorCode { code: 1101 };
                nas.faults = vec![Fault::new(locked).on(TASKS, "remove")];
            }),
            script: vec![
                (10, Do::Edit("task-1", remove_now)),
                (60, Do::See(Reason::VersionLocked)),
            ],
            lasts: 900,
            ..removing("a version that is locked as the removal is sent")
        },
        // What was accepted and is gone counts as done; what was refused is only missing.
        gone(
            UnknownTask::Success,
            "ok",
            State::Removed,
            "a removal of what is gone, and it succeeds",
        ),
        gone(
            UnknownTask::Error1010,
            "1010",
            State::Missing,
            "a removal of what is gone, 1010",
        ),
        gone(
            UnknownTask::Error1103,
            "1103",
            State::Missing,
            "a removal of what is gone, 1103",
        ),
        Scenario {
            tasks: vec![task(
                1,
                &json!({ "removal": { "when": "OnDelete", "confirm": "key-1" } }),
            )],
            script: vec![
                (30, Do::Nas(Control::VanishTask { id: 1 })),
                (40, Do::Delete("task-1")),
            ],
            ..removing("a deletion of what is gone")
        },
    ]
}
