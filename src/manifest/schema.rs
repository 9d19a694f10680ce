//! What the API server does with an object before its rules: fields that the schema does not know are taken away and
//! reported, nulls and defaults are filled in, and types, ranges, lengths, patterns and formats are judged. The schemas
//! are structural ones as JSON; the words are the API server's, with a remedy where one is known.

use regex::Regex;
use serde_json::{Map, Value};

use super::{child, item, nearest::nearest};

const WRONG_TIME: &str = "must be of type date-time, such as 2026-01-02T03:04:05Z";

/// Something wrong at a path of the object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) message: String,
    pub(super) class: Class,
}

/// What a finding means for the rest of the judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A field that nobody knows; the API server drops it.
    Unknown,
    /// A value of the right type that is wrong: the rules are tried all the same.
    Invalid,
    /// A text that does not match its pattern; a rule may say the same in better words.
    Pattern,
    /// The rules cannot be tried on this.
    Blocking,
}

impl Finding {
    pub(super) fn new(path: impl Into<String>, class: Class, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            class,
        }
    }
}

/// Takes away what the schema does not know.
pub(super) fn prune(schema: &Value, value: &mut Value, path: &str, findings: &mut Vec<Finding>) {
    match value {
        Value::Object(fields) => {
            let known = properties(schema);
            let others = schema.get("additionalProperties");
            if known.is_empty() && others.is_none() {
                return;
            }
            fields.retain(|name, field| {
                if let Some(schema) = known.get(name).or(others) {
                    prune(schema, field, &child(path, name), findings);
                    return true;
                }
                let message = match nearest(name, known.keys().map(String::as_str)) {
                    Some(meant) => format!("unknown field: did you mean {meant:?}?"),
                    None => format!("unknown field: known here: {}", list(known.keys())),
                };
                findings.push(Finding::new(child(path, name), Class::Unknown, message));
                false
            });
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (number, value) in items.iter_mut().enumerate() {
                prune(schema, value, &item(path, number), findings);
            }
        }
        _ => {}
    }
}

/// Fills in defaults. A null means that a field is not set: a template that renders an empty value says no more.
pub(super) fn set_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let known = properties(schema);
            let others = schema.get("additionalProperties");
            fields.retain(|name, value| !value.is_null() || !known.contains_key(name));
            for (name, schema) in known {
                if let Some(default) = schema.get("default")
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(schema) = known.get(name) {
                    set_defaults(schema, value);
                } else if value.is_null() {
                    // In a map of texts, as labels are one, a key without a value has an empty one.
                    *value = "".into();
                } else if let Some(schema) = others {
                    set_defaults(schema, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for value in items {
                set_defaults(schema, value);
            }
        }
        _ => {}
    }
}

/// Judges a value by its schema.
pub(super) fn judge(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    let mut say = |class, message: String| findings.push(Finding::new(path, class, message));
    let allowed = schema["enum"].as_array();
    if let Some(allowed) = allowed
        && !allowed.contains(value)
    {
        say(
            Class::Blocking,
            format!("unsupported value: {value}: supported values: {}", list(allowed)),
        );
    } else if let Some(wanted) = schema["type"].as_str()
        && !is_of_type(wanted, value)
    {
        let found = type_of(value);
        let message = match value {
            Value::Number(_) if schema["format"] == "date-time" => format!("{WRONG_TIME}, not {found}"),
            Value::Array(_) | Value::Object(_) => format!("must be of type {wanted}, not {found}"),
            _ if wanted == "string" => format!("must be of type string, not {found}: put it in quotes"),
            _ => format!("must be of type {wanted}, not {found}"),
        };
        say(Class::Blocking, message);
    }
    match value {
        Value::Number(number) => judge_number(schema, number.as_f64().unwrap_or_default(), &mut say),
        Value::String(text) => judge_text(schema, text, &mut say),
        Value::Array(items) => {
            if let Some(most) = schema["maxItems"].as_u64()
                && items.len() as u64 > most
            {
                say(
                    Class::Blocking,
                    format!("too many: must have at most {most} items"),
                );
            }
            if let Some(schema) = schema.get("items") {
                for (number, value) in items.iter().enumerate() {
                    judge(schema, value, &item(path, number), findings);
                }
            }
        }
        Value::Object(fields) => {
            let known = properties(schema);
            let others = schema.get("additionalProperties");
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                if !fields.contains_key(name) {
                    let message = "required value is missing";
                    findings.push(Finding::new(child(path, name), Class::Blocking, message));
                }
            }
            for (name, value) in fields {
                if let Some(schema) = known.get(name).or(others) {
                    judge(schema, value, &child(path, name), findings);
                }
            }
        }
        _ => {}
    }
}

fn judge_number(schema: &Value, number: f64, say: &mut impl FnMut(Class, String)) {
    let bound = |name: &str| schema[name].as_f64();
    if let Some(least) = bound("minimum")
        && number < least
    {
        say(
            Class::Invalid,
            format!("should be greater than or equal to {least}, not {number}"),
        );
    }
    if let Some(most) = bound("maximum")
        && number > most
    {
        say(
            Class::Invalid,
            format!("should be less than or equal to {most}, not {number}"),
        );
    }
}

/// Length and pattern one after the other, as the API server does; the format beside them.
fn judge_text(schema: &Value, text: &str, say: &mut impl FnMut(Class, String)) {
    let length = text.chars().count() as u64;
    let is_time = schema["format"] == "date-time";
    if let Some(most) = schema["maxLength"].as_u64()
        && length > most
    {
        say(
            Class::Blocking,
            format!("too long: may not be more than {most} characters, and has {length}"),
        );
    } else if let Some(least) = schema["minLength"].as_u64()
        && length < least
    {
        say(Class::Invalid, format!("should be at least {least} chars long"));
    } else if let Some(pattern) = schema["pattern"].as_str()
        && !matches(pattern, text)
    {
        let message = if is_time {
            WRONG_TIME.to_owned()
        } else {
            format!("should match '{pattern}'")
        };
        say(Class::Pattern, message);
    }
    if is_time && !is_date_time(text) {
        say(Class::Blocking, WRONG_TIME.to_owned());
    }
}

/// A pattern that cannot be compiled matches nothing; the definitions have none.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn properties(schema: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema["properties"].as_object().unwrap_or(&NONE)
}

fn is_of_type(wanted: &str, value: &Value) -> bool {
    match wanted {
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        _ => type_of(value) == wanted,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn list<'a, T: ToString + 'a>(values: impl IntoIterator<Item = &'a T>) -> String {
    let values: Vec<String> = values.into_iter().map(ToString::to_string).collect();
    values.join(", ")
}

/// A date that exists, and a time of day with an offset, as loosely as the API server reads them.
fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let Some((date, rest)) = lower.split_once('t') else {
        return false;
    };
    let time = rest.split('t').next().unwrap_or_default();
    let Some(parts) = parts_of_time(time) else {
        return false;
    };
    is_date(date) && parts[0] <= 23 && parts[1] <= 59 && parts[2] <= 59
}

fn is_date(text: &str) -> bool {
    matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", text) && text.parse::<jiff::civil::Date>().is_ok()
}

fn parts_of_time(text: &str) -> Option<[u8; 3]> {
    let pattern =
        Regex::new("^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$").ok()?;
    let found = pattern.captures(text)?;
    let part = |number: usize| found[number].parse().ok();
    Some([part(1)?, part(2)?, part(3)?])
}
