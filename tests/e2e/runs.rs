//! The main job: a token applied with kubectl runs one backup, shows it, and keeps its result.

use serde_json::Value;

use crate::{
    harness::eventually,
    lab::{Lab, TASK, UNIQUE_KEY, condition},
};

fn answered(status: &Value, token: &str) -> bool {
    let receipt = &status["receipts"]["request"];
    receipt["token"] == token && receipt["outcome"] == "Succeeded"
}

#[tokio::test]
async fn a_token_runs_once_and_its_result_carries_every_field_of_the_seed() {
    let lab = Lab::with("run", abb_operator::simulator::Scenario::seed(), 100.0).await;
    lab.task("triggers: {request: a}").await;
    lab.until("the run is shown", |status| status["state"] == "Running")
        .await;
    let table = lab.namespace.kubectl(&["get", "bt"]).await.ok();
    assert!(table.contains("Running") && table.contains(TASK), "{table}");

    println!("{table}");
    let status = lab
        .until("the token is answered", |status| answered(status, "a"))
        .await;
    assert_eq!(lab.effects("backup").len(), 1);
    let table = lab.namespace.kubectl(&["get", "bt", "-o", "wide"]).await.ok();
    println!("{table}");
    assert!(table.contains("Success") && table.contains("Idle"), "{table}");
    let result = &status["lastResult"];
    let ended = lab.effects("run-ended");
    assert_eq!(result["resultId"].as_i64(), ended[0].result_id);
    for (field, value) in [
        ("status", Value::from("Success")),
        ("statusCode", 2.into()),
        ("action", "Backup".into()),
        ("actionCode", 1.into()),
        ("backupType", "PC".into()),
        ("backupTypeCode", 2.into()),
        ("transferredBytes", 4_754_168_380_i64.into()),
        ("successCount", 0.into()),
        ("warningCount", 0.into()),
        ("errorCount", 0.into()),
        ("noneCount", 0.into()),
        ("origin", "Request".into()),
        (
            "devices",
            serde_json::json!([{ "id": 1, "hostName": "HOSTNAME" }]),
        ),
    ] {
        assert_eq!(result[field], value, "{field} in {result:#}");
    }
    assert_eq!(result["activityUuid"].as_str().map(str::len), Some(36));
    for field in ["startTime", "endTime"] {
        let time = result[field].as_str().unwrap_or_default();
        assert!(
            time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'),
            "{field}: {time}"
        );
    }
    assert_eq!(status["receipts"]["request"]["resultId"], result["resultId"]);
    assert_eq!(status["task"]["uniqueKey"], UNIQUE_KEY);
    assert_eq!(status["history"][0]["triggers"][0]["token"], "a");
    assert!(status["intent"].is_null() && status["run"].is_null());
    assert_eq!(condition(&status, "Ready")["status"], "True");
    assert_eq!(condition(&status, "LastBackupSucceeded")["status"], "True");

    lab.task("triggers: {request: a}").await;
    lab.task("triggers: {request: b}").await;
    lab.until("the second token is answered", |status| answered(status, "b"))
        .await;
    assert_eq!(
        lab.effects("backup").len(),
        2,
        "one per token, none for applying the same file again"
    );
    let events = lab.events().await;
    for reason in ["BackupRequested", "BackupRunning", "BackupSucceeded"] {
        assert!(events.contains(reason), "{reason} in {events}");
    }
}

#[tokio::test]
async fn a_token_changed_in_mid_run_queues_a_second_run_and_loses_neither() {
    let lab = Lab::with("midrun", abb_operator::simulator::Scenario::seed(), 60.0).await;
    lab.task("triggers: {request: a}").await;
    lab.until("the first run is shown", |status| status["state"] == "Running")
        .await;
    lab.task("triggers: {request: b}").await;
    lab.until("it waits for the run", |status| {
        condition(status, "Ready")["reason"] == "WaitingForRun"
    })
    .await;
    let status = lab
        .until("the second token is answered", |status| answered(status, "b"))
        .await;
    assert_eq!(lab.effects("backup").len(), 2);
    let tokens: Vec<&Value> = status["history"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["triggers"].get(0))
        .map(|trigger| &trigger["token"])
        .collect();
    assert_eq!(tokens, ["b", "a"]);
}

#[tokio::test]
async fn a_cancel_token_ends_the_run_and_not_the_next_one() {
    let lab = Lab::with("cancel", abb_operator::simulator::Scenario::seed(), 20.0).await;
    lab.task("triggers: {request: a}\ncancel: {request: early}").await;
    let status = lab
        .until("the run is shown", |status| status["state"] == "Running")
        .await;
    assert_eq!(
        status["receipts"]["cancel"]["outcome"], "NothingToCancel",
        "there before the object was first seen"
    );
    lab.task("triggers: {request: a}\ncancel: {request: stop}").await;
    let status = lab
        .until("the run is cancelled", |status| {
            status["lastResult"]["status"] == "Canceled"
        })
        .await;
    assert_eq!(status["receipts"]["request"]["outcome"], "Canceled");
    assert_eq!(status["receipts"]["cancel"]["token"], "stop");
    assert_eq!(status["receipts"]["cancel"]["outcome"], "Canceled");
    assert_eq!(
        status["consecutiveFailures"].as_i64().unwrap_or(0),
        0,
        "a cancelled run is no failure"
    );
    lab.task("triggers: {request: b}\ncancel: {request: stop}").await;
    lab.until("the next run is shown", |status| status["state"] == "Running")
        .await;
    assert_eq!(lab.effects("cancel").len(), 1);
    lab.nas
        .control(abb_operator::simulator::Control::FinishTask { id: 1, status: 2 })
        .unwrap();
    lab.until("the next run succeeds", |status| answered(status, "b"))
        .await;
    assert_eq!(lab.effects("cancel").len(), 1);
}

#[tokio::test]
async fn suspend_plan_and_observe_send_nothing_and_lose_nothing() {
    let lab = Lab::new("held").await;
    lab.task("suspend: true\ntriggers: {request: a}").await;
    let status = lab
        .until("it says so", |status| {
            condition(status, "Ready")["reason"] == "Suspended"
        })
        .await;
    assert_eq!(
        condition(&status, "Ready")["status"],
        "True",
        "suspend leaves the verdict"
    );
    assert!(status["receipts"].is_null());
    for (mode, reason) in [("Plan", "Planned"), ("Observe", "Observing")] {
        lab.namespace
            .apply(&crate::lab::server(&lab.nas, &format!("mode: {mode}")))
            .await
            .ok();
        lab.task("triggers: {request: a}").await;
        let status = lab
            .until(reason, |status| condition(status, "Ready")["reason"] == reason)
            .await;
        assert!(status["receipts"].is_null() && status["intent"].is_null());
    }
    assert_eq!(lab.effects("backup").len(), 0);
    lab.namespace
        .apply(&crate::lab::server(&lab.nas, "mode: Enforce"))
        .await
        .ok();
    lab.until("what was due is run", |status| answered(status, "a"))
        .await;
    assert_eq!(lab.effects("backup").len(), 1);
    let events = lab.events().await;
    assert_eq!(
        events.matches("would send backup").count(),
        1,
        "one Event for the plan: {events}"
    );
}

#[tokio::test]
async fn a_run_of_somebody_else_is_shown_and_waited_for() {
    let lab = Lab::with("external", abb_operator::simulator::Scenario::seed(), 100.0).await;
    lab.task("").await;
    lab.until("it is bound", |status| {
        condition(status, "Bound")["status"] == "True"
    })
    .await;
    lab.nas
        .control(abb_operator::simulator::Control::StartTask {
            id: 1,
            origin: abb_operator::simulator::Origin::Person,
        })
        .unwrap();
    let status = lab
        .until("the run is shown", |status| status["state"] == "Running")
        .await;
    assert_eq!(status["run"]["origin"], "External");
    lab.task("triggers: {request: a}").await;
    lab.until("it waits", |status| {
        condition(status, "Ready")["reason"] == "WaitingForRun"
    })
    .await;
    let status = lab.until("ours follows", |status| answered(status, "a")).await;
    let origins: Vec<&Value> = status["history"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| &entry["origin"])
        .collect();
    assert_eq!(&origins[..2], ["Request", "External"]);
    eventually("the ledger has ours alone", async || {
        let ours = lab
            .effects("backup")
            .iter()
            .filter(|e| e.origin == abb_operator::simulator::Origin::Api)
            .count();
        (ours == 1).then_some(())
    })
    .await;
}
