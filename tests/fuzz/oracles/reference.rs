//! A second reader of the answers, slow and plain: everything becomes a tree first. It shares no code with the parser.

use serde_json::{Map, Value};

/// Whether a tree cannot be made although the text keeps to the grammar: the parser passes over what it does not read.
pub fn is_grammar(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    [
        "number out of range",
        "recursion limit",
        "surrogate",
        "unicode",
        "hex escape",
        "control character",
    ]
    .iter()
    .any(|what| text.contains(what))
}

/// The same document without what trees cannot show: repeated keys, also in texts that hold objects.
pub fn canonical(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            match serde_json::from_str::<Value>(&text) {
                Ok(inner) => Value::String(canonical(inner).to_string()),
                Err(_) => Value::String("{".to_owned()),
            }
        }
        Value::Array(values) => values.into_iter().map(canonical).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, canonical(value)))
            .collect(),
        other => other,
    }
}

/// Every object with its keys in reverse and one more that nobody knows.
pub fn shuffled(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(shuffled).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let mut parts = vec!["\"zz_unknown\":{\"deep\":[1,null,\"x\"]}".to_owned()];
            parts.extend(
                fields
                    .iter()
                    .rev()
                    .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), shuffled(value))),
            );
            format!("{{{}}}", parts.join(","))
        }
        other => other.to_string(),
    }
}

/// An object, or the one that a text holds.
pub fn object(value: Option<&Value>) -> Option<Map<String, Value>> {
    match value? {
        Value::Object(fields) => Some(fields.clone()),
        Value::String(text) if text.trim_start().starts_with('{') => match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

pub fn int(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) if number.is_f64() => number.as_f64().and_then(whole),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let text = text.trim();
            text.parse::<i64>()
                .ok()
                .or_else(|| text.parse::<f64>().ok().and_then(whole))
        }
        _ => None,
    }
}

pub fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() && !number.is_i64() => None,
        Value::Number(number) if number.is_f64() => number.as_f64().map(|number| number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(on) => Some(*on),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        other => int(Some(other)).map(|number| number != 0),
    }
}

/// What an answer says: its data, its code, or nothing that can be used.
#[derive(Debug, PartialEq)]
pub enum Said {
    Success(Option<Map<String, Value>>),
    Code(i64),
    Nothing,
}

/// Reads the envelope of an answer.
pub fn said(answer: &Value) -> Said {
    let Value::Object(fields) = answer else {
        return Said::Nothing;
    };
    let code = object(fields.get("error")).and_then(|error| int(error.get("code")));
    match (fields.get("success"), code) {
        (Some(Value::Bool(true)), None) => Said::Success(object(fields.get("data"))),
        (Some(Value::Bool(false)), Some(code)) => Said::Code(code),
        // A refusal without a code that can be read.
        (Some(Value::Bool(false)), None) => Said::Code(0),
        _ => Said::Nothing,
    }
}

/// The rows of a list that are objects, and how many are not; `None` where there is no list.
pub fn rows(
    data: &Map<String, Value>,
    list: &str,
    total: Option<u64>,
) -> Option<(Vec<Map<String, Value>>, usize)> {
    match data.get(list) {
        Some(Value::Array(values)) => {
            let rows: Vec<_> = values.iter().filter_map(|value| object(Some(value))).collect();
            let unreadable = values.len() - rows.len();
            Some((rows, unreadable))
        }
        Some(Value::Null) if total == Some(0) => Some((Vec::new(), 0)),
        _ => None,
    }
}

pub fn uint(value: Option<&Value>) -> Option<u64> {
    int(value).and_then(|number| u64::try_from(number).ok())
}

pub fn seconds(value: Option<&Value>) -> Option<i64> {
    int(value).filter(|number| *number > 0)
}
