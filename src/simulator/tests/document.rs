//! The description of the simulator names every switch, every fault and every field of a scenario, and the tests it
//! names exist.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::{Behaviour, Scenario};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/simulator.md")).unwrap()
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_switch_and_fault_is_described() {
    let text = document();
    let mut names = keys(&serde_json::to_value(Behaviour::default()).unwrap());
    names.extend(keys(&serde_json::to_value(Scenario::default()).unwrap()));
    let source = fs::read_to_string(root().join("src/simulator/faults.rs")).unwrap();
    let kinds = source.split_once("pub enum FaultKind {").unwrap().1;
    let kinds = kinds.split_once("\n}").unwrap().0.lines();
    // Variants stand four spaces in, their fields eight.
    let variant = |line: &str| {
        let name: String = line
            .strip_prefix("    ")?
            .chars()
            .take_while(|c| c.is_alphanumeric())
            .collect();
        (!name.is_empty()).then_some(name)
    };
    let faults: Vec<String> = kinds.filter_map(variant).collect();
    assert_eq!(faults.len(), 18, "{faults:?}");
    names.extend(faults);
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !text.contains(&format!("`{name}`")) && !text.contains(&format!("`{name}: ")))
        .collect();
    assert!(missing.is_empty(), "not in docs/simulator.md: {missing:?}");
    assert!(text.lines().count() < 150);
}

#[test]
fn every_test_named_there_exists() {
    let mut sources = String::new();
    for folder in ["src/simulator/tests", "tests/clients"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let text = document();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("| Test |"));
    let mut named = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for test in cell.split(", ") {
            named += 1;
            let name = test.trim_matches('`');
            assert!(
                sources.contains(&format!("fn {name}(")),
                "there is no test '{name}': {row}"
            );
        }
    }
    assert!(named > 70, "{named}");
}

#[test]
fn the_scenario_shown_there_is_one() {
    let text = document();
    let example = text
        .split_once("```yaml\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let scenario = Scenario::from_text(example, "docs/simulator.md").unwrap();
    assert!(!scenario.faults.is_empty());
}
