//! No field with the name of a secret is left at any depth, and all others are.

use abb_operator::nas::{visible::is_secret, wire};
use serde_json::Value;

pub fn check(body: &[u8]) {
    let Ok(tree) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    if depth(&tree) > 100 {
        return;
    }
    let tree = plain(tree);
    let answer = serde_json::json!({"success": true, "data": tree});
    let text = answer.to_string();
    let Ok(found) = wire::visible(text.as_bytes()) else {
        panic!("a success that is none: {text}")
    };
    let data = found.unwrap_or_default();
    // `data` of an answer is optional, and `null` is none.
    assert_eq!(data, without_secrets(tree, 0));
    assert_clean(&data);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Texts that hold JSON in the one spelling that trees have.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(&text) {
            Ok(inner) if text.trim_start().starts_with(['{', '[', '"']) => {
                Value::String(plain(inner).to_string())
            }
            _ => Value::String(text),
        },
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .collect(),
        other => other,
    }
}

/// JSON in texts is looked into eight texts deep.
fn without_secrets(value: Value, texts: u8) -> Value {
    match value {
        Value::String(text) if !text.trim_start().starts_with(['{', '[', '"']) => Value::String(text),
        Value::String(_) if texts >= 8 => Value::String(String::new()),
        Value::String(text) => match serde_json::from_str::<Value>(&text) {
            Ok(inner) => Value::String(without_secrets(inner, texts + 1).to_string()),
            Err(_) if is_secret(&text) => Value::String(String::new()),
            Err(_) => Value::String(text),
        },
        Value::Array(values) => values
            .into_iter()
            .map(|value| without_secrets(value, texts))
            .collect(),
        Value::Object(fields) => {
            let is_named = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
            let names = |name: &str| !(is_secret(name) || is_named && name == "value");
            fields
                .into_iter()
                .filter(|(name, _)| names(name))
                .map(|(name, value)| (name, without_secrets(value, texts)))
                .collect()
        }
        other => other,
    }
}

fn assert_clean(value: &Value) {
    match value {
        Value::String(text) => {
            if let Ok(inner) = serde_json::from_str(text)
                && text.trim_start().starts_with(['{', '[', '"'])
            {
                assert_clean(&inner);
            }
        }
        Value::Array(values) => values.iter().for_each(assert_clean),
        Value::Object(fields) => {
            for (name, value) in fields {
                assert!(!is_secret(name), "{name}");
                assert_clean(value);
            }
        }
        _ => {}
    }
}
