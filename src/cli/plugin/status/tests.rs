//! What is said of objects as the operator leaves them: the recorded states of `tests/gitops/states`, in time and a day after
//! an operator wrote last; and how it is put on a screen.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{
    chosen,
    health::Verdict,
    items, missing,
    render::{Look, Scene, render},
    verdict::{of_server, of_task},
};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{
        plugin::objects::{Scope, Seen},
        screen::Screen,
    },
};

const PLAIN: Screen = Screen {
    width: None,
    colours: false,
    unicode: true,
};

/// The recorded states have one time for all times.
fn now() -> Timestamp {
    "2026-01-02T03:04:35Z".parse().unwrap()
}

fn state(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/gitops/states/{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn seen<K: kube::Resource<DynamicType = ()> + serde::de::DeserializeOwned>(object: Value) -> Seen<K> {
    Seen::of(serde_json::from_value::<DynamicObject>(object).unwrap())
}

fn verdict(object: Value, now: Timestamp) -> Verdict {
    if object["kind"] == "BackupServer" {
        of_server(&seen::<BackupServer>(object).object.unwrap(), now)
    } else {
        of_task(&seen::<BackupTask>(object).object.unwrap(), now)
    }
}

fn words(object: Value, now: Timestamp) -> String {
    let verdict = verdict(object, now);
    format!("{}, {}, {}", verdict.health.word(), verdict.ready, verdict.reason)
}

/// Health, the word of READY, the reason: of every recorded state.
const STATES: [(&str, &str); 51] = [
    ("deleting-withheld", "stalled, False, RemovalNotAllowed"),
    ("deleting", "running, False, RemovalInProgress"),
    ("fresh-failed", "stalled, False, MaxAgeExceeded"),
    ("fresh-good", "fine, True, WithinMaxAge"),
    ("fresh-queued", "waiting, False, Queued"),
    ("fresh-running-while-fresh", "running, True, WithinMaxAge"),
    ("fresh-running", "running, False, BackupRunning"),
    ("invalid-schedule", "stalled, False, InvalidSchedule"),
    ("last-backup-canceled", "canceled, False, BackupCanceled"),
    ("last-backup-failed-retry", "failed, False, BackupFailed"),
    ("last-backup-failed", "failed, False, BackupFailed"),
    ("last-backup-good", "fine, True, BackupSucceeded"),
    ("last-backup-none", "unknown, False, NoResult"),
    ("last-backup-partial", "failed, False, BackupPartiallySucceeded"),
    ("last-backup-queued", "waiting, False, Queued"),
    ("last-backup-running", "running, False, BackupRunning"),
    ("last-backup-waiting", "running, False, BackupRunning"),
    ("nas-connected", "fine, True, Connected"),
    ("nas-deleting", "waiting, True, Deleting"),
    ("nas-edited", "unknown, NotSeen, EditNotSeen"),
    ("nas-new", "unknown, NotSeen, NeverSeen"),
    ("nas-package-stopped", "stalled, False, PackageNotRunning"),
    ("nas-refused", "stalled, False, CredentialsRejected"),
    ("nas-unreachable", "stalled, False, Unreachable"),
    ("nas-untrusted", "stalled, False, CertificateRejected"),
    ("nas-without-secret", "stalled, False, SecretNotFound"),
    ("observing", "held back, True, Observing"),
    ("planned-stale", "stalled, False, MaxAgeExceeded"),
    ("planned", "held back, True, Planned"),
    ("reconciled-failed", "failed, True, BackupFailed"),
    ("reconciled-idle", "fine, True, Reconciled"),
    ("reconciled-running", "running, True, BackupRunning"),
    ("reconciled-waiting", "running, True, BackupRunning"),
    ("refused-for-good", "stalled, False, BackupRefused"),
    ("refused-for-now", "waiting, False, BackupRefused"),
    ("removal-not-allowed", "stalled, False, RemovalNotAllowed"),
    ("removed", "fine, True, TaskRemoved"),
    ("server-not-found", "stalled, False, ServerNotFound"),
    ("server-not-ready", "unknown, Unknown, ServerNotReady"),
    ("suspended-after-failed", "failed, False, BackupFailed"),
    ("suspended-by-annotation", "held back, True, Suspended"),
    ("suspended-stale", "stalled, False, MaxAgeExceeded"),
    ("suspended", "held back, True, Suspended"),
    ("task-ambiguous", "stalled, False, TaskAmbiguous"),
    ("task-claimed", "stalled, False, TaskClaimed"),
    ("task-edited-after-good", "unknown, NotSeen, EditNotSeen"),
    ("task-edited-after-stalled", "unknown, NotSeen, EditNotSeen"),
    ("task-never-read", "unknown, Unknown, ServerNotReady"),
    ("task-new", "unknown, NotSeen, NeverSeen"),
    ("task-not-found", "stalled, False, TaskNotFound"),
    ("task-replaced", "stalled, False, TaskReplaced"),
];

#[test]
fn every_recorded_state_is_judged() {
    for (name, expected) in STATES {
        assert_eq!(words(state(name), now()), expected, "{name}");
    }
    let recorded = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitops/states"));
    assert_eq!(
        recorded.unwrap().count(),
        STATES.len(),
        "a state without a line here"
    );
}

/// An operator that lives would have said something else by then. What waits or is held back stays as it is.
#[test]
fn a_verdict_that_outlived_its_operator_is_not_believed() {
    let later = now() + SignedDuration::from_hours(24);
    for (name, expected) in STATES {
        let expected = match name {
            "fresh-good" | "fresh-running-while-fresh" | "last-backup-failed-retry" => {
                "unknown, Unknown, Outdated"
            }
            // Refused logins are tried again at a time that is said.
            "nas-refused" if state(name)["status"]["login"]["nextAttemptTime"].is_string() => {
                "unknown, Unknown, Outdated"
            }
            _ => expected,
        };
        assert_eq!(words(state(name), later), expected, "{name}");
    }
    let mut fresh = state("fresh-good");
    let message = verdict(fresh.clone(), later).message;
    assert_eq!(
        message,
        "not fresh any more: maxAge lapsed 24h ago, at 2026-01-02T03:04:05Z, and no operator has said so"
    );
    // Another readiness keeps its verdict; that it is not fresh is said all the same.
    fresh["spec"]["readiness"] = "Reconciled".into();
    assert_eq!(words(fresh, later), "unknown, True, Outdated");
    let mut due = state("reconciled-idle");
    due["status"]["nextRunTime"] = "2026-01-02T03:04:05Z".into();
    assert_eq!(words(due.clone(), now()), "fine, True, Reconciled");
    let silent = verdict(due, later);
    assert_eq!(
        silent.message,
        "its next run was due 24h ago, at 2026-01-02T03:04:05Z, and nothing has happened since"
    );
}

#[test]
fn a_clock_that_is_off_is_said_of_a_server_that_is_fine() {
    let mut nas = state("nas-connected");
    for (seconds, expected) in [
        (5, ""),
        (-37, "the clock of the NAS is 37s behind"),
        (6, "the clock of the NAS is 6s ahead"),
    ] {
        nas["status"]["clockSkewSeconds"] = seconds.into();
        assert_eq!(verdict(nas.clone(), now()).message, expected);
    }
}

fn scene(names: &[&str]) -> Scene {
    let mut scene = Scene::default();
    for name in names {
        let object = state(name);
        if object["kind"] == "BackupServer" {
            scene.servers.push(seen(object));
        } else {
            scene.tasks.push(seen(object));
        }
    }
    scene
}

fn look() -> Look {
    Look {
        scope: Scope::Namespace("backup".to_owned()),
        selector: None,
        wide: false,
    }
}

#[test]
fn what_is_worst_is_said_first_and_the_same_only_once() {
    let mut tasks = scene(&[
        "suspended",
        "fresh-queued",
        "last-backup-failed",
        "task-not-found",
    ]);
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        let mut object = state("server-not-ready");
        object["metadata"]["name"] = name.into();
        tasks.tasks.push(seen(object));
    }
    let text = render(&tasks, &look(), PLAIN, now());
    let is_said = |line: &&str| {
        ["fail  ", "warn  ", "wait  ", "held  "]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let marks: Vec<&str> = text.lines().filter(is_said).collect();
    let starts: Vec<&str> = marks
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        starts,
        [
            "fail  task-not-found",
            "fail  last-backup-failed",
            "warn  a, b, c, d, e and 2 more",
            "wait  fresh-queued",
            "held  suspended",
        ],
        "{text}"
    );
    assert!(
        text.ends_with("\n11 tasks: 1 waiting, 1 held back, 1 failed, 1 stalled, 7 unknown\n"),
        "{text}"
    );
}

/// Whatever is shown, no line is longer than the terminal is wide, colours or not.
#[test]
fn every_state_fits_every_terminal() {
    let names: Vec<&str> = STATES.iter().map(|(name, _)| *name).collect();
    let mut all = scene(&names);
    let mut long = state("task-replaced");
    long["metadata"]["name"] = "x".repeat(253).into();
    long["metadata"]["namespace"] = "y".repeat(63).into();
    long["spec"]["serverRef"]["name"] = "z".repeat(253).into();
    long["status"]["task"]["name"] = "写真 \u{1b}[31m".repeat(40).into();
    all.tasks.push(seen(long));
    for width in [12, 20, 40, 60, 79, 80, 81, 100, 120, 140, 200, 400] {
        for (wide, scope) in [(false, look().scope), (true, Scope::All)] {
            let look = Look {
                scope,
                wide,
                ..look()
            };
            let plain = Screen {
                width: Some(width),
                ..PLAIN
            };
            let text = render(&all, &look, plain, now());
            for line in text.lines() {
                // A letter of two columns has no room in one.
                assert!(
                    crate::cli::screen::measure(line) <= width.max(8),
                    "{width}: {line}"
                );
            }
            let coloured = render(
                &all,
                &look,
                Screen {
                    colours: true,
                    ..plain
                },
                now(),
            );
            assert_eq!(console::strip_ansi_codes(&coloured), text);
        }
    }
}

#[test]
fn names_choose_tasks_and_their_servers_and_programs_get_them_in_order() {
    let at = |name: &str, key: (&str, &str), server: &str| {
        let mut object = state(name);
        object["metadata"]["namespace"] = key.0.into();
        object["metadata"]["name"] = key.1.into();
        if object["kind"] == "BackupTask" {
            object["spec"]["serverRef"]["name"] = server.into();
        }
        object["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
        object
    };
    let servers = || {
        [("b", "nas"), ("a", "other"), ("a", "nas")]
            .map(|key| seen(at("nas-connected", key, "")))
            .to_vec()
    };
    let tasks = || {
        [
            (("b", "one"), "nas"),
            (("a", "two"), "other"),
            (("a", "one"), "nas"),
        ]
        .map(|(key, server)| seen(at("reconciled-idle", key, server)))
        .to_vec()
    };
    let order = |scene: &Scene| -> Vec<String> {
        items(scene)
            .iter()
            .map(|item| {
                assert!(item["metadata"].get("managedFields").is_none());
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                [
                    text(&item["metadata"]["namespace"]),
                    text(&item["kind"]),
                    text(&item["metadata"]["name"]),
                ]
                .join(" ")
            })
            .collect()
    };
    let all = chosen(servers(), tasks(), &look(), &[]);
    assert_eq!(
        order(&all),
        [
            "a BackupServer nas",
            "a BackupServer other",
            "a BackupTask one",
            "a BackupTask two",
            "b BackupServer nas",
            "b BackupTask one",
        ]
    );
    let names = ["two".to_owned(), "three".to_owned()];
    let some = chosen(servers(), tasks(), &look(), &names);
    assert_eq!(order(&some), ["a BackupServer other", "a BackupTask two"]);
    let failure = missing(&some, &look(), &names).unwrap().to_string();
    assert_eq!(
        failure,
        "there is no BackupTask \"three\" in namespace \"backup\": see kubectl get backuptasks --all-namespaces"
    );
}

#[test]
fn hints_name_the_next_step() {
    let selecting = Look {
        selector: Some("tier=gold".to_owned()),
        ..look()
    };
    let all = Look {
        scope: Scope::All,
        ..look()
    };
    for (look, names, part) in [
        (
            look(),
            &[][..],
            "no BackupServer and no BackupTask in namespace \"backup\": declare a NAS first",
        ),
        (
            look(),
            &["nas-connected"],
            "no BackupTask in namespace \"backup\": kubectl abb import SERVER",
        ),
        (look(), &["nas-connected"], "elsewhere: kubectl abb status -A"),
        (
            selecting,
            &[],
            "no BackupTask in namespace \"backup\" has the labels tier=gold",
        ),
        (all, &[], "no BackupServer and no BackupTask in any namespace"),
    ] {
        let text = render(&scene(names), &look, PLAIN, now());
        assert!(text.contains(part), "{part} in {text}");
    }
}
