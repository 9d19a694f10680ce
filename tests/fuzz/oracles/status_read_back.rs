//! A status that the operator reads back never leads to a second call (protocol, step 4; contract: a corrupt status leads
//! to `OutcomeUnknown`, never to a call).
//!
//! The NAS here shows no run, no result and no log row, so there is no evidence that could settle a found call. Then, in
//! the pass that finds the intent and in the one after it:
//!
//! - a status that cannot be read makes an object that is not judged at all;
//! - an intent that is there is seen, or the object cannot be read: it is never lost on the way;
//! - a found intent is not called again: whatever is called then carries a new identity, is no call of the same action
//!   on the same task (another identity is another task, also under the same number), and answers none of the triggers that the found one answers;
//! - but a token that neither the found call nor a receipt names is a new one, and may be asked for;
//! - a token whose receipt is final is not accepted again. (One that is `Accepted` without intent and run is due again by
//!   design: so a refusal that passes leaves it.)

use abb_operator::{
    api::{BackupTask, Intent, IntentAction, Mode, TriggerKind},
    decide::{Act, decide},
    nas::{Device, Task, TaskId, UniqueKey},
    observe::{Admission, Claim, Inventory, Knowledge, Observation, Queue, Reach, ServerFacts, bind},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::mutate::mutate;

const NOW: i64 = 1_800_000_000;
const NEW_ID: &str = "never-seen";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).expect("a time of this century")
}

/// The first byte chooses what is asked for and what was open, the others change the status.
pub fn check(script: &[u8]) {
    let Some((&choice, steps)) = script.split_first() else {
        return;
    };
    let (spec, mut status) = (spec(choice), status(choice));
    mutate(&mut status, &steps[..steps.len().min(64)]);
    judge(&spec, &status);
}

/// Judges one status read back.
pub fn judge(spec: &Value, status: &Value) {
    let document = json!({
        "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
        "metadata": {"name": "office", "namespace": "default", "uid": "u1", "generation": 1,
                     "creationTimestamp": at(-86_400).to_string()},
        "spec": spec, "status": status,
    });
    let Ok(object) = serde_json::from_value::<BackupTask>(document) else {
        return;
    };
    let read = object.status.clone().unwrap_or_default();
    let is_there = status.get("intent").is_some_and(|intent| !intent.is_null());
    assert_eq!(read.intent.is_some(), is_there, "an intent was lost: {status}");

    let mut object = object;
    let mut knowledge = Knowledge::default();
    for pass in 0..2_i64 {
        let now = at(pass);
        let inventory = inventory(now);
        let server = server();
        let bound = bind(&object, Some(&inventory), server.serial.as_deref());
        knowledge.find_intent(&object, now);
        knowledge.note(&object, &bound, &inventory);
        let observation = Observation {
            server: &server,
            reach: Reach::Readable,
            inventory: Some(&inventory),
            fresh: true,
            bound,
            claim: Claim::default(),
            admission: Admission::Open,
            results: Some(&[]),
            versions: Some(&[]),
            log: Some(&[]),
            knowledge: &knowledge,
        };
        let decision = decide(&object, &observation, now, NEW_ID);
        if let Act::Call(call) = &decision.act {
            if let Some(found) = &read.intent {
                not_again(found, call, status);
            }
            let receipt = read
                .receipts
                .as_ref()
                .and_then(|receipts| receipts.request.as_ref());
            let again = receipt.is_some_and(|receipt| {
                receipt.outcome.is_final() && answers(call, TriggerKind::Request, &receipt.token)
            });
            assert!(!again, "an answered token is accepted again: {call:?}\n{status}");
            return;
        }
        object.status = Some(decision.status);
    }
}

fn not_again(found: &Intent, call: &Intent, status: &Value) {
    assert!(call.id == NEW_ID, "a found call is sent: {call:?}\n{status}");
    assert!(
        call.action != found.action || call.unique_key != found.unique_key || is_new(found, call, status),
        "a found call is repeated: {call:?}\n{status}"
    );
    for trigger in &found.triggers {
        assert!(
            !call.triggers.contains(trigger),
            "a trigger is answered twice: {trigger:?}\n{status}"
        );
    }
}

/// Whether the call is for tokens that neither the found call nor a receipt names: new ones, which may move an object.
fn is_new(found: &Intent, call: &Intent, status: &Value) -> bool {
    let receipted = |token: &str| {
        ["request", "requestAnnotation"]
            .iter()
            .any(|slot| status["receipts"][slot]["token"] == token)
    };
    !found.triggers.is_empty()
        && !call.triggers.is_empty()
        && call.triggers.iter().all(|trigger| {
            trigger.token.as_deref().is_some_and(|token| !receipted(token))
                && !found.triggers.contains(trigger)
        })
}

fn answers(call: &Intent, kind: TriggerKind, token: &str) -> bool {
    call.action == IntentAction::Backup
        && call
            .triggers
            .iter()
            .any(|trigger| trigger.kind == kind && trigger.token.as_deref() == Some(token))
}

fn server() -> ServerFacts {
    ServerFacts {
        name: "nas".to_owned(),
        uid: "server".to_owned(),
        mode: Mode::Enforce,
        deleting: false,
        serial: Some("S1".to_owned()),
        settle: SignedDuration::from_secs(60),
        removals_allowed: true,
        removals_per_day: 5,
        breaker: (None, 0),
    }
}

fn inventory(now: Timestamp) -> Inventory {
    let device = Device {
        id: Some(1),
        host_name: "pc-1".to_owned(),
        os_name: None,
    };
    let task = Task {
        id: TaskId(7),
        name: "office".to_owned(),
        unique_key: UniqueKey::new("k7"),
        backup_type: Some(2),
        source_type: Some(1),
        device_count: Some(1),
        devices: vec![device],
        share_name: None,
        version_count: Some(0),
        versions: None,
        next_trigger_time: None,
        allow_manual_backup: Some(true),
        status: None,
        target_status: None,
        progress: None,
        last_result: None,
    };
    Inventory {
        begun: now,
        nas_time: Some(now),
        complete: true,
        tasks: vec![task],
        queue: Queue::Read(Vec::new()),
    }
}

pub fn spec(choice: u8) -> Value {
    let mut spec =
        json!({"serverRef": {"name": "nas"}, "task": {"name": "office"}, "triggers": {"request": "a"}});
    match choice % 4 {
        1 => spec["cancel"] = json!({"request": "c"}),
        2 => spec["removal"] = json!({"when": "Now", "confirm": "k7", "notAfter": at(600).to_string()}),
        3 => spec["triggers"] = json!({"request": "a", "schedule": "0 3 * * *"}),
        _ => {}
    }
    spec
}

pub fn status(choice: u8) -> Value {
    let past = |second: i64| at(second).to_string();
    let action = match choice % 4 {
        1 => "Cancel",
        2 => "Remove",
        _ => "Backup",
    };
    let triggers = match choice % 4 {
        3 => json!([{"kind": "Request", "token": "a"}, {"kind": "Schedule", "slot": past(-3_600)}]),
        1 | 2 => json!([]),
        _ => json!([{"kind": "Request", "token": "a"}]),
    };
    let receipt =
        |token: &str, outcome: &str| json!({"token": token, "outcome": outcome, "acceptedAt": past(-100)});
    let result = json!({
        "resultId": 10, "status": "Success", "statusCode": 2, "action": "Backup", "actionCode": 1,
        "startTime": past(-7_000), "endTime": past(-6_000), "origin": "External", "devices": [{"id": 1, "hostName": "pc-1"}],
    });
    let mut status = json!({
        "observedGeneration": 1, "state": "Idle", "stateSince": past(-5_000), "conditions": [],
        "task": {"id": 7, "name": "office", "uniqueKey": "k7", "backupType": "PC", "backupTypeCode": 2},
        "binding": {"selector": {"name": "office"}, "uniqueKey": "k7", "nasSerial": "S1"},
        "intent": {
            "id": "i0", "action": action, "attempt": 1, "serverUID": "server", "nasSerial": "S1", "taskId": 7, "uniqueKey": "k7",
            "baselineResultId": 10, "baselineRunActive": action == "Cancel", "recordedAt": past(-100), "nasTime": past(-100),
            "triggers": triggers,
        },
        "receipts": {
            "request": receipt("a", "Accepted"), "requestAnnotation": receipt("b", "Succeeded"), "cancel": receipt("c", "Accepted"),
            "schedule": {"expression": "0 3 * * *", "timeZone": "Etc/UTC", "since": past(-86_000), "lastSlot": past(-3_600), "nextSlot": past(80_000)},
        },
        "retryAttempt": 1, "refusals": 1, "unsettled": "i9", "dueSince": past(-100), "nextAttemptTime": past(-10),
        "lastResult": result, "lastSuccess": result, "lastSuccessTime": past(-6_000), "lastRunEndTime": past(-6_000),
        "consecutiveFailures": 0,
        "removalPlan": {"versions": 0, "lockedVersions": 0},
    });
    if choice & 0x10 != 0 {
        status["run"] = json!({
            "origin": "Request", "triggers": [{"kind": "Request", "token": "a"}], "resultId": 12, "baselineResultId": 11,
            "requestedAt": past(-100), "startedAt": past(-90),
        });
    }
    if choice & 0x20 != 0
        && let Some(fields) = status.as_object_mut()
    {
        for name in [
            "unsettled",
            "retryAttempt",
            "refusals",
            "nextAttemptTime",
            "lastResult",
            "lastSuccess",
        ] {
            fields.remove(name);
        }
    }
    status
}
