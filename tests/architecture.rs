//! The invariants of ARCHITECTURE.md that imports can show.

#![allow(clippy::unwrap_used)]

#[path = "mutants/list.rs"]
mod mutants;

use std::{fs, path::Path};

/// Modules in reading order: each may use those above it in this list and none below.
const ORDER: [&str; 15] = [
    "clock",
    "api",
    "manifest",
    "nas",
    "record",
    "observe",
    "decide",
    "act",
    "status",
    "telemetry",
    "controller",
    "standalone",
    "simulator",
    "config",
    "cli",
];

fn sources(module: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let file = root.join(format!("{module}.rs"));
    if file.exists() {
        found.push((file.display().to_string(), fs::read_to_string(&file).unwrap()));
    }
    let mut folders = vec![root.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "tests" || name == "tests.rs" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                found.push((path.display().to_string(), code));
            }
        }
    }
    assert!(!found.is_empty(), "no sources of {module}");
    found
}

/// Whether code names `crate::module`, alone or in a group.
fn uses(code: &str, module: &str) -> bool {
    if code.contains(&format!("crate::{module}::")) {
        return true;
    }
    code.split("use crate::{").skip(1).any(|rest| {
        let group = rest.split("};").next().unwrap_or_default();
        let mut depth = 0;
        let top: String = group
            .chars()
            .filter(|letter| {
                depth += i32::from(*letter == '{') - i32::from(*letter == '}');
                depth == 0
            })
            .collect();
        top.split(',')
            .any(|item| item.trim().split("::").next() == Some(module))
    })
}

#[test]
fn imports_point_one_way() {
    for (place, module) in ORDER.iter().enumerate() {
        for later in &ORDER[place + 1..] {
            for (file, code) in sources(module) {
                assert!(
                    !uses(&code, later),
                    "{file} uses {later}, which comes after {module}"
                );
            }
        }
    }
}

#[test]
fn nothing_but_the_client_the_simulator_and_recordings_know_the_nas_api() {
    // A recording has to name what may stay of an answer.
    for module in ORDER
        .iter()
        .filter(|module| !["nas", "record", "simulator"].contains(module))
    {
        for (file, code) in sources(module) {
            for word in ["/webapi", "entry.cgi", "SYNO.", "_sid", "synotoken"] {
                let code: String = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect();
                assert!(!code.contains(word), "{file} knows {word}");
            }
        }
    }
}

#[test]
fn only_the_edges_talk_to_kubernetes() {
    for module in [
        "manifest",
        "nas",
        "observe",
        "decide",
        "act",
        "status",
        "telemetry",
        "simulator",
        "config",
    ] {
        for (file, code) in sources(module) {
            assert!(
                !code.contains("kube::Client") && !code.contains("kube::Api"),
                "{file} talks to Kubernetes"
            );
        }
    }
}

/// The list of deliberate mistakes is tried seldom: what it is about must not move away unnoticed.
#[test]
fn each_deliberate_mistake_has_its_place() {
    for mutant in mutants::MUTANTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(mutant.file);
        let source = fs::read_to_string(&path).unwrap();
        let places = source.matches(mutant.from).count();
        assert_eq!(places, 1, "{}: {} in {}", mutant.name, mutant.from, mutant.file);
        assert_ne!(mutant.from, mutant.to, "{}", mutant.name);
    }
}
