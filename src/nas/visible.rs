//! An answer as a JSON tree, for the methods whose answers nobody has published: every field is kept but the secret
//! ones, which are skipped by the parser and so never exist here.
//!
//! Used for answers that a person asked for. What is polled goes through `wire` into slim types instead.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number};

pub use serde_json::Value;

/// Parts of the names of fields that hold secrets, in lower case: `agent_token`, `login_password`, `mssql_password`,
/// `oracle_password` (dsm-api-facts 3.1), and their like in answers that nobody has published.
const SECRET_PARTS: [&str; 14] = [
    "passw",
    "passphrase",
    "pwd",
    "api_key",
    "apikey",
    "ssh_key",
    "session_id",
    "token",
    "secret",
    "credential",
    "private_key",
    "privatekey",
    "cookie",
    "authorization",
];

/// Whole names of such fields, in lower case.
const SECRET_NAMES: [&str; 6] = ["sid", "_sid", "did", "otp_code", "otp", "login_pass"];

/// JSON inside of a text inside of a text and so on is looked into so often; a text that goes deeper is left out.
const MOST_TEXTS: u8 = 8;

/// Whether a field of this name holds a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// A JSON value without the fields that [`is_secret`] names, at any depth, also inside of texts that hold JSON. Of a row
/// `{"name": …, "value": …}` the value is left out where its name is that of a secret; of a text that begins like JSON, is
/// none, and has the name of a secret in it, everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Visible(pub Value);

impl<'de> Deserialize<'de> for Visible {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VisibleSeed { texts: 0 }.deserialize(deserializer).map(Self)
    }
}

/// Counts the texts it is inside of.
#[derive(Clone, Copy)]
struct VisibleSeed {
    texts: u8,
}

impl VisibleSeed {
    /// The text as it may be seen.
    fn text(self, text: &str) -> String {
        // DSM writes some objects as text, `sched_content` for one.
        let inner = text.trim_start();
        if !inner.starts_with(['{', '[', '"']) {
            return text.to_owned();
        }
        if self.texts >= MOST_TEXTS {
            return String::new();
        }
        let deeper = Self {
            texts: self.texts + 1,
        };
        let mut parser = serde_json::Deserializer::from_str(inner);
        match deeper
            .deserialize(&mut parser)
            .and_then(|value| parser.end().map(|()| value))
        {
            Ok(value) => value.to_string(),
            Err(_) if mentions_secret(inner) => String::new(),
            Err(_) => text.to_owned(),
        }
    }
}

fn mentions_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| text.contains(part))
}

impl<'de> DeserializeSeed<'de> for VisibleSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for VisibleSeed {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(self.text(text)))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if is_secret(&name) {
                map.next_value::<IgnoredAny>()?;
            } else {
                fields.insert(name, map.next_value_seed(self)?);
            }
        }
        let names_secret = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
        if names_secret {
            fields.remove("value");
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secret_fields_are_skipped_at_any_depth() {
        let text = r#"{"a":1,"agent_token":"x","rows":[{"login_password":{"b":"x"},"name":"n","n":1.5}],
            "text":"{\"mssql_password\":\"x\",\"k\":[1]}","twice":"\"{\\\"oracle_password\\\":\\\"x\\\"}\"",
            "plain":"{not json","tail":"{\"login_password\":\"x\"} tail","row":{"name":"smtp_password","value":"x"},
            "other":{"name":"limit","value":"5"},"null":null,"big":18446744073709551615}"#;
        let Visible(value) = serde_json::from_str(text).unwrap();
        assert_eq!(
            value,
            json!({"a": 1, "rows": [{"name": "n", "n": 1.5}], "text": "{\"k\":[1]}", "twice": "\"{}\"",
                   "plain": "{not json", "tail": "", "row": {"name": "smtp_password"},
                   "other": {"name": "limit", "value": "5"}, "null": null, "big": u64::MAX})
        );
    }

    #[test]
    fn texts_inside_of_texts_end_somewhere() {
        let mut text = "{\"login_password\":\"x\",\"n\":1}".to_owned();
        for _ in 0..12 {
            text = Value::String(text).to_string();
        }
        let Visible(value) = serde_json::from_str(&text).unwrap();
        assert!(!value.to_string().contains('x'), "{value}");
    }

    #[test]
    fn names_of_secrets() {
        for name in [
            "agent_token",
            "login_password",
            "mssql_password",
            "ORACLE_PASSWORD",
            "SynoToken",
            "_sid",
            "passwd",
            "clientSecret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "device_id",
            "task_id",
            "crypto_key_id",
            "unikey",
            "host_name",
            "inside",
            "activity_uuid",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
