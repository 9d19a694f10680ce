//! What the tests of alerts and dashboard share: the chart rendered by the real helm, expressions read by Prometheus' own
//! parser, and the series that exist.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use abb_operator::telemetry::{CATALOGUE, Kind};
use serde_json::Value;

use crate::{binaries::Binaries, go::Module};

/// promtool, and a program of our own around the parser.
const PROMETHEUS: Module = Module {
    folder: "promtool",
    package: "tool",
    what: "promtool",
    version: None,
    otherwise: "",
};

/// Path of a file of the repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the repository.
pub fn file(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// What one template of the chart renders with these values; what helm complains of otherwise.
pub fn rendered(template: &str, values: &[&str]) -> Result<Value, String> {
    let helm = Binaries::find().unwrap().helm();
    let done = Command::new(helm)
        .args(["template", "abb-operator"])
        .arg(path("charts/abb-operator"))
        .args(["--namespace", "abb-operator", "--show-only", template])
        .args(values.iter().flat_map(|value| ["--set-json", value]))
        .output()
        .unwrap();
    if !done.status.success() {
        return Err(String::from_utf8(done.stderr).unwrap());
    }
    let text = String::from_utf8(done.stdout).unwrap();
    Ok(serde_saphyr::from_str(&text).unwrap())
}

/// A command of promtool.
pub fn promtool() -> Command {
    Command::new(PROMETHEUS.built().unwrap().join("promtool"))
}

/// What Prometheus' parser says of an expression.
#[derive(Debug, serde::Deserialize)]
pub struct Judged {
    #[serde(default)]
    pub error: String,
    pub series: Vec<Selected>,
    pub grouping: Vec<String>,
}

/// One selector of an expression.
#[derive(Debug, serde::Deserialize)]
pub struct Selected {
    pub metric: String,
    pub labels: Vec<String>,
}

/// Judges expressions, in their order.
pub fn judged(expressions: &[String]) -> Vec<Judged> {
    let mut parser = Command::new(PROMETHEUS.built().unwrap().join("promql"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = parser.stdin.take().unwrap();
    let lines: Vec<String> = expressions
        .iter()
        .map(|expression| serde_json::to_string(expression).unwrap())
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all((lines.join("\n") + "\n").as_bytes()));
    let done = parser.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(done.status.success(), "{}", done.status);
    let text = String::from_utf8(done.stdout).unwrap();
    let judged: Vec<Judged> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(judged.len(), expressions.len());
    judged
}

/// Labels that the scrape adds, and what rulers over several clusters add.
const ADDED: [&str; 5] = ["job", "instance", "pod", "namespace", "cluster"];

/// Every series that the operator serves, with its labels.
pub fn served() -> BTreeMap<String, Vec<&'static str>> {
    let mut served = BTreeMap::new();
    for metric in CATALOGUE {
        let mut labels = metric.labels.to_vec();
        if metric.kind == Kind::Histogram {
            for suffix in ["_sum", "_count"] {
                served.insert(format!("{}{suffix}", metric.name), labels.clone());
            }
            labels.push("le");
            served.insert(format!("{}_bucket", metric.name), labels);
        } else {
            served.insert(metric.name.to_owned(), labels);
        }
    }
    served
}

/// The metrics an expression speaks of. All of them exist, and have the labels it speaks of.
pub fn metrics_of(place: &str, expression: &str, judged: &Judged) -> Vec<String> {
    assert_eq!(judged.error, "", "{place}: {expression}");
    let served = served();
    let mut known: Vec<&str> = ADDED.to_vec();
    for Selected { metric, labels } in &judged.series {
        let Some(of) = served.get(metric) else {
            panic!("{place}: nobody serves {metric:?}: {expression}");
        };
        for label in labels {
            assert!(
                of.contains(&label.as_str()) || ADDED.contains(&label.as_str()),
                "{place}: {metric} has no label {label:?}: {expression}"
            );
        }
        known.extend(of);
    }
    for label in &judged.grouping {
        assert!(
            known.contains(&label.as_str()),
            "{place}: nothing in it has a label {label:?}: {expression}"
        );
    }
    judged.series.iter().map(|each| each.metric.clone()).collect()
}
