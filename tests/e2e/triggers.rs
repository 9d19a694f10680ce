//! What asks for a run by itself or meets one, on the real API server: a slot, an age, retries, a deadline, Adopt and
//! Replace. The rules themselves are the tables' over `decide`; here the ledger shows that they are carried out.

use std::time::Duration;

use abb_operator::simulator::{Control, Origin, ResultSpec, Scenario, TaskChange, TaskSpec};
use serde_json::Value;

use crate::{
    harness::eventually_within,
    lab::{Lab, TASK, condition},
};

/// A run takes some 26 seconds.
const SLOWLY: f64 = 20.0;

fn answered(status: &Value, token: &str, outcome: &str) -> bool {
    let receipt = &status["receipts"]["request"];
    receipt["token"] == token && receipt["outcome"] == outcome
}

/// The seed's task, whose newest success ended so many seconds ago.
fn aged(seconds: i64) -> Scenario {
    let now = jiff::Timestamp::now().as_second();
    let result = ResultSpec {
        time_start: Some(now - seconds),
        time_end: Some(now - seconds + 1),
        ..ResultSpec::default()
    };
    let task = TaskSpec {
        name: Some(TASK.to_owned()),
        run_seconds: Some(522.0),
        last_result: Some(result),
        ..TaskSpec::default()
    };
    Scenario {
        tasks: vec![task],
        ..Scenario::default()
    }
}

#[tokio::test]
async fn a_slot_of_the_schedule_runs_once() {
    let lab = Lab::new("slot").await;
    lab.task("triggers: {schedule: \"* * * * *\"}").await;
    let status = lab
        .until("the slot is known", |status| status["nextRunTime"].is_string())
        .await;
    let slot = status["receipts"]["schedule"]["nextSlot"].clone();
    assert_eq!(lab.effects("backup").len(), 0, "first sight starts nothing");
    // A slot is a minute away at most.
    let status = eventually_within("the slot has run", Duration::from_secs(100), async || {
        let status = lab.status().await;
        (status["lastResult"]["origin"] == "Schedule").then_some(status)
    })
    .await;
    assert_eq!(status["receipts"]["schedule"]["lastSlot"], slot);
    assert_eq!(status["history"][0]["triggers"][0]["slot"], slot);
    assert_eq!(lab.effects("backup").len(), 1);
}

#[tokio::test]
async fn an_age_that_is_exceeded_runs_and_a_fresh_one_does_not() {
    let lab = Lab::with("age", aged(7200), 300.0).await;
    lab.task("triggers: {maxAge: 1h}\nreadiness: Fresh").await;
    let status = lab
        .until("a run made it fresh", |status| {
            condition(status, "Ready")["status"] == "True" && status["run"].is_null()
        })
        .await;
    assert_eq!(status["lastResult"]["origin"], "MaxAge");
    assert_eq!(condition(&status, "Fresh")["reason"], "WithinMaxAge");
    assert!(condition(&status, "Reconciling").is_null(), "{status:#}");
    assert_eq!(status["nextRunTime"], status["freshUntil"]);
    assert_eq!(lab.effects("backup").len(), 1);
}

#[tokio::test]
async fn an_age_that_the_nas_s_own_run_satisfies_asks_for_nothing() {
    let lab = Lab::with("own", aged(3580), SLOWLY).await;
    lab.nas
        .control(Control::StartTask {
            id: 1,
            origin: Origin::Schedule,
        })
        .unwrap();
    // The age lapses while that run is in progress.
    lab.task("triggers: {maxAge: 1h}").await;
    let status = lab
        .until("the run has ended", |status| {
            status["lastResult"]["origin"] == "External"
                && status["history"]
                    .as_array()
                    .is_some_and(|history| history.len() > 1)
        })
        .await;
    assert_eq!(condition(&status, "Fresh")["status"], "True");
    assert_eq!(lab.effects("backup").len(), 1, "the NAS's own and no other");
}

#[tokio::test]
async fn a_failed_run_is_tried_again_after_its_backoff() {
    let lab = Lab::new("retry").await;
    let failing = |result| Control::ChangeTask {
        id: 1,
        change: Box::new(TaskChange {
            result: Some(result),
            ..TaskChange::default()
        }),
    };
    lab.nas.control(failing(4)).unwrap();
    lab.task("triggers: {request: a}\nretries: 2\nretryBackoff: 10s")
        .await;
    let status = lab
        .until("the first run has failed", |status| {
            answered(status, "a", "Failed") && status["nextAttemptTime"].is_string()
        })
        .await;
    assert_eq!(status["nextRunTime"], status["nextAttemptTime"]);
    lab.nas.control(failing(2)).unwrap();
    let status = lab
        .until("another attempt has succeeded", |status| {
            status["lastResult"]["origin"] == "Retry" && status["lastResult"]["status"] == "Success"
        })
        .await;
    assert!(status["nextAttemptTime"].is_null() && status["consecutiveFailures"] == 0);
    assert!(lab.effects("backup").len() <= 3);
}

#[tokio::test]
async fn a_run_beyond_its_deadline_is_cancelled() {
    let lab = Lab::with("deadline", Scenario::seed(), 20.0).await;
    lab.task("triggers: {request: a}\nactiveDeadline: 3s").await;
    let status = lab
        .until("it is over", |status| answered(status, "a", "DeadlineExceeded"))
        .await;
    assert_eq!(status["lastResult"]["status"], "Canceled");
    assert_eq!(status["consecutiveFailures"], 1);
    assert_eq!(lab.effects("cancel").len(), 1);
}

#[tokio::test]
async fn adopt_takes_the_run_in_progress_for_an_answer() {
    let lab = Lab::with("adopt", Scenario::seed(), SLOWLY).await;
    start_by_hand(&lab).await;
    lab.task("triggers: {request: a}\nwhenRunning: Adopt").await;
    let status = lab
        .until("the token is answered", |status| {
            answered(status, "a", "Succeeded")
        })
        .await;
    assert_eq!(status["lastResult"]["origin"], "External");
    assert_eq!(lab.effects("backup").len(), 1, "nothing was asked for");
}

#[tokio::test]
async fn replace_cancels_the_run_in_progress_and_starts_another() {
    let lab = Lab::with("replace", Scenario::seed(), SLOWLY).await;
    start_by_hand(&lab).await;
    lab.task("triggers: {request: a}\nwhenRunning: Replace").await;
    lab.until("the token is answered", |status| {
        answered(status, "a", "Succeeded")
    })
    .await;
    assert_eq!(lab.effects("cancel").len(), 1);
    assert_eq!(lab.effects("backup").len(), 2);
    let statuses: Vec<_> = lab
        .effects("run-ended")
        .iter()
        .map(|effect| effect.status)
        .collect();
    assert_eq!(statuses, [Some(5), Some(2)]);
}

/// A person starts a run, and the operator sees it.
async fn start_by_hand(lab: &Lab) {
    lab.task("").await;
    lab.until("it is bound", |status| status["task"].is_object())
        .await;
    let by_hand = Control::StartTask {
        id: 1,
        origin: Origin::Person,
    };
    lab.nas.control(by_hand).unwrap();
    lab.until("it shows", |status| status["state"] == "Running").await;
}
