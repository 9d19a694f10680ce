//! What is always wrong is refused by the API server, through the real kubectl, with a message that names the
//! field and, where a rule judges, the remedy; what stands just inside a boundary is accepted. The manifests
//! are tables: a row is one mistake a user can make.

use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::harness::{Namespace, cluster};

/// kubectl starts in a tenth of a second; more side by side do not make two cores faster.
const KUBECTLS_AT_ONCE: usize = 4;

/// One manifest that must be refused.
struct Mistake {
    what: &'static str,
    manifest: Value,
    /// The path that the message names.
    field: &'static str,
    /// What the message tells the user to do, or what is allowed.
    remedy: &'static str,
}

/// A task with parts of its spec replaced.
fn task(spec: Value) -> Value {
    manifest(
        "BackupTask",
        json!({ "serverRef": { "name": "nas" }, "task": { "name": "pc-1" } }),
        spec,
    )
}

/// A server with parts of its spec replaced.
fn server(spec: Value) -> Value {
    let base =
        json!({ "url": "https://nas.example.org:5001", "credentials": { "secretRef": { "name": "nas" } } });
    manifest("BackupServer", base, spec)
}

fn manifest(kind: &str, mut base: Value, spec: Value) -> Value {
    let Value::Object(replaced) = spec else {
        panic!("not an object: {spec}")
    };
    base.as_object_mut().unwrap().extend(replaced);
    json!({ "apiVersion": "activebackup.dev/v1alpha1", "kind": kind, "metadata": { "name": "it" }, "spec": base })
}

fn without(mut manifest: Value, field: &str) -> Value {
    manifest["spec"].as_object_mut().unwrap().remove(field).unwrap();
    manifest
}

fn triggers(triggers: impl Serialize) -> Value {
    task(json!({ "triggers": triggers }))
}

fn schedule(expression: &str) -> Value {
    triggers(json!({ "schedule": expression }))
}

fn removal(removal: impl Serialize) -> Value {
    task(json!({ "removal": removal }))
}

fn selector(selector: impl Serialize) -> Value {
    task(json!({ "task": selector }))
}

fn url(url: &str) -> Value {
    server(json!({ "url": url }))
}

fn tls(tls: impl Serialize) -> Value {
    server(json!({ "tls": tls }))
}

const CRON: &str = "must be five cron fields";
const DURATION: &str = "write a duration such as 90s, 5m or 1h30m";
const FINGERPRINT: &str = "64 hexadecimal digits";
const NAME: &str = "without a namespace";
const SCHEDULE: &str = "spec.triggers.schedule";
const TIME: &str = "should match '^[0-9]{4}-";

fn wrong_tasks() -> Vec<Mistake> {
    let row = |what, manifest, field, remedy| Mistake {
        what,
        manifest,
        field,
        remedy,
    };
    vec![
        row(
            "no server",
            without(task(json!({})), "serverRef"),
            "spec.serverRef",
            "Required value",
        ),
        row(
            "an empty server name",
            task(json!({ "serverRef": { "name": "" } })),
            "spec.serverRef.name",
            NAME,
        ),
        row(
            "a server elsewhere",
            task(json!({ "serverRef": { "name": "a/nas" } })),
            "spec.serverRef.name",
            NAME,
        ),
        row(
            "no task",
            without(task(json!({})), "task"),
            "spec.task",
            "Required value",
        ),
        row(
            "a task named by nothing",
            selector(json!({})),
            "spec.task",
            "set exactly one of name, id and uniqueKey",
        ),
        row(
            "a task named twice",
            selector(json!({ "name": "pc-1", "id": 1 })),
            "spec.task",
            "set exactly one of name, id and uniqueKey",
        ),
        row(
            "an empty task name",
            selector(json!({ "name": "" })),
            "spec.task.name",
            "at least 1 chars",
        ),
        row(
            "an empty unique key",
            selector(json!({ "uniqueKey": "" })),
            "spec.task.uniqueKey",
            "at least 1 chars",
        ),
        row(
            "task number 0",
            selector(json!({ "id": 0 })),
            "spec.task.id",
            "greater than or equal to 1",
        ),
        row(
            "a task number as text",
            selector(json!({ "id": "7" })),
            "spec.task.id",
            "must be of type integer",
        ),
        row(
            "an empty token",
            triggers(json!({ "request": "" })),
            "spec.triggers.request",
            "at least 1 chars",
        ),
        row(
            "a token of 64 characters",
            triggers(json!({ "request": "t".repeat(64) })),
            "spec.triggers.request",
            "63",
        ),
        row(
            "a time limit without a request",
            triggers(json!({ "requestNotAfter": "2026-01-02T03:04:05Z" })),
            "spec.triggers",
            "requestNotAfter needs request",
        ),
        row(
            "a time limit that is no time",
            triggers(json!({ "request": "a", "requestNotAfter": "tomorrow" })),
            "spec.triggers.requestNotAfter",
            "date-time",
        ),
        row(
            "a time limit without an offset",
            triggers(json!({ "request": "a", "requestNotAfter": "2026-01-02T03:04:05" })),
            "spec.triggers.requestNotAfter",
            "date-time",
        ),
        row(
            "a time limit with an impossible offset",
            triggers(json!({ "request": "a", "requestNotAfter": "2026-01-02T03:04:05+99:00" })),
            "spec.triggers.requestNotAfter",
            TIME,
        ),
        row(
            "jitter without a schedule",
            triggers(json!({ "jitter": "5m" })),
            "spec.triggers",
            "jitter needs schedule",
        ),
        row(
            "a starting deadline without a schedule",
            triggers(json!({ "startingDeadline": "5m" })),
            "spec.triggers",
            "startingDeadline needs schedule",
        ),
        row(
            "a starting deadline of nothing",
            triggers(json!({ "schedule": "@daily", "startingDeadline": "0s" })),
            "spec.triggers.startingDeadline",
            "at least 1s",
        ),
        row(
            "negative jitter",
            triggers(json!({ "schedule": "@daily", "jitter": "-5m" })),
            "spec.triggers.jitter",
            DURATION,
        ),
        row(
            "an age in weeks",
            triggers(json!({ "maxAge": "1 week" })),
            "spec.triggers.maxAge",
            DURATION,
        ),
        row(
            "an age in days",
            triggers(json!({ "maxAge": "7d" })),
            "spec.triggers.maxAge",
            DURATION,
        ),
        row(
            "an age of nothing",
            triggers(json!({ "maxAge": "0s" })),
            "spec.triggers.maxAge",
            "at least 1s",
        ),
        row(
            "an empty age",
            triggers(json!({ "maxAge": "" })),
            "spec.triggers.maxAge",
            DURATION,
        ),
        row(
            "an age as a number",
            triggers(json!({ "maxAge": 86400 })),
            "spec.triggers.maxAge",
            "must be of type string",
        ),
        row(
            "an empty time zone",
            triggers(json!({ "timeZone": "" })),
            "spec.triggers.timeZone",
            "Europe/Berlin",
        ),
        row(
            "a time zone as an offset",
            triggers(json!({ "timeZone": "+01:00" })),
            "spec.triggers.timeZone",
            "Europe/Berlin",
        ),
        row("minute 60", schedule("60 * * * *"), SCHEDULE, CRON),
        row("hour 24", schedule("0 24 * * *"), SCHEDULE, CRON),
        row("an unknown macro", schedule("@fortnightly"), SCHEDULE, CRON),
        row("a macro of the boot", schedule("@reboot"), SCHEDULE, CRON),
        row("six fields", schedule("0 0 2 * * *"), SCHEDULE, CRON),
        row(
            "a zone in the schedule",
            schedule("TZ=Europe/Berlin 0 2 * * *"),
            SCHEDULE,
            "timeZone",
        ),
        row("an empty schedule", schedule(""), SCHEDULE, CRON),
        row("129 characters", schedule(&cron_of_length(129)), SCHEDULE, "128"),
        row(
            "an unknown manner",
            task(json!({ "whenRunning": "Skip" })),
            "spec.whenRunning",
            "\"Replace\"",
        ),
        row(
            "a deadline of nothing",
            task(json!({ "activeDeadline": "0h" })),
            "spec.activeDeadline",
            "at least 1s",
        ),
        row(
            "negative retries",
            task(json!({ "retries": -1 })),
            "spec.retries",
            "greater than or equal to 0",
        ),
        row(
            "too many retries",
            task(json!({ "retries": 101 })),
            "spec.retries",
            "less than or equal to 100",
        ),
        row(
            "a backoff of nothing",
            task(json!({ "retryBackoff": "999ms" })),
            "spec.retryBackoff",
            "at least 1s",
        ),
        row(
            "a word for a switch",
            task(json!({ "suspend": "yes" })),
            "spec.suspend",
            "must be of type boolean",
        ),
        row(
            "an empty cancel token",
            task(json!({ "cancel": { "request": "" } })),
            "spec.cancel.request",
            "at least 1 chars",
        ),
        row(
            "a cancel without a token",
            task(json!({ "cancel": {} })),
            "spec.cancel.request",
            "Required value",
        ),
        row(
            "an unknown removal",
            removal(json!({ "when": "Always" })),
            "spec.removal.when",
            "\"OnDelete\"",
        ),
        row(
            "an unconfirmed removal on deletion",
            removal(json!({ "when": "OnDelete" })),
            "spec.removal",
            "set it to the uniqueKey shown in status.task.uniqueKey",
        ),
        row(
            "an unconfirmed removal",
            removal(json!({ "when": "Now", "notAfter": "2026-01-02T03:04:05Z" })),
            "spec.removal",
            "set it to the uniqueKey shown in status.task.uniqueKey",
        ),
        row(
            "an empty confirmation",
            removal(json!({ "when": "OnDelete", "confirm": "" })),
            "spec.removal",
            "set it to the uniqueKey shown in status.task.uniqueKey",
        ),
        row(
            "a confirmation of nothing",
            removal(json!({ "confirm": "key" })),
            "spec.removal",
            "set removal.when to OnDelete or Now, or take confirm away",
        ),
        row(
            "a removal without an end",
            removal(json!({ "when": "Now", "confirm": "key" })),
            "spec.removal",
            "notAfter is required with Now",
        ),
        row(
            "an end of nothing",
            removal(json!({ "notAfter": "2026-01-02T03:04:05Z" })),
            "spec.removal",
            "notAfter must be absent while removal.when is Never",
        ),
        row(
            "an end that is no time",
            removal(json!({ "when": "Now", "confirm": "key", "notAfter": "soon" })),
            "spec.removal.notAfter",
            "date-time",
        ),
        row(
            "freshness without an age",
            task(json!({ "readiness": "Fresh" })),
            "spec",
            "needs triggers.maxAge",
        ),
        row(
            "an unknown readiness",
            task(json!({ "readiness": "Always" })),
            "spec.readiness",
            "\"LastBackup\"",
        ),
        row(
            "too much history",
            task(json!({ "historyLimit": 51 })),
            "spec.historyLimit",
            "less than or equal to 50",
        ),
        row(
            "negative history",
            task(json!({ "historyLimit": -1 })),
            "spec.historyLimit",
            "greater than or equal to 0",
        ),
        row(
            "a misspelt field",
            task(json!({ "suspended": true })),
            "spec.suspended",
            "unknown field",
        ),
        row(
            "a misspelt trigger",
            triggers(json!({ "cron": "@daily" })),
            "spec.triggers.cron",
            "unknown field",
        ),
    ]
}

fn wrong_servers() -> Vec<Mistake> {
    let row = |what, manifest, field, remedy| Mistake {
        what,
        manifest,
        field,
        remedy,
    };
    let fingerprint = "ab".repeat(32);
    vec![
        row(
            "no URL",
            without(server(json!({})), "url"),
            "spec.url",
            "Required value",
        ),
        row(
            "no credentials",
            without(server(json!({})), "credentials"),
            "spec.credentials",
            "Required value",
        ),
        row(
            "an empty URL",
            url(""),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "a host alone",
            url("nas.example.org"),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "another scheme",
            url("ftp://nas.example.org"),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "no host",
            url("https://:5001"),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "a query",
            url("https://nas:5001/?a=b"),
            "spec.url",
            "without query or fragment",
        ),
        row(
            "a fragment",
            url("https://nas:5001/#/login"),
            "spec.url",
            "without query or fragment",
        ),
        row(
            "a port beyond all",
            url("https://nas:65536"),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "port 0",
            url("https://nas:0"),
            "spec.url",
            "such as https://nas.example.org:5001",
        ),
        row(
            "credentials in the URL",
            url("https://admin:secret@nas:5001"),
            "spec.url",
            "put username and password into the Secret",
        ),
        row(
            "a user in the URL",
            url("https://admin@nas:5001"),
            "spec.url",
            "put username and password into the Secret",
        ),
        row(
            "plaintext",
            url("http://nas:5000"),
            "spec",
            "use https://, or set tls.allowPlaintext: true",
        ),
        row(
            "plaintext, expressly not",
            server(json!({ "url": "http://nas:5000", "tls": { "allowPlaintext": false } })),
            "spec",
            "use https://, or set tls.allowPlaintext: true",
        ),
        row(
            "an empty Secret name",
            server(json!({ "credentials": { "secretRef": { "name": "" } } })),
            "spec.credentials.secretRef.name",
            NAME,
        ),
        row(
            "a Secret elsewhere",
            server(json!({ "credentials": { "secretRef": { "name": "other/nas" } } })),
            "spec.credentials.secretRef.name",
            NAME,
        ),
        row(
            "a Secret elsewhere by a field",
            server(json!({ "credentials": { "secretRef": { "name": "nas", "namespace": "other" } } })),
            "spec.credentials.secretRef.namespace",
            "unknown field",
        ),
        row(
            "an authority and a fingerprint",
            tls(
                json!({ "caRef": { "kind": "Secret", "name": "ca", "key": "ca.crt" }, "fingerprint": fingerprint }),
            ),
            "spec.tls",
            "at most one of caRef, fingerprint and insecureSkipVerify",
        ),
        row(
            "a fingerprint and none",
            tls(json!({ "fingerprint": fingerprint, "insecureSkipVerify": true })),
            "spec.tls",
            "at most one of caRef, fingerprint and insecureSkipVerify",
        ),
        row(
            "an authority in a Pod",
            tls(json!({ "caRef": { "kind": "Pod", "name": "ca", "key": "ca.crt" } })),
            "spec.tls.caRef.kind",
            "\"ConfigMap\"",
        ),
        row(
            "an authority without a key",
            tls(json!({ "caRef": { "kind": "Secret", "name": "ca" } })),
            "spec.tls.caRef.key",
            "Required value",
        ),
        row(
            "an authority with a path for a key",
            tls(json!({ "caRef": { "kind": "Secret", "name": "ca", "key": "/ca.crt" } })),
            "spec.tls.caRef.key",
            "must be a key of that object",
        ),
        row(
            "63 digits",
            tls(json!({ "fingerprint": &fingerprint[1..] })),
            "spec.tls.fingerprint",
            FINGERPRINT,
        ),
        row(
            "a SHA-1",
            tls(json!({ "fingerprint": "ab".repeat(20) })),
            "spec.tls.fingerprint",
            FINGERPRINT,
        ),
        row(
            "no digits",
            tls(json!({ "fingerprint": "xy".repeat(32) })),
            "spec.tls.fingerprint",
            FINGERPRINT,
        ),
        row(
            "an empty fingerprint",
            tls(json!({ "fingerprint": "" })),
            "spec.tls.fingerprint",
            FINGERPRINT,
        ),
        row(
            "an unknown mode",
            server(json!({ "mode": "DryRun" })),
            "spec.mode",
            "\"Observe\"",
        ),
        row(
            "a poll at once",
            server(json!({ "polling": { "idle": "0s" } })),
            "spec.polling.idle",
            "at least 1s",
        ),
        row(
            "a poll in words",
            server(json!({ "polling": { "active": "often" } })),
            "spec.polling.active",
            DURATION,
        ),
        row(
            "no time for a call",
            server(json!({ "timeouts": { "request": "0s" } })),
            "spec.timeouts.request",
            "at least 1s",
        ),
        row(
            "no time for the list",
            server(json!({ "timeouts": { "list": "500ms" } })),
            "spec.timeouts.list",
            "at least 1s",
        ),
        row(
            "settled before answered",
            server(json!({ "timeouts": { "settle": "10s" } })),
            "spec",
            "timeouts.settle must not be below timeouts.request",
        ),
        row(
            "negative runs",
            server(json!({ "limits": { "maxConcurrentRuns": -1 } })),
            "spec.limits.maxConcurrentRuns",
            "greater than or equal to 0",
        ),
        row(
            "negative removals",
            server(json!({ "removals": { "maxPerDay": -1 } })),
            "spec.removals.maxPerDay",
            "greater than or equal to 0",
        ),
    ]
}

#[tokio::test]
async fn always_wrong_tasks_are_refused_with_field_and_remedy() {
    refused(&wrong_tasks()).await;
}

#[tokio::test]
async fn always_wrong_servers_are_refused_with_field_and_remedy() {
    refused(&wrong_servers()).await;
}

async fn refused(mistakes: &[Mistake]) {
    let namespace = cluster().await.namespace("wrong").await;
    let judge = async |(number, mistake): (usize, &Mistake)| {
        // A name of its own: the next row would otherwise be judged as an update of what was wrongly accepted.
        let mut manifest = mistake.manifest.clone();
        manifest["metadata"]["name"] = format!("row-{number}").into();
        let output = namespace.apply(&manifest.to_string()).await;
        let said = output.stderr;
        let verdict = if output.success {
            "was accepted"
        } else if !names_field(&said, mistake.field) {
            "does not name the field"
        } else if !said.contains(mistake.remedy) {
            "does not name the remedy"
        } else if said.contains("evaluating rule") {
            "shows a rule that broke"
        } else {
            return None;
        };
        Some(format!(
            "{}: {verdict} ({}, {:?})\n  {said}",
            mistake.what, mistake.field, mistake.remedy
        ))
    };
    let failures: Vec<_> = stream::iter(mistakes.iter().enumerate())
        .map(judge)
        .buffer_unordered(KUBECTLS_AT_ONCE)
        .filter_map(async |f| f)
        .collect()
        .await;
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        mistakes.len(),
        failures.join("\n")
    );
}

/// The path as the API server writes it, and not only as the beginning of a longer one.
fn names_field(message: &str, field: &str) -> bool {
    [
        format!("{field}: "),
        format!("\"{field}\""),
        format!("{field} in body"),
    ]
    .iter()
    .any(|form| message.contains(form))
}

/// A schedule of exactly so many characters that is right but for its length.
fn cron_of_length(length: usize) -> String {
    let mut minutes = "0".to_owned();
    while minutes.len() + 10 <= length {
        minutes.push_str(",5");
    }
    let tail = " * * * *";
    let spaces = length - minutes.len() - tail.len();
    format!("{minutes}{}{tail}", " ".repeat(spaces))
}

const GOOD_SCHEDULES: &[&str] = &[
    "* * * * *",
    "0 0 * * *",
    "59 23 31 12 7",
    "00 00 01 01 0",
    "0 0 1 1 0",
    "5 4 * * 1-5",
    "*/5 * * * *",
    "*/1 * * * *",
    "0-59/15 * * * *",
    "0,15,30,45 * * * *",
    "0 8-18/2 * * mon-fri",
    "0 22 * * SUN",
    "0 22 * * Sat,Sun",
    "0 3 1 jan,APR,Jul,oct *",
    "0 3 1 JAN-DEC/3 *",
    "0 3 1-7 * 0",
    "0 3 31 * *",
    "0 3 31 2 *",
    "0\t3\t*\t*\t*",
    "0  3   *  * *",
    "1,2-4,*/7 * * * *",
    "0 0 29 2 *",
    "0 0 * * 0-7",
    "0 0 * * 5-7/2",
    "30 6 1,15 * *",
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
];

const BAD_SCHEDULES: &[&str] = &[
    " ",
    "*",
    "* * * *",
    "* * * * * *",
    " * * * * *",
    "* * * * * ",
    "* * * * *\n",
    "60 * * * *",
    "-1 * * * *",
    "100 * * * *",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 32 * *",
    "0 0 * 0 *",
    "0 0 * 13 *",
    "0 0 * * 8",
    "0 0 * * -1",
    "*/0 * * * *",
    "*/ * * * *",
    "/5 * * * *",
    "5/10 * * * *",
    "1- * * * *",
    "-5 * * * *",
    "1-60 * * * *",
    "1-2-3 * * * *",
    "1,,2 * * * *",
    ",1 * * * *",
    "1, * * * *",
    "** * * * *",
    "*-5 * * * *",
    "0 0 * foo *",
    "0 0 * * funday",
    "0 0 * january *",
    "0 0 * * monday",
    "0 0 mon * *",
    "0 0 L * *",
    "0 0 15W * *",
    "0 0 ? * *",
    "0 0 * * 5#3",
    "H 2 * * *",
    "1.5 * * * *",
    "0x1 * * * *",
    "@",
    "@Daily",
    "@reboot",
    "@every 5m",
    "@daily 3",
    "daily",
    "CRON_TZ=UTC 0 2 * * *",
    "TZ=UTC 0 2 * * *",
    "0 2 * * * UTC",
    "0;2 * * * *",
    "０ 2 * * *",
];

#[tokio::test]
async fn schedules_are_judged_by_their_shape() {
    let namespace = cluster().await.namespace("cron").await;
    let dry = DryRun::new(&namespace).await;
    let longest = cron_of_length(128);
    assert_eq!(longest.len(), 128);
    let mut wrong = Vec::new();
    for expression in GOOD_SCHEDULES.iter().copied().chain([longest.as_str()]) {
        if let Err(said) = dry.create(&schedule(expression)).await {
            wrong.push(format!("{expression:?} was refused: {said}"));
        }
    }
    for expression in BAD_SCHEDULES {
        match dry.create(&schedule(expression)).await {
            Ok(()) => wrong.push(format!("{expression:?} was accepted")),
            Err(said) if said.contains(CRON) && said.contains(SCHEDULE) => {}
            Err(said) => wrong.push(format!("{expression:?} was refused with other words: {said}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn good_near_the_boundary() -> Vec<(&'static str, Value)> {
    let colons = vec!["AB"; 32].join(":");
    vec![
        ("a token of 1 character", triggers(json!({ "request": "a" }))),
        (
            "a token of 63 characters",
            triggers(json!({ "request": "t".repeat(63) })),
        ),
        (
            "a token that is a time",
            triggers(json!({ "request": "2026-01-02T03:04:05+01:00" })),
        ),
        (
            "a time in UTC",
            triggers(json!({ "request": "a", "requestNotAfter": "2026-01-02T03:04:05Z" })),
        ),
        (
            "a time with an offset",
            triggers(json!({ "request": "a", "requestNotAfter": "2026-01-02T03:04:05-11:30" })),
        ),
        (
            "a time with a fraction",
            triggers(json!({ "request": "a", "requestNotAfter": "2026-01-02T03:04:05.678Z" })),
        ),
        (
            "a day that exists each fourth year",
            triggers(json!({ "request": "a", "requestNotAfter": "2028-02-29T00:00:00Z" })),
        ),
        (
            "all triggers together",
            triggers(json!({
                "request": "a", "requestNotAfter": "2026-01-02T03:04:05Z", "schedule": "@daily", "timeZone": "Europe/Berlin",
                "jitter": "30m", "startingDeadline": "6h", "maxAge": "26h",
            })),
        ),
        (
            "no jitter without a schedule",
            triggers(json!({ "jitter": "0s" })),
        ),
        ("a second", triggers(json!({ "maxAge": "1s" }))),
        ("a second in parts", triggers(json!({ "maxAge": "999ms1ms" }))),
        (
            "the longest duration",
            triggers(json!({ "maxAge": "99999h99999m99999s99999ms" })),
        ),
        (
            "the longest duration of one unit",
            triggers(json!({ "maxAge": "99999h99999h99999h99999h" })),
        ),
        ("a week in hours", triggers(json!({ "maxAge": "168h" }))),
        (
            "a zone of three parts",
            triggers(json!({ "timeZone": "America/Argentina/Buenos_Aires" })),
        ),
        (
            "a zone with a sign",
            triggers(json!({ "timeZone": "Etc/GMT+12" })),
        ),
        ("a zone of one part", triggers(json!({ "timeZone": "UTC" }))),
        ("task number 1", selector(json!({ "id": 1 }))),
        ("the largest task number", selector(json!({ "id": i64::MAX }))),
        ("a name of 1 character", selector(json!({ "name": "x" }))),
        (
            "a name in any script",
            selector(json!({ "name": "Büro – 事務所 (alt)" })),
        ),
        ("a unique key", selector(json!({ "uniqueKey": "5e3b2a1c-0000" }))),
        ("no retries", task(json!({ "retries": 0 }))),
        (
            "all retries",
            task(json!({ "retries": 100, "retryBackoff": "1s" })),
        ),
        ("no history", task(json!({ "historyLimit": 0 }))),
        ("all history", task(json!({ "historyLimit": 50 }))),
        ("a cancel", task(json!({ "cancel": { "request": "c" } }))),
        (
            "each manner of waiting",
            task(json!({ "whenRunning": "Adopt", "activeDeadline": "1s" })),
        ),
        (
            "replacing",
            task(json!({ "whenRunning": "Replace", "partialIsSuccess": true, "suspend": true })),
        ),
        (
            "freshness with an age",
            task(json!({ "readiness": "Fresh", "triggers": { "maxAge": "26h" } })),
        ),
        (
            "readiness by the last backup",
            task(json!({ "readiness": "LastBackup" })),
        ),
        ("no removal, said so", removal(json!({ "when": "Never" }))),
        (
            "a removal on deletion",
            removal(json!({ "when": "OnDelete", "confirm": "key" })),
        ),
        (
            "a removal on deletion with an end",
            removal(json!({
                "when": "OnDelete", "confirm": "key", "notAfter": "2026-01-02T03:04:05Z",
            })),
        ),
        (
            "a removal",
            removal(json!({ "when": "Now", "confirm": "key", "notAfter": "2026-01-02T03:04:05Z" })),
        ),
        (
            "empty values of a template",
            task(json!({
                "suspend": null, "retries": null, "triggers": { "schedule": null, "jitter": null }, "removal": null, "cancel": null,
            })),
        ),
        (
            "a name with dots and digits",
            task(json!({ "serverRef": { "name": "1.nas-a.example" } })),
        ),
        ("a host alone", url("https://nas")),
        ("an address", url("https://192.168.1.2:5001")),
        ("an address of IPv6", url("https://[fe80::1]:5001")),
        ("a path", url("https://nas.example.org/abb/")),
        ("the largest port", url("https://nas:65535")),
        ("the smallest port", url("https://nas:1/")),
        (
            "plaintext, permitted",
            server(json!({ "url": "http://nas:5000", "tls": { "allowPlaintext": true } })),
        ),
        (
            "a fingerprint without colons",
            tls(json!({ "fingerprint": "0f".repeat(32) })),
        ),
        ("a fingerprint with colons", tls(json!({ "fingerprint": colons }))),
        (
            "an authority",
            tls(json!({ "caRef": { "kind": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca_1.crt" } })),
        ),
        ("no verification", tls(json!({ "insecureSkipVerify": true }))),
        (
            "a fingerprint, and verified",
            tls(json!({ "fingerprint": "0f".repeat(32), "insecureSkipVerify": false })),
        ),
        (
            "settling as long as a call",
            server(json!({ "timeouts": { "request": "20s", "settle": "20s", "list": "1s" } })),
        ),
        (
            "only a call's time",
            server(json!({ "timeouts": { "request": "60s" } })),
        ),
        (
            "the shortest polls",
            server(json!({ "polling": { "idle": "1s", "active": "1s" } })),
        ),
        (
            "no limit",
            server(
                json!({ "limits": { "maxConcurrentRuns": 0 }, "removals": { "allowed": true, "maxPerDay": 0 } }),
            ),
        ),
        ("each mode", server(json!({ "mode": "Plan" }))),
        ("observing", server(json!({ "mode": "Observe" }))),
    ]
}

#[tokio::test]
async fn what_stands_just_inside_a_boundary_is_accepted() {
    let namespace = cluster().await.namespace("right").await;
    let dry = DryRun::new(&namespace).await;
    let mut wrong = Vec::new();
    for (what, manifest) in good_near_the_boundary() {
        if let Err(said) = dry.create(&manifest).await {
            wrong.push(format!("{what} was refused: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_server_of_a_task_cannot_be_changed() {
    let namespace = cluster().await.namespace("immutable").await;
    namespace.apply(&task(json!({})).to_string()).await.ok();
    let other = task(json!({ "serverRef": { "name": "other" } }));
    let said = namespace.apply(&other.to_string()).await.refused();
    assert!(
        said.contains("spec.serverRef.name: ") && said.contains("delete this one and create one"),
        "{said}"
    );
    let moved = task(json!({ "task": { "id": 7 } }));
    namespace.apply(&moved.to_string()).await.ok();
}

/// Creates nothing: the API server judges and forgets. Objects stay JSON, so that only the server judges.
struct DryRun {
    client: kube::Client,
}

impl DryRun {
    async fn new(namespace: &Namespace) -> Self {
        Self {
            client: namespace.client().await,
        }
    }

    async fn create(&self, manifest: &Value) -> Result<(), String> {
        let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        let kind = manifest["kind"].as_str().unwrap();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("activebackup.dev", "v1alpha1", kind));
        let api: Api<DynamicObject> = Api::default_namespaced_with(self.client.clone(), &resource);
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match api.create(&params, &object).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message.clone()),
            Err(error) => panic!("failed to ask the API server: {error:?}"),
        }
    }
}
