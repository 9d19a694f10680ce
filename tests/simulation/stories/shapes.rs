//! Refusals in other shapes, and rows with numbers that nobody knows or in the types of other versions.

use abb_operator::{
    api::{BackupTask, Reason, ReceiptOutcome, State},
    simulator::{self, Control, ErrorShape, TaskChange, TaskSpec, WindowClosed},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, nas, server, story, task},
    behaving, changed,
    removals::remove_now,
    with,
};

const SHAPES: [ErrorShape; 6] = [
    ErrorShape::Object,
    ErrorShape::List,
    ErrorShape::Text,
    ErrorShape::CodeAsText,
    ErrorShape::Null,
    ErrorShape::Absent,
];

/// Names in the order of the shapes.
type Names = [&'static str; 6];

const SESSIONS: Names = [
    "a session that is over, told with an object",
    "a session that is over, told with a list",
    "a session that is over, told with a text",
    "a session that is over, told with the code as text",
    "a session that is over, told with null",
    "a session that is over, told without a word",
];
const WINDOWS: Names = [
    "a window that is closed, told with an object",
    "a window that is closed, told with a list",
    "a window that is closed, told with a text",
    "a window that is closed, told with the code as text",
    "a window that is closed, told with null",
    "a window that is closed, told without a word",
];
const PASSWORDS: Names = [
    "a wrong password, told with an object",
    "a wrong password, told with a list",
    "a wrong password, told with a text",
    "a wrong password, told with the code as text",
    "a wrong password, told with null",
    "a wrong password, told without a word",
];

/// Each refusal in every shape. Some hide the code, and nothing is known of why.
pub(super) fn refusals(token: &Value) -> Vec<Scenario> {
    let sessions = SHAPES.into_iter().zip(SESSIONS).map(|(shape, name)| Scenario {
        nas: behaving(|b| b.error_shape = shape),
        script: vec![(25, Do::Nas(Control::ExpireSessions))],
        lasts: 400,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    let windows = SHAPES.into_iter().zip(WINDOWS).map(|(shape, name)| Scenario {
        nas: with(|nas| {
            nas.behaviour.error_shape = shape;
            nas.behaviour.window_closed = WindowClosed::Error1104;
            nas.tasks[0].window_open = Some(false);
        }),
        script: vec![(
            150,
            changed(TaskChange {
                window_open: Some(true),
                ..TaskChange::default()
            }),
        )],
        lasts: 900,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    // However it is told, no login may be repeated so often that the NAS blocks them.
    let passwords = SHAPES.into_iter().zip(PASSWORDS).map(|(shape, name)| Scenario {
        nas: behaving(|b| {
            b.error_shape = shape;
            b.lockout_after = Some(3);
        }),
        secret: &[("password", "wrong")],
        script: vec![
            (300, Do::Secret(&[("password", "simulated-password")])),
            (900, Do::NeverAnswered("login", "407")),
            (900, Do::SeeServer(Reason::Connected)),
            (900, Do::Nas(Control::Block { on: false })),
        ],
        lasts: 900,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, token)
    });
    sessions.chain(windows).chain(passwords).collect()
}

/// A NAS with more tasks, so that rows of every kind are there.
fn six(change: impl FnOnce(&mut simulator::Scenario)) -> simulator::Scenario {
    let mut nas = nas();
    let more = (3..=6).map(|id: i64| TaskSpec {
        id: Some(id),
        name: Some(format!("task-{id}")),
        unique_key: Some(format!("key-{id}")),
        ..nas.tasks[0].clone()
    });
    let more: Vec<TaskSpec> = more.collect();
    nas.tasks.extend(more);
    change(&mut nas);
    nas
}

pub(super) fn rows(token: &Value) -> Vec<Scenario> {
    let one = |name, id, nas, answer| Scenario {
        nas,
        tasks: vec![task(id, token)],
        lasts: 300,
        answer: Some(answer),
        ..story(name, token)
    };
    let unknown = || six(|nas| nas.behaviour.unknown_enums = true);
    let odd = || six(|nas| nas.behaviour.polymorphic_rows = true);
    let everything = || {
        six(|nas| {
            nas.behaviour.polymorphic_rows = true;
            nas.behaviour.polymorphic_retention = true;
            nas.behaviour.retention_after_run = true;
            nas.behaviour.text_plain = true;
        })
    };
    let all = || -> Vec<BackupTask> { (1..=6).map(|id| task(id, token)).collect() };
    vec![
        one(
            "kinds and a status that nobody knows",
            1,
            unknown(),
            ReceiptOutcome::Succeeded,
        ),
        one(
            "a result row with a status that nobody knows",
            2,
            unknown(),
            ReceiptOutcome::ResultUnknown,
        ),
        // A job of several kinds is no backup, whatever else it did.
        one(
            "a result row with an action that nobody knows",
            3,
            unknown(),
            ReceiptOutcome::ResultUnknown,
        ),
        one(
            "a result row of which nobody knows anything",
            6,
            unknown(),
            ReceiptOutcome::ResultUnknown,
        ),
        one(
            "a row as text and without its key",
            3,
            odd(),
            ReceiptOutcome::Succeeded,
        ),
        one(
            "a row with nulls and without its key",
            6,
            odd(),
            ReceiptOutcome::Succeeded,
        ),
        Scenario {
            nas: everything(),
            tasks: all(),
            lasts: 900,
            backups: 6,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("rows of every shape at once", token)
        },
        Scenario {
            nas: odd(),
            server: server(&json!({ "removals": { "allowed": true } })),
            script: vec![(10, Do::Edit("task-1", remove_now))],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a removal of a task whose row is text", &json!({}))
        },
    ]
}
