//! Parts of the chart that are made from other files: a test fails when they differ, `UPDATE_CHART=1` writes them.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{
    helm::{Chart, objects, root, the},
    values::documented,
};

const REMEDY: &str = "run UPDATE_CHART=1 cargo test --test packaging chart";

/// File name and text of each definition.
fn definitions() -> BTreeMap<String, String> {
    let files = fs::read_dir(root().join("crds")).unwrap();
    let read = files.map(|file| {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    read.collect()
}

fn is_or_becomes(path: &PathBuf, expected: &str) {
    if env::var_os("UPDATE_CHART").is_some() {
        fs::write(path, expected).unwrap();
    }
    let is = fs::read_to_string(path).unwrap_or_default();
    assert!(is == expected, "{} is out of date: {REMEDY}", path.display());
}

#[test]
fn the_definitions_are_the_files_of_crds() {
    let folder = Chart::NOW.path().join("files/crds");
    let definitions = definitions();
    assert_eq!(definitions.len(), 2);
    for (name, text) in &definitions {
        is_or_becomes(&folder.join(name), text);
    }
    let copies = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name());
    for copy in copies {
        assert!(
            definitions.contains_key(copy.to_string_lossy().as_ref()),
            "{copy:?} is no file of crds/"
        );
    }
}

/// What Helm renders differs in labels and annotations alone.
#[test]
fn the_definitions_are_rendered_as_they_are() {
    for (keep, annotations) in [
        (true, json!({ "helm.sh/resource-policy": "keep" })),
        (false, Value::Null),
    ] {
        let rendered = Chart::NOW.rendered(&format!("{{crds: {{keep: {keep}}}}}"));
        for text in definitions().values() {
            let definition = &objects(text)[0];
            let mut found = the(&rendered, "CustomResourceDefinition", definition.name()).clone();
            assert_eq!(found["metadata"]["annotations"], annotations);
            found["metadata"] = definition.0["metadata"].clone();
            assert_eq!(found, definition.0, "{}", definition.name());
        }
    }
    let without = Chart::NOW.rendered("{crds: {install: false}}");
    assert!(
        !without
            .iter()
            .any(|object| object.kind() == "CustomResourceDefinition")
    );
}

/// `servers` and `tasks` are checked by the definitions' own schemas, in which nothing is allowed that they do not name.
#[test]
fn the_schema_of_declared_objects_is_that_of_the_definitions() {
    let path = Chart::NOW.path().join("values.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for text in definitions().values() {
        let definition = &objects(text)[0].0;
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let version = &definition["spec"]["versions"][0];
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let name = match kind {
            "BackupServer" => "backupServerSpec",
            "BackupTask" => "backupTaskSpec",
            other => panic!("{other} is not in the values"),
        };
        schema["definitions"][name] = strict(spec);
    }
    is_or_becomes(&path, &format!("{}\n", folded(&schema, 0, 0)));
}

/// A structural schema as a strict JSON schema.
fn strict(schema: &Value) -> Value {
    let mut made = Map::new();
    for key in [
        "description",
        "type",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "required",
    ] {
        if let Some(value) = schema.get(key) {
            made.insert(key.to_owned(), whole(value));
        }
    }
    if let Some(items) = schema.get("items") {
        made.insert("items".to_owned(), strict(items));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let properties: Map<_, _> = properties
            .iter()
            .map(|(name, property)| (name.clone(), strict(property)))
            .collect();
        made.insert("properties".to_owned(), properties.into());
        made.insert("additionalProperties".to_owned(), false.into());
    }
    made.into()
}

/// 5 for 5.0.
#[allow(clippy::cast_possible_truncation, reason = "limits of fields are small")]
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 => json!(number as i64),
        _ => value.clone(),
    }
}

/// JSON with a line for whatever fits into one.
fn folded(value: &Value, depth: usize, before: usize) -> String {
    let line = one_line(value);
    if depth * 2 + before + line.len() <= 116 {
        return line;
    }
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| {
                    let key = json!(key).to_string();
                    format!("{inner}{key}: {}", folded(value, depth + 1, key.len() + 2))
                })
                .collect();
            format!("{{\n{}\n{outer}}}", entries.join(",\n"))
        }
        Value::Array(list) => {
            let entries: Vec<_> = list
                .iter()
                .map(|value| format!("{inner}{}", folded(value, depth + 1, 0)))
                .collect();
            format!("[\n{}\n{outer}]", entries.join(",\n"))
        }
        _ => line,
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", json!(key), one_line(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The table of values in the chart's README, between its two markers.
#[test]
fn the_readme_lists_every_value() {
    let path = Chart::NOW.path().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        "<!-- values: made from values.yaml -->\n",
        "<!-- end of values -->\n",
    );
    let (head, rest) = text.split_once(begin).expect("a marker");
    let (_, tail) = rest.split_once(end).expect("an end");
    let mut table = String::from("| value | default | meaning |\n|---|---|---|\n");
    for value in documented() {
        let default = if value.default.is_object() && value.default != json!({}) {
            "see values.yaml".to_owned()
        } else {
            format!("`{}`", one_line(&value.default))
        };
        let meaning = value.meaning.replace('|', "\\|");
        table.push_str(&format!("| `{}` | {default} | {meaning} |\n", value.path));
    }
    is_or_becomes(&path, &format!("{head}{begin}{table}{end}{tail}"));
}

#[test]
fn the_versions_are_those_of_the_program() {
    let chart = &objects(&Chart::NOW.read("Chart.yaml"))[0].0;
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["version"], "0.2.0");
    let first = &objects(&Chart::FIRST.read("Chart.yaml"))[0].0;
    assert_eq!(first["version"], "0.1.0");
}
