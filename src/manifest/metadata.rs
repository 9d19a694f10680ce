//! `metadata` of a manifest, judged as the API server does: names, labels and annotations. What only the API server sets
//! is taken away, so that a manifest saved from a cluster is read like the one it was made from.

use serde_json::{Map, Value, json};

use super::{
    child,
    schema::{Class, Finding, matches},
};

/// Labels and the names of qualified names.
const LABEL_LENGTH: usize = 63;
const SUBDOMAIN_LENGTH: usize = 253;
/// All annotations of an object together.
const ANNOTATIONS_LENGTH: usize = 256 * 1024;

const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const NAME: &str = "^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$";

/// What the API server sets itself, whatever a manifest says.
const SET_BY_THE_SERVER: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The fields of `metadata`.
pub(super) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    let number = json!({ "type": "integer" });
    let time = json!({ "type": "string", "format": "date-time" });
    let switch = json!({ "type": "boolean" });
    let some_text = json!({ "type": "string", "minLength": 1 });
    let owner = json!({
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
            "apiVersion": some_text, "kind": some_text, "name": some_text, "uid": some_text,
            "controller": switch, "blockOwnerDeletion": switch,
        },
    });
    let manager = json!({
        "type": "object",
        "properties": {
            "manager": text, "operation": text, "apiVersion": text, "time": time, "fieldsType": text,
            "fieldsV1": { "type": "object" }, "subresource": text,
        },
    });
    json!({
        "type": "object",
        "properties": {
            "name": text, "generateName": text, "namespace": text, "labels": texts, "annotations": texts,
            "finalizers": { "type": "array", "items": text },
            "ownerReferences": { "type": "array", "items": owner },
            "creationTimestamp": time, "deletionTimestamp": time, "deletionGracePeriodSeconds": number,
            "generation": number, "resourceVersion": text, "selfLink": text, "uid": text,
            "managedFields": { "type": "array", "items": manager },
        },
    })
}

/// Judges the metadata of an object and fills in its namespace.
pub(super) fn judge(object: &mut Value, default_namespace: &str, findings: &mut Vec<Finding>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let metadata = fields.entry("metadata").or_insert_with(|| Map::new().into());
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    for name in SET_BY_THE_SERVER {
        metadata.remove(name);
    }
    judge_name(metadata, findings);
    judge_namespace(metadata, default_namespace, findings);
    judge_owners(metadata, findings);
    let mut say = |path: String, message: String| findings.push(Finding::new(path, Class::Invalid, message));
    for (key, value) in texts(metadata, "labels") {
        let path = child("metadata.labels", key);
        if let Some(wrong) = wrong_qualified_name(key) {
            say(path, wrong);
        } else if value.len() > LABEL_LENGTH || !(value.is_empty() || matches(NAME, value)) {
            say(
                path,
                format!(
                    "must be empty or at most {LABEL_LENGTH} letters, digits, '-', '_' and '.', beginning and ending \
                     with a letter or digit"
                ),
            );
        }
    }
    let mut length = 0;
    for (key, value) in texts(metadata, "annotations") {
        length += key.len() + value.len();
        if let Some(wrong) = wrong_qualified_name(&key.to_lowercase()) {
            say(child("metadata.annotations", key), wrong);
        }
    }
    if length > ANNOTATIONS_LENGTH {
        let path = "metadata.annotations".to_owned();
        say(
            path,
            format!("too long: may not be more than {ANNOTATIONS_LENGTH} bytes, and have {length}"),
        );
    }
    for (number, finalizer) in metadata
        .get("finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        if let Some(wrong) = finalizer.as_str().and_then(wrong_qualified_name) {
            say(super::item("metadata.finalizers", number), wrong);
        }
    }
}

fn judge_owners(metadata: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let owners = metadata
        .get("ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if owners.filter(|owner| owner["controller"] == true).count() > 1 {
        let message = "only one of them may be the controller";
        findings.push(Finding::new("metadata.ownerReferences", Class::Invalid, message));
    }
}

fn texts<'a>(metadata: &'a Map<String, Value>, field: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let values = metadata
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    values.filter_map(|(key, value)| Some((key, value.as_str()?)))
}

fn judge_name(metadata: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let name = metadata.get("name").map_or(Some(""), Value::as_str);
    let Some(name) = name else { return };
    let message = if name.is_empty() {
        match metadata.get("generateName").and_then(Value::as_str) {
            Some(prefix) if !prefix.is_empty() => {
                "required value is missing: a name that the API server makes up is another one each time; write name \
                 instead of generateName"
            }
            _ => "required value is missing",
        }
    } else if name.len() > SUBDOMAIN_LENGTH || !matches(SUBDOMAIN, name) {
        "must be a lowercase RFC 1123 subdomain: at most 253 lower case letters, digits, '-' and '.', each part \
         beginning and ending with a letter or digit"
    } else {
        return;
    };
    findings.push(Finding::new("metadata.name", Class::Invalid, message));
}

fn judge_namespace(metadata: &mut Map<String, Value>, default_namespace: &str, findings: &mut Vec<Finding>) {
    let namespace = metadata.entry("namespace").or_insert_with(|| "".into());
    match namespace.as_str() {
        Some("") => *namespace = default_namespace.into(),
        Some(name) if name.len() > LABEL_LENGTH || !matches(LABEL, name) => {
            let message = "must be the name of a namespace: at most 63 lower case letters, digits and '-', beginning \
                           and ending with a letter or digit";
            findings.push(Finding::new("metadata.namespace", Class::Invalid, message));
        }
        _ => {}
    }
}

/// A name such as `app` or `example.com/app`.
fn wrong_qualified_name(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_fits =
        prefix.is_none_or(|prefix| prefix.len() <= SUBDOMAIN_LENGTH && matches(SUBDOMAIN, prefix));
    let fits = prefix_fits && name.len() <= LABEL_LENGTH && matches(NAME, name);
    (!fits).then(|| {
        format!(
            "the key must be a qualified name: at most {LABEL_LENGTH} letters, digits, '-', '_' and '.', such as app or \
             example.com/app"
        )
    })
}
