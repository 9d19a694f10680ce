//! What GitOps tools make of the recorded states, and the files for them: Argo CD's scripts in the layout of its own
//! repository with their tests, the patch of argocd-cm made from them, and Flux's manifests. The recordings are made by
//! the test with a cluster (`tests/e2e/gitops.rs`).
//!
//! `UPDATE_STATES=1 cargo test --test packaging gitops::` writes what is made from recordings and scripts anew.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{binaries::Binaries, go};

#[path = "../gitops/table.rs"]
#[allow(dead_code, reason = "each test target uses a part of the table")]
mod table;

const REFRESH: &str = "UPDATE_STATES=1 cargo test --test packaging gitops::";

/// The states that stand beside Argo CD's scripts as its own tests want them.
const TESTDATA: [(&str, &[&str]); 2] = [
    (
        "BackupTask",
        &[
            "task-new",
            "task-edited-after-good",
            "reconciled-idle",
            "last-backup-running",
            "last-backup-good",
            "last-backup-failed",
            "fresh-good",
            "fresh-failed",
            "suspended",
            "task-not-found",
        ],
    ),
    (
        "BackupServer",
        &["nas-new", "nas-connected", "nas-unreachable", "nas-refused"],
    ),
];

fn argo(path: &str) -> PathBuf {
    table::below_root(table::ARGO).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}

/// Compares a file with what it is made of, or writes it.
fn is_made_of(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_STATES").is_some() {
        fs::write(path, text).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is stale; refresh it with\n{REFRESH}",
        path.display()
    );
}

#[test]
fn every_tool_gives_the_same_verdict_of_every_recording() {
    let rows: Vec<&table::Row> = table::rows().collect();
    assert!(rows.len() >= 25);
    let objects: Vec<Value> = rows
        .iter()
        .map(|(name, ..)| table::recorded(name).unwrap())
        .collect();
    let verdicts = table::ask(&["verdicts"], &objects).unwrap();
    let mut wrong = Vec::new();
    for (((name, expected, reason), object), verdict) in rows.iter().zip(&objects).zip(&verdicts) {
        if table::status_words(verdict) != expected.words() || table::ready_reason(object) != *reason {
            wrong.push(format!("{name}: {verdict}, not {expected:?} with {reason:?}"));
        }
        // A failure that says nothing helps nobody.
        let message = verdict["argo"]["message"].as_str().unwrap_or_default();
        assert!(message.len() > 10, "{name}: {message:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recording_is_a_row_and_holds_no_secret() {
    let named: BTreeSet<PathBuf> = table::rows().map(|(name, ..)| table::recording(name)).collect();
    let there: BTreeSet<PathBuf> = fs::read_dir(table::below_root("tests/gitops/states"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(there, named);
    for path in there {
        let text = read(&path);
        // A message may speak of a password; what it is, or where it is read from, stands nowhere.
        let password = abb_operator::simulator::Scenario::seed().password;
        for word in [
            password.as_str(),
            "\"password\":",
            "stringData",
            "127.0.0.1",
            "managedFields",
        ] {
            assert!(!text.contains(word), "{word} in {}", path.display());
        }
    }
}

/// Argo CD's `health_test.yaml`: inputs and what the script says of each.
#[test]
fn the_scripts_stand_as_argo_cd_wants_them_upstream() {
    for (kind, states) in TESTDATA {
        let folder = argo("activebackup.dev").join(kind);
        let objects: Vec<Value> = states.iter().map(|name| table::recorded(name).unwrap()).collect();
        let verdicts = table::ask(&["verdicts"], &objects).unwrap();
        let mut tests = String::from("tests:\n");
        for ((name, object), verdict) in states.iter().zip(&objects).zip(&verdicts) {
            is_made_of(
                &folder.join("testdata").join(format!("{name}.yaml")),
                &serde_saphyr::to_string(object).unwrap(),
            );
            let text = |field: &str| verdict["argo"][field].as_str().unwrap_or_default().to_owned();
            let (status, message) = (text("status"), json!(text("message")));
            write!(tests,
                "  - healthStatus:\n      status: {status}\n      message: {message}\n    inputPath: testdata/{name}.yaml\n"
            ).unwrap();
        }
        is_made_of(&folder.join("health_test.yaml"), &tests);
        let there = fs::read_dir(folder.join("testdata")).unwrap().count();
        assert_eq!(there, states.len(), "a file of nothing in {}", folder.display());
    }
}

const ACTIONS: [&str; 4] = ["backup", "cancel", "resume", "suspend"];

/// The patch of argocd-cm: the scripts under the keys that Argo CD reads.
#[test]
fn argocd_cm_has_the_scripts() {
    let script = |path: &str| read(&argo("activebackup.dev").join(path));
    let block = |text: &str, indent: usize| -> String {
        let space = " ".repeat(indent);
        let line = |line: &str| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{space}{line}\n")
            }
        };
        text.lines().map(line).collect()
    };
    let mut text = String::from(
        "# Health and actions of both kinds for Argo CD: a patch of its ConfigMap, made from the scripts in\n\
         # activebackup.dev/. Apply it with kustomize, or with\n\
         #   kubectl patch configmap argocd-cm -n argocd --patch-file argocd-cm.yaml\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\ndata:\n",
    );
    for kind in ["BackupServer", "BackupTask"] {
        write!(
            text,
            "  resource.customizations.health.activebackup.dev_{kind}: |\n{}",
            block(&script(&format!("{kind}/health.lua")), 4)
        )
        .unwrap();
    }
    write!(text,
        "  resource.customizations.actions.activebackup.dev_BackupTask: |\n    discovery.lua: |\n{}    definitions:\n",
        block(&script("BackupTask/actions/discovery.lua"), 6)
    ).unwrap();
    for action in ACTIONS {
        write!(
            text,
            "      - name: {action}\n        action.lua: |\n{}",
            block(&script(&format!("BackupTask/actions/{action}/action.lua")), 10)
        )
        .unwrap();
    }
    is_made_of(&argo("argocd-cm.yaml"), &text);

    // What a YAML reader makes of it is what stands in the files.
    let patch: Value = serde_saphyr::from_str(&text).unwrap();
    for kind in ["BackupServer", "BackupTask"] {
        let key = format!("resource.customizations.health.activebackup.dev_{kind}");
        assert_eq!(patch["data"][key], script(&format!("{kind}/health.lua")));
    }
    let actions = &patch["data"]["resource.customizations.actions.activebackup.dev_BackupTask"];
    let actions: Value = serde_saphyr::from_str(actions.as_str().unwrap()).unwrap();
    assert_eq!(
        actions["discovery.lua"],
        script("BackupTask/actions/discovery.lua")
    );
    for (definition, name) in actions["definitions"].as_array().unwrap().iter().zip(ACTIONS) {
        assert_eq!(definition["name"], name);
        assert_eq!(
            definition["action.lua"],
            script(&format!("BackupTask/actions/{name}/action.lua"))
        );
    }
}

/// The example kustomization, with a ConfigMap in place of Argo CD's own manifests.
#[test]
fn kustomize_patches_argocd_cm() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let example = read(&argo("kustomization.yaml"));
    let upstream = example.lines().find(|line| line.contains("https://")).unwrap();
    let offline = example.replace(upstream, "  - install.yaml");
    let base = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\ndata: {kept: \"yes\"}\n";
    for (name, text) in [
        ("kustomization.yaml", offline.as_str()),
        ("install.yaml", base),
        ("argocd-cm.yaml", &read(&argo("argocd-cm.yaml"))),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let kubectl = Binaries::find().unwrap().kubectl();
    let output = Command::new(kubectl)
        .arg("kustomize")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let built: Value = serde_saphyr::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap();
    assert_eq!(
        built["data"]["kept"], "yes",
        "the patch adds, it takes nothing away"
    );
    let keys: Vec<&String> = built["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
}

/// What an action sends is the patch of an annotation and nothing else; what cannot be asked for is not offered.
#[test]
fn actions_set_annotations_and_are_offered_where_they_make_sense() {
    let offered = |state: &str| -> Vec<String> {
        let object = table::recorded(state).unwrap();
        let answer = table::ask(&["actions"], &[object]).unwrap().remove(0);
        let enabled = |action: &&Value| action["disabled"] == false;
        let actions = answer.as_array().unwrap().clone();
        assert_eq!(actions.len(), ACTIONS.len());
        let name = |action: &Value| action["name"].as_str().unwrap().to_owned();
        actions.iter().filter(enabled).map(name).collect()
    };
    for (state, expected) in [
        ("task-new", &["backup", "suspend"][..]),
        ("reconciled-idle", &["backup", "suspend"][..]),
        ("reconciled-running", &["backup", "cancel", "suspend"][..]),
        ("suspended", &[][..]),
        ("suspended-by-annotation", &["resume"][..]),
        ("deleting", &["suspend"][..]),
    ] {
        assert_eq!(offered(state), expected, "{state}");
    }
    let sent = |action: &str, state: &str| -> Value {
        let object = table::recorded(state).unwrap();
        table::ask(&["act", action], &[object]).unwrap().remove(0)
    };
    let of = |patch: &Value, name: &str| patch["metadata"]["annotations"][name].clone();
    assert_eq!(
        sent("suspend", "reconciled-idle"),
        json!({ "metadata": { "annotations": { "activebackup.dev/suspended": "true" } } })
    );
    assert_eq!(
        sent("resume", "suspended-by-annotation"),
        json!({ "metadata": { "annotations": { "activebackup.dev/suspended": "false" } } })
    );
    for (action, annotation) in [
        ("backup", "activebackup.dev/backup-requested"),
        ("cancel", "activebackup.dev/cancel-requested"),
    ] {
        let patch = sent(action, "reconciled-running");
        let token = of(&patch, annotation);
        let time: jiff::Timestamp = token.as_str().unwrap().parse().unwrap();
        let age = jiff::Timestamp::now().duration_since(time).as_secs();
        assert!((-5..60).contains(&age), "{token}");
        assert_eq!(
            patch,
            json!({ "metadata": { "annotations": { annotation: token } } })
        );
    }
}

/// Flux's kinds by Flux's own types: an unknown field is an error.
#[test]
fn the_manifests_of_flux_are_what_flux_reads() {
    let program = table::PROGRAM.built().unwrap().join("gitops");
    let files: Vec<PathBuf> = fs::read_dir(table::below_root("docs/gitops/flux"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let output = Command::new(program)
        .arg("manifests")
        .args(&files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut kinds: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["HelmRelease", "Kustomization", "Kustomization", "OCIRepository"]
    );
}

/// Also what no test has the types of: Argo CD's `Application`.
#[test]
fn every_manifest_can_be_read() {
    let mut folders = vec![table::below_root("docs/gitops")];
    let mut kinds = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                for document in read(&path).split("\n---\n") {
                    let read: Result<Value, _> = serde_saphyr::from_str(document);
                    let value = read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                    kinds.extend(value["kind"].as_str().map(str::to_owned));
                }
            }
        }
    }
    for kind in [
        "Application",
        "BackupServer",
        "BackupTask",
        "ConfigMap",
        "HelmRelease",
    ] {
        assert!(kinds.iter().any(|seen| seen == kind), "no {kind} in {kinds:?}");
    }
}
