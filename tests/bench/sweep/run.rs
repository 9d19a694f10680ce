//! One run of the sweep: prepare, edit the spec, strike at the planned moment, wait until all is settled, judge.

use std::time::{Duration, Instant};

use abb_operator::{
    api::{BackupTaskStatus, IntentAction, Receipt, ReceiptOutcome, State},
    simulator::{Control, Effect, Fault as NasFault, FaultKind, RequestRecord, TaskChange, TaskSpec},
};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    ground::{Ground, NIGHTLY, NIGHTLY_ID},
    judge::{self, Finding, Kind},
    plan::{Action, Anchor, Fault, Manner, Plan},
};

/// A run that is not settled by then is lost.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);
/// A calm preparation: bound, running.
const PREPARED_WITHIN: Duration = Duration::from_secs(30);
/// A moment that does not come (a call that is not made any more) is not waited for longer.
const MOMENT_WITHIN: Duration = Duration::from_secs(30);
/// How often the NAS is looked at for a moment.
const LOOK: Duration = Duration::from_millis(2);

/// What came of a run.
pub struct Report {
    pub findings: Vec<Finding>,
    /// Effects of the action.
    pub effects: usize,
    /// From the edit to the settled status.
    pub settled: Duration,
    /// All there is to see, when something was found.
    pub evidence: String,
}

/// Carries out one run.
pub async fn run(ground: &mut Ground, plan: &Plan) -> Report {
    let object = object_name(plan);
    let leader = ground.leader().await;
    prepare(ground, plan, &object).await;
    edit(ground, &object, asked(plan)).await;
    let edited = Instant::now();
    moment(ground, plan, &object).await;
    let struck = strike(ground, plan, leader).await;
    let token = token(plan);
    let settled = ground
        .witness
        .until(&object, SETTLED_WITHIN, |status| {
            is_settled(plan.action, &token, status)
        })
        .await;
    let duration = edited.elapsed();
    let report = judge(ground, plan, struck, settled, duration);
    if plan.action == Action::Removal {
        let gone = ground.tasks.delete(&object, &DeleteParams::default()).await;
        gone.unwrap();
    }
    report
}

fn judge(
    ground: &mut Ground,
    plan: &Plan,
    mut findings: Vec<Finding>,
    settled: Result<BackupTaskStatus, Option<BackupTaskStatus>>,
    duration: Duration,
) -> Report {
    findings.extend(ground.crashed());
    findings.extend(ground.witness.take_findings());
    let logs = ground.logs();
    let (effects, requests) = ground.take_record();
    findings.extend(judge::effects(plan.action, &effects, &requests));
    match &settled {
        Ok(status) => findings.extend(judge::answers(plan.action, status, &effects)),
        Err(_) => findings.push(Finding::new(Kind::Lost, "not settled in time")),
    }
    let mut evidence = String::new();
    if !findings.is_empty() {
        let status = settled.unwrap_or_else(Option::unwrap_or_default);
        evidence = format!(
            "{plan}\nnamespace {}\nledger {effects:#?}\nrequests {}\nstatus {}\nlogs\n{logs}",
            ground.namespace.name(),
            mutations(&requests),
            serde_json::to_string_pretty(&status).unwrap()
        );
    }
    let of_action = |effect: &&Effect| effect.kind == plan.action.method();
    Report {
        effects: effects.iter().filter(of_action).count(),
        settled: duration,
        findings,
        evidence,
    }
}

/// The requests that are more than looking.
fn mutations(requests: &[RequestRecord]) -> String {
    let reads = [
        "list",
        "list_with_device",
        "list_activity",
        "list_result",
        "getinfo",
    ];
    let shown = requests
        .iter()
        .filter(|request| !reads.contains(&request.method.as_str()));
    format!("{:#?}", shown.collect::<Vec<_>>())
}

fn object_name(plan: &Plan) -> String {
    match plan.action {
        Action::Trigger | Action::Cancel => NIGHTLY.to_owned(),
        Action::Removal => format!("removal-{}", plan.number),
    }
}

fn token(plan: &Plan) -> String {
    format!("run-{}", plan.number)
}

/// Makes the NAS as the plan wants it, and brings the object to where the edit finds it.
async fn prepare(ground: &Ground, plan: &Plan, object: &str) {
    let row = if plan.row_at_end { "AtEnd" } else { "AtStart" };
    let behaviour = json!({ "resultRow": row, "startDelaySeconds": plan.start_delay });
    ground.nas.control(Control::Behaviour(behaviour)).unwrap();
    let change = TaskChange {
        run_seconds: Some(plan.run_seconds),
        result: Some(plan.result),
        ..TaskChange::default()
    };
    let change = Control::ChangeTask {
        id: NIGHTLY_ID,
        change: Box::new(change),
    };
    ground.nas.control(change).unwrap();
    if plan.action == Action::Removal {
        let spec = TaskSpec {
            name: Some(object.to_owned()),
            unique_key: Some(object.to_owned()),
            ..TaskSpec::default()
        };
        ground.nas.control(Control::AddTask(Box::new(spec))).unwrap();
        ground.declare(object, object).await;
    }
    let bound = |status: &BackupTaskStatus| status.task.is_some() && status.state == Some(State::Idle);
    let prepared = ground.witness.until(object, PREPARED_WITHIN, bound).await;
    prepared.unwrap_or_else(|seen| panic!("{object} is not bound: {seen:#?}\n{}", ground.logs()));
    if plan.action == Action::Cancel {
        edit(ground, object, json!({ "triggers": { "request": token(plan) } })).await;
        let running = |status: &BackupTaskStatus| {
            status.state == Some(State::Running) && status.run.is_some() && status.intent.is_none()
        };
        let prepared = ground.witness.until(object, PREPARED_WITHIN, running).await;
        prepared.unwrap_or_else(|seen| panic!("no run is in flight: {seen:#?}\n{}", ground.logs()));
    }
    if let Some(fault) = trouble(plan) {
        ground.nas.control(Control::AddFault(fault)).unwrap();
    }
}

fn trouble(plan: &Plan) -> Option<NasFault> {
    let kind = match plan.manner {
        Manner::Prompt => return None,
        Manner::SlowAnswer | Manner::SlowEffect => FaultKind::Delay {
            milliseconds: 300,
            before_effect: plan.manner == Manner::SlowEffect,
        },
        Manner::AnswerLost => FaultKind::LoseReplyAfter,
        Manner::CallLost => FaultKind::LoseReplyBefore,
        // The call's deadline is one second after it.
        Manner::LateEffect => FaultKind::LateEffect { milliseconds: 1500 },
    };
    Some(NasFault::new(kind).on("SYNO.ActiveBackup.Task", plan.action.method()))
}

/// What the edit asks for, as a patch of the spec.
fn asked(plan: &Plan) -> Value {
    match plan.action {
        Action::Trigger => json!({ "triggers": { "request": token(plan) } }),
        Action::Cancel => json!({ "cancel": { "request": token(plan) } }),
        Action::Removal => {
            let removal =
                json!({ "when": "Now", "confirm": object_name(plan), "notAfter": "2099-01-01T00:00:00Z" });
            json!({ "removal": removal })
        }
    }
}

async fn edit(ground: &Ground, object: &str, spec: Value) {
    let patch = Patch::Merge(json!({ "spec": spec }));
    ground
        .tasks
        .patch(object, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Waits for the planned moment.
async fn moment(ground: &Ground, plan: &Plan, object: &str) {
    let action = match plan.action {
        Action::Trigger => IntentAction::Backup,
        Action::Cancel => IntentAction::Cancel,
        Action::Removal => IntentAction::Remove,
    };
    match plan.anchor {
        Anchor::Edit => {}
        Anchor::Intent => {
            let recorded = |status: &BackupTaskStatus| {
                status
                    .intent
                    .as_ref()
                    .is_some_and(|intent| intent.action == action)
            };
            // In vain means that it was settled between two looks, or that it will not come: struck all the same.
            let _seen = ground.witness.until(object, MOMENT_WITHIN, recorded).await;
        }
        Anchor::Call => look(|| ground.requests_of(plan.action.method()) > 0).await,
        Anchor::End => {
            let end = match plan.action {
                Action::Trigger | Action::Cancel => "run-ended",
                Action::Removal => "removed",
            };
            look(|| ground.has_effect(end)).await;
        }
    }
    sleep(plan.delay).await;
}

async fn look(found: impl Fn() -> bool) {
    let end = Instant::now() + MOMENT_WITHIN;
    while !found() && Instant::now() < end {
        sleep(LOOK).await;
    }
}

/// Does to the processes what is planned, up to the point where there are two again.
async fn strike(ground: &mut Ground, plan: &Plan, leader: usize) -> Vec<Finding> {
    match plan.fault {
        Fault::KillLeader => {
            ground.replicas[leader].kill().await;
            ground.replace(leader);
        }
        Fault::PauseLeader => {
            ground.replicas[leader].signal("STOP");
            sleep(plan.pause).await;
            ground.replicas[leader].signal("CONT");
        }
        Fault::KillBoth => {
            for replica in &mut ground.replicas {
                replica.signal("KILL");
            }
            for place in [0, 1] {
                ground.replicas[place].kill().await;
                ground.replace(place);
            }
        }
        Fault::EndLeader => {
            let code = ground.replicas[leader].terminate().await;
            ground.replace(leader);
            if code != Some(0) {
                let text = format!("SIGTERM ended the leader with {code:?}");
                return vec![Finding::new(Kind::Crash, text)];
            }
        }
    }
    Vec::new()
}

/// Whether nothing is open any more and the token has its final answer.
fn is_settled(action: Action, token: &str, status: &BackupTaskStatus) -> bool {
    if status.intent.is_some() || status.run.is_some() {
        return false;
    }
    let receipts = status.receipts.as_ref();
    let answered = |receipt: Option<&Receipt>| {
        receipt.is_some_and(|receipt| receipt.token == token && receipt.outcome != ReceiptOutcome::Accepted)
    };
    let requested = || answered(receipts.and_then(|it| it.request.as_ref()));
    let canceled = || answered(receipts.and_then(|it| it.cancel.as_ref()));
    match action {
        Action::Trigger => status.state == Some(State::Idle) && requested(),
        Action::Cancel => status.state == Some(State::Idle) && requested() && canceled(),
        Action::Removal => status.state == Some(State::Removed),
    }
}
