//! The kinds that are read and how each is judged: ours by the definitions that this program installs and their rules,
//! Secret and ConfigMap by the few fields they have. Judged as the API server does: shape first, rules only where the
//! shape allows it, everything that is wrong at once.

use std::sync::LazyLock;

use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::{Value, json};

use super::{
    metadata,
    schema::{self, Class, Finding},
};
use crate::api;

/// A kind that manifests may hold.
pub(super) struct Kind {
    pub(super) api_version: String,
    pub(super) name: String,
    schema: Value,
    /// The status of the schema: what stands there is read past, but must be known.
    status: Option<Value>,
    rules: Option<CompiledSchema>,
}

/// All of them, ours first.
pub(super) fn kinds() -> &'static [Kind] {
    static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(all);
    &KINDS
}

fn all() -> Vec<Kind> {
    let ours = api::definitions().into_iter().flat_map(|definition| {
        // The type is written as JSON anyway; making a value of it directly would be code of its own.
        let text = serde_json::to_string(&definition).unwrap_or_default();
        let definition: Value = serde_json::from_str(&text).unwrap_or_default();
        let versions = definition["spec"]["versions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        versions
            .into_iter()
            .map(move |version| our_kind(&definition["spec"], &version))
    });
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let secret = json!({ "data": texts, "stringData": texts, "immutable": { "type": "boolean" }, "type": { "type": "string" } });
    let config_map = json!({ "data": texts, "binaryData": texts, "immutable": { "type": "boolean" } });
    ours.chain([
        plain_kind("Secret", &secret),
        plain_kind("ConfigMap", &config_map),
    ])
    .collect()
}

/// The kind that an object says it is of.
pub(super) fn of(object: &Value) -> Option<&'static Kind> {
    kinds()
        .iter()
        .find(|kind| object["apiVersion"] == kind.api_version && object["kind"] == kind.name)
}

fn our_kind(spec: &Value, version: &Value) -> Kind {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut schema = version["schema"]["openAPIV3Schema"].clone();
    let status = schema["properties"]
        .as_object_mut()
        .and_then(|known| known.remove("status"));
    let rules = compile_schema(&schema);
    with_head(&mut schema);
    Kind {
        api_version: format!("{}/{}", text(&spec["group"]), text(&version["name"])),
        name: text(&spec["names"]["kind"]),
        schema,
        status,
        rules: Some(rules),
    }
}

fn plain_kind(name: &str, fields: &Value) -> Kind {
    let mut schema = json!({ "type": "object", "properties": fields });
    with_head(&mut schema);
    Kind {
        api_version: "v1".to_owned(),
        name: name.to_owned(),
        schema,
        status: None,
        rules: None,
    }
}

/// What every object has.
fn with_head(schema: &mut Value) {
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["metadata"] = metadata::schema();
}

impl Kind {
    /// Whether it is one of ours.
    pub(super) fn is_ours(&self) -> bool {
        self.rules.is_some()
    }

    /// Brings an object into the form in which the API server would keep it, and says what is wrong with it.
    pub(super) fn judge(&self, object: &mut Value, default_namespace: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let (Some(schema), Some(mut status)) = (
            &self.status,
            object.as_object_mut().and_then(|o| o.remove("status")),
        ) {
            schema::prune(schema, &mut status, "status", &mut findings);
        }
        schema::prune(&self.schema, object, "", &mut findings);
        schema::set_defaults(&self.schema, object);
        schema::judge(&self.schema, object, "", &mut findings);
        metadata::judge(object, default_namespace, &mut findings);
        if !findings.iter().any(|finding| finding.class == Class::Blocking) {
            let broken = self.broken_rules(object, None);
            let said = broken.into_iter();
            findings.extend(said.map(|(path, message)| Finding::new(path, Class::Invalid, message)));
        }
        without_needless_patterns(findings)
    }

    /// The rules about a change that this one breaks.
    pub(super) fn judge_change(&self, before: &mut Value, after: &Value) -> Vec<Finding> {
        schema::set_defaults(&self.schema, before);
        let always = self.broken_rules(after, None);
        let mut broken = self.broken_rules(after, Some(before));
        broken.retain(|found| !always.contains(found));
        let said = broken.into_iter();
        said.map(|(path, message)| Finding::new(path, Class::Invalid, message))
            .collect()
    }

    fn broken_rules(&self, object: &Value, before: Option<&Value>) -> Vec<(String, String)> {
        let Some(rules) = &self.rules else {
            return Vec::new();
        };
        match Validator::new().validate_compiled(rules, object, before) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_iter().map(said).collect(),
        }
    }
}

/// A pattern says what is expected in a form that people do not read; what else is said of the same field is in words.
fn without_needless_patterns(findings: Vec<Finding>) -> Vec<Finding> {
    let in_words: Vec<String> = findings
        .iter()
        .filter(|finding| finding.class != Class::Pattern)
        .map(|finding| finding.path.clone())
        .collect();
    let mut findings = findings;
    findings.retain(|finding| finding.class != Class::Pattern || !in_words.contains(&finding.path));
    findings
}

fn said(error: ValidationError) -> (String, String) {
    let message = match error.kind {
        ErrorKind::ValidationFailure => error.message,
        _ => format!("failed to evaluate rule {}: {}", error.rule, error.message),
    };
    (error.field_path, message)
}
