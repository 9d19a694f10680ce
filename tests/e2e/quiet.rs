//! A settled system: no write but Lease renewals, one read of the NAS per poll however many tasks; and no secret in
//! anything that can be read.

use std::fmt::Write;

use abb_operator::simulator::{Control, Scenario};

use crate::{
    harness::eventually,
    lab::{Lab, condition, secret, task},
};

/// Polls of the NAS that are watched for silence.
const POLLS: usize = 5;

async fn is_quiet(lab: &Lab) {
    let writes = || {
        let requests = lab.namespace.cluster().operator_requests(lab.namespace.name());
        requests
            .into_iter()
            .filter(|line| !line.contains("leases"))
            .filter(|line| {
                ["create", "update", "patch", "delete"]
                    .iter()
                    .any(|verb| line.starts_with(verb))
            })
            .collect::<Vec<_>>()
    };
    let polls = || lab.requests("list");
    // Settled: the writes have come to an end for two polls.
    let mut before = (writes().len(), polls());
    eventually("the writes end", async || {
        let now = (writes().len(), polls());
        if now.0 != before.0 {
            before = now;
        }
        (now.1 >= before.1 + 2).then_some(())
    })
    .await;
    lab.nas.control(Control::ResetRequests).unwrap();
    let written = writes();
    eventually("some polls pass", async || (polls() >= POLLS).then_some(())).await;
    assert_eq!(writes(), written, "a quiet pass writes nothing");
    let requests = lab.nas.requests();
    assert!(
        requests.iter().all(|request| request.method == "list"),
        "only the inventory is read: {requests:#?}"
    );
}

#[tokio::test]
async fn one_task_settles_and_stays_quiet() {
    let lab = Lab::new("quiet").await;
    lab.task("triggers: {request: a}").await;
    lab.until("it has run", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    is_quiet(&lab).await;
}

#[tokio::test]
async fn two_hundred_tasks_cost_one_read_per_poll() {
    let scenario = serde_json::json!({ "generateTasks": 200 });
    let scenario: Scenario = serde_json::from_value(scenario).unwrap();
    let lab = Lab::with("many", scenario, 300.0).await;
    lab.server_reason("Connected").await;
    let mut manifests = String::new();
    for number in 1..=200 {
        let name = format!("task-{number:04}");
        writeln!(manifests, "{}---", task(&name, &name, "")).unwrap();
    }
    lab.namespace.apply(&manifests).await.ok();
    eventually("all are bound", async || {
        let list = lab.namespace.get("bsrv", "nas").await;
        let bound = list["status"]["tasks"]["bound"].as_i64();
        if bound == Some(200) {
            Ok(())
        } else {
            Err(format!("{bound:?}"))
        }
    })
    .await;
    is_quiet(&lab).await;
}

#[tokio::test]
async fn no_secret_can_be_read_anywhere() {
    let lab = Lab::new("secrets").await;
    let password = "planted-password-9d1e";
    lab.nas
        .control(Control::Password {
            password: password.to_owned(),
        })
        .unwrap();
    lab.namespace
        .apply(&secret("planted-wrong-password-77aa"))
        .await
        .ok();
    lab.nas.control(Control::ExpireSessions).unwrap();
    lab.server_reason("CredentialsRejected").await;
    lab.namespace.apply(&secret(password)).await.ok();
    lab.server_reason("Connected").await;
    lab.task("triggers: {request: a}").await;
    lab.until("it has run", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    let canaries = lab.nas.control(Control::State).unwrap()["behaviour"]["pollute"].clone();
    let mut secrets = vec![
        password.to_owned(),
        "planted-wrong-password-77aa".to_owned(),
        "canary-".to_owned(),
    ];
    secrets.extend(
        canaries
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, value)| value.as_str())
            .map(str::to_owned),
    );
    assert!(!condition(&lab.status().await, "Ready").is_null());
    let mut readable = String::new();
    for kind in ["bt", "bsrv", "events", "leases"] {
        readable.push_str(&lab.namespace.kubectl(&["get", kind, "-o", "yaml"]).await.ok());
    }
    readable.push_str(&lab.operator.metrics().await);
    readable.push_str(&lab.operator.log());
    assert!(readable.contains("abb_task_last_success_timestamp_seconds"));
    for secret in secrets {
        assert!(!readable.contains(&secret), "{secret:?} can be read");
    }
}
