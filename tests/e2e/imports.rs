//! `import`: manifests that the real API server takes, that bind, and that start nothing.

use std::{path::Path, time::Duration};

use abb_operator::{
    api::BackupTask,
    simulator::{Control, Fault, FaultKind, Scenario},
};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    harness::{Namespace, Output, eventually_within, snapshot},
    lab::{Lab, condition},
};

/// A thousand objects are written by one operator that was built without optimisation.
const THOUSAND: Duration = Duration::from_secs(120);

async fn import(namespace: &Namespace, arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["abb", "import", "nas"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    namespace.kubectl(&arguments).await
}

async fn until_bound(lab: &Lab, count: u64) {
    eventually_within("all are bound", THOUSAND, async || {
        let status = lab.namespace.get("bsrv", "nas").await["status"].take();
        if status["tasks"]["bound"] == count {
            Ok(())
        } else {
            Err(status["tasks"].clone())
        }
    })
    .await;
}

/// Nothing is left, and nothing was started.
async fn is_over(lab: &Lab) {
    let rest = import(&lab.namespace, &[]).await;
    assert_eq!(
        (rest.code, rest.stdout.as_str()),
        (Some(0), ""),
        "{}",
        rest.stderr
    );
    assert!(rest.stderr.contains("nothing to import"), "{}", rest.stderr);
    for kind in ["backup", "cancel", "remove"] {
        assert!(lab.effects(kind).is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn the_seed_is_imported_by_kubectl_and_starts_nothing() {
    let lab = Lab::new("import").await;
    lab.server_reason("Connected").await;
    let manifest = import(&lab.namespace, &[]).await.ok();
    assert_eq!(import(&lab.namespace, &[]).await.ok(), manifest, "twice the same");
    snapshot::compare_exactly("import-seed", &manifest);
    lab.namespace.apply(&manifest).await.ok();
    until_bound(&lab, 1).await;
    let task = lab.namespace.get("bt", "peterm-default").await;
    assert_eq!(condition(&task["status"], "Bound")["status"], "True", "{task:#}");
    assert_eq!(task["spec"]["removal"]["when"], "Never");
    is_over(&lab).await;

    // The suggestion, taken out of its signs, is one that the API server takes.
    let suggested: String = manifest
        .lines()
        .map(|line| match line.strip_prefix("  # ") {
            Some(rest) if !rest.starts_with("Without") => format!("  {rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let file = lab.namespace.cluster().directory().join("suggested.yaml");
    std::fs::write(&file, &suggested).unwrap();
    let dry = [
        "apply",
        "--dry-run=server",
        "-o",
        "json",
        "-f",
        &file.display().to_string(),
    ];
    let dry: Value = serde_json::from_str(&lab.namespace.kubectl(&dry).await.ok()).unwrap();
    assert!(dry["spec"]["triggers"]["schedule"].is_string(), "{suggested}");
}

/// Names that a NAS may have and that neither YAML nor Kubernetes would take as they are.
fn odd() -> Scenario {
    let names = [
        "Büro",
        "büro",
        "a\n---\nkind: Secret",
        "\u{202e}#\"'",
        "ノート",
        "true",
        "kustomization",
        "twin",
        "twin",
    ];
    let tasks: Vec<Value> = (1..)
        .zip(names)
        .map(|(id, name)| {
            let key = if id > 7 {
                String::new()
            } else {
                format!("key-{id}")
            };
            json!({ "id": id, "name": name, "uniqueKey": key })
        })
        .collect();
    Scenario::from_text(&json!({ "tasks": tasks }).to_string(), "odd").unwrap()
}

#[tokio::test]
async fn a_folder_with_odd_names_is_applied_as_a_whole() {
    let lab = Lab::with("folder", odd(), 300.0).await;
    lab.server_reason("Connected").await;
    // One that stands for a task already, under a name that another would have.
    let theirs = crate::lab::task("true", "true", "");
    lab.namespace
        .apply(&theirs.replace("{name: true}", "{name: \"true\"}"))
        .await
        .ok();
    until_bound(&lab, 1).await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("backups");
    let folder_text = folder.display().to_string();
    let written = import(
        &lab.namespace,
        &["-n", lab.namespace.name(), "--output-dir", &folder_text],
    )
    .await
    .ok();
    assert_eq!(written.lines().count(), 9, "{written}");
    let mut names = files(&folder);
    assert_eq!(
        names,
        [
            "a-kind-secret.yaml",
            "buero-1.yaml",
            "buero-2.yaml",
            "kustomization-7.yaml",
            "kustomization.yaml",
            "task-4.yaml",
            "task-5.yaml",
            "twin-8.yaml",
            "twin-9.yaml"
        ]
    );
    let same = import(&lab.namespace, &["-n", lab.namespace.name(), "-d", &folder_text])
        .await
        .ok();
    assert!(same.contains("has all of it already"), "{same}");
    // Without -n the manifests are others.
    let refused = import(&lab.namespace, &["-d", &folder_text]).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("is there with another content, and nothing was written"),
        "{}",
        refused.stderr
    );

    lab.namespace.kubectl(&["apply", "-k", &folder_text]).await.ok();
    until_bound(&lab, 9).await;
    names.retain(|name| name != "kustomization.yaml");
    for name in names {
        let task = lab.namespace.get("bt", name.trim_end_matches(".yaml")).await;
        assert_eq!(
            condition(&task["status"], "Ready")["reason"],
            "Reconciled",
            "{task:#}"
        );
    }
    is_over(&lab).await;
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_list_in_part_is_no_list() {
    let lab = Lab::with("part", odd(), 300.0).await;
    lab.server_reason("Connected").await;
    let fault = Fault::new(FaultKind::ShortPage { rows: 0 })
        .on("SYNO.ActiveBackup.Task", "list")
        .times(0);
    lab.nas.control(Control::AddFault(fault)).unwrap();
    let refused = import(&lab.namespace, &[]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(
        refused.stderr.contains("listed its tasks in part (0 readable)"),
        "{}",
        refused.stderr
    );
    let nobody = lab.namespace.kubectl(&["abb", "import", "other"]).await;
    assert!(
        nobody.code == Some(1) && nobody.stderr.contains("no BackupServer \"other\""),
        "{}",
        nobody.stderr
    );
}

#[tokio::test]
async fn a_thousand_tasks_are_imported() {
    let scenario = Scenario {
        generate_tasks: 1000,
        ..Scenario::from_text("{tasks: []}", "many").unwrap()
    };
    let lab = Lab::with("thousand", scenario, 300.0).await;
    lab.server_reason("Connected").await;
    let text = import(&lab.namespace, &[]).await.ok();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    assert_eq!(objects.len(), 1000);
    let api: Api<BackupTask> = Api::namespaced(lab.namespace.client().await, lab.namespace.name());
    let params = PatchParams::apply("tests").force();
    stream::iter(objects)
        .map(|object| {
            let (api, params) = (&api, &params);
            async move {
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                api.patch(&name, params, &Patch::Apply(object)).await
            }
        })
        .buffer_unordered(16)
        .try_for_each(|task| async move {
            assert_eq!(task.annotations().len(), 0);
            Ok(())
        })
        .await
        .unwrap();
    until_bound(&lab, 1000).await;
    is_over(&lab).await;
}
