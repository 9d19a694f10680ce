//! The rights of the chart are those that are used: what the API server's audit log has of the operator's requests, over this
//! whole suite, is the set that the chart's roles grant.
//!
//! libtest starts tests in the order of their names, so this one starts last; it waits until every other has let go of its
//! namespace. Its own scenario needs every right once, so that it also holds when it runs alone.

use crate::{
    harness::{Namespace, cluster, eventually, eventually_within, rights},
    lab::{Lab, UNIQUE_KEY},
};

/// Longest that another test of this suite may still take when this one starts.
const OTHERS: std::time::Duration = std::time::Duration::from_mins(5);
/// The number that users are told; more would be a decision.
const RIGHTS: usize = 18;

/// A NAS whose certificate a ConfigMap vouches for, a task whose schedule is wrong twice, and which is
/// removed on deletion.
async fn everything_once() {
    let lab = Lab::new("rights").await;
    let authority = lab.nas.certificate_pem().expect("it serves TLS");
    let file = lab.namespace.cluster().directory().join("rights-ca.crt");
    std::fs::write(&file, authority).unwrap();
    let from_file = format!("--from-file=ca.crt={}", file.display());
    lab.namespace
        .kubectl(&["create", "configmap", "authority", &from_file])
        .await
        .ok();
    let trust = r#"{"spec": {"removals": {"allowed": true},
        "tls": {"fingerprint": null, "caRef": {"kind": "ConfigMap", "name": "authority", "key": "ca.crt"}}}}"#;
    lab.namespace
        .kubectl(&["patch", "bsrv", "nas", "--type=merge", "-p", trust])
        .await
        .ok();
    lab.server_reason("Connected").await;
    // The same Event twice within minutes: the second is a count on the first.
    for (schedule, reason) in [
        ("0 0 31 2 *", "InvalidSchedule"),
        ("0 0 1 2 *", "Reconciled"),
        ("0 0 31 2 *", "InvalidSchedule"),
        ("0 0 1 2 *", "Reconciled"),
    ] {
        lab.task(&format!("triggers: {{schedule: {schedule:?}}}")).await;
        lab.until(reason, |status| {
            crate::lab::condition(status, "Ready")["reason"] == reason
        })
        .await;
    }
    lab.task(&format!("removal: {{when: OnDelete, confirm: {UNIQUE_KEY:?}}}"))
        .await;
    eventually("the finalizer stands", async || {
        let task = lab.namespace.get("bt", "laptop").await;
        task["metadata"]["finalizers"].is_array().then_some(())
    })
    .await;
    lab.namespace
        .kubectl(&["delete", "bt", "laptop", "--timeout=60s"])
        .await
        .ok();
    assert_eq!(lab.effects("remove").len(), 1, "{}", lab.operator.log());
    lab.namespace.kubectl(&["delete", "bsrv", "nas"]).await.ok();
    eventually("its Lease is deleted", async || {
        let leases = lab.namespace.kubectl(&["get", "lease", "-o", "name"]).await.ok();
        if leases.lines().count() == 1 {
            Ok(())
        } else {
            Err(leases)
        }
    })
    .await;
}

#[tokio::test]
async fn uses_every_right_of_the_chart_and_no_other() {
    everything_once().await;
    // A single object is read only after a write whose answer was lost, or that lost against another.
    crate::crash::an_answer_is_lost().await;
    eventually_within(
        "the other tests are over",
        OTHERS,
        async || match Namespace::live() {
            0 => Ok(()),
            live => Err(format!("{live} namespaces are in use")),
        },
    )
    .await;

    let cluster = cluster().await;
    let granted = rights::granted(&rights::rendered(cluster, "any", &["any"]).await);
    let (used, lacking) = rights::used(cluster);
    let unused: Vec<_> = granted.difference(&used).collect();
    let beyond: Vec<_> = used.difference(&granted).collect();
    assert!(unused.is_empty(), "granted and never used: {unused:?}");
    assert!(beyond.is_empty(), "used and not granted by the chart: {beyond:?}");
    assert!(lacking.is_empty(), "asked for and refused: {lacking:?}");
    assert_eq!(granted.len(), RIGHTS, "{granted:#?}");
}
