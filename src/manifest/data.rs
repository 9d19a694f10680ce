//! What a Secret and a ConfigMap hold: keys, base64, and texts that become data. Judged as the API server does; values are
//! never shown.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use serde_json::{Map, Value};

use super::{
    child,
    schema::{Class, Finding, matches},
};

/// As Go decodes it: bits left over are read past.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
const KEY_LENGTH: usize = 253;

/// Judges a Secret and makes data of its texts.
pub(super) fn judge_secret(secret: &mut Value, findings: &mut Vec<Finding>) {
    for field in ["data", "stringData"] {
        judge_keys(secret, field, findings);
    }
    judge_base64(secret, "data", ": write plain text below stringData", findings);
    let Some(Value::Object(texts)) = secret
        .as_object_mut()
        .and_then(|secret| secret.remove("stringData"))
    else {
        return;
    };
    let data = secret
        .as_object_mut()
        .map(|secret| secret.entry("data").or_insert_with(|| Map::new().into()));
    // Something else in its place is a fault already.
    let Some(Value::Object(data)) = data else { return };
    for (key, text) in texts {
        if let Some(text) = text.as_str() {
            data.insert(key, BASE64_STANDARD.encode(text).into());
        }
    }
}

/// Judges a ConfigMap.
pub(super) fn judge_config_map(config_map: &mut Value, findings: &mut Vec<Finding>) {
    for field in ["data", "binaryData"] {
        judge_keys(config_map, field, findings);
    }
    judge_base64(
        config_map,
        "binaryData",
        ": write plain text below data",
        findings,
    );
    for key in keys(config_map, "binaryData") {
        if config_map["data"].get(key).is_some() {
            let message = "the key stands in data as well: keep one";
            findings.push(Finding::new(child("binaryData", key), Class::Invalid, message));
        }
    }
}

fn keys<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a String> {
    object[field].as_object().into_iter().flat_map(Map::keys)
}

fn judge_keys(object: &Value, field: &str, findings: &mut Vec<Finding>) {
    for key in keys(object, field) {
        if key.len() > KEY_LENGTH || key == "." || key.starts_with("..") || !matches("^[-._a-zA-Z0-9]+$", key)
        {
            let message =
                "the key must be at most 253 letters, digits, '-', '_' and '.', and must not begin with '..'";
            findings.push(Finding::new(child(field, key), Class::Invalid, message));
        }
    }
}

/// What is right is brought into the one form that every reader takes.
fn judge_base64(object: &mut Value, field: &str, remedy: &str, findings: &mut Vec<Finding>) {
    let Some(Value::Object(data)) = object.get_mut(field) else {
        return;
    };
    for (key, value) in data {
        let Some(text) = value.as_str() else { continue };
        let text: String = text
            .chars()
            .filter(|letter| !matches!(letter, '\n' | '\r'))
            .collect();
        if let Ok(bytes) = BASE64.decode(text) {
            *value = BASE64_STANDARD.encode(bytes).into();
        } else {
            let message = format!("must be base64{remedy}");
            findings.push(Finding::new(child(field, key), Class::Invalid, message));
        }
    }
}
