//! The definitions in `crds/`: fresh, accepted without a warning, readable at a terminal, with defaults for all
//! that may be left out, and with room for everything the operator writes into a status.

use abb_operator::api::{BackupServer, BackupTask, definitions, definitions_yaml};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::harness::{Namespace, cluster, eventually};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
const REFRESH: &str = r#"cargo run -- crd | awk '/^---$/ { n++ } { print > ("crds/activebackup.dev_" (n == 1 ? "backupservers" : "backuptasks") ".yaml") }'"#;

const SERVER: &str = "
apiVersion: activebackup.dev/v1alpha1
kind: BackupServer
metadata: {name: nas}
spec:
  url: https://nas.example.org:5001
  credentials: {secretRef: {name: nas}}
";
const TASK: &str = "
apiVersion: activebackup.dev/v1alpha1
kind: BackupTask
metadata: {name: pc-1}
spec:
  serverRef: {name: nas}
  task: {name: pc-1}
";

#[test]
fn definitions_in_crds_are_fresh() {
    for (name, text) in definitions_yaml().unwrap() {
        let committed = std::fs::read_to_string(format!("{DIRECTORY}/{name}")).unwrap_or_default();
        assert!(
            committed == text,
            "crds/{name} is stale; refresh both files with\n{REFRESH}"
        );
    }
    assert_eq!(
        std::fs::read_dir(DIRECTORY).unwrap().count(),
        definitions().len(),
        "a file of nothing in crds/"
    );
}

#[test]
fn every_field_has_a_description() {
    fn undescribed(path: &str, schema: &JSONSchemaProps, found: &mut Vec<String>) {
        for (name, field) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            if field.description.is_none() {
                found.push(path.clone());
            }
            undescribed(&path, field, found);
        }
    }
    let mut found = Vec::new();
    for definition in definitions() {
        let schema = definition.spec.versions[0]
            .schema
            .as_ref()
            .unwrap()
            .open_api_v3_schema
            .as_ref()
            .unwrap();
        undescribed(&definition.spec.names.kind, schema, &mut found);
    }
    assert!(found.is_empty(), "without a doc comment: {found:?}");
}

#[tokio::test]
async fn definitions_are_accepted_without_a_warning() {
    let created = cluster().await.crds_created().clone();
    assert_eq!(created.stderr, "");
    assert_eq!(created.ok().lines().count(), 2);
}

#[tokio::test]
async fn explain_shows_the_documentation() {
    let namespace = cluster().await.namespace("explain").await;
    for (path, words) in [
        ("bt", "One task of Active Backup for Business"),
        ("bt.spec.triggers.schedule", "Vixie cron"),
        ("bt.spec.removal.confirm", "uniqueKey"),
        ("bt.status.receipts", "How tokens were answered"),
        ("bsrv.spec.tls.fingerprint", "SHA-256"),
        ("bsrv.spec.limits.maxConcurrentRuns", "0 is no limit"),
    ] {
        // The documentation is published a moment after the definitions are established.
        eventually(&format!("kubectl explain {path} says {words:?}"), async || {
            let output = namespace.kubectl(&["explain", path]).await;
            if output.stdout.contains(words) {
                Ok(())
            } else {
                Err(output)
            }
        })
        .await;
    }
}

#[tokio::test]
async fn short_names_and_category_list_both_kinds() {
    let namespace = cluster().await.namespace("names").await;
    namespace.apply(&format!("{SERVER}---{TASK}")).await.ok();
    assert_eq!(
        namespace
            .kubectl(&["get", "bsrv", "-o", "name"])
            .await
            .ok()
            .trim(),
        "backupserver.activebackup.dev/nas"
    );
    assert_eq!(
        namespace.kubectl(&["get", "bt", "-o", "name"]).await.ok().trim(),
        "backuptask.activebackup.dev/pc-1"
    );
    let both = namespace.kubectl(&["get", "abb", "-o", "name"]).await.ok();
    assert_eq!(
        both.lines().collect::<Vec<_>>(),
        [
            "backupserver.activebackup.dev/nas",
            "backuptask.activebackup.dev/pc-1"
        ]
    );
}

#[tokio::test]
async fn everything_that_may_be_left_out_has_its_default() {
    let namespace = cluster().await.namespace("defaults").await;
    namespace.apply(&format!("{SERVER}---{TASK}")).await.ok();
    let server = namespace.get("bsrv", "nas").await;
    assert_eq!(
        server["spec"],
        json!({
            "url": "https://nas.example.org:5001",
            "credentials": { "secretRef": { "name": "nas" } },
            "mode": "Enforce",
            "polling": { "idle": "5m", "active": "10s" },
            "timeouts": { "request": "20s", "list": "2m", "settle": "60s" },
            "limits": { "maxConcurrentRuns": 5 },
            "removals": { "allowed": false, "maxPerDay": 5 },
        })
    );
    assert_eq!(server["status"], json!({ "observedGeneration": -1 }));
    let task = namespace.get("bt", "pc-1").await;
    assert_eq!(
        task["spec"],
        json!({
            "serverRef": { "name": "nas" },
            "task": { "name": "pc-1" },
            "triggers": { "timeZone": "Etc/UTC", "jitter": "0s" },
            "whenRunning": "Wait",
            "retries": 0,
            "retryBackoff": "5m",
            "partialIsSuccess": false,
            "suspend": false,
            "removal": { "when": "Never" },
            "readiness": "Reconciled",
            "historyLimit": 10,
        })
    );
    assert_eq!(task["status"], json!({ "observedGeneration": -1 }));
    // The operator's types read what the API server has defaulted, and say the same.
    let read: BackupServer = serde_json::from_value(server.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read.spec).unwrap(), server["spec"]);
    let read: BackupTask = serde_json::from_value(task.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read.spec).unwrap(), task["spec"]);
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    let namespace = cluster().await.namespace("strict").await;
    let said = namespace
        .apply(&format!("{TASK}  suspended: true\n"))
        .await
        .refused();
    assert!(
        said.contains("strict decoding error: unknown field \"spec.suspended\""),
        "{said}"
    );
    let said = namespace
        .apply(&format!("{SERVER}  credentialsRef: {{}}\n"))
        .await
        .refused();
    assert!(
        said.contains("strict decoding error: unknown field \"spec.credentialsRef\""),
        "{said}"
    );
}

#[tokio::test]
async fn columns_show_the_status() {
    let namespace = cluster().await.namespace("columns").await;
    namespace.apply(&format!("{SERVER}---{TASK}")).await.ok();
    write_status(&namespace, "BackupTask", "pc-1", full_task_status()).await;
    write_status(&namespace, "BackupServer", "nas", full_server_status()).await;

    let (header, row) = table(&namespace, &["get", "bt"]).await;
    assert_eq!(
        header,
        [
            "NAME",
            "SERVER",
            "TASK",
            "STATE",
            "LAST RESULT",
            "LAST SUCCESS",
            "NEXT",
            "READY"
        ]
    );
    assert_eq!(row[..5], ["pc-1", "nas", "pc one", "Running", "Success"]);
    assert!(row[5].ends_with('d') || row[5].contains('y'), "an age: {row:?}");
    assert_eq!(row[6..], ["2099-01-02T03:04:05Z", "True"]);

    let (header, row) = table(&namespace, &["get", "bt", "-o", "wide"]).await;
    assert_eq!(header[8..], ["REASON", "RESULT ID", "TRANSFERRED", "AGE"]);
    assert_eq!(row[8..11], ["Reconciled", "4711", "1073741824"]);

    let (header, row) = table(&namespace, &["get", "bsrv"]).await;
    assert_eq!(
        header,
        ["NAME", "URL", "MODE", "TASKS", "RUNNING", "READY", "AGE"]
    );
    assert_eq!(
        row[..6],
        ["nas", "https://nas.example.org:5001", "Enforce", "3", "1", "True"]
    );
}

#[tokio::test]
async fn a_full_status_is_kept_to_the_last_field() {
    let namespace = cluster().await.namespace("status").await;
    namespace.apply(&format!("{SERVER}---{TASK}")).await.ok();

    let status = full_task_status();
    write_status(&namespace, "BackupTask", "pc-1", status.clone()).await;
    let kept = namespace.get("bt", "pc-1").await;
    assert_eq!(kept["status"], status);
    let read: BackupTask = serde_json::from_value(kept).unwrap();
    assert_eq!(serde_json::to_value(read.status.unwrap()).unwrap(), status);

    let status = full_server_status();
    write_status(&namespace, "BackupServer", "nas", status.clone()).await;
    let kept = namespace.get("bsrv", "nas").await;
    assert_eq!(kept["status"], status);
    let read: BackupServer = serde_json::from_value(kept).unwrap();
    assert_eq!(serde_json::to_value(read.status.unwrap()).unwrap(), status);
}

/// The samples below leave nothing out: a field added to a status is added there, or its keeping goes untested.
#[test]
fn the_full_statuses_are_full() {
    fn missing(path: &str, schema: &JSONSchemaProps, values: &[&Value], found: &mut Vec<String>) {
        for (name, field) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            let below: Vec<&Value> = values
                .iter()
                .filter_map(|value| value.get(name))
                .flat_map(|value| {
                    value
                        .as_array()
                        .map_or_else(|| vec![value], |items| items.iter().collect())
                })
                .collect();
            if below.is_empty() {
                found.push(path);
                continue;
            }
            missing(&path, field, &below, found);
            if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
                missing(&path, item, &below, found);
            }
        }
    }
    let mut found = Vec::new();
    for (definition, status) in definitions()
        .iter()
        .zip([full_server_status(), full_task_status()])
    {
        let schema = definition.spec.versions[0]
            .schema
            .as_ref()
            .unwrap()
            .open_api_v3_schema
            .as_ref()
            .unwrap();
        missing(
            "status",
            &schema.properties.as_ref().unwrap()["status"],
            &[&status],
            &mut found,
        );
    }
    // Of the selector exactly one field can stand in a status; a history entry is a result without devices.
    found.retain(|path| !path.starts_with("status.binding.selector.") && path != "status.history.devices");
    assert!(found.is_empty(), "add to the sample: {found:?}");
}

/// Header and first row of a table; cells are two or more spaces apart.
async fn table(namespace: &Namespace, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
    let text = namespace.kubectl(arguments).await.ok();
    let mut lines = text.lines().map(|line| {
        line.split("   ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    (lines.next().unwrap(), lines.next().unwrap())
}

/// Writes the status; strict, so that a field the definition lacks is an error and not lost.
async fn write_status(namespace: &Namespace, kind: &str, name: &str, status: Value) {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("activebackup.dev", "v1alpha1", kind));
    let api: Api<DynamicObject> = Api::default_namespaced_with(namespace.client().await, &resource);
    let strict = PatchParams::default().validation_strict();
    api.patch_status(name, &strict, &Patch::Merge(json!({ "status": status })))
        .await
        .unwrap();
}

fn condition(kind: &str) -> Value {
    json!({
        "type": kind, "status": "True", "reason": "Reconciled", "message": "bound and watched",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z",
    })
}

fn full_server_status() -> Value {
    json!({
        "observedGeneration": 1,
        "conditions": [condition("Ready"), condition("Reconciling")],
        "dsm": { "model": "DS918+", "version": "7.2.1-69057", "serial": "1780PDN000001" },
        "package": { "version": "2.7.1-3234", "capabilities": ["History", "Queue"] },
        "tasks": { "total": 3, "bound": 1, "unmanaged": 2, "running": 1 },
        "unmanagedTasks": [{ "id": 2, "name": "pc two", "uniqueKey": "key-2" }, { "id": 3, "name": "old" }],
        "clockSkewSeconds": -7,
        "login": { "refusedSecretVersion": "12", "nextAttemptTime": "2026-01-02T03:04:05Z" },
        "removals": { "windowStart": "2026-01-02T03:04:05Z", "count": 1 },
    })
}

fn full_task_status() -> Value {
    let time = "2026-01-02T03:04:05Z";
    let triggers = json!([
        { "kind": "Request", "token": "a" },
        { "kind": "Schedule", "slot": time },
        { "kind": "MaxAge" },
    ]);
    let result = json!({
        "resultId": 4711, "status": "Success", "statusCode": 2, "action": "Backup", "actionCode": 1,
        "activityUuid": "b9a9e7c0", "backupType": "PC", "backupTypeCode": 2, "startTime": time, "endTime": time,
        "transferredBytes": 1_073_741_824, "successCount": 1, "warningCount": 0, "errorCount": 0, "noneCount": 0,
        "origin": "External", "clockSkewSeconds": 7, "seenInFlight": true,
    });
    let with = |extra: Value| {
        let mut result = result.clone();
        result
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        result
    };
    // A device without an id: nothing of the status may depend on one.
    let devices = json!([{ "id": 1, "hostName": "pc-1" }, { "hostName": "pc-2" }]);
    let receipt = json!({
        "token": "a", "outcome": "Succeeded", "resultId": 4711, "acceptedAt": time, "finishedAt": time,
    });
    json!({
        "observedGeneration": 1,
        "conditions": [condition("Ready"), condition("Bound")],
        "state": "Running",
        "stateSince": time,
        "task": {
            "id": 7, "name": "pc one", "uniqueKey": "key-1", "backupType": "PC", "backupTypeCode": 2,
            "sourceType": "EntireDevice", "sourceTypeCode": 1, "deviceCount": 2,
            "devices": [{ "id": 1, "hostName": "pc-1", "osName": "Windows 11" }, { "hostName": "pc-2" }],
            "share": "ActiveBackup", "versionCount": 12, "nextTriggerTime": time,
        },
        "binding": { "selector": { "name": "pc-1" }, "uniqueKey": "key-1", "nasSerial": "1780PDN000001", "removedBy": "Now" },
        "intent": {
            "id": "5f2c", "action": "Backup", "attempt": 1, "serverUID": "u", "nasSerial": "1780PDN000001", "taskId": 7,
            "uniqueKey": "key-1", "baselineResultId": 4710, "baselineRunActive": false, "recordedAt": time,
            "nasTime": time, "triggers": triggers,
        },
        "run": {
            "origin": "Request", "triggers": triggers, "resultId": 4712, "baselineResultId": 4711, "requestedAt": time,
            "startedAt": time, "clockSkewSeconds": 7, "stopping": "Deadline", "progress": { "percent": 42, "transferredBytes": 12 },
        },
        "receipts": {
            "request": receipt, "requestAnnotation": receipt, "cancel": receipt, "cancelAnnotation": receipt,
            "schedule": { "expression": "@daily", "timeZone": "Etc/UTC", "since": time, "lastSlot": time, "nextSlot": time },
        },
        "nextRunTime": "2099-01-02T03:04:05Z",
        "nextAttemptTime": time,
        "dueSince": time,
        "retryAttempt": 2,
        "unsettled": "5f2b",
        "refusals": 3,
        "lastResult": with(json!({ "devices": devices })),
        "lastSuccess": with(json!({ "devices": devices })),
        "lastSuccessTime": time,
        "lastRunEndTime": time,
        "lastFailureTime": time,
        "consecutiveFailures": 0,
        "freshUntil": time,
        "history": [with(json!({ "triggers": triggers, "outcome": "Succeeded" }))],
        "removalPlan": { "versions": 12, "lockedVersions": 1, "oldest": time, "newest": time, "usedBytes": 12 },
    })
}
