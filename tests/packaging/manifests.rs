//! The plain manifests below `charts/kustomize` are those of the chart. `UPDATE_MANIFESTS=1 cargo test --test packaging
//! manifests` writes them; everywhere else a difference is a failure.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    binaries::Binaries,
    chart::{Chart, Object, objects},
};

const REMEDY: &str = "run UPDATE_MANIFESTS=1 cargo test --test packaging manifests";
/// What Helm alone has to say of an object.
const HELMS_OWN: [&str; 2] = ["app.kubernetes.io/managed-by", "helm.sh/chart"];

const NAMESPACE: &str = "\
# The strictest Pod Security there is: the operator's Pod passes it.
apiVersion: v1
kind: Namespace
metadata:
  name: abb-operator
  labels:
    app.kubernetes.io/name: abb-operator
    app.kubernetes.io/part-of: abb-operator
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/warn: restricted
";

const KUSTOMIZATION: &str = "\
# Made from charts/abb-operator with its default values. An overlay may set namespace, images, replicas and patches: the
# operator serves the namespace it runs in.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- namespace.yaml
- crds/activebackup.dev_backupservers.yaml
- crds/activebackup.dev_backuptasks.yaml
- operator.yaml
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/kustomize")
}

/// What the chart renders, without the definitions, the test and what is Helm's own.
fn operator() -> String {
    let text = Chart::NOW
        .template_text("{crds: {install: false}}", &["--skip-tests"])
        .unwrap();
    let kept = text.lines().filter(|line| {
        !line.starts_with("# Source:") && !HELMS_OWN.iter().any(|label| line.trim().starts_with(label))
    });
    let mut made = String::from("# Made from charts/abb-operator.\n");
    for line in kept {
        // Helm leaves empty lines between its documents.
        if !line.trim().is_empty() {
            made.push_str(line.trim_end());
            made.push('\n');
        }
    }
    made
}

/// Every file of the folder.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files: BTreeMap<PathBuf, String> = [
        ("kustomization.yaml", KUSTOMIZATION.to_owned()),
        ("namespace.yaml", NAMESPACE.to_owned()),
        ("operator.yaml", operator()),
    ]
    .map(|(name, text)| (PathBuf::from(name), text))
    .into();
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for file in fs::read_dir(definitions).unwrap() {
        let path = file.unwrap().path();
        let name = Path::new("crds").join(path.file_name().unwrap());
        files.insert(name, fs::read_to_string(path).unwrap());
    }
    files
}

fn kustomized(folder: &Path) -> Vec<Object> {
    let output = Command::new(Binaries::find().unwrap().kubectl())
        .arg("kustomize")
        .arg(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    objects(&String::from_utf8_lossy(&output.stdout))
}

fn by_id(objects: Vec<Object>) -> BTreeMap<String, Value> {
    objects
        .into_iter()
        .map(|object| (object.id(), object.0))
        .collect()
}

#[test]
fn the_manifests_are_those_of_the_chart() {
    for (name, text) in files() {
        let path = root().join(&name);
        if env::var_os("UPDATE_MANIFESTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let is = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            is == text,
            "charts/kustomize/{} is out of date: {REMEDY}",
            name.display()
        );
    }
}

#[test]
fn kustomize_builds_what_the_chart_renders() {
    let mut expected = by_id(Chart::NOW.rendered(""));
    expected.retain(|_, object| object["metadata"]["annotations"]["helm.sh/hook"].is_null());
    for object in expected.values_mut() {
        without_helms_own(object);
    }
    expected.extend(by_id(objects(NAMESPACE)));
    let mut built = by_id(kustomized(&root()));
    for definition in ["backupservers", "backuptasks"] {
        let id = format!("CustomResourceDefinition /{definition}.activebackup.dev");
        // The plain ones have no labels, and nobody who would delete them.
        for object in [&mut expected, &mut built] {
            object.get_mut(&id).unwrap()["metadata"] = Value::Null;
        }
    }
    for (id, object) in &expected {
        assert_eq!(built.get(id), Some(object), "{id}");
    }
    assert_eq!(built.len(), expected.len());
}

fn without_helms_own(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for label in HELMS_OWN {
                map.remove(label);
            }
            map.values_mut().for_each(without_helms_own);
        }
        Value::Array(list) => list.iter_mut().for_each(without_helms_own),
        _ => {}
    }
}

/// Nothing but the namespace has to be named to run it elsewhere.
#[test]
fn an_overlay_moves_everything_to_its_namespace() {
    let overlay = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let base = overlay.path().join("base");
    for (name, text) in files() {
        let path = base.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir(overlay.path().join("overlay")).unwrap();
    let kustomization = "resources: [../base]\nnamespace: team-a\nreplicas: [{name: abb-operator, count: 2}]\n\
                         images: [{name: ghcr.io/abb-operator/abb-operator, newName: registry.example/abb, newTag: '1'}]\n";
    fs::write(overlay.path().join("overlay/kustomization.yaml"), kustomization).unwrap();
    let built = kustomized(&overlay.path().join("overlay"));
    let mut seen = 0;
    for object in &built {
        match object.kind() {
            "CustomResourceDefinition" | "ClusterRole" => {}
            "Namespace" => assert_eq!(object.name(), "team-a"),
            _ => assert_eq!(object.namespace(), "team-a", "{}", object.id()),
        }
        match object.kind() {
            "RoleBinding" => assert_eq!(object.0["subjects"][0]["namespace"], "team-a"),
            "Deployment" => {
                let spec = &object.0["spec"];
                assert_eq!(spec["replicas"], 2);
                let container = &spec["template"]["spec"]["containers"][0];
                assert_eq!(container["image"], "registry.example/abb:1");
                assert!(
                    !container["args"].to_string().contains("namespace"),
                    "{}",
                    container["args"]
                );
            }
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}
