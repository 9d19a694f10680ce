//! `backup` where a run is in progress, the queue is full, or the NAS will not do it now.

use abb_operator::{
    api::{Reason, ReceiptOutcome},
    simulator::{self, BackupWhileRunning, Control, Fault, FaultKind, Origin, ResultRowAt},
};
use serde_json::{Value, json};

use super::{
    super::scenarios::{Do, Scenario, nas, story, task},
    OVERVIEW, TASKS, asks, behaving, changed, slow, started_by_a_person, with,
};

pub(super) fn in_progress(token: &Value) -> Vec<Scenario> {
    let external = || {
        vec![(
            1,
            Do::Nas(Control::StartTask {
                id: 1,
                origin: Origin::Person,
            }),
        )]
    };
    let with = |key: &str, value: &str| {
        let mut spec = token.clone();
        spec[key] = json!(value);
        spec
    };
    let late = |spec: &Value| {
        let mut script = external();
        script.push((
            20,
            Do::Edit("task-1", |task| task.spec.triggers.request = Some("a".to_owned())),
        ));
        let mut spec = spec.clone();
        spec["triggers"] = json!({});
        (script, spec)
    };
    let (script, wait) = late(token);
    let (adopt_script, adopt) = late(&with("whenRunning", "Adopt"));
    let (replace_script, replace) = late(&with("whenRunning", "Replace"));
    vec![
        Scenario {
            script,
            ..story("Wait", &wait)
        },
        Scenario {
            script: adopt_script,
            backups: 0,
            ..story("Adopt", &adopt)
        },
        Scenario {
            script: replace_script,
            ..story("Replace", &replace)
        },
        story("a deadline", &with("activeDeadline", "30s")),
    ]
}

/// What the NAS will not do now, and does later.
pub(super) fn not_yet(token: &Value) -> Vec<Scenario> {
    let offline = |how: simulator::AgentOffline| {
        let mut nas = nas();
        nas.tasks[0].agent_online = Some(false);
        nas.behaviour.agent_offline = how;
        nas
    };
    let online = || {
        changed(simulator::TaskChange {
            agent_online: Some(true),
            ..Default::default()
        })
    };
    let closed = |how: simulator::WindowClosed| {
        let mut nas = nas();
        nas.tasks[0].window_open = Some(false);
        nas.behaviour.window_closed = how;
        nas
    };
    let open = || {
        changed(simulator::TaskChange {
            window_open: Some(true),
            ..Default::default()
        })
    };
    vec![
        Scenario {
            nas: offline(simulator::AgentOffline::Error5001),
            script: vec![(100, Do::See(Reason::BackupRefused)), (200, online())],
            lasts: 400,
            ..story("an agent that is offline", token)
        },
        Scenario {
            nas: offline(simulator::AgentOffline::Paused),
            script: vec![(100, Do::See(Reason::BackupRunning)), (200, online())],
            lasts: 400,
            ..story("an agent that is offline, the run paused", token)
        },
        Scenario {
            nas: offline(simulator::AgentOffline::Cancelled),
            script: vec![(200, online())],
            lasts: 400,
            answer: Some(ReceiptOutcome::Canceled),
            ..story("an agent that is offline, the run cancelled", token)
        },
        Scenario {
            nas: closed(simulator::WindowClosed::Error1104),
            script: vec![(100, Do::See(Reason::BackupRefused)), (200, open())],
            lasts: 400,
            ..story("a backup window that is closed", token)
        },
        Scenario {
            nas: closed(simulator::WindowClosed::Error1105),
            script: vec![(100, Do::See(Reason::BackupRefused)), (500, open())],
            lasts: 1300,
            ..story("a backup window that is closed for longer", token)
        },
        Scenario {
            nas: closed(simulator::WindowClosed::LogOnly),
            script: vec![(150, Do::See(Reason::BackupRefused)), (200, open())],
            lasts: 700,
            ..story("a backup window that only the log tells of", token)
        },
        Scenario {
            tasks: vec![
                task(1, token),
                task(9, &json!({})),
                task(2, &json!({ "triggers": { "schedule": "0 0 30 2 *" } })),
            ],
            script: vec![(30, Do::See(Reason::BackupRunning))],
            ..story("broken objects beside it", token)
        },
    ]
}

/// Runs that wait at the NAS for others to end.
pub(super) fn queued(token: &Value) -> Vec<Scenario> {
    let full = |change: fn(&mut simulator::Behaviour)| {
        let mut nas = behaving(change);
        nas.max_concurrent_devices = 1;
        nas.tasks[1].run_seconds = Some(200.0);
        nas
    };
    let other = || {
        let (id, origin) = (2, Origin::Person);
        (1, Do::Nas(Control::StartTask { id, origin }))
    };
    let asked = || (10, Do::Edit("task-1", asks));
    vec![
        Scenario {
            nas: full(|_| {}),
            script: vec![other(), asked(), (100, Do::See(Reason::BackupRunning))],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a queue that is full", &json!({}))
        },
        Scenario {
            nas: full(|b| {
                b.result_row = ResultRowAt::AtEnd;
                b.emit_status = false;
            }),
            script: vec![other(), asked()],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a queue that is full, and no row before the end", &json!({}))
        },
        Scenario {
            nas: with(|nas| {
                *nas = full(|_| {});
                nas.faults = vec![Fault::new(FaultKind::LoseReplyAfter).on(TASKS, "backup")];
            }),
            script: vec![other(), asked()],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a queue that is full, and a lost reply", &json!({}))
        },
        Scenario {
            nas: behaving(|b| b.start_delay_seconds = 100.0),
            // It counts the time of running alone.
            ..story(
                "a deadline that a queue does not use up",
                &json!({ "triggers": token["triggers"], "activeDeadline": "90s" }),
            )
        },
    ]
}

/// A person's run starts between our look and our call: each answer to the second `backup`.
pub(super) fn races() -> Vec<Scenario> {
    use BackupWhileRunning::{Conflict1202, Conflict4007, Success, SuccessLogOnly};
    let mut list: Vec<Scenario> = [
        ("a person is a moment faster, 1202", Conflict1202, 0, "1202"),
        ("a person is a moment faster, 4007", Conflict4007, 0, "4007"),
        (
            "a person is a moment faster, the second run waits",
            Success,
            1,
            "ok",
        ),
        (
            "a person is a moment faster, only the log tells",
            SuccessLogOnly,
            0,
            "ok",
        ),
    ]
    .map(|(name, how, backups, outcome)| Scenario {
        nas: with(|nas| {
            nas.behaviour.backup_while_running = how;
            // The queue is older than the person's run by the time it arrives.
            nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
        }),
        script: vec![
            (30, Do::Edit("task-1", asks)),
            (32, started_by_a_person()),
            (60, Do::Answered("backup", outcome)),
        ],
        backups,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story(name, &json!({}))
    })
    .into();
    list.push(Scenario {
        nas: behaving(|b| {
            b.backup_while_running = SuccessLogOnly;
            b.cancel_idle = simulator::CancelIdle::Error1201;
            b.polymorphic_rows = true;
        }),
        script: vec![(25, started_by_a_person())],
        ..story(
            "a person starts a run in the same moment",
            &json!({ "triggers": { "request": "a" } }),
        )
    });
    list
}
