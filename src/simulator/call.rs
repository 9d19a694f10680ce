//! A call as the NAS sees it, and its answer. Calls and replies are values, so that the state machine needs
//! no socket. Fields are read as leniently as the real thing reads them: quoted and unquoted strings, numbers
//! as text, lists with and without spaces.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One request, reduced to what the NAS looks at.
#[derive(Debug, Clone, Default)]
pub struct ApiCall {
    /// Name of the API, such as `SYNO.ActiveBackup.Task`; empty when the client sent none.
    pub api: String,
    /// Version as sent; `None` when missing or not a number.
    pub version: Option<i64>,
    /// Name of the method; empty when the client sent none.
    pub method: String,
    /// All other fields of query and body, undecoded.
    pub fields: BTreeMap<String, String>,
    /// Session id from `_sid` or from the cookie `id`.
    pub sid: Option<String>,
    /// Token from the header `X-SYNO-TOKEN` or the field `SynoToken`.
    pub token: Option<String>,
    /// Address of the caller, for the record only.
    pub remote: String,
    /// When the whole of it had come in, for the record only; the time at which it is dealt with where nobody says.
    pub arrived: Option<Timestamp>,
    /// Script below `/webapi/` that was asked; `entry.cgi` serves every API, the others one each.
    pub script: Script,
}

/// Script that a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Script {
    /// `entry.cgi`, for every API.
    #[default]
    Entry,
    /// `query.cgi`, for the catalogue only.
    Query,
    /// `auth.cgi`, for logging in and out.
    Auth,
    /// `encryption.cgi`, for the key of an encrypted login.
    Encryption,
}

impl Script {
    /// Says whether this script serves the API.
    pub(super) fn serves(self, api: &str) -> bool {
        match self {
            Self::Entry => true,
            Self::Query => api == "SYNO.API.Info",
            Self::Auth => api == "SYNO.API.Auth",
            Self::Encryption => api == "SYNO.API.Encryption",
        }
    }
}

impl ApiCall {
    /// A call at version 1 without fields.
    #[must_use]
    pub fn new(api: &str, method: &str) -> Self {
        Self {
            api: api.to_owned(),
            version: Some(1),
            method: method.to_owned(),
            ..Self::default()
        }
    }

    /// The same call at another version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// The same call with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same call in a session.
    #[must_use]
    pub fn in_session(mut self, sid: &str, token: Option<&str>) -> Self {
        self.sid = Some(sid.to_owned());
        self.token = token.map(str::to_owned);
        self
    }

    /// A field exactly as sent.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// A field as JSON, or as a string where it is no JSON.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        self.raw(name).map(lenient)
    }

    /// A field as a whole number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.value(name).as_ref().and_then(as_number)
    }

    /// A field as text, quoted or not.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// A field as a switch; missing is off.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| match value {
            Value::Bool(on) => on,
            Value::Number(number) => number.as_i64() == Some(1),
            Value::String(text) => matches!(text.as_str(), "true" | "yes" | "1"),
            _ => false,
        })
    }

    /// A required list of task ids.
    pub(super) fn ids(&self, name: &'static str) -> Result<Vec<i64>, Failure> {
        let value = self.value(name).ok_or(Failure::missing(name))?;
        let Value::Array(items) = value else {
            return Err(Failure::wrong_type(name));
        };
        items
            .iter()
            .map(|item| as_number(item).ok_or(Failure::wrong_type(name)))
            .collect()
    }

    /// What the call says beside its routing, each field as JSON. `mimeType` is the doing of a client's library.
    pub(super) fn given(&self) -> Map<String, Value> {
        let fields = self.fields.iter().filter(|(name, _)| *name != "mimeType");
        fields.map(|(name, text)| (name.clone(), lenient(text))).collect()
    }

    /// The object in the field `filter`; missing or of another type is empty.
    pub(super) fn filter(&self) -> Map<String, Value> {
        match self.value("filter") {
            Some(Value::Object(filter)) => filter,
            _ => Map::new(),
        }
    }
}

/// Reads a field as JSON, or as a plain string.
fn lenient(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Reads a whole number, also from a string.
pub(super) fn as_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Reads one number or a list of numbers.
pub(super) fn as_numbers(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(items) => items.iter().filter_map(as_number).collect(),
        one => as_number(one).into_iter().collect(),
    }
}

/// Why a call was refused, as it stands in the envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) code: i64,
    pub(super) errors: Option<Value>,
}

impl Failure {
    pub(super) fn code(code: i64) -> Self {
        Self { code, errors: None }
    }

    pub(super) fn missing(name: &str) -> Self {
        Self {
            code: 120,
            errors: Some(json!({"name": name, "reason": "required"})),
        }
    }

    pub(super) fn wrong_type(name: &str) -> Self {
        Self {
            code: 120,
            errors: Some(json!({"name": name, "reason": "type"})),
        }
    }
}

/// What a method answers: data, nothing but success, or a refusal.
pub(super) type Answer = Result<Option<Value>, Failure>;

/// Wraps an answer into the envelope of every API.
pub(super) fn envelope(answer: &Answer) -> Value {
    match answer {
        Ok(None) => json!({"success": true}),
        Ok(Some(data)) => json!({"data": data, "success": true}),
        Err(Failure { code, errors: None }) => json!({"error": {"code": code}, "success": false}),
        Err(Failure {
            code,
            errors: Some(errors),
        }) => {
            json!({"error": {"code": code, "errors": errors}, "success": false})
        }
    }
}

/// The answer to one call and how it reaches the client.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What becomes of the answer on the wire.
    pub delivery: Delivery,
    /// Milliseconds the answer is held back although the call has been dealt with.
    pub hold_milliseconds: u64,
    /// Values of `Set-Cookie` headers.
    pub cookies: Vec<String>,
}

impl Reply {
    pub(super) fn json(body: Value) -> Self {
        Self {
            delivery: Delivery::Json(body),
            hold_milliseconds: 0,
            cookies: Vec::new(),
        }
    }

    pub(super) fn of(delivery: Delivery) -> Self {
        Self {
            delivery,
            hold_milliseconds: 0,
            cookies: Vec::new(),
        }
    }

    /// The JSON body, if the client gets a whole one.
    #[must_use]
    pub fn body(&self) -> Option<&Value> {
        match &self.delivery {
            Delivery::Json(body) => Some(body),
            _ => None,
        }
    }
}

/// What the client gets to see of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Status 200 with this body.
    Json(Value),
    /// The first half of this body, then the connection ends.
    Cut(Value),
    /// Status 200 with a login page in HTML.
    Html,
    /// Status 200 with no body.
    Empty,
    /// This HTTP status with a short text.
    Status(u16),
    /// Status 302 to this address.
    Redirect(String),
    /// Status 200 with a body of this length: the rows of a list again and again, without an end, or else nothing of use.
    Oversize {
        /// What the answer would have been.
        body: Value,
        /// Bytes of the body.
        bytes: u64,
    },
    /// Status 200 with this body, a little at a time.
    Slow {
        /// The body.
        body: Value,
        /// Bytes sent each second; 0 is taken as 1.
        bytes_per_second: u64,
    },
    /// The connection ends without one byte of an answer.
    Lost,
    /// The connection stays open and nothing ever comes.
    Hang,
    /// The call is dealt with later: ask [`Nas::collect`](super::Nas::collect) with the ticket once the time
    /// has passed.
    Later {
        /// Names the answer to collect.
        ticket: u64,
        /// Milliseconds from the call to its effect.
        milliseconds: u64,
    },
}
