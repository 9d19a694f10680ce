//! The objects of a cluster as the API server has them, and what this program can read of each: one that does not fit the
//! definitions that it knows is shown as such and hides no other.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::chosen::explain;
use crate::{
    cli::{Failure, screen::is_unsafe},
    config::Format,
};

/// Longest wait for a list: hundreds of objects with their history are some megabytes.
const DEADLINE: Duration = Duration::from_secs(15);

/// Where objects are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One namespace.
    Namespace(String),
    /// All of them.
    All,
}

impl Scope {
    /// Its objects of a kind, as the API server has them.
    pub fn api<K: Resource<DynamicType = ()>>(&self, client: &Client) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<K>(&());
        match self {
            Self::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            Self::All => Api::all_with(client.clone(), &resource),
        }
    }

    /// As it stands in a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::Namespace(namespace) => format!("in namespace {namespace:?}"),
            Self::All => "in any namespace".to_owned(),
        }
    }
}

/// Namespace and name.
pub(in crate::cli) type Key = (String, String);

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Seen<K> {
    /// Namespace and name.
    pub key: Key,
    /// As the API server has it, without `managedFields`.
    pub raw: Value,
    /// What this program makes of it, or why it cannot read it.
    pub object: Result<K, String>,
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Seen<K> {
    /// Reads what can be read of an object.
    pub fn of(mut object: DynamicObject) -> Self {
        object.metadata.managed_fields = None;
        let key = key_of(&object);
        let mut raw = serde_json::to_value(object).unwrap_or_default();
        raw["apiVersion"] = K::api_version(&()).into();
        raw["kind"] = K::kind(&()).into();
        let object = serde_json::from_value(raw.clone()).map_err(|error| error.to_string());
        Self { key, raw, object }
    }
}

impl<K: kube::ResourceExt> Seen<K> {
    /// An object that this program has itself.
    pub fn known(object: K) -> Self {
        Self {
            key: (object.namespace().unwrap_or_default(), object.name_any()),
            raw: Value::Null,
            object: Ok(object),
        }
    }
}

/// Namespace and name of an object.
pub(super) fn key_of(object: &DynamicObject) -> Key {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    (text(&object.metadata.namespace), text(&object.metadata.name))
}

/// Reads all objects of a kind with these labels. Network.
pub(super) async fn list<K: Resource<DynamicType = ()> + DeserializeOwned>(
    client: &Client,
    scope: &Scope,
    selector: Option<&str>,
) -> Result<Vec<Seen<K>>, Failure> {
    let params = ListParams {
        label_selector: selector.map(str::to_owned),
        ..ListParams::default()
    };
    let api = scope.api::<K>(client);
    let kind = K::kind(&());
    match tokio::time::timeout(DEADLINE, api.list(&params)).await {
        Ok(Ok(list)) => Ok(list.items.into_iter().map(Seen::of).collect()),
        Ok(Err(error)) => Err(unlisted(&kind, scope, selector, &error)),
        Err(_) => Err(Failure::new(format!(
            "failed to list {kind}s: no answer of the API server in {}s",
            DEADLINE.as_secs()
        ))),
    }
}

/// Why a list failed, with the remedy.
fn unlisted(kind: &str, scope: &Scope, selector: Option<&str>, error: &kube::Error) -> Failure {
    match (error, selector) {
        (kube::Error::Api(status), Some(selector)) if status.code == 400 => Failure::usage(format!(
            "the selector {selector:?} cannot be read: {}; write it as tier=gold,site!=lab",
            status.message
        )),
        _ => explain(
            error,
            &format!("list the {kind}s {}", scope.words()),
            "list and watch",
        ),
    }
}

/// Objects as kubectl prints several.
pub(super) fn list_of(items: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": items })
}

/// JSON in which what others have written cannot steer a terminal. Such characters stand inside of texts only.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == '\n' || !is_unsafe(letter) {
            text.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // A text takes whatever is written into it.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

/// Something for programs in one of the formats for them; `None` in those for people.
pub(super) fn written(format: Option<Format>, what: &impl Serialize) -> Result<Option<String>, Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("failed to write the output: {error}"));
    match format {
        Some(Format::Json) => match serde_json::to_string_pretty(what) {
            Ok(text) => Ok(Some(escaped(&text) + "\n")),
            Err(error) => Err(failed(&error)),
        },
        Some(Format::Yaml) => match serde_saphyr::to_string(what) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(failed(&error)),
        },
        Some(Format::Wide) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal_and_reads_back_as_it_was() {
        let name = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}b\r\n\u{e0041}\u{feff} - 写真 📷: \"x\" # y";
        let what = json!({ "name": name, "plain": "peterm-Default", "yes": "on", "one": "1" });
        for format in [Format::Json, Format::Yaml] {
            let text = written(Some(format), &what).unwrap().unwrap();
            // What turns or hides other letters is left as it is by the YAML of programs.
            let steers = |letter: char| match format {
                Format::Json => is_unsafe(letter),
                _ => letter.is_control(),
            };
            assert!(
                !text.chars().any(|letter| letter != '\n' && steers(letter)),
                "{format:?}: {text:?}"
            );
            let back: Value = match format {
                Format::Json => serde_json::from_str(&text).unwrap(),
                _ => serde_saphyr::from_str(&text).unwrap(),
            };
            assert_eq!(back, what);
        }
    }
}
