//! Takes everything personal out of an answer and leaves its shape: keys, types, lengths of lists, numbers.
//!
//! Every text becomes a pseudonym, the same one wherever the same text stands, unless `rules` lets it stay. The rules
//! are a list of what may stay and never of what must go: a field that nobody has seen before loses its text.
//! Redacting what is redacted already changes nothing. Recordings are made of the result; nothing else may be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::nas::visible::is_secret;
use rules::Kind;

mod rules;

/// Stands for every secret, so that a reader sees that there is one.
pub const REDACTED: &str = "REDACTED";

/// A body that is no JSON. What it holds is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("failed to read JSON: {bytes} bytes of {kind}", kind = .kind.label())]
pub struct NotJson {
    /// What it looks like.
    pub kind: BodyKind,
    /// Its length.
    pub bytes: usize,
}

/// What a body that is no JSON looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// No byte, or white space only.
    Empty,
    /// A page.
    Html,
    /// Another text, among them half an answer.
    Text,
    /// No text.
    Binary,
}

impl BodyKind {
    fn of(body: &[u8]) -> Self {
        let start = body.trim_ascii_start();
        match std::str::from_utf8(body) {
            _ if start.is_empty() => Self::Empty,
            Ok(_) if start.starts_with(b"<") => Self::Html,
            Ok(_) => Self::Text,
            Err(_) => Self::Binary,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Html => "HTML",
            Self::Text => "text",
            Self::Binary => "no text",
        }
    }
}

/// The part of an answer that a value stands in, where that changes what may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The answer itself.
    Top,
    /// Below `data`, which may be the catalogue.
    Data,
    /// An entry of the catalogue.
    Catalogue,
    /// What an error adds to its code.
    Errors,
    /// A list of settings.
    Settings,
    /// A list of packages.
    Packages,
    /// Anywhere else.
    Other,
}

/// Redacts the answers of one recording: the same text has the same pseudonym in all of them.
#[derive(Debug, Default)]
pub struct Redactor {
    names: BTreeMap<(Kind, String), u64>,
    counts: BTreeMap<Kind, u64>,
}

/// Redacts one answer by itself.
pub fn redact(body: &[u8]) -> Result<Value, NotJson> {
    Redactor::default().body(body)
}

impl Redactor {
    /// Redacts the body of an answer.
    pub fn body(&mut self, body: &[u8]) -> Result<Value, NotJson> {
        let value = serde_json::from_slice(body).map_err(|_| NotJson {
            kind: BodyKind::of(body),
            bytes: body.len(),
        })?;
        Ok(self.value("", Place::Top, value))
    }

    /// Redacts the fields of a request. The ones that route it or belong to the session are left out.
    pub fn fields<'a>(
        &mut self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> BTreeMap<String, String> {
        let mut redacted = BTreeMap::new();
        for (name, text) in fields {
            if rules::is_routing(name) {
                continue;
            }
            let key = self.key(name, Place::Other, |key| redacted.contains_key(key));
            let text = if is_secret(name) {
                REDACTED.to_owned()
            } else {
                self.text(&key, Place::Other, text.to_owned())
            };
            redacted.insert(key, text);
        }
        redacted
    }

    fn value(&mut self, field: &str, place: Place, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(number) => Value::Number(self.number(field, number)),
            Value::String(text) => Value::String(self.text(field, place, text)),
            Value::Array(values) => {
                let redacted = values.into_iter().map(|value| self.value(field, place, value));
                Value::Array(redacted.collect())
            }
            Value::Object(fields) => Value::Object(self.object(field, place, fields)),
        }
    }

    /// Keys first and values in the order of the new keys: what is redacted already then gets the same pseudonyms.
    fn object(&mut self, field: &str, place: Place, fields: Map<String, Value>) -> Map<String, Value> {
        let taken: BTreeSet<String> = fields.keys().cloned().collect();
        let mut renamed = BTreeMap::new();
        for (key, value) in fields {
            let secret = is_secret(&key) && !rules::is_api(&key);
            let key = self.key(&key, place, |key| {
                taken.contains(key) || renamed.contains_key(key)
            });
            renamed.insert(key, (secret, value));
        }
        let mut redacted = Map::new();
        for (key, (secret, value)) in renamed {
            let value = if secret {
                Value::String(REDACTED.to_owned())
            } else {
                let inner = place_below(field, place, &key);
                self.value(&key, inner, value)
            };
            redacted.insert(key, value);
        }
        redacted
    }

    /// A key as it may stand; another one where it says more than the name of a field.
    fn key(&mut self, key: &str, place: Place, taken: impl Fn(&str) -> bool) -> String {
        if rules::is_identifier(key) || (place == Place::Data && rules::is_api(key)) {
            return key.to_owned();
        }
        let mut number = self.number_of(Kind::Key, key);
        while taken(&format!("key_{number}")) {
            number += 1_000;
        }
        format!("key_{number}")
    }

    fn number(&mut self, field: &str, number: Number) -> Number {
        if rules::identifies_a_person(field) && number.as_f64().is_none_or(|value| value > 0.0) {
            return self.number_of(Kind::Person, &number.to_string()).into();
        }
        number
    }

    fn text(&mut self, field: &str, place: Place, text: String) -> String {
        if text.is_empty() || text == REDACTED {
            return text;
        }
        if rules::identifies_a_person(field) && rules::is_number(&text) {
            return match text.parse::<f64>() {
                Ok(value) if value <= 0.0 => text,
                _ => self.number_of(Kind::Person, &text).to_string(),
            };
        }
        if text.trim_start().starts_with(['{', '[', '"'])
            && let Ok(value) = serde_json::from_str(&text)
        {
            return self.value(field, place, value).to_string();
        }
        if rules::may_stay(field, place, &text) {
            return text;
        }
        let kind = rules::kind(field, &text);
        let number = self.number_of(kind, &text);
        pseudonym(kind, number)
    }

    /// The number of a text among those of its kind, in the order of their first appearance.
    fn number_of(&mut self, kind: Kind, text: &str) -> u64 {
        let count = self.counts.entry(kind).or_default();
        *self.names.entry((kind, text.to_owned())).or_insert_with(|| {
            *count += 1;
            *count
        })
    }
}

fn place_below(field: &str, place: Place, key: &str) -> Place {
    match (place, key) {
        (Place::Top, "data") => Place::Data,
        (Place::Data, _) if rules::is_api(key) => Place::Catalogue,
        (Place::Catalogue, _) => Place::Catalogue,
        (Place::Errors, _) => Place::Errors,
        (Place::Top | Place::Other, "errors") if field == "error" => Place::Errors,
        (Place::Settings, _) | (_, "settings") => Place::Settings,
        (Place::Packages, _) | (_, "packages") => Place::Packages,
        _ => Place::Other,
    }
}

fn pseudonym(kind: Kind, number: u64) -> String {
    match kind {
        Kind::Address => address(number),
        Kind::Uuid => Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::from(number)).to_string(),
        Kind::Path => format!("/path-{number}"),
        Kind::Serial => format!("SERIAL-{number}"),
        Kind::Host => format!("host-{number}"),
        Kind::User => format!("user-{number}"),
        Kind::Task => format!("task-{number}"),
        Kind::Share => format!("share-{number}"),
        Kind::Text | Kind::Key | Kind::Person => format!("text-{number}"),
    }
}

/// Addresses that are reserved for documents, of version 4 as far as they go.
fn address(number: u64) -> String {
    let (block, last) = (number / 254, u8::try_from(number % 254 + 1).unwrap_or(1));
    match block {
        0 => Ipv4Addr::new(192, 0, 2, last).to_string(),
        1 => Ipv4Addr::new(198, 51, 100, last).to_string(),
        2 => Ipv4Addr::new(203, 0, 113, last).to_string(),
        _ => Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(number)).to_string(),
    }
}

#[cfg(test)]
mod tests;
