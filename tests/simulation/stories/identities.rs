//! Which task is meant: renamed, doubled, replaced, gone.

use abb_operator::{
    api::{BackupTask, Reason, ReceiptOutcome, State},
    simulator::{Control, TaskChange, TaskSpec, UnknownTask},
};
use serde_json::json;

use super::{
    super::scenarios::{Do, Scenario, at, story, time},
    OVERVIEW, asks, changed, slow, with,
};

pub(super) fn identities() -> Vec<Scenario> {
    let by_name = json!({ "task": { "name": "task-1" }, "triggers": { "request": "a" } });
    let twin = TaskSpec {
        id: Some(5),
        name: Some("task-1".to_owned()),
        unique_key: Some("key-5".to_owned()),
        ..TaskSpec::default()
    };
    let heir = TaskSpec {
        id: Some(1),
        name: Some("task-1".to_owned()),
        unique_key: Some("key-9".to_owned()),
        ..TaskSpec::default()
    };
    vec![
        Scenario {
            // Whoever sees it only then finds it again later.
            script: [(30, "another"), (200, "task-1")]
                .map(|(second, name)| {
                    let name = Some(name.to_owned());
                    (
                        second,
                        changed(TaskChange {
                            name,
                            ..TaskChange::default()
                        }),
                    )
                })
                .into(),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a rename in mid-run", &by_name)
        },
        Scenario {
            script: vec![
                (30, Do::Nas(Control::VanishTask { id: 1 })),
                // Later than a late call could still come: it would hit whatever has the number by then.
                (200, Do::Nas(Control::AddTask(Box::new(heir)))),
                (390, Do::See(Reason::TaskReplaced)),
                (
                    400,
                    Do::Edit("task-1", |task| {
                        task.metadata
                            .annotations
                            .get_or_insert_default()
                            .insert("activebackup.dev/rebind".to_owned(), "key-9".to_owned());
                    }),
                ),
            ],
            lasts: 700,
            answer: Some(ReceiptOutcome::ResultUnknown),
            ..story("another task under the number in mid-run", &by_name)
        },
        Scenario {
            nas: with(|nas| nas.tasks.push(twin)),
            script: vec![
                (30, Do::See(Reason::TaskAmbiguous)),
                (60, Do::Nas(Control::VanishTask { id: 5 })),
            ],
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a name that two tasks have for a while", &by_name)
        },
    ]
}

/// A task that is gone by the time of the call: each answer to an id that does not exist.
pub(super) fn unknown() -> Vec<Scenario> {
    // Whoever comes too late to ask answers the token all the same.
    let in_time = json!({ "triggers": { "request": "a", "requestNotAfter": at(600) } });
    let mut list: Vec<Scenario> = [
        (
            "a task that is gone at the call, and it succeeds",
            UnknownTask::Success,
            "ok",
            ReceiptOutcome::OutcomeUnknown,
        ),
        (
            "a task that is gone at the call, 1010",
            UnknownTask::Error1010,
            "1010",
            ReceiptOutcome::Failed,
        ),
        (
            "a task that is gone at the call, 1103",
            UnknownTask::Error1103,
            "1103",
            ReceiptOutcome::Failed,
        ),
    ]
    .map(|(name, how, outcome, answer)| Scenario {
        nas: with(|nas| {
            nas.behaviour.unknown_task = how;
            // The queue is older than the task's end by the time it arrives.
            nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
        }),
        script: vec![
            (30, Do::Edit("task-1", asks_in_time)),
            (32, Do::Nas(Control::VanishTask { id: 1 })),
            (60, Do::Answered("backup", outcome)),
        ],
        lasts: 400,
        backups: 0,
        ends: State::Missing,
        answer: Some(answer),
        ..story(name, &json!({}))
    })
    .into();
    list.push(Scenario {
        script: vec![(30, Do::Nas(Control::VanishTask { id: 1 }))],
        lasts: 400,
        ends: State::Missing,
        answer: Some(ReceiptOutcome::ResultUnknown),
        ..story("a task that vanishes in mid-run", &in_time)
    });
    list.push(Scenario {
        script: vec![
            (
                30,
                Do::Nas(Control::Serial {
                    serial: "SIM0000000002".to_owned(),
                }),
            ),
            (30, Do::Nas(Control::ExpireSessions)),
            (60, Do::See(Reason::TaskReplaced)),
        ],
        lasts: 400,
        ends: State::Missing,
        answer: Some(ReceiptOutcome::ResultUnknown),
        ..story("another machine under the address in mid-run", &in_time)
    });
    list
}

fn asks_in_time(task: &mut BackupTask) {
    asks(task);
    task.spec.triggers.request_not_after = Some(time(600));
}
