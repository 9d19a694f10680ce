//! The objects of a cluster as the API server has them, and what this program can read of each: one that does not fit the
//! definitions that it knows is shown as such and hides no other.

use std::{fmt::Display, time::Duration};

use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{cli::Failure, config::Format};

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
    let kube::Error::Api(status) = error else {
        return Failure::because(&format!("failed to list {kind}s"), error);
    };
    match (status.code, selector) {
        (404, _) => Failure::new(format!(
            "the cluster does not know the kind {kind}: install the definitions, with the chart or by \
             abb-operator crd | kubectl apply --server-side -f -"
        )),
        (403, _) => Failure::new(format!(
            "you may not list {kind}s {}: {}; the chart's role for people is part of the ClusterRole view",
            scope.words(),
            status.message
        )),
        (400, Some(selector)) => Failure::usage(format!(
            "--selector {selector:?} is none: {}; write it as tier=gold,site!=lab",
            status.message
        )),
        _ => Failure::new(format!("failed to list {kind}s: {}", status.message)),
    }
}

/// Objects as kubectl prints several.
pub(super) fn list_of(items: &[Value]) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": items })
}

/// Something for programs in one of the formats for them; `None` in those for people.
pub(super) fn written(format: Option<Format>, what: &impl Serialize) -> Result<Option<String>, Failure> {
    let failed = |error: &dyn Display| Failure::new(format!("failed to write the output: {error}"));
    match format {
        Some(Format::Json) => match serde_json::to_string_pretty(what) {
            Ok(text) => Ok(Some(text + "\n")),
            Err(error) => Err(failed(&error)),
        },
        Some(Format::Yaml) => match serde_saphyr::to_string(what) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(failed(&error)),
        },
        Some(Format::Wide) | None => Ok(None),
    }
}
