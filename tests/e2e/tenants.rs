//! Two tenants under one operator: each has a NAS, a Secret and objects of its own, and nobody reaches the other's by
//! any field. No reference has a namespace field; here every string of both specs is tried as one, in each spelling in
//! which somebody might hope for it.

use abb_operator::{
    api::definitions,
    simulator::{Scenario, Simulator},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::{Value, json};

use crate::{
    harness::{Namespace, Operator, cluster, eventually, rights},
    lab::{TASK, condition, nas, secret, server, task},
};

/// What the other tenant has and nobody refers to in its own namespace: whoever reads it was led there.
const DECOY: &str = "decoy";

/// The ways to write `namespace/name` that some system or other understands, and the plain name.
fn spellings(namespace: &str) -> Vec<String> {
    vec![
        DECOY.to_owned(),
        format!("{namespace}/{DECOY}"),
        format!("{DECOY}.{namespace}"),
        format!("{DECOY}.{namespace}.svc"),
        format!("../../{namespace}/secrets/{DECOY}"),
        format!("..%2F..%2F{namespace}%2Fsecrets%2F{DECOY}"),
        format!("/api/v1/namespaces/{namespace}/secrets/{DECOY}"),
        format!("{DECOY}?namespace={namespace}"),
        format!("{namespace}:{DECOY}"),
    ]
}

/// JSON pointers of all strings of a kind's spec.
fn strings(kind: &str) -> Vec<String> {
    fn walk(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
        if schema.type_.as_deref() == Some("string") {
            found.push(path.to_owned());
        }
        for (name, field) in schema.properties.iter().flatten() {
            walk(&format!("{path}/{name}"), field, found);
        }
    }
    let definition = definitions()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind)
        .unwrap();
    let schema = definition.spec.versions[0].schema.clone().unwrap();
    let spec = &schema.open_api_v3_schema.unwrap().properties.unwrap()["spec"];
    let mut found = Vec::new();
    walk("", spec, &mut found);
    found
}

/// Sets one string of a spec that is otherwise sound.
fn with(mut spec: Value, pointer: &str, value: &str) -> Value {
    if pointer.starts_with("/tls/caRef") {
        spec["tls"] = json!({ "caRef": { "kind": "Secret", "name": DECOY, "key": "password" } });
    }
    if pointer.starts_with("/task/") {
        spec["task"] = json!({});
    }
    let mut place = &mut spec;
    for name in pointer.trim_start_matches('/').split('/') {
        place = &mut place[name];
    }
    *place = json!(value);
    spec
}

struct Tenants {
    victim: Namespace,
    other: Namespace,
    victims_nas: Simulator,
    others_nas: Simulator,
    operator: Operator,
}

async fn tenants() -> Tenants {
    let (victims_nas, others_nas) = (
        nas(Scenario::seed(), 300.0).await,
        nas(Scenario::seed(), 300.0).await,
    );
    let (victim, other) = (
        cluster().await.namespace("tenant-victim").await,
        cluster().await.namespace("tenant-other").await,
    );
    for (namespace, nas) in [(&victim, &victims_nas), (&other, &others_nas)] {
        namespace.apply(&secret(nas.password())).await.ok();
        namespace.apply(&server(nas, "")).await.ok();
        namespace.apply(&task("laptop", TASK, "")).await.ok();
    }
    // All of a kind that a name may stand for; the server works, so whoever gets to it gets to the NAS.
    let decoys = [
        secret(victims_nas.password()).replace("name: nas", &format!("name: {DECOY}")),
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {DECOY}}}\ndata: {{password: nothing}}\n"
        ),
        server(&victims_nas, "").replace("metadata: {name: nas}", &format!("metadata: {{name: {DECOY}}}")),
    ];
    victim.apply(&decoys.join("---\n")).await.ok();
    victim.give_rights(&[victim.name(), other.name()]).await;
    let mut operator = victim.operator(&[
        "--watch-namespace",
        &format!("{},{}", victim.name(), other.name()),
    ]);
    operator.wait_ready().await;
    Tenants {
        victim,
        other,
        victims_nas,
        others_nas,
        operator,
    }
}

/// Creates an object for each string of each kind in each spelling; returns the names of those that the API server took.
async fn plant(tenants: &Tenants) -> Vec<(&'static str, String)> {
    let client = tenants.other.client().await;
    let sound_server = json!({
        "url": tenants.others_nas.url(), "credentials": { "secretRef": { "name": "nas" } },
        "tls": { "fingerprint": tenants.others_nas.fingerprint() },
        "polling": { "idle": "1s", "active": "1s" }, "timeouts": { "request": "1s", "settle": "3s" },
    });
    let sound_task = json!({ "serverRef": { "name": "nas" }, "task": { "name": "peterm-Default" } });
    let mut accepted = Vec::new();
    let mut tried = 0;
    for (kind, plural, sound) in [
        ("BackupServer", "backupservers", sound_server),
        ("BackupTask", "backuptasks", sound_task),
    ] {
        for pointer in strings(kind) {
            for spelling in spellings(tenants.victim.name()) {
                tried += 1;
                let name = format!("try-{tried}");
                let object = json!({
                    "apiVersion": "activebackup.dev/v1alpha1", "kind": kind, "metadata": { "name": name },
                    "spec": with(sound.clone(), &pointer, &spelling),
                });
                let uri = format!(
                    "/apis/activebackup.dev/v1alpha1/namespaces/{}/{plural}?fieldValidation=Strict",
                    tenants.other.name()
                );
                let request = http::Request::post(uri)
                    .header(http::header::CONTENT_TYPE, "application/json")
                    .body(object.to_string().into_bytes())
                    .unwrap();
                match client.request::<Value>(request).await {
                    Ok(_) => accepted.push((plural, name)),
                    Err(kube::Error::Api(status)) if status.code == 422 => {}
                    Err(error) => panic!("{pointer} = {spelling:?}: {error}"),
                }
            }
        }
    }
    assert!(
        tried > accepted.len() && accepted.len() > 20,
        "{tried} tried, {} accepted",
        accepted.len()
    );
    accepted
}

#[tokio::test]
async fn no_field_reaches_into_another_namespace() {
    let tenants = tenants().await;
    let accepted = plant(&tenants).await;
    for (kind, name) in &accepted {
        eventually(&format!("{kind} {name} is judged"), async || {
            let object = tenants.other.get(kind, name).await;
            let status = &object["status"];
            let judged = status["observedGeneration"] == object["metadata"]["generation"]
                && !condition(status, "Ready").is_null();
            if judged {
                Ok(())
            } else {
                Err(format!("{object:#}\n{}", tenants.operator.log()))
            }
        })
        .await;
    }
    let read: Vec<String> = tenants
        .victim
        .cluster()
        .operator_objects(tenants.victim.name(), &["secrets", "configmaps"]);
    assert!(!read.is_empty(), "its own Secret is read");
    // The victim's own server `decoy` names the Secret `nas`; the Secret `decoy` is named by nobody there.
    assert!(
        read.iter().all(|name| name == "nas"),
        "led into the other namespace: {read:?}"
    );
    // The operator's servers in the other namespace spoke to their own NAS alone.
    let logins = |nas: &Simulator| {
        nas.ledger()
            .iter()
            .filter(|effect| effect.kind == "login")
            .count()
    };
    assert_eq!(logins(&tenants.victims_nas), 2, "its own two servers");
    assert!(logins(&tenants.others_nas) >= 1);
    // The plain names, which the other tenant does not have.
    let named = format!(
        "apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {{name: by-server}}\nspec: \
         {{serverRef: {{name: {DECOY}}}, task: {{name: {TASK}}}, triggers: {{request: a}}}}\n"
    );
    tenants.other.apply(&named).await.ok();
    eventually("the server is not found", async || {
        let status = tenants.other.get("bt", "by-server").await["status"].take();
        (condition(&status, "Ready")["reason"] == "ServerNotFound").then_some(())
    })
    .await;
    assert!(
        tenants
            .victims_nas
            .ledger()
            .iter()
            .all(|effect| effect.kind != "backup")
    );
}

#[tokio::test]
async fn one_releases_account_has_no_right_in_another_namespace() {
    let cluster = cluster().await;
    let (one, two) = (
        cluster.namespace("release-one").await,
        cluster.namespace("release-two").await,
    );
    let client = one.client().await;
    let rendered = rights::rendered(cluster, one.name(), &[one.name()]).await;
    for (namespace, expected) in [(&one, true), (&two, false)] {
        for (group, resource, verb) in rights::granted(&rendered) {
            let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": {
                    "user": rights::operator_user(one.name()),
                    "groups": ["system:serviceaccounts", "system:authenticated"],
                    "resourceAttributes": {
                        "namespace": namespace.name(), "group": group, "resource": resource,
                        "subresource": subresource, "verb": verb,
                        // The Lease is the one object of which the role speaks by name.
                        "name": if resource == "leases" { rights::RELEASE } else { "" },
                    },
                },
            });
            let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(review.to_string().into_bytes())
                .unwrap();
            let answer: Value = client.request(request).await.unwrap();
            assert_eq!(
                answer["status"]["allowed"],
                expected,
                "{verb} {resource}/{subresource} in {}: {}",
                namespace.name(),
                answer["status"]
            );
        }
    }
}
