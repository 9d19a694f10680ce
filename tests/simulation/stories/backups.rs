//! `backup` where a run is in progress, the queue is full, or the NAS will not do it now.

use abb_operator::{
    api::Reason,
    simulator::{self, Control, LastResultWhileRunning, Origin, ResultRowAt, ResultSpec},
};
use serde_json::{Value, json};

use super::super::scenarios::{Do, Scenario, nas, story, task};

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
    let change = |change: simulator::TaskChange| {
        Do::Nas(Control::ChangeTask {
            id: 1,
            change: Box::new(change),
        })
    };
    let offline = |how: simulator::AgentOffline| {
        let mut nas = nas();
        nas.tasks[0].agent_online = Some(false);
        nas.behaviour.agent_offline = how;
        nas
    };
    let online = || {
        change(simulator::TaskChange {
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
        change(simulator::TaskChange {
            window_open: Some(true),
            ..Default::default()
        })
    };
    let package = |state| Do::Nas(Control::Package { state });
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
            nas: {
                let mut nas = nas();
                nas.max_concurrent_devices = 1;
                nas.tasks[1].run_seconds = Some(200.0);
                nas
            },
            script: vec![
                (
                    1,
                    Do::Nas(Control::StartTask {
                        id: 2,
                        origin: Origin::Person,
                    }),
                ),
                (
                    10,
                    Do::Edit("task-1", |task| task.spec.triggers.request = Some("a".to_owned())),
                ),
                (100, Do::See(Reason::BackupRunning)),
            ],
            lasts: 400,
            ..story("a queue that is full", &json!({}))
        },
        Scenario {
            script: vec![
                (0, package(simulator::PackageState::Upgrading)),
                (100, Do::See(Reason::ServerNotReady)),
                (300, package(simulator::PackageState::Running)),
            ],
            lasts: 700,
            ..story("a package that is being upgraded", token)
        },
        Scenario {
            nas: {
                let mut nas = nas();
                nas.behaviour.backup_while_running = simulator::BackupWhileRunning::Success;
                nas
            },
            ..story("a second run waits behind the first", token)
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

pub(super) fn strange_nas(token: &Value) -> Vec<Scenario> {
    let behaving = |change: fn(&mut simulator::Behaviour)| {
        let mut nas = nas();
        change(&mut nas.behaviour);
        nas
    };
    vec![
        Scenario {
            nas: behaving(|b| {
                b.result_row = ResultRowAt::AtEnd;
                b.emit_status = false;
                b.start_delay_seconds = 90.0;
            }),
            ..story("a queue and no row before the end", token)
        },
        Scenario {
            nas: {
                let mut nas = behaving(|b| b.last_result_while_running = LastResultWhileRunning::Running);
                // It ends between two polls, and the deletion stands over its result at the second one.
                nas.tasks[0].run_seconds = Some(55.0);
                nas
            },
            script: [57, 100]
                .map(|second| {
                    let result = ResultSpec {
                        job_action: Some(131_072),
                        ..ResultSpec::default()
                    };
                    (second, Do::Nas(Control::AddResult { id: 1, result }))
                })
                .into(),
            ..story("a version deletion on top", token)
        },
        Scenario {
            nas: behaving(|b| {
                b.backup_while_running = simulator::BackupWhileRunning::SuccessLogOnly;
                b.cancel_idle = simulator::CancelIdle::Error1201;
                b.polymorphic_rows = true;
            }),
            script: vec![(
                25,
                Do::Nas(Control::StartTask {
                    id: 1,
                    origin: Origin::Person,
                }),
            )],
            ..story("a person starts a run in the same moment", token)
        },
        Scenario {
            nas: simulator::Scenario {
                clock_offset_seconds: -10_000,
                ..nas()
            },
            ..story("a NAS clock hours behind", token)
        },
    ]
}
