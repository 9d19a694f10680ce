//! Further stories: cancels, removals, identities, lists, modes and what is due, each with one thing of a NAS that the
//! protocol's last section names.

use abb_operator::{
    api::{BackupTask, CancelSpec, Mode, Reason, ReceiptOutcome, RemovalWhen, State, WhenRunning},
    simulator::{
        self, BackupWhileRunning, Behaviour, CancelWaiting, Control, Fault, FaultKind, Origin, RemoveRunning,
        ResultSpec, TaskChange, TaskSpec, VersionSpec,
    },
};
use serde_json::{Value, json};

use super::scenarios::{Do, Scenario, aged, at, nas, server, story, task};

const TASKS: &str = "SYNO.ActiveBackup.Task";
const OVERVIEW: &str = "SYNO.ActiveBackup.Overview";

/// Every story of this file.
pub fn all(token: &Value) -> Vec<Scenario> {
    let mut list = cancels(token);
    list.extend(removals());
    list.extend(removals_held_back());
    list.extend(identities());
    list.extend(lists(token));
    list.extend(modes());
    list.extend(results());
    list.extend(logins(token));
    list
}

fn with(change: impl FnOnce(&mut simulator::Scenario)) -> simulator::Scenario {
    let mut nas = nas();
    change(&mut nas);
    nas
}

fn behaving(change: impl FnOnce(&mut Behaviour)) -> simulator::Scenario {
    with(|nas| change(&mut nas.behaviour))
}

fn changed(change: TaskChange) -> Do {
    Do::Nas(Control::ChangeTask {
        id: 1,
        change: Box::new(change),
    })
}

fn started_by_a_person() -> Do {
    Do::Nas(Control::StartTask {
        id: 1,
        origin: Origin::Person,
    })
}

fn cancel(task: &mut BackupTask) {
    task.spec.cancel = Some(CancelSpec {
        request: "x".to_owned(),
    });
}

fn cancels(token: &Value) -> Vec<Scenario> {
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

fn remove_now(task: &mut BackupTask) {
    task.spec.removal.when = RemovalWhen::Now;
    task.spec.removal.confirm = Some("key-1".to_owned());
    task.spec.removal.not_after = at(10 * 86_400)
        .parse()
        .ok()
        .map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time);
}

fn removals() -> Vec<Scenario> {
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
                nas.behaviour.remove_running = RemoveRunning::Success;
                // The queue is older than the run by the time it arrives.
                nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
            }),
            server: allowed(),
            script: vec![(10, Do::Edit("task-1", remove_now)), (12, started_by_a_person())],
            backups: 0,
            ends: State::Removed,
            lasts: 400,
            ..story("a removal as a person starts a run", &json!({}))
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

fn removals_held_back() -> Vec<Scenario> {
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

fn identities() -> Vec<Scenario> {
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

fn slow(method: &str, api: &str, milliseconds: u64) -> Fault {
    Fault::new(FaultKind::Delay {
        milliseconds,
        before_effect: false,
    })
    .on(api, method)
    .times(0)
}

fn lists(token: &Value) -> Vec<Scenario> {
    vec![
        Scenario {
            server: server(&json!({ "polling": { "active": "2m" } })),
            nas: with(|nas| nas.tasks[0].run_seconds = Some(50.0)),
            script: vec![(
                60,
                Do::Nas(Control::AddResult {
                    id: 1,
                    result: ResultSpec {
                        job_action: Some(131_072),
                        ..ResultSpec::default()
                    },
                }),
            )],
            lasts: 400,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a run that only the history shows", token)
        },
        Scenario {
            nas: with(|nas| nas.faults = vec![slow("list", TASKS, 60_000)]),
            lasts: 600,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a list that takes a minute", token)
        },
        Scenario {
            nas: with(|nas| {
                let part = Fault::new(FaultKind::ShortPage { rows: 1 });
                nas.faults = vec![part.on(TASKS, "list").times(9)];
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("lists in parts", token)
        },
        Scenario {
            nas: with(|nas| {
                let refused = Fault::new(FaultKind::ErrorCode { code: 103 });
                nas.faults = vec![refused.on(OVERVIEW, "list_activity").times(0)];
            }),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a queue that cannot be read", token)
        },
        Scenario {
            nas: with(|nas| {
                nas.behaviour.backup_while_running = BackupWhileRunning::Conflict4007;
                // The queue is older than the person's run by the time it arrives.
                nas.faults = vec![slow("list_activity", OVERVIEW, 5_000)];
            }),
            script: vec![
                (
                    30,
                    Do::Edit("task-1", |task| {
                        task.spec.triggers.request = Some("a".to_owned());
                    }),
                ),
                (32, started_by_a_person()),
            ],
            backups: 0,
            answer: Some(ReceiptOutcome::Succeeded),
            ..story("a person is a moment faster", &json!({}))
        },
    ]
}

fn modes() -> Vec<Scenario> {
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

fn results() -> Vec<Scenario> {
    let ending = |result: i64| with(|nas| nas.tasks[0].result = Some(result));
    vec![
        Scenario {
            nas: ending(4),
            backups: 3,
            answer: Some(ReceiptOutcome::Failed),
            ..story(
                "retries that are used up",
                &json!({ "triggers": { "request": "a" }, "retries": 2, "retryBackoff": "30s" }),
            )
        },
        Scenario {
            nas: ending(9),
            answer: Some(ReceiptOutcome::ResultUnknown),
            ..story(
                "a result that nobody knows",
                &json!({ "triggers": { "request": "a" }, "retries": 2 }),
            )
        },
        Scenario {
            nas: ending(3),
            answer: Some(ReceiptOutcome::Succeeded),
            ..story(
                "a partial success that counts",
                &json!({ "triggers": { "request": "a" }, "partialIsSuccess": true, "retries": 2 }),
            )
        },
        Scenario {
            nas: with(|nas| nas.tasks[0].run_seconds = Some(200.0)),
            script: vec![(
                60,
                changed(TaskChange {
                    run_seconds: Some(15.0),
                    ..TaskChange::default()
                }),
            )],
            backups: 2,
            answer: Some(ReceiptOutcome::DeadlineExceeded),
            ..story(
                "another attempt after a deadline",
                &json!({
                    "triggers": { "request": "a" },
                    "activeDeadline": "30s",
                    "retries": 1,
                    "retryBackoff": "90s",
                }),
            )
        },
    ]
}

fn logins(token: &Value) -> Vec<Scenario> {
    vec![Scenario {
        server: server(&json!({ "polling": { "active": "1m" } })),
        script: vec![
            (20, Do::Nas(Control::Block { on: true })),
            (20, Do::Nas(Control::ExpireSessions)),
            (200, Do::See(Reason::ServerNotReady)),
            (300, Do::Nas(Control::Block { on: false })),
        ],
        lasts: 4000,
        answer: Some(ReceiptOutcome::Succeeded),
        ..story("a login that is blocked for a while", token)
    }]
}
