//! Removal destroys backups, so every guard is tried: what is missing sends nothing and is said; with all of them
//! the task is gone, once.

use abb_operator::simulator::Control;
use serde_json::json;

use crate::{
    harness::eventually,
    lab::{Lab, SEVERAL_POLLS, UNIQUE_KEY, condition, server},
};

fn now(confirm: &str) -> String {
    format!("removal: {{when: Now, confirm: {confirm:?}, notAfter: \"2099-01-01T00:00:00Z\"}}")
}

fn on_delete() -> String {
    format!("removal: {{when: OnDelete, confirm: {UNIQUE_KEY:?}}}")
}

async fn allow(lab: &Lab) {
    lab.namespace
        .apply(&server(&lab.nas, "removals: {allowed: true}"))
        .await
        .ok();
}

async fn is_withheld(lab: &Lab, reason: &str) {
    lab.until(reason, |status| {
        condition(status, "Ready")["reason"] == reason && condition(status, "Stalled")["status"] == "True"
    })
    .await;
    eventually(&format!("an Event says {reason}"), async || {
        lab.events().await.contains(reason).then_some(())
    })
    .await;
    assert_eq!(lab.requests("remove"), 0, "{reason}");
}

#[tokio::test]
async fn every_missing_guard_sends_nothing_and_is_said() {
    let lab = Lab::new("guard").await;
    let refused = lab
        .namespace
        .apply(&crate::lab::task(
            "laptop",
            crate::lab::TASK,
            "removal: {when: OnDelete}",
        ))
        .await
        .refused();
    assert!(refused.contains("confirm is required"), "{refused}");
    lab.task(&now(UNIQUE_KEY)).await;
    is_withheld(&lab, "RemovalNotAllowed").await;
    allow(&lab).await;
    lab.until("it goes on once allowed", |status| status["state"] == "Removed")
        .await;

    let lab = Lab::new("confirm").await;
    allow(&lab).await;
    lab.task(&now("another-key")).await;
    is_withheld(&lab, "RemovalNotConfirmed").await;
    let late = format!("removal: {{when: Now, confirm: {UNIQUE_KEY:?}, notAfter: \"2020-01-01T00:00:00Z\"}}");
    lab.task(&late).await;
    is_withheld(&lab, "RemovalNotAllowed").await;
    let locked = json!([{ "id": 9, "locked": true, "timeStart": 1, "timeEnd": 2 }]);
    let change = serde_json::from_value(json!({ "versions": locked })).unwrap();
    lab.nas
        .control(Control::ChangeTask {
            id: 1,
            change: Box::new(change),
        })
        .unwrap();
    lab.task(&now(UNIQUE_KEY)).await;
    is_withheld(&lab, "VersionLocked").await;
    let status = lab.status().await;
    assert_eq!(status["removalPlan"]["lockedVersions"], 1);
}

#[tokio::test]
async fn now_removes_once_and_stays_removed() {
    let lab = Lab::new("now").await;
    allow(&lab).await;
    lab.task(&now(UNIQUE_KEY)).await;
    let status = lab
        .until("it is removed", |status| status["state"] == "Removed")
        .await;
    assert_eq!(condition(&status, "Removed")["status"], "True");
    assert_eq!(condition(&status, "Ready")["status"], "True");
    assert_eq!(lab.effects("remove").len(), 1);
    let listed = lab.nas.control(Control::State).unwrap().to_string();
    assert!(!listed.contains(UNIQUE_KEY), "{listed}");
    assert!(
        lab.events().await.contains("RemovalPlanned"),
        "told before it was done"
    );
    let server = lab.namespace.get("bsrv", "nas").await;
    assert_eq!(server["status"]["removals"]["count"], 1, "the breaker counted it");
}

#[tokio::test]
async fn the_breaker_holds_the_second_removal_of_a_day() {
    let lab = Lab::new("breaker").await;
    lab.namespace
        .apply(&server(&lab.nas, "removals: {allowed: true, maxPerDay: 1}"))
        .await
        .ok();
    let other = json!({ "id": 2, "name": "other", "uniqueKey": "other-key" });
    let other = serde_json::from_value(other).unwrap();
    lab.nas.control(Control::AddTask(Box::new(other))).unwrap();
    lab.task(&now(UNIQUE_KEY)).await;
    lab.until("the first is removed", |status| status["state"] == "Removed")
        .await;
    lab.namespace
        .apply(&crate::lab::task("second", "other", &now("other-key")))
        .await
        .ok();
    eventually("the second waits", async || {
        let status = lab.namespace.get("bt", "second").await["status"].take();
        (condition(&status, "Ready")["reason"] == "RemovalBreakerOpen").then_some(())
    })
    .await;
    assert_eq!(lab.effects("remove").len(), 1);
}

#[tokio::test]
async fn on_delete_holds_the_object_until_the_task_is_gone() {
    let lab = Lab::new("ondelete").await;
    allow(&lab).await;
    lab.task(&on_delete()).await;
    lab.until("it is bound", |status| {
        condition(status, "Bound")["status"] == "True"
    })
    .await;
    eventually("the finalizer is there", async || {
        let object = lab.namespace.get("bt", "laptop").await;
        object["metadata"]["finalizers"]
            .to_string()
            .contains("activebackup.dev/removal")
            .then_some(())
    })
    .await;
    lab.namespace
        .kubectl(&["delete", "bt", "laptop", "--wait=false"])
        .await
        .ok();
    lab.until("it is held while the NAS deletes", |status| {
        status["state"] == "Deleting"
    })
    .await;
    lab.namespace
        .kubectl(&["wait", "--for=delete", "bt/laptop", "--timeout=30s"])
        .await
        .ok();
    assert_eq!(lab.effects("remove").len(), 1);
    assert_eq!(lab.effects("removed").len(), 1, "the object went after the task");
}

#[tokio::test]
async fn never_goes_at_once_even_with_the_nas_switched_off() {
    let lab = Lab::new("never").await;
    lab.task("triggers: {request: a}").await;
    lab.until("it has run", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    lab.nas.control(Control::Power { on: false }).unwrap();
    lab.server_reason("Unreachable").await;
    lab.namespace
        .kubectl(&["delete", "bt", "laptop", "--timeout=5s"])
        .await
        .ok();
    assert_eq!(lab.requests("remove"), 0);

    // With OnDelete the same NAS holds it, visibly, until somebody abandons the removal.
    lab.task(&on_delete()).await;
    eventually("the finalizer is there", async || {
        let object = lab.namespace.get("bt", "laptop").await;
        object["metadata"]["finalizers"].is_array().then_some(())
    })
    .await;
    lab.namespace
        .kubectl(&["delete", "bt", "laptop", "--wait=false"])
        .await
        .ok();
    lab.until("it says why", |status| {
        condition(status, "Ready")["reason"] == "ServerNotReady"
    })
    .await;
    lab.namespace
        .kubectl(&["annotate", "bt", "laptop", "activebackup.dev/abandon=true"])
        .await
        .ok();
    lab.namespace
        .kubectl(&["wait", "--for=delete", "bt/laptop", "--timeout=30s"])
        .await
        .ok();
    assert!(lab.events().await.contains("RemovalAbandoned"));
    lab.nas.control(Control::Power { on: true }).unwrap();
    tokio::time::timeout(SEVERAL_POLLS, lab.server_reason("Connected"))
        .await
        .unwrap();
    assert_eq!(lab.requests("remove"), 0);
}
