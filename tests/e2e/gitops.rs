//! What GitOps tools make of our objects. The real operator brings objects into every state of `tests/gitops/table.rs`
//! on simulated NASes; kstatus, Argo CD's Lua and Flux's expressions give the same verdict of each.
//!
//! `UPDATE_STATES=1 cargo test --test e2e gitops::` writes the recordings anew.

#[path = "../gitops/table.rs"]
#[allow(dead_code, reason = "each test target uses a part of the table")]
mod table;

use std::{collections::BTreeMap, fs};

use abb_operator::simulator::{Control, PackageState, Scenario, Simulator, TaskSpec};
use serde_json::{Value, json};

use crate::{
    harness::{Namespace, Operator, cluster, eventually, go},
    lab::{condition, nas, secret, server, server_at, task},
};

/// Long enough that no run of the album ends by itself.
const AN_HOUR: f64 = 3600.0;

/// Objects as they were seen, by the name of the state, and what brings them there.
struct Album {
    main: Simulator,
    away: Simulator,
    /// Kept for as long as somebody reads them.
    _others: [Simulator; 2],
    namespace: Namespace,
    operator: Operator,
    seen: BTreeMap<&'static str, Value>,
}

impl Album {
    /// Waits until an object shows the state's reason, and more where the reason alone does not tell; keeps it.
    async fn take(&mut self, state: &'static str, kind: &str, name: &str, holds: impl Fn(&Value) -> bool) {
        let (_, _, reason) = table::rows().find(|(row, ..)| *row == state).unwrap();
        let object = eventually(&format!("{state} ({kind} {name})"), async || {
            let object = self.namespace.get(kind, name).await;
            if table::ready_reason(&object) == *reason && holds(&object) {
                Ok(object)
            } else {
                Err(format!("{:#}\n{}", object["status"], self.operator.log()))
            }
        })
        .await;
        assert!(self.seen.insert(state, object).is_none(), "{state} twice");
    }

    async fn task(&mut self, state: &'static str) {
        self.take(state, "bt", state, |_| true).await;
    }

    async fn task_in(&mut self, state: &'static str, doing: &str) {
        self.take(state, "bt", state, |object| object["status"]["state"] == doing)
            .await;
    }

    async fn server(&mut self, state: &'static str) {
        self.take(state, "bsrv", state, |_| true).await;
    }

    async fn running(&self, name: &str) {
        eventually(&format!("{name} is running"), async || {
            let object = self.namespace.get("bt", name).await;
            if object["status"]["state"] == "Running" {
                Ok(())
            } else {
                Err(format!("{:#}\n{}", object["status"], self.operator.log()))
            }
        })
        .await;
    }
}

/// A NAS task of that number; the result of its newest run, which ended just now, if it has one.
fn nas_task(id: i64, name: &str, newest: Option<i64>) -> TaskSpec {
    serde_json::from_value(json!({
        "id": id, "name": name, "uniqueKey": format!("key-{id}"),
        "lastResult": newest.map(|status| json!({ "status": status })),
    }))
    .unwrap()
}

fn scenario(tasks: Vec<TaskSpec>) -> Scenario {
    let mut scenario = Scenario {
        tasks,
        default_run_seconds: AN_HOUR,
        max_concurrent_devices: 100,
        ..Scenario::seed()
    };
    scenario.behaviour.remove_seconds = 3.0;
    scenario
}

/// A BackupServer of that name; its Secret is `nas`.
fn server_named(name: &str, of: &Simulator, spec: &str) -> String {
    // Many objects share two cores here: a second is too little for an answer. Not more than `settle`.
    server(of, spec)
        .replace("metadata: {name: nas}", &format!("metadata: {{name: {name}}}"))
        .replace("request: 1s", "request: 3s")
}

/// A BackupTask named like its state for the NAS task of the same name.
fn of(server: &str, state: &str, spec: &str) -> String {
    task(state, state, spec).replace(
        "serverRef: {name: nas}",
        &format!("serverRef: {{name: {server}}}"),
    )
}

const TOKEN: &str = "triggers: {request: a}";
const LAST_BACKUP: &str = "readiness: LastBackup";
const FRESH: &str = "readiness: Fresh\nretryBackoff: 1h\ntriggers: {maxAge: 1h}";

fn now(confirm: &str) -> String {
    format!("removal: {{when: Now, confirm: {confirm}, notAfter: \"2099-01-01T00:00:00Z\"}}")
}

fn both(one: &str, other: &str) -> String {
    format!("{one}\n{other}")
}

/// States of tasks on the main NAS: name, the newest result on the NAS, what the spec says.
fn on_main() -> Vec<(&'static str, Option<i64>, String)> {
    let row = |name, newest, spec: &str| (name, newest, spec.to_owned());
    vec![
        row("task-new", Some(2), LAST_BACKUP),
        row("reconciled-idle", Some(2), ""),
        row("reconciled-running", Some(2), TOKEN),
        row("reconciled-failed", Some(4), ""),
        row("last-backup-none", None, LAST_BACKUP),
        row("last-backup-running", Some(2), &both(LAST_BACKUP, TOKEN)),
        row("last-backup-good", Some(2), LAST_BACKUP),
        row("last-backup-failed", Some(4), LAST_BACKUP),
        row(
            "last-backup-failed-retry",
            Some(2),
            &both(
                LAST_BACKUP,
                "retries: 1\nretryBackoff: 1h\ntriggers: {request: a}",
            ),
        ),
        row("last-backup-partial", Some(3), LAST_BACKUP),
        row("last-backup-canceled", Some(5), LAST_BACKUP),
        row("fresh-running", None, FRESH),
        row(
            "fresh-running-while-fresh",
            Some(2),
            "readiness: Fresh\ntriggers: {maxAge: 1h, request: a}",
        ),
        row("fresh-good", Some(2), FRESH),
        row("fresh-failed", Some(4), FRESH),
        row("suspended", Some(2), &both("suspend: true", TOKEN)),
        row("suspended-by-annotation", Some(2), TOKEN),
        row(
            "suspended-after-failed",
            Some(4),
            &both("suspend: true", LAST_BACKUP),
        ),
        row("suspended-stale", None, &both("suspend: true", FRESH)),
        row("task-replaced", Some(2), ""),
        row(
            "invalid-schedule",
            Some(2),
            "triggers: {schedule: \"0 0 31 2 *\"}",
        ),
        row("refused-for-now", Some(2), &both(LAST_BACKUP, TOKEN)),
        row("refused-for-good", Some(2), &both(LAST_BACKUP, TOKEN)),
        row("removed", Some(2), &now("key-removed")),
        row(
            "deleting",
            Some(2),
            "removal: {when: OnDelete, confirm: key-deleting}",
        ),
    ]
}

fn main_nas() -> Scenario {
    let mut tasks: Vec<TaskSpec> = Vec::new();
    for (name, newest, _) in on_main() {
        let id = i64::try_from(tasks.len()).unwrap() + 1;
        tasks.push(TaskSpec {
            unique_key: Some(format!("key-{name}")),
            window_open: Some(name != "refused-for-now"),
            allow_manual_backup: Some(name != "refused-for-good"),
            ..nas_task(id, name, newest)
        });
    }
    let others = [
        ("task-ambiguous", Some(2)),
        ("task-ambiguous", Some(2)),
        ("first-in-line", Some(2)),
        ("last-backup-queued", Some(2)),
        ("fresh-queued", None),
        ("planned", Some(2)),
        ("planned-stale", None),
        ("observing", Some(2)),
        ("removal-not-allowed", Some(2)),
        ("deleting-withheld", Some(2)),
    ];
    for (place, (name, newest)) in others.into_iter().enumerate() {
        tasks.push(nas_task(100 + i64::try_from(place).unwrap(), name, newest));
    }
    scenario(tasks)
}

fn id_on_main(name: &str) -> i64 {
    let place = on_main().iter().position(|(row, ..)| *row == name).unwrap();
    i64::try_from(place).unwrap() + 1
}

/// Every object but those that a later step makes; nobody has looked at any of them yet.
fn manifests(main: &Simulator, small: &Simulator, away: &Simulator, stopped: &Simulator) -> String {
    let elsewhere = |name: &str, text: String| {
        text.replacen("metadata: {name: nas}", &format!("metadata: {{name: {name}}}"), 1)
    };
    let other_secret = |name: &str, of: &str| {
        server_named(name, main, "").replace("secretRef: {name: nas}", &format!("secretRef: {{name: {of}}}"))
    };
    let nobody = "00".repeat(32);
    let mut all = vec![
        secret(main.password()),
        elsewhere("wrong", secret("wrong")),
        server_named(
            "nas",
            main,
            "removals: {allowed: true}\nlimits: {maxConcurrentRuns: 0}",
        ),
        server_named("nas-connected", main, ""),
        server_named("narrow", main, "limits: {maxConcurrentRuns: 1}"),
        server_named("plan", main, "mode: Plan"),
        server_named("observe", main, "mode: Observe"),
        server_named("small", small, "limits: {maxConcurrentRuns: 0}"),
        // It will not answer, so it is not waited for long.
        elsewhere("away", server(away, "")),
        server_named("nas-package-stopped", stopped, ""),
        other_secret("nas-refused", "wrong"),
        other_secret("nas-without-secret", "none"),
        elsewhere("nas-untrusted", server_at(main.url(), &nobody, "")),
        // Nobody listens there.
        elsewhere("nas-unreachable", server_at("https://127.0.0.1:1", &nobody, "")),
        server_named("nas-deleting", main, "").replace(
            "{name: nas-deleting}",
            "{name: nas-deleting, finalizers: [example.org/hold]}",
        ),
    ];
    all.extend(on_main().iter().map(|(name, _, spec)| of("nas", name, spec)));
    all.extend([
        of("narrow", "first-in-line", TOKEN),
        task("in-front", "in-front", TOKEN).replace("serverRef: {name: nas}", "serverRef: {name: small}"),
        of("away", "server-not-ready", ""),
        of("nas-unreachable", "task-never-read", ""),
        of("plan", "planned", TOKEN),
        of("plan", "planned-stale", FRESH),
        of("observe", "observing", TOKEN),
        of("nowhere", "server-not-found", ""),
        of("nas", "task-not-found", ""),
        of("nas", "task-ambiguous", ""),
        of("nas-connected", "removal-not-allowed", &now("key-108")),
        of(
            "nas-connected",
            "deleting-withheld",
            "removal: {when: OnDelete, confirm: key-109}",
        ),
    ]);
    all.join("---\n").replace(
        "metadata: {name: suspended-by-annotation}",
        "metadata: {name: suspended-by-annotation, annotations: {activebackup.dev/suspended: \"true\"}}",
    )
}

/// The album before the operator has begun, with the states that only then exist.
async fn opened() -> Album {
    let main = nas(main_nas(), 1.0).await;
    let small = Scenario {
        max_concurrent_devices: 1,
        ..scenario(vec![
            nas_task(1, "in-front", Some(2)),
            nas_task(2, "reconciled-waiting", Some(2)),
            nas_task(3, "last-backup-waiting", Some(2)),
        ])
    };
    let away = scenario(vec![nas_task(1, "server-not-ready", Some(2))]);
    let stopped = Scenario {
        package: PackageState::Stopped,
        ..scenario(Vec::new())
    };
    // One account for all of them.
    let like_main = async |scenario: Scenario| {
        let password = main.password().to_owned();
        nas(Scenario { password, ..scenario }, 1.0).await
    };
    let (small, away, stopped) = (
        like_main(small).await,
        like_main(away).await,
        like_main(stopped).await,
    );
    let namespace = cluster().await.namespace("states").await;
    namespace
        .apply(&manifests(&main, &small, &away, &stopped))
        .await
        .ok();
    let mut seen = BTreeMap::new();
    seen.insert("task-new", namespace.get("bt", "task-new").await);
    let renamed = rename(namespace.get("bsrv", "nas").await, "nas-new");
    seen.insert("nas-new", renamed);
    let mut operator = namespace.operator(&["--no-leader-election"]);
    operator.wait_ready().await;
    Album {
        main,
        away,
        _others: [small, stopped],
        namespace,
        operator,
        seen,
    }
}

fn rename(mut object: Value, name: &str) -> Value {
    object["metadata"]["name"] = name.into();
    object
}

impl Album {
    /// What comes by itself, in the order in which it takes time.
    async fn take_what_comes(&mut self) {
        for state in [
            "reconciled-idle",
            "reconciled-failed",
            "last-backup-none",
            "last-backup-good",
            "last-backup-failed",
            "last-backup-partial",
            "last-backup-canceled",
            "fresh-good",
            "fresh-failed",
            "suspended",
            "suspended-by-annotation",
            "suspended-after-failed",
            "suspended-stale",
            "planned",
            "planned-stale",
            "observing",
            "task-not-found",
            "task-ambiguous",
            "invalid-schedule",
            "server-not-found",
            "task-never-read",
            "refused-for-now",
            "refused-for-good",
            "removal-not-allowed",
        ] {
            self.task(state).await;
        }
        for state in [
            "reconciled-running",
            "last-backup-running",
            "fresh-running",
            "fresh-running-while-fresh",
        ] {
            self.task_in(state, "Running").await;
        }
        for state in [
            "nas-connected",
            "nas-unreachable",
            "nas-package-stopped",
            "nas-refused",
            "nas-untrusted",
            "nas-without-secret",
        ] {
            self.server(state).await;
        }
        self.take("removed", "bt", "removed", |object| {
            object["status"]["state"] == "Removed"
        })
        .await;
    }

    /// What needs another object in front of it.
    async fn take_what_waits(&mut self) {
        self.running("first-in-line").await;
        self.running("in-front").await;
        let behind = [
            of("narrow", "last-backup-queued", &both(LAST_BACKUP, TOKEN)),
            of("narrow", "fresh-queued", FRESH),
            of("small", "reconciled-waiting", TOKEN),
            of("small", "last-backup-waiting", &both(LAST_BACKUP, TOKEN)),
            // Younger than the one it meets, which was seen long ago.
            task("task-claimed", "reconciled-idle", ""),
        ];
        self.namespace.apply(&behind.join("---\n")).await.ok();
        for state in ["last-backup-queued", "fresh-queued", "task-claimed"] {
            self.task(state).await;
        }
        for state in ["reconciled-waiting", "last-backup-waiting"] {
            self.task_in(state, "Waiting").await;
        }
    }

    /// What somebody does to the NAS or to the object.
    async fn take_what_happens(&mut self) {
        self.running("last-backup-failed-retry").await;
        let id = id_on_main("last-backup-failed-retry");
        self.main.control(Control::FinishTask { id, status: 4 }).unwrap();
        self.take(
            "last-backup-failed-retry",
            "bt",
            "last-backup-failed-retry",
            |object| object["status"]["nextAttemptTime"].is_string(),
        )
        .await;

        eventually("it is bound before another takes its place", async || {
            let object = self.namespace.get("bt", "task-replaced").await;
            (condition(&object["status"], "Bound")["status"] == "True").then_some(())
        })
        .await;
        let id = id_on_main("task-replaced");
        self.main.control(Control::VanishTask { id }).unwrap();
        let other = nas_task(200, "task-replaced", Some(2));
        self.main.control(Control::AddTask(Box::new(other))).unwrap();
        self.task("task-replaced").await;

        self.away.control(Control::Power { on: false }).unwrap();
        // The first failed poll leaves the verdict, the second leaves none.
        self.task_in("server-not-ready", "Unknown").await;

        for name in ["deleting", "deleting-withheld"] {
            eventually("the finalizer is there", async || {
                let object = self.namespace.get("bt", name).await;
                object["metadata"]["finalizers"].is_array().then_some(())
            })
            .await;
        }
        for (kind, names) in [("bt", "deleting,deleting-withheld"), ("bsrv", "nas-deleting")] {
            let mut command = vec!["delete", "--wait=false", kind];
            command.extend(names.split(','));
            self.namespace.kubectl(&command).await.ok();
        }
        let is_deleting = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
        self.take("deleting", "bt", "deleting", |object| {
            is_deleting(object) && object["status"]["state"] == "Deleting"
        })
        .await;
        self.take("deleting-withheld", "bt", "deleting-withheld", is_deleting)
            .await;
        self.take("nas-deleting", "bsrv", "nas-deleting", is_deleting)
            .await;
        let let_go = r#"{"metadata":{"finalizers":null}}"#;
        self.namespace
            .kubectl(&["patch", "bsrv", "nas-deleting", "--type", "merge", "-p", let_go])
            .await
            .ok();
    }

    /// What nobody looks at any more: an edit after the operator has gone.
    async fn take_what_is_edited(&mut self) {
        self.operator.kill().await;
        let edits = [
            of(
                "nas",
                "last-backup-good",
                &both(LAST_BACKUP, "triggers: {request: b}"),
            ),
            of("nas", "task-not-found", "historyLimit: 5"),
            server_named("nas-connected", &self.main, "polling: {idle: 2s, active: 2s}").replacen(
                "  polling: {idle: 1s, active: 1s}\n",
                "",
                1,
            ),
        ];
        self.namespace.apply(&edits.join("---\n")).await.ok();
        for (state, kind, name) in [
            ("task-edited-after-good", "bt", "last-backup-good"),
            ("task-edited-after-stalled", "bt", "task-not-found"),
            ("nas-edited", "bsrv", "nas-connected"),
        ] {
            let object = rename(self.namespace.get(kind, name).await, state);
            self.seen.insert(state, object);
        }
    }
}

/// An object as it is kept: without what every run has anew.
fn scrubbed(object: &Value) -> Value {
    match object {
        Value::String(text) => scrubbed_text(text).into(),
        Value::Array(items) => items.iter().map(scrubbed).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "managedFields" | "resourceVersion" | "kubectl.kubernetes.io/last-applied-configuration"
                )
            });
            let fixed = |name: &str, value: &Value| match name {
                "namespace" => "backup".into(),
                "fingerprint" => "0".repeat(64).into(),
                "refusedSecretVersion" => "1".into(),
                _ => scrubbed(value),
            };
            Value::Object(
                kept.map(|(name, value)| (name.clone(), fixed(name, value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// Times, random identities and addresses in a text become the same ones each time.
fn scrubbed_text(text: &str) -> String {
    const TIME: &str = "2026-01-02T03:04:05Z";
    const UUID: &str = "00000000-0000-0000-0000-000000000000";
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("127.0.0.1:") {
            kept.push_str("nas.example.org:5001");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        } else if looks_like(rest, TIME) {
            kept.push_str(TIME);
            let end = rest.find('Z').unwrap_or(rest.len() - 1);
            rest = &rest[end + 1..];
        } else if looks_like(rest, UUID) {
            kept.push_str(UUID);
            rest = &rest[UUID.len()..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// Whether a text begins like a pattern up to its last sign: a digit stands for any digit, in one of zeros for any
/// hexadecimal one. Of a time the fraction may differ.
fn looks_like(text: &str, pattern: &str) -> bool {
    let is_hexadecimal = pattern.starts_with("00000000");
    let signs = pattern.trim_end_matches('Z');
    text.len() >= pattern.len()
        && signs.chars().zip(text.chars()).all(|(wanted, sign)| {
            if wanted.is_ascii_digit() {
                sign.is_ascii_digit() || is_hexadecimal && sign.is_ascii_hexdigit()
            } else {
                sign == wanted
            }
        })
}

#[tokio::test]
async fn every_tool_gives_the_same_verdict_of_every_state() {
    let mut album = opened().await;
    album.take_what_comes().await;
    album.take_what_waits().await;
    album.take_what_happens().await;
    album.take_what_is_edited().await;

    let names: Vec<&str> = album.seen.keys().copied().collect();
    let mut expected: Vec<&str> = table::rows().map(|(name, ..)| *name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "every state of the table, and no other");
    let objects: Vec<Value> = album.seen.values().cloned().collect();
    let verdicts = tokio::task::spawn_blocking(move || {
        let verdicts = table::ask(&["verdicts"], &objects);
        (objects, verdicts)
    });
    let (objects, verdicts) = verdicts.await.unwrap();
    let mut wrong = Vec::new();
    for ((name, object), verdict) in names.iter().zip(&objects).zip(verdicts.unwrap()) {
        let (_, expected, _) = table::rows().find(|(row, ..)| row == name).unwrap();
        if table::status_words(&verdict) != expected.words() {
            wrong.push(format!(
                "{name}: {verdict}, not {expected:?}\n{:#}",
                object["status"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let update = std::env::var_os("UPDATE_STATES").is_some();
    for (name, object) in &album.seen {
        if update {
            let text = format!("{:#}\n", scrubbed(object));
            fs::write(table::recording(name), text).unwrap();
        }
        let recorded = table::recorded(name).unwrap();
        assert_eq!(
            table::conditions(object),
            table::conditions(&recorded),
            "{name} is not as it was recorded: run UPDATE_STATES=1 cargo test --test e2e gitops::"
        );
    }
}

#[test]
fn a_recording_has_nothing_of_the_run_that_made_it() {
    for (text, kept) in [
        ("at 2026-11-25T04:30:00Z, then", "at 2026-01-02T03:04:05Z, then"),
        ("2026-11-25T04:30:00.123456Z", "2026-01-02T03:04:05Z"),
        (
            "75711daf-8ee1-4bcb-bd84-2b04e9983f6d",
            "00000000-0000-0000-0000-000000000000",
        ),
        (
            "https://127.0.0.1:41351/webapi",
            "https://nas.example.org:5001/webapi",
        ),
        ("key-2026-11", "key-2026-11"),
        ("", ""),
    ] {
        assert_eq!(scrubbed_text(text), kept);
    }
}
