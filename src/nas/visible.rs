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
const SECRET_PARTS: [&str; 9] = [
    "passw",
    "passphrase",
    "token",
    "secret",
    "credential",
    "private_key",
    "privatekey",
    "cookie",
    "authorization",
];

/// Whole names of such fields, in lower case.
const SECRET_NAMES: [&str; 6] = ["sid", "_sid", "did", "otp_code", "otp", "pwd"];

/// Whether a field of this name holds a secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// A JSON value without the fields that [`is_secret`] names, at any depth, also inside of texts that hold JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Visible(pub Value);

impl<'de> Deserialize<'de> for Visible {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VisibleSeed.deserialize(deserializer).map(Self)
    }
}

struct VisibleSeed;

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
        // DSM writes some objects as text, `sched_content` for one.
        let inner = text.trim_start();
        if inner.starts_with(['{', '[', '"'])
            && let Ok(Visible(value)) = serde_json::from_str::<Visible>(inner)
        {
            return Ok(Value::String(value.to_string()));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(VisibleSeed)? {
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
                fields.insert(name, map.next_value_seed(VisibleSeed)?);
            }
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
            "plain":"{not json","null":null,"big":18446744073709551615}"#;
        let Visible(value) = serde_json::from_str(text).unwrap();
        assert_eq!(
            value,
            json!({"a": 1, "rows": [{"name": "n", "n": 1.5}], "text": "{\"k\":[1]}", "twice": "\"{}\"",
                   "plain": "{not json", "null": null, "big": u64::MAX})
        );
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
