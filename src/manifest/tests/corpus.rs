//! The corpus that the API server judges too (`tests/e2e/corpus.rs`): the verdicts here, and whether it leaves out
//! anything of what the definitions say.

#[path = "../../../tests/fixtures/manifests/corpus.rs"]
mod files;

use serde_json::Value;

use self::files::Case;
use super::Folder;
use crate::{
    api,
    manifest::{Fault, Manifests, changes},
};

fn read(case: &Case) -> Result<Manifests, Vec<Fault>> {
    Folder::with(&[("case.yaml", &case.text)]).load(&["case.yaml"])
}

/// What the corpus holds, read once.
struct Corpus {
    /// Kind and object.
    accepted: Vec<(&'static str, Value)>,
    /// Kind and fault.
    faults: Vec<(&'static str, Fault)>,
}

fn corpus() -> Corpus {
    let mut corpus = Corpus {
        accepted: Vec::new(),
        faults: Vec::new(),
    };
    for case in files::cases()
        .into_iter()
        .filter(|case| case.verdict != "differs")
    {
        match read(&case) {
            Ok(read) => {
                let servers = read.servers.iter().map(|server| server.document().clone());
                let tasks = read.tasks.iter().map(|task| task.document().clone());
                corpus
                    .accepted
                    .extend(servers.chain(tasks).map(|object| (case.kind(), object)));
            }
            Err(faults) => corpus
                .faults
                .extend(faults.into_iter().map(|fault| (case.kind(), fault))),
        }
    }
    for (before, after) in files::changes() {
        let (Ok(before), Ok(after)) = (read(&before), read(&after)) else {
            continue;
        };
        for (before, after) in before.tasks.iter().zip(&after.tasks) {
            let faults = changes(&before.object, after);
            corpus
                .faults
                .extend(faults.into_iter().map(|fault| ("BackupTask", fault)));
        }
    }
    corpus
}

#[test]
fn each_document_gets_its_verdict_and_each_fault_a_line_of_it() {
    for case in files::cases() {
        let verdict = match read(&case) {
            Ok(_) => "accepted",
            Err(faults) => {
                let lines = case.text.lines().count();
                assert!(
                    faults.iter().all(|fault| (2..=lines).contains(&fault.place.line)),
                    "{faults:?}"
                );
                "refused"
            }
        };
        assert!(
            case.verdict == "differs" || verdict == case.verdict,
            "{}: {}",
            case.place,
            case.what
        );
    }
}

/// A node of a schema with its path.
fn nodes(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if path.is_empty() && name != "spec" {
            continue;
        }
        nodes(schema, &crate::manifest::child(path, name), found);
    }
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(object, |value, step| value.get(step))
}

#[test]
fn the_corpus_breaks_and_keeps_everything_that_the_definitions_demand() {
    let corpus = corpus();
    let mut missing = Vec::new();
    let mut demands = 0;
    for definition in api::definitions() {
        let kind = definition.spec.names.kind.clone();
        let definition = serde_json::to_value(&definition).unwrap();
        let mut all = Vec::new();
        nodes(
            &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
            "",
            &mut all,
        );
        let is_said = |path: &str, words: &str| {
            corpus
                .faults
                .iter()
                .any(|(of, fault)| *of == kind && fault.field == path && fault.message.contains(words))
        };
        let is_kept = |path: &str, fits: &dyn Fn(&Value) -> bool| {
            corpus
                .accepted
                .iter()
                .any(|(of, object)| *of == kind && at(object, path).is_some_and(fits))
        };
        for (path, schema) in &all {
            let mut demand = |what: String, is_met: bool| {
                demands += 1;
                if !is_met {
                    missing.push(format!("{kind} {path}: {what}"));
                }
            };
            for rule in schema["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let message = rule["message"].as_str().unwrap();
                demand(format!("breaks the rule {message:?}"), is_said(path, message));
                demand(format!("keeps the rule {message:?}"), is_kept(path, &|_| true));
            }
            for value in schema["enum"].as_array().into_iter().flatten() {
                demand(format!("has {value}"), is_kept(path, &|kept| kept == value));
                demand(
                    "has an unsupported value".to_owned(),
                    is_said(path, "unsupported value"),
                );
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                let child = crate::manifest::child(path, name.as_str().unwrap());
                demand(
                    format!("lacks {name}"),
                    is_said(&child, "required value is missing"),
                );
            }
            if let Some(least) = schema["minimum"].as_f64() {
                demand(
                    "is below the minimum".to_owned(),
                    is_said(path, "should be greater than or equal to"),
                );
                demand(
                    "is the minimum".to_owned(),
                    is_kept(path, &|kept| kept.as_f64() == Some(least)),
                );
            }
            if let Some(most) = schema["maximum"].as_f64() {
                demand(
                    "is above the maximum".to_owned(),
                    is_said(path, "should be less than or equal to"),
                );
                demand(
                    "is the maximum".to_owned(),
                    is_kept(path, &|kept| kept.as_f64() == Some(most)),
                );
            }
            let length = |kept: &Value| kept.as_str().map(|text| text.chars().count() as u64);
            if let Some(least) = schema["minLength"].as_u64() {
                demand("is too short".to_owned(), is_said(path, "should be at least"));
                demand(
                    "is just long enough".to_owned(),
                    is_kept(path, &|kept| length(kept) == Some(least)),
                );
            }
            if let Some(most) = schema["maxLength"].as_u64() {
                demand("is too long".to_owned(), is_said(path, "too long"));
                // No duration can be written in as many characters as the definition allows.
                let is_duration = schema["pattern"]
                    .as_str()
                    .is_some_and(|pattern| pattern.contains("(h|m|s|ms)"));
                let is_fingerprint = path.ends_with("fingerprint");
                if !is_duration || is_fingerprint {
                    demand(
                        "has the greatest length".to_owned(),
                        is_kept(path, &|kept| length(kept) == Some(most)),
                    );
                }
            }
            if schema["pattern"].is_string() {
                let words = if schema["format"] == "date-time" {
                    "date-time"
                } else {
                    "write a duration"
                };
                demand("does not match the pattern".to_owned(), is_said(path, words));
                demand("matches the pattern".to_owned(), is_kept(path, &Value::is_string));
            }
            if schema["type"] == "object" {
                let is_unknown = corpus.faults.iter().any(|(of, fault)| {
                    let parent = fault.field.rsplit_once('.').map_or("", |(parent, _)| parent);
                    *of == kind && parent == path && fault.message.starts_with("unknown field")
                });
                demand("has an unknown field".to_owned(), is_unknown);
            }
            if !path.is_empty() && schema["enum"].is_null() {
                demand("is of another type".to_owned(), is_said(path, "must be of type"));
            }
        }
    }
    assert!(demands > 200, "{demands}");
    assert!(
        missing.is_empty(),
        "{} of {demands}:\n{}",
        missing.len(),
        missing.join("\n")
    );
}
