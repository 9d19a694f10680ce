//! What the runs are about: a NAS, objects, what users and the NAS do meanwhile, and how it must end when nothing
//! goes wrong. Each is short; the faults make them interesting.

use abb_operator::{
    api::{BackupServer, BackupTask, CancelSpec, Reason, ReceiptOutcome, State},
    simulator::{self, Control, LastResultWhileRunning, Origin, ResultRowAt, ResultSpec, TaskSpec},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What somebody does at a second of the run.
pub enum Do {
    /// A user edits a task.
    Edit(&'static str, fn(&mut BackupTask)),
    /// A user edits the server.
    EditServer(fn(&mut BackupServer)),
    /// A user deletes a task.
    Delete(&'static str),
    /// Something happens to the NAS.
    Nas(Control),
    /// Where nothing goes wrong, the first task shows this reason then.
    See(Reason),
}

/// One story.
pub struct Scenario {
    pub name: &'static str,
    pub nas: simulator::Scenario,
    pub server: BackupServer,
    pub tasks: Vec<BackupTask>,
    /// Second, deed.
    pub script: Vec<(u64, Do)>,
    /// Seconds before which it cannot be over.
    pub lasts: u64,
    /// Runs of the operator when nothing goes wrong.
    pub backups: usize,
    /// State of the first task then.
    pub ends: State,
    /// How its token is answered then, where that is told.
    pub answer: Option<ReceiptOutcome>,
}

/// When every run begins: eight in the morning, UTC.
pub fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// That moment and some seconds.
pub fn at(second: i64) -> String {
    Timestamp::from_second(1_800_000_000 + second)
        .unwrap()
        .to_string()
}

pub(super) fn nas() -> simulator::Scenario {
    let task = |id: i64, result| TaskSpec {
        id: Some(id),
        name: Some(format!("task-{id}")),
        unique_key: Some(format!("key-{id}")),
        run_seconds: Some(60.0),
        result,
        last_result: Some(ResultSpec {
            time_start: Some(1_799_990_000),
            time_end: Some(1_799_990_100),
            ..ResultSpec::default()
        }),
        ..TaskSpec::default()
    };
    simulator::Scenario {
        tasks: vec![task(1, None), task(2, None)],
        ..simulator::Scenario::default()
    }
}

pub(super) fn server(spec: &Value) -> BackupServer {
    let mut all = json!({
        "url": "http://nas",
        "credentials": { "secretRef": { "name": "nas" } },
        "tls": { "allowPlaintext": true },
        "polling": { "idle": "2m", "active": "10s" },
        "timeouts": { "request": "20s", "settle": "60s" },
    });
    merge(&mut all, spec);
    BackupServer::new("nas", serde_json::from_value(all).unwrap())
}

pub(super) fn task(id: i64, spec: &Value) -> BackupTask {
    let mut all = json!({ "serverRef": { "name": "nas" }, "task": { "id": id } });
    merge(&mut all, spec);
    BackupTask::new(&format!("task-{id}"), serde_json::from_value(all).unwrap())
}

fn merge(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (key, value) in from {
            into.insert(key.clone(), value.clone());
        }
    }
}

pub(super) fn story(name: &'static str, spec: &Value) -> Scenario {
    Scenario {
        name,
        nas: nas(),
        server: server(&json!({})),
        tasks: vec![task(1, spec)],
        script: Vec::new(),
        lasts: 210,
        backups: 1,
        ends: State::Idle,
        answer: None,
    }
}

/// Every story.
pub fn all() -> Vec<Scenario> {
    let token = json!({ "triggers": { "request": "a" } });
    let mut list = vec![story("a token", &token)];
    list.extend(tokens(&token));
    list.extend(by_themselves());
    list.extend(in_progress(&token));
    list.extend(removals());
    list.extend(strange_nas(&token));
    list.extend(not_yet(&token));
    list.extend(super::stories::all(&token));
    list
}

/// The story of that name.
#[allow(dead_code, reason = "the test's")]
pub fn named(name: &str) -> Scenario {
    all().into_iter().find(|scenario| scenario.name == name).unwrap()
}

fn tokens(token: &Value) -> Vec<Scenario> {
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

/// The newest success of both tasks started at that second.
pub(super) fn aged(second: i64) -> simulator::Scenario {
    let mut nas = nas();
    for task in &mut nas.tasks {
        let result = task.last_result.get_or_insert_default();
        result.time_start = Some(1_800_000_000 + second);
        result.time_end = Some(1_800_000_000 + second + 50);
    }
    nas
}

fn by_themselves() -> Vec<Scenario> {
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

fn in_progress(token: &Value) -> Vec<Scenario> {
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

fn removals() -> Vec<Scenario> {
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

fn strange_nas(token: &Value) -> Vec<Scenario> {
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

/// What the NAS will not do now, and does later.
fn not_yet(token: &Value) -> Vec<Scenario> {
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

/// Tasks whose slots come in the first minutes, a few every minute, and a server with a limit.
pub fn crowd(tasks: usize, limit: i32) -> (BackupServer, Vec<BackupTask>) {
    let server = server(&json!({ "limits": { "maxConcurrentRuns": limit } }));
    let tasks = (1..=tasks).map(|number| {
        // The names are in another order than the slots.
        let minute = 1 + (number * 7) % 10;
        let schedule = format!("{minute} 8 15 1 *");
        task(
            i64::try_from(number).unwrap(),
            &json!({ "triggers": { "schedule": schedule } }),
        )
    });
    (server, tasks.collect())
}
