//! Faults on the user's side: no API server, definitions that are missing or of another release, rights.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::doctor;
use crate::{
    harness::{Cluster, Namespace, cluster, own_cluster},
    lab::{Lab, TASK, nas, secret, server, task},
};

#[tokio::test]
async fn an_api_server_that_does_not_answer_ends_the_way() {
    let directory = cluster().await.directory();
    let nowhere = directory.join("nowhere.kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{ "name": "x", "cluster": { "server": "https://127.0.0.1:1" } }],
        "users": [], "contexts": [{ "name": "x", "context": { "cluster": "x", "user": "x" } }],
    });
    std::fs::write(&nowhere, config.to_string()).unwrap();
    doctor(&nowhere, &[]).await.has(
        "nothing listens where the API server should",
        &[(
            "fail",
            "cluster",
            &["https://127.0.0.1:1", "kubectl cluster-info"],
        )],
    );
    let missing = directory.join("missing.kubeconfig");
    let said = doctor(&missing, &["--context", "elsewhere"]).await;
    assert!(
        said.code == Some(1) && said.text.contains("fail  cluster: failed to find a cluster"),
        "{}",
        said.text
    );
}

/// A kubeconfig of a service account with these rules in its namespace.
async fn someone(namespace: &Namespace, name: &str, rules: &Value) -> PathBuf {
    let objects = [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name },
            "rules": rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace.name() }],
        }),
    ];
    let manifests: Vec<String> = objects.iter().map(Value::to_string).collect();
    namespace.apply(&manifests.join("\n---\n")).await.ok();
    let token = namespace.kubectl(&["create", "token", name]).await.ok();
    let path = namespace
        .cluster()
        .directory()
        .join(format!("{name}-{}.kubeconfig", namespace.name()));
    namespace
        .cluster()
        .write_kubeconfig_with(token.trim(), namespace.name(), &path);
    path
}

#[tokio::test]
async fn what_the_user_may_not_do_is_said_and_the_rest_is_looked_at() {
    let lab = Lab::new("doctor-user").await;
    lab.server_reason("Connected").await;
    let nobody = someone(&lab.namespace, "nobody", &json!([])).await;
    doctor(&nobody, &[]).await.has(
        "the user may do nothing",
        &[
            (
                "warn",
                "your rights",
                &["you may not get backupservers", "--clusterrole=view"],
            ),
            (
                "fail",
                "servers",
                &["you may not read it", "kubectl get backupservers"],
            ),
        ],
    );
    let rules = json!([{
        "apiGroups": ["activebackup.dev"], "resources": ["backupservers", "backuptasks"], "verbs": ["get", "list", "watch"],
    }]);
    let viewer = someone(&lab.namespace, "viewer", &rules).await;
    let said = doctor(&viewer, &["nas"]).await;
    said.has(
        "the user may look and change nothing",
        &[
            (
                "warn",
                "your rights",
                &[
                    "you may not patch backupservers, patch backuptasks",
                    "--clusterrole=edit",
                ],
            ),
            (
                "warn",
                "secret",
                &["you may not read the Secret \"nas\"", "--resource-name=nas"],
            ),
        ],
    );
    said.tells("note", "definitions", "activebackup.dev/v1alpha1 is served");
    said.tells("note", "operator", "you may not read it");
    said.tells("ok", "watched", "as it stands");
    said.tells("ok", "dsm", "it answers");
    said.tells("note", "login", "not tried");
}

/// A definition as it stands in the cluster, changed.
async fn change_definition(cluster: &Cluster, change: impl Fn(&mut Value)) {
    let name = "backuptasks.activebackup.dev";
    let text = cluster.kubectl(&["get", "crd", name, "-o", "json"]).await.ok();
    let mut definition: Value = serde_json::from_str(&text).unwrap();
    change(&mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]);
    let file = cluster.directory().join("definition.json");
    std::fs::write(&file, definition.to_string()).unwrap();
    cluster
        .kubectl(&["replace", "-f", &file.display().to_string()])
        .await
        .ok();
}

#[tokio::test]
async fn definitions_that_are_missing_older_or_newer_and_operators_that_are_nowhere_or_elsewhere() {
    let cluster = own_cluster().await;
    let home = cluster.namespace("home").await;
    let away = cluster.namespace("away").await;
    doctor(home.kubeconfig_path(), &[]).await.has(
        "no definition is installed",
        &[
            (
                "fail",
                "definitions",
                &[
                    "backupservers.activebackup.dev is not installed",
                    "abb-operator crd | kubectl apply",
                ],
            ),
            (
                "fail",
                "definitions",
                &["backuptasks.activebackup.dev is not installed"],
            ),
        ],
    );
    cluster
        .kubectl(&["create", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")])
        .await
        .ok();
    cluster.wait_until_served().await.unwrap();
    let nas = nas(abb_operator::simulator::Scenario::seed(), 1.0).await;
    for namespace in [&home, &away] {
        namespace.apply(&secret(nas.password())).await.ok();
        namespace.apply(&server(&nas, "")).await.ok();
        namespace.apply(&task("laptop", TASK, "")).await.ok();
    }
    doctor(home.kubeconfig_path(), &[]).await.has(
        "there is no operator in the whole cluster",
        &[(
            "fail",
            "operator",
            &["there is no operator", "helm install abb-operator oci://"],
        )],
    );
    super::operator::by_its_deployment(cluster, &home, &away, &nas).await;

    change_definition(cluster, |spec| {
        let fields = spec["properties"].as_object_mut().unwrap();
        fields.remove("retries").unwrap();
    })
    .await;
    doctor(home.kubeconfig_path(), &["--lease-name", "none"])
        .await
        .has(
            "the definitions are those of an older release",
            &[
                (
                    "warn",
                    "definitions",
                    &[
                        "older than this build",
                        "spec.retries",
                        "abb-operator crd | kubectl apply",
                    ],
                ),
                ("fail", "operator", &["none"]),
            ],
        );
    change_definition(cluster, |spec| {
        spec["properties"]["retries"] = json!({ "type": "integer" });
        spec["properties"]["later"] = json!({ "type": "string" });
    })
    .await;
    let said = doctor(home.kubeconfig_path(), &[]).await;
    assert!(
        said.text
            .contains("newer than this build: it has spec.later as well; use the release of kubectl-abb"),
        "{}",
        said.text
    );
}
