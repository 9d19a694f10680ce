//! The Lease: one leader, handed over at once by a clean end, and only after its time by a kill.

use abb_operator::simulator::Scenario;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    harness::{cluster, eventually, rights::RELEASE},
    lab::{Lab, TASK, condition, nas, secret, server, task},
};

async fn holder(lab: &Lab) -> String {
    let lease = lab.namespace.get("lease", RELEASE).await;
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_clean_end_logs_out_releases_and_hands_over() {
    let mut lab = Lab::new("lease").await;
    lab.server_reason("Connected").await;
    let first = holder(&lab).await;
    let mut standby = lab.namespace.operator(&[]);
    standby.wait_ready().await;
    assert_eq!(lab.operator.metric("abb_leader", &[]).await, Some(1.0));
    assert_eq!(standby.metric("abb_leader", &[]).await, Some(0.0));
    assert_eq!(lab.operator.metric("abb_server_up", &[]).await, Some(1.0));
    assert_eq!(
        standby.metric("abb_server_up", &[]).await,
        None,
        "it reads no NAS"
    );
    assert_eq!(lab.operator.terminate().await, Some(0), "{}", lab.operator.log());
    assert_eq!(lab.effects("logout").len(), 1, "the session is ended");
    eventually("the standby leads", async || {
        (standby.metric("abb_leader", &[]).await == Some(1.0)).then_some(())
    })
    .await;
    assert_ne!(holder(&lab).await, first);
    lab.task("triggers: {request: a}").await;
    lab.until("the new leader works", |status: &Value| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!(lab.effects("backup").len(), 1);
}

#[tokio::test]
async fn a_stop_right_after_the_start_is_a_clean_end() {
    let namespace = cluster().await.namespace("early").await;
    for _ in 0..6 {
        let mut operator = namespace.operator(&[]);
        eventually("it listens", async || operator.address().map(drop)).await;
        assert_eq!(operator.terminate().await, Some(0), "{}", operator.log());
    }
}

#[tokio::test]
async fn a_paused_leader_comes_back_as_a_standby_and_sends_nothing() {
    let mut lab = Lab::new("paused").await;
    lab.server_reason("Connected").await;
    let first = holder(&lab).await;
    let mut standby = lab.namespace.operator(&[]);
    standby.wait_ready().await;
    lab.operator.signal("STOP");
    eventually("the Lease runs out and is taken", async || {
        let now = holder(&lab).await;
        (now != first && !now.is_empty()).then_some(())
    })
    .await;
    lab.task("triggers: {request: a}").await;
    lab.operator.signal("CONT");
    lab.until("it has run", |status: &Value| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!(lab.effects("backup").len(), 1);
    eventually("the old leader knows", async || {
        (lab.operator.metric("abb_leader", &[]).await == Some(0.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_leader_paused_past_its_lease_goes_on_where_nobody_took_it() {
    let mut lab = Lab::new("alone").await;
    lab.server_reason("Connected").await;
    lab.operator.signal("STOP");
    eventually("the Lease runs out", async || {
        let lease = lab.namespace.get("lease", RELEASE).await;
        let renewed: Timestamp = lease["spec"]["renewTime"].as_str()?.parse().ok()?;
        (Timestamp::now().duration_since(renewed) > SignedDuration::from_secs(7)).then_some(())
    })
    .await;
    lab.operator.signal("CONT");
    let lists = lab.requests("list");
    eventually("it reads the NAS on", async || {
        if lab.requests("list") > lists + 2 {
            Ok(())
        } else {
            Err(lab.operator.log())
        }
    })
    .await;
}

#[tokio::test]
async fn one_operator_serves_several_namespaces_and_keeps_their_sessions() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let namespaces = [
        cluster().await.namespace("first").await,
        cluster().await.namespace("second").await,
    ];
    let names = namespaces
        .each_ref()
        .map(|namespace| namespace.name().to_owned())
        .join(",");
    for namespace in &namespaces {
        namespace.apply(&secret(nas.password())).await.ok();
        namespace.apply(&server(&nas, "")).await.ok();
        namespace.apply(&task("laptop", TASK, "")).await.ok();
    }
    namespaces[0]
        .give_rights(&[namespaces[0].name(), namespaces[1].name()])
        .await;
    let mut operator = namespaces[0].operator(&["--watch-namespace", &names]);
    operator.wait_ready().await;
    let requests = |method: &str| nas.requests().iter().filter(|r| r.method == method).count();
    // Longer than deleted servers are looked for: a server of one namespace is not gone for want of it in the other.
    eventually("both are polled on", async || {
        if requests("list") > 30 {
            Ok(())
        } else {
            Err(operator.log())
        }
    })
    .await;
    assert_eq!((requests("login"), requests("logout")), (2, 0));
    for namespace in &namespaces {
        let status = namespace.get("bt", "laptop").await["status"].take();
        assert_eq!(condition(&status, "Bound")["status"], "True");
    }
}
