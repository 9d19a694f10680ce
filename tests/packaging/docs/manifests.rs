//! Manifests of our kinds against their definitions, stricter than a client need be: a field that no definition has is a
//! fault.

use abb_operator::api::{self, BackupServer, BackupTask};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

/// The documents of our group in a text; none if the text is a part of something.
pub fn ours(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .filter_map(|document| serde_saphyr::from_str::<Value>(document).ok())
        .filter(|manifest| {
            let version = manifest["apiVersion"].as_str().unwrap_or_default();
            version.starts_with("activebackup.dev/")
        })
        .collect()
}

/// What is wrong with a manifest.
pub fn faults(manifest: &Value) -> Vec<String> {
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let definitions = api::definitions();
    let Some(definition) = definitions.iter().find(|one| one.spec.names.kind == kind) else {
        return vec![format!("there is no kind {kind}")];
    };
    let version = &definition.spec.versions[0];
    let mut faults = Vec::new();
    if manifest["apiVersion"] != format!("{}/{}", definition.spec.group, version.name) {
        faults.push(format!("there is no version {}", manifest["apiVersion"]));
    }
    let parsed = match kind {
        "BackupServer" => serde_json::from_value::<BackupServer>(manifest.clone()).err(),
        _ => serde_json::from_value::<BackupTask>(manifest.clone()).err(),
    };
    faults.extend(parsed.map(|error| error.to_string()));
    let schema = version
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap();
    unknown("", manifest, schema, &mut faults);
    faults
}

fn unknown(path: &str, value: &Value, schema: &JSONSchemaProps, faults: &mut Vec<String>) {
    for item in value.as_array().into_iter().flatten() {
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            unknown(&format!("{path}[]"), item, items, faults);
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let is_kubernetes = path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str());
        let known = schema.properties.as_ref().and_then(|known| known.get(name));
        match known {
            Some(_) | None if is_kubernetes => {}
            Some(field) => unknown(&format!("{path}.{name}"), value, field, faults),
            None => faults.push(format!("{path}.{name} is no field")),
        }
    }
}

#[test]
fn a_field_that_does_not_exist_is_a_fault() {
    let text = "apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {name: a}\nspec: {serverRef: {name: nas}, task: {name: a}, triggers: {maxage: 1h}}\n";
    let manifests = ours(text);
    assert_eq!(faults(&manifests[0]), [".spec.triggers.maxage is no field"]);
}
