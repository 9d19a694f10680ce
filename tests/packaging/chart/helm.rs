//! Running helm on the chart, and what it renders as objects.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::binaries::Binaries;

/// Release and namespace of the documentation.
pub(crate) const RELEASE: &str = "abb-operator";
pub(crate) const NAMESPACE: &str = "abb-operator";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A chart's folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chart(&'static str);

impl Chart {
    /// The chart as it is now.
    pub(crate) const NOW: Self = Self("charts/abb-operator");
    /// The one people upgrade from.
    pub(crate) const FIRST: Self = Self("tests/fixtures/charts/abb-operator-0.1.0");

    pub(crate) fn path(self) -> PathBuf {
        root().join(self.0)
    }

    pub(crate) fn read(self, file: &str) -> String {
        let path = self.path().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `helm template` as release `abb-operator` in the namespace of that name, with values in YAML.
    pub(crate) fn template(self, values: &str) -> Result<Vec<Object>, String> {
        self.template_with(values, &[])
    }

    /// The same with further arguments; a `--namespace` among them wins.
    pub(crate) fn template_with(self, values: &str, arguments: &[&str]) -> Result<Vec<Object>, String> {
        Ok(objects(&self.template_text(values, arguments)?))
    }

    /// The text that Helm renders.
    pub(crate) fn template_text(self, values: &str, arguments: &[&str]) -> Result<String, String> {
        let path = self.path().display().to_string();
        let mut command = vec![
            "template",
            RELEASE,
            &path,
            "--namespace",
            NAMESPACE,
            "--values",
            "-",
        ];
        command.extend(arguments);
        helm(&command, values)
    }

    /// The objects of values that must be good.
    #[track_caller]
    pub(crate) fn rendered(self, values: &str) -> Vec<Object> {
        match self.template(values) {
            Ok(objects) => objects,
            Err(error) => panic!("{error}\nwith the values\n{values}"),
        }
    }
}

/// Runs helm; the error is what it says on standard error. A warning of a successful run is an error, too.
pub(crate) fn helm(arguments: &[&str], input: &str) -> Result<String, String> {
    let home = env!("CARGO_TARGET_TMPDIR");
    let mut child = Command::new(Binaries::find()?.helm())
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("failed to start helm: {error}"))?;
    // Closed at once, so that helm sees the end. A helm that ended early has said why.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && errors.is_empty() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(errors)
    }
}

/// An object that Helm renders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object(pub(crate) Value);

impl Object {
    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Empty for a cluster-scoped one.
    pub(crate) fn namespace(&self) -> &str {
        self.0["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.0["metadata"]["labels"][key].as_str()
    }

    pub(crate) fn id(&self) -> String {
        format!("{} {}/{}", self.kind(), self.namespace(), self.name())
    }
}

/// The objects of a stream of YAML documents.
pub(crate) fn objects(text: &str) -> Vec<Object> {
    format!("\n{text}")
        .split("\n---\n")
        .filter(|document| {
            document
                .lines()
                .any(|line| !line.trim().is_empty() && !line.starts_with('#'))
        })
        .map(|document| match serde_saphyr::from_str(document) {
            Ok(value) => Object(value),
            Err(error) => panic!("{error} in\n{document}"),
        })
        .collect()
}

/// The only object of a kind and name.
#[track_caller]
pub(crate) fn the<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Value {
    let found: Vec<_> = objects
        .iter()
        .filter(|object| object.kind() == kind && object.name() == name)
        .collect();
    assert_eq!(found.len(), 1, "{kind} {name} in {:?}", ids(objects));
    &found[0].0
}

pub(crate) fn ids(objects: &[Object]) -> Vec<String> {
    objects.iter().map(Object::id).collect()
}
