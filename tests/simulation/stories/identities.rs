//! Which task is meant: renamed, doubled, replaced, gone.

use abb_operator::{
    api::{Reason, ReceiptOutcome},
    simulator::{Control, TaskChange, TaskSpec},
};
use serde_json::json;

use super::{
    super::scenarios::{Do, Scenario, story},
    changed, with,
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
