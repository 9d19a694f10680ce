//! Gates and manifests of docs/gitops.md: `kubectl wait` holds until a backup is there, the hook object of Argo CD does
//! what the recipe says, what Git applies and what people add beside it leave each other alone, and every manifest
//! of the documentation is one that the API server takes.

use std::{fs, path::Path};

use abb_operator::simulator::{Control, Scenario, TaskSpec};
use serde_json::Value;

use crate::{
    harness::{Output, cluster, eventually},
    lab::{Lab, condition},
};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
/// The seed's task.
const ID: i64 = 1;

/// A NAS whose runs end only when the test says so.
async fn lab(prefix: &str) -> Lab {
    let scenario = Scenario {
        default_run_seconds: 3600.0,
        ..Scenario::seed()
    };
    Lab::with(prefix, scenario, 1.0).await
}

async fn wait(lab: &Lab, condition: &str, timeout: &str) -> Output {
    let [condition, timeout] = [
        format!("--for=condition={condition}"),
        format!("--timeout={timeout}"),
    ];
    lab.namespace
        .kubectl(&["wait", "bt/laptop", &condition, &timeout])
        .await
}

fn finish(lab: &Lab, status: i64) {
    lab.nas.control(Control::FinishTask { id: ID, status }).unwrap();
}

async fn is_running(lab: &Lab) {
    lab.until("it is running", |status| status["state"] == "Running")
        .await;
}

#[tokio::test]
async fn kubectl_wait_holds_until_the_backup_is_fresh() {
    let mut lab = lab("gate-fresh").await;
    lab.task("readiness: Fresh\ntriggers: {maxAge: 1h}").await;
    is_running(&lab).await;
    let said = wait(&lab, "Ready", "1s").await.refused();
    assert!(said.contains("timed out"), "{said}");
    // Blocks while the run goes on, and returns when it has succeeded.
    let (waited, ()) = tokio::join!(wait(&lab, "Ready", "30s"), async {
        is_running(&lab).await;
        finish(&lab, 2);
    });
    waited.ok();
    let status = lab.status().await;
    assert_eq!(condition(&status, "Ready")["reason"], "WithinMaxAge");
    assert_eq!(status["lastResult"]["origin"], "MaxAge");

    // An edit that nobody has looked at yet: what was true of the earlier spec opens no gate.
    lab.operator.signal("STOP");
    lab.task("readiness: LastBackup\ntriggers: {request: a}").await;
    let object = lab.namespace.get("bt", "laptop").await;
    assert_eq!(condition(&object["status"], "Ready")["status"], "True");
    let said = wait(&lab, "Ready", "1s").await.refused();
    assert!(said.contains("timed out"), "{said}");
    lab.operator.signal("CONT");
    is_running(&lab).await;
    finish(&lab, 2);
    wait(&lab, "Ready", "30s").await.ok();
    assert_eq!(lab.status().await["receipts"]["request"]["outcome"], "Succeeded");
}

#[tokio::test]
async fn kubectl_wait_never_takes_a_failed_backup_for_a_good_one() {
    let lab = lab("gate-last").await;
    lab.task("readiness: LastBackup\ntriggers: {request: a}").await;
    is_running(&lab).await;
    finish(&lab, 4);
    // What has failed is said at once, so that nobody needs to wait for the end of a timeout.
    wait(&lab, "Stalled", "30s").await.ok();
    wait(&lab, "Ready=false", "30s").await.ok();
    let said = wait(&lab, "Ready", "2s").await.refused();
    assert!(said.contains("timed out"), "{said}");
    lab.task("readiness: LastBackup\ntriggers: {request: b}").await;
    is_running(&lab).await;
    finish(&lab, 2);
    wait(&lab, "Ready", "30s").await.ok();
    assert!(condition(&lab.status().await, "Stalled").is_null());
}

#[tokio::test]
async fn the_presync_hook_backs_up_once_for_two_syncs() {
    let lab = lab("hook").await;
    let database = TaskSpec {
        id: Some(7),
        name: Some("Database".to_owned()),
        ..TaskSpec::default()
    };
    lab.nas.control(Control::AddTask(Box::new(database))).unwrap();
    let hook = fs::read_to_string(Path::new(DOCS).join("gitops/argo-cd/presync.yaml")).unwrap();
    let wait = async |timeout: &str| {
        let timeout = format!("--timeout={timeout}");
        let arguments = ["wait", "bt/before-upgrade", "--for=condition=Ready", &timeout];
        lab.namespace.kubectl(&arguments).await
    };
    // As Argo CD does: apply the hook, wait until it is healthy, go on, delete it.
    lab.namespace.apply(&hook).await.ok();
    eventually("the backup is running", async || {
        let object = lab.namespace.get("bt", "before-upgrade").await;
        if object["status"]["state"] == "Running" {
            Ok(())
        } else {
            Err(format!("{:#}", object["status"]))
        }
    })
    .await;
    let said = wait("1s").await.refused();
    assert!(said.contains("timed out"), "{said}");
    lab.nas.control(Control::FinishTask { id: 7, status: 2 }).unwrap();
    wait("30s").await.ok();
    lab.namespace
        .kubectl(&["delete", "bt", "before-upgrade", "--timeout=30s"])
        .await
        .ok();
    assert_eq!(lab.requests("remove"), 0);
    // The next sync finds the backup young enough.
    lab.namespace.apply(&hook).await.ok();
    wait("30s").await.ok();
    assert_eq!(lab.effects("backup").len(), 1);
}

#[tokio::test]
async fn what_people_add_and_what_git_applies_leave_each_other_alone() {
    let namespace = cluster().await.namespace("beside").await;
    let file = namespace.cluster().directory().join("beside.yaml");
    let manifests = ["gitops/backups/server.yaml", "gitops/backups/task.yaml"]
        .map(|path| fs::read_to_string(Path::new(DOCS).join(path)).unwrap());
    fs::write(&file, manifests.join("---\n")).unwrap();
    let file = file.to_str().unwrap();
    for flags in [&["--server-side", "--field-manager=argocd-controller"][..], &[]] {
        let run = async |verb: &str| {
            let mut arguments = vec![verb, "-f", file];
            arguments.extend_from_slice(flags);
            namespace.kubectl(&arguments).await
        };
        namespace
            .kubectl(&["delete", "--ignore-not-found", "-f", file])
            .await
            .ok();
        run("apply").await.ok();
        // Defaults that the definitions fill in are no difference.
        let difference = run("diff").await;
        assert_eq!((difference.code, difference.stdout.as_str()), (Some(0), ""));
        namespace
            .kubectl(&["annotate", "bt", "files", "activebackup.dev/backup-requested=now"])
            .await
            .ok();
        let difference = run("diff").await;
        assert_eq!((difference.code, difference.stdout.as_str()), (Some(0), ""));
        run("apply").await.ok();
        let object = namespace.get("bt", "files").await;
        assert_eq!(
            object["metadata"]["annotations"]["activebackup.dev/backup-requested"],
            "now"
        );
    }
}

#[tokio::test]
async fn what_git_has_given_a_task_it_can_take_away_after_the_status_was_written() {
    let lab = Lab::new("ownership").await;
    let file = lab.namespace.cluster().directory().join("ownership.yaml");
    let apply = async |text: &str| {
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let arguments = [
            "apply",
            "--server-side",
            "--field-manager=argocd-controller",
            "-f",
            file,
        ];
        lab.namespace.kubectl(&arguments).await.ok();
    };
    let plain = crate::lab::task("laptop", "laptop", "");
    let (name, extras) = (
        "{name: laptop}",
        "labels: {team: a}, annotations: {example.com/note: b}",
    );
    let marked = plain.replace(name, &format!("{{name: laptop, {extras}}}"));
    assert_ne!(marked, plain);
    apply(&marked).await;
    eventually("its status is written", async || {
        let object = lab.namespace.get("bt", "laptop").await;
        (object["status"]["observedGeneration"] == 1).then_some(())
    })
    .await;
    apply(&plain).await;
    let metadata = lab.namespace.get("bt", "laptop").await["metadata"].clone();
    assert!(
        metadata["labels"].is_null() && metadata["annotations"].is_null(),
        "{metadata}"
    );
}

#[tokio::test]
async fn an_unknown_field_is_refused_only_by_strict_validation() {
    let namespace = cluster().await.namespace("unknown").await;
    let file = namespace.cluster().directory().join("unknown.yaml");
    let text = crate::lab::task("laptop", "any", "triggers: {maxAges: 26h}");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let dry_run = async |validate: &str| {
        let arguments = ["apply", "--dry-run=server", validate, "-o", "json", "-f", file];
        namespace.kubectl(&arguments).await
    };
    for strict in ["--validate=strict", "--validate=true"] {
        let said = dry_run(strict).await.refused();
        assert!(said.contains("unknown field \"spec.triggers.maxAges\""), "{said}");
    }
    let warned = dry_run("--validate=warn").await;
    assert!(
        warned.stderr.contains("unknown field \"spec.triggers.maxAges\""),
        "{warned:?}"
    );
    let silent = dry_run("--validate=ignore").await;
    assert_eq!(silent.stderr, "");
    for output in [warned, silent] {
        let object: Value = serde_json::from_str(&output.ok()).unwrap();
        assert!(
            object["spec"]["triggers"]["maxAges"].is_null(),
            "dropped: {object:#}"
        );
    }
}

/// The YAML documents of a text, each with its kind's group.
fn documents(text: &str) -> Vec<(String, String)> {
    let split = text.split("\n---\n").map(str::trim);
    let of_group = |document: &&str| {
        let version = document
            .lines()
            .find_map(|line| line.strip_prefix("apiVersion: "));
        version.map(|version| {
            let group = version.rsplit_once('/').map_or("", |(group, _)| group);
            (group.to_owned(), (*document).to_owned())
        })
    };
    split.filter_map(|document| of_group(&document)).collect()
}

/// The documents of kinds that this API server has: ours, and those of Kubernetes.
fn manifests_of_the_documentation() -> Vec<(String, String)> {
    let mut folders = vec![Path::new(DOCS).join("gitops"), Path::new(DOCS).join("examples")];
    let mut texts = Vec::new();
    let guide = fs::read_to_string(Path::new(DOCS).join("gitops.md")).unwrap();
    for block in guide.split("```yaml\n").skip(1) {
        texts.push((
            "gitops.md".to_owned(),
            block.split("```").next().unwrap().to_owned(),
        ));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The inputs of Argo CD's tests carry what only a server writes.
            if path.is_dir() && !path.ends_with("testdata") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "yaml") {
                texts.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    for (place, text) in texts {
        for (group, document) in documents(&text) {
            if ["", "activebackup.dev"].contains(&group.as_str()) {
                found.push((place.clone(), document));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_manifest_of_the_documentation_is_taken() {
    let namespace = cluster().await.namespace("docs").await;
    let found = manifests_of_the_documentation();
    let ours = found
        .iter()
        .filter(|(_, text)| text.contains("activebackup.dev/"))
        .count();
    assert!(
        ours >= 6,
        "only {ours} of {}: is something not found any more?",
        found.len()
    );
    for (place, document) in found {
        // Each in this namespace, whatever it says of its own.
        let kept: String = document
            .lines()
            .filter(|line| !line.starts_with("  namespace:"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let file = namespace.cluster().directory().join("docs.yaml");
        fs::write(&file, kept).unwrap();
        let path = file.to_str().unwrap();
        let arguments = ["apply", "--dry-run=server", "--validate=strict", "-f", path];
        let output = namespace.kubectl(&arguments).await;
        assert!(
            output.success && output.stderr.is_empty(),
            "{place}: {}\n{document}",
            output.stderr
        );
    }
}
