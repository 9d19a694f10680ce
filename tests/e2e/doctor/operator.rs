//! Faults of the operator: not there, ended, dead, elsewhere, without a right.

use serde_json::{Value, json};

use super::doctor;
use abb_operator::simulator::Simulator;

use crate::{
    harness::{Cluster, Namespace, Terminal, cluster, eventually, rights, snapshot},
    lab::{Lab, nas, secret, server},
};

/// Set-ups in which a Deployment tells: on a cluster where there is no other operator. No kubelet runs its Pods.
pub(super) async fn by_its_deployment(
    cluster: &'static Cluster,
    home: &Namespace,
    away: &Namespace,
    nas: &Simulator,
) {
    let deployment = rights::rendered(cluster, home.name(), &[home.name()])
        .await
        .into_iter()
        .find(|object| object["kind"] == "Deployment")
        .unwrap();
    home.apply(&deployment.to_string()).await.ok();
    eventually("its Pod is there", async || {
        let pods = home.kubectl(&["get", "pods", "-o", "name"]).await.ok();
        (!pods.is_empty()).then_some(())
    })
    .await;
    doctor(home.kubeconfig_path(), &[]).await.has(
        "the operator's Pod does not start",
        &[(
            "fail",
            "operator",
            &[
                "has never led: Pod abb-operator-",
                "describe deployment abb-operator",
            ],
        )],
    );
    let watch = format!("'watchNamespaces={{{},{}}}'", home.name(), away.name());
    let said = doctor(away.kubeconfig_path(), &[]).await;
    said.has(
        "the operator watches another namespace, as its Deployment says",
        &[(
            "fail",
            "operator",
            &[
                "no operator watches namespace \"away-",
                "watches home-",
                "helm upgrade abb-operator",
            ],
        )],
    );
    assert!(said.text.contains(&watch), "{watch} in {}", said.text);
    home.kubectl(&["scale", "deployment", "abb-operator", "--replicas=0"])
        .await
        .ok();
    doctor(home.kubeconfig_path(), &[]).await.has(
        "the operator is scaled to zero",
        &[(
            "fail",
            "operator",
            &["scaled to zero", "scale deployment abb-operator --replicas 1"],
        )],
    );

    // It runs, though not where the Deployment would have it.
    let mut operator = home.operator(&[]);
    operator.wait_ready().await;
    eventually("it has looked", async || {
        let status = home.get("bsrv", "nas").await["status"].take();
        (status["observedGeneration"] == 1).then_some(())
    })
    .await;
    let said = doctor(home.kubeconfig_path(), &[]).await;
    said.tells("ok", "operator", "holds the Lease home-");
    said.tells("ok", "operator's rights", "has what it needs here");
    assert_eq!(operator.terminate().await, Some(0));
    doctor(home.kubeconfig_path(), &[]).await.has(
        "the operator has ended in an orderly way",
        &[(
            "fail",
            "operator",
            &["nobody holds the Lease", "scaled to zero", "scale deployment"],
        )],
    );
    on_the_screen(home, nas).await;
    home.kubectl(&["delete", "deployment", "abb-operator"]).await.ok();
}

/// All of it at two widths. Addresses have as many characters in each run.
async fn on_the_screen(home: &Namespace, nas: &Simulator) {
    let kubeconfig = home.kubeconfig_path().display().to_string();
    for columns in [80, 140] {
        let mut terminal = Terminal::start(
            env!("CARGO_BIN_EXE_kubectl-abb"),
            &["doctor", "nas"],
            &[("KUBECONFIG", kubeconfig.as_str())],
            (columns, 60),
        );
        let (code, mut screen) = terminal.ended().await;
        assert_eq!(code, 1, "{screen}");
        for (address, name) in [(home.cluster().url(), "API"), (nas.url(), "NAS")] {
            let port = address.rsplit(':').next().unwrap();
            assert_eq!(port.len(), 5, "{address}");
            screen = screen.replace(port, &format!("{name}-PORT"));
        }
        screen = screen.replace(home.name(), "home-0000");
        screen = screen.replace(&nas.fingerprint().unwrap().to_uppercase(), "FINGERPRINT");
        snapshot::compare_exactly(&format!("doctor-{columns}"), &screen);
    }
}

#[tokio::test]
async fn a_right_that_the_operator_lacks_is_named() {
    let lab = Lab::new("doctor-role").await;
    lab.server_reason("Connected").await;
    eventually("what happened is told", async || {
        lab.events().await.contains("\"Connected\"").then_some(())
    })
    .await;
    let role: Value = lab.namespace.get("role", rights::RELEASE).await;
    let mut weaker = role.clone();
    let rules = weaker["rules"].as_array_mut().unwrap();
    // Nothing happens to the server any more: nothing is refused that another test would find in the audit log.
    rules.retain(|rule| rule["resources"] != json!(["events"]));
    assert_eq!(rules.len() + 1, role["rules"].as_array().unwrap().len());
    lab.namespace.apply(&weaker.to_string()).await.ok();
    let what = "the operator may not tell what happens";
    eventually(what, async || {
        let said = doctor(lab.namespace.kubeconfig_path(), &["nas"]).await;
        if said.code == Some(1) {
            Ok(())
        } else {
            Err(said.text)
        }
    })
    .await;
    doctor(lab.namespace.kubeconfig_path(), &["nas"]).await.has(
        what,
        &[(
            "fail",
            "operator's rights",
            &[
                "abb-operator may not create events in namespace",
                "patch events",
                "edit role abb-operator",
            ],
        )],
    );
}

#[tokio::test]
async fn an_operator_that_died_and_one_that_watches_another_namespace() {
    let mut lab = Lab::new("doctor-dead").await;
    lab.server_reason("Connected").await;
    lab.operator.kill().await;
    let long_ago = json!({ "spec": { "renewTime": "2026-01-01T00:00:00.000000Z" } }).to_string();
    lab.namespace
        .kubectl(&["patch", "lease", rights::RELEASE, "--type=merge", "-p", &long_ago])
        .await
        .ok();
    let said = doctor(lab.namespace.kubeconfig_path(), &[]).await;
    said.has(
        "the holder of the Lease has died",
        &[(
            "fail",
            "operator",
            &["has not renewed it for", "it has died, hangs", "get pods"],
        )],
    );
    said.tells("note", "status", "when an operator last looked: Connected");

    let (here, there) = (
        cluster().await.namespace("doctor-here").await,
        cluster().await.namespace("doctor-there").await,
    );
    let nas = nas(abb_operator::simulator::Scenario::seed(), 1.0).await;
    here.apply(&secret(nas.password())).await.ok();
    here.apply(&server(&nas, "")).await.ok();
    here.give_rights(&[here.name(), there.name()]).await;
    let mut operator = here.operator(&["--watch-namespace", there.name()]);
    operator.wait_ready().await;
    eventually("it leads", async || {
        let said = doctor(here.kubeconfig_path(), &[]).await;
        let leads = said
            .lines()
            .any(|(word, what, _)| (word, what) == ("ok", "operator"));
        if leads { Ok(()) } else { Err(said.text) }
    })
    .await;
    doctor(here.kubeconfig_path(), &[]).await.has(
        "the operator leads and watches another namespace",
        &[(
            "fail",
            "watched",
            &["no operator has looked at it", "watchNamespaces="],
        )],
    );
}
