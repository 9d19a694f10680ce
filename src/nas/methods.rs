//! What is known of each remote method: its effect, its parameters, the fact each rests on and how sure that fact is.
//!
//! The table is data: `abb-operator call` judges by it what needs consent, `docs/api.md` is made from it, and the tests
//! of the API have one case for each of its rows. Section numbers and confidences are those of the collected facts
//! about the API (`dsm-api-facts`).

use super::error::Call;

mod siblings;
mod tasks;

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Seen on a NAS and written down.
    Documented,
    /// In the code of a client or of the package's own interface.
    Code,
    /// Follows from several facts.
    Inferred,
    /// Nobody has published it.
    Guess,
}

impl Confidence {
    /// One word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Code => "code",
            Self::Inferred => "inferred",
            Self::Guess => "guess",
        }
    }
}

/// What a call does to the NAS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Starts work.
    Starts,
    /// Ends work.
    Stops,
    /// Creates or changes something.
    Changes,
    /// Destroys backups; nothing brings them back.
    Destroys,
}

impl Effect {
    /// One word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Starts => "starts",
            Self::Stops => "stops",
            Self::Changes => "changes",
            Self::Destroys => "destroys",
        }
    }
}

/// The JSON type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names of JSON's types, and of what their elements are"
)]
pub enum Kind {
    Boolean,
    Integer,
    Text,
    Integers,
    Texts,
    Objects,
    Object,
    /// Nobody knows.
    Any,
}

impl Kind {
    /// As the documents name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Text => "string",
            Self::Integers => "list of integers",
            Self::Texts => "list of strings",
            Self::Objects => "list of objects",
            Self::Object => "object",
            Self::Any => "any",
        }
    }

    /// Whether `value` is of this type. Numbers may come as text, as DSM itself takes them.
    #[must_use]
    pub fn admits(self, value: &serde_json::Value) -> bool {
        use serde_json::Value as Json;
        let integer =
            |value: &Json| value.is_i64() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok());
        let every =
            |holds: &dyn Fn(&Json) -> bool| value.as_array().is_some_and(|items| items.iter().all(holds));
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer => integer(value),
            Self::Text => value.is_string(),
            Self::Integers => every(&|item| item.is_i64()),
            Self::Texts => every(&Json::is_string),
            Self::Objects => every(&Json::is_object),
            Self::Object => value.is_object(),
            Self::Any => true,
        }
    }
}

/// The type of a value, for people: never the value, which may be a secret.
#[must_use]
pub fn type_of(value: &serde_json::Value) -> &'static str {
    use serde_json::Value as Json;
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(number) if number.is_f64() => "a number",
        Json::Number(_) => "an integer",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// As DSM spells it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether the NAS refuses the call without it (error 120).
    pub required: bool,
    /// The section of the facts.
    pub fact: &'static str,
    /// How sure that is.
    pub confidence: Confidence,
    /// Where the client has it as a type.
    pub typed: &'static str,
}

/// One remote method.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// API and method.
    pub call: Call,
    /// The version it is asked at.
    pub version: i64,
    /// What it does.
    pub effect: Effect,
    /// How sure that is.
    pub confidence: Confidence,
    /// The section of the facts.
    pub fact: &'static str,
    /// What the answer holds.
    pub answer: &'static str,
    /// What nobody has published about it; empty where nothing of weight is open.
    pub unknown: &'static str,
    /// The parameters anybody has published.
    pub parameters: &'static [Parameter],
}

impl Method {
    /// The shortest name that [`resolve`] takes for it.
    #[must_use]
    pub fn short_name(&self) -> String {
        let Call { api, method } = self.call;
        match api.strip_prefix(FAMILY) {
            Some("Task") => method.to_owned(),
            Some(sibling) => format!("{sibling}.{method}"),
            None => format!("{api}.{method}"),
        }
    }

    /// Whether a person must have agreed before it is sent: it changes something, or what it does is not proven.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        self.effect != Effect::Reads || self.confidence >= Confidence::Inferred
    }
}

/// Every method that is known, those of `SYNO.ActiveBackup.Task` first, in the order of the description they came from.
pub fn all() -> impl Iterator<Item = &'static Method> {
    tasks::METHODS.iter().chain(siblings::METHODS)
}

/// What is known of one method.
#[must_use]
pub fn find(api: &str, method: &str) -> Option<&'static Method> {
    all().find(|known| known.call.api == api && known.call.method == method)
}

/// The beginning of the names of Active Backup's APIs.
const FAMILY: &str = "SYNO.ActiveBackup.";

/// A name that is none of Active Backup's, nor of the few others that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no method of Active Backup: name one such as list, Log.list_result or SYNO.ActiveBackup.Version.list \
     (--methods prints the known ones)"
)]
pub struct UnknownName(String);

/// API and method from what a person types: `list` is a method of tasks, `Log.list_log` one of a sibling, and a name that
/// begins with `SYNO.` says it all.
pub fn resolve(name: &str) -> Result<(String, String), UnknownName> {
    let (api, method) = match name.rsplit_once('.') {
        None => (format!("{FAMILY}Task"), name),
        Some((api, method)) if api.starts_with("SYNO.") => (api.to_owned(), method),
        Some((api, method)) => (format!("{FAMILY}{api}"), method),
    };
    if api.starts_with(FAMILY) || find(&api, method).is_some() {
        Ok((api, method.to_owned()))
    } else {
        Err(UnknownName(name.to_owned()))
    }
}

/// A parameter that the NAS can do without.
const fn optional(
    name: &'static str,
    kind: Kind,
    fact: &'static str,
    confidence: Confidence,
    typed: &'static str,
) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        fact,
        confidence,
        typed,
    }
}

/// One that it refuses the call without.
const fn required(
    name: &'static str,
    kind: Kind,
    fact: &'static str,
    confidence: Confidence,
    typed: &'static str,
) -> Parameter {
    Parameter {
        required: true,
        ..optional(name, kind, fact, confidence, typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourteen_methods_and_their_siblings_once_each() {
        let names: Vec<Call> = all().map(|method| method.call).collect();
        let of_tasks: Vec<&str> = names
            .iter()
            .filter(|call| call.api == "SYNO.ActiveBackup.Task")
            .map(|call| call.method)
            .collect();
        let mut sorted = of_tasks.clone();
        sorted.sort_unstable();
        assert_eq!(
            sorted,
            [
                "backup",
                "cancel",
                "cancel_waiting_backup",
                "create_agent",
                "create_agentless",
                "create_vm",
                "create_vm_check",
                "get_default_task_name",
                "list",
                "list_vm_check",
                "list_with_device",
                "remove",
                "set",
                "vm_check_cancel"
            ]
        );
        let once: std::collections::HashSet<&Call> = names.iter().collect();
        assert_eq!(once.len(), names.len());
        for method in all() {
            let mut parameters: Vec<&str> = method.parameters.iter().map(|known| known.name).collect();
            parameters.sort_unstable();
            parameters.dedup();
            assert_eq!(parameters.len(), method.parameters.len(), "{}", method.call);
        }
    }

    #[test]
    fn what_changes_or_is_not_proven_needs_consent() {
        for (name, needs) in [
            ("list", false),
            ("list_with_device", false),
            ("list_vm_check", false),
            ("get_default_task_name", false),
            ("backup", true),
            ("cancel", true),
            ("cancel_waiting_backup", true),
            ("remove", true),
            ("set", true),
            ("create_vm", true),
            ("create_agent", true),
            ("create_agentless", true),
            ("create_vm_check", true),
            ("vm_check_cancel", true),
        ] {
            let method = find("SYNO.ActiveBackup.Task", name).unwrap();
            assert_eq!(method.needs_consent(), needs, "{name}");
            assert!(
                !needs || !method.unknown.is_empty(),
                "{name} says what is unknown"
            );
        }
    }

    #[test]
    fn names_short_and_long() {
        for (name, api, method) in [
            ("list", "SYNO.ActiveBackup.Task", "list"),
            ("Log.list_log", "SYNO.ActiveBackup.Log", "list_log"),
            ("SYNO.DSM.Info.getinfo", "SYNO.DSM.Info", "getinfo"),
            ("AEM.Task.backup", "SYNO.ActiveBackup.AEM.Task", "backup"),
        ] {
            assert_eq!(resolve(name), Ok((api.to_owned(), method.to_owned())));
        }
        for name in ["SYNO.FileStation.Delete.start", "SYNO.API.Auth.login"] {
            let error = resolve(name).unwrap_err().to_string();
            assert!(error.contains("is no method of Active Backup"), "{error}");
        }
        let compound = find("SYNO.Entry.Request", "request").unwrap();
        assert!(compound.needs_consent(), "a part can be any call");
    }

    #[test]
    fn types_of_values() {
        use serde_json::json;
        for (kind, value, admitted) in [
            (Kind::Integer, json!(5), true),
            (Kind::Integer, json!("5"), true),
            (Kind::Integer, json!("x"), false),
            (Kind::Integers, json!([5, 7]), true),
            (Kind::Integers, json!(["5"]), false),
            (Kind::Integers, json!(5), false),
            (Kind::Boolean, json!(true), true),
            (Kind::Boolean, json!("true"), false),
            (Kind::Text, json!("a"), true),
            (Kind::Text, json!(1), false),
            (Kind::Object, json!({}), true),
            (Kind::Object, json!([]), false),
            (Kind::Any, json!(null), true),
        ] {
            assert_eq!(kind.admits(&value), admitted, "{kind:?} {value}");
        }
    }
}
