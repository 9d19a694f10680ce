//! One call of any method, as a value: what a person asks for, or what has a typed struct but no place in the operator's
//! own work. What it does to the NAS stands in [`super::methods`].

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value as Json;

use super::error::{Call, Error};
use super::methods::{self, Effect, Method};
use super::request::siblings::{DeleteVersions, ListDevices, ListResultDetail, ListTransfers};
use super::request::tasks::{
    self, CancelWaiting, CreateTask, CreateVm, DefaultTaskName, Extra, SetTasks, VmCheck,
};
use super::request::{self, ListResults, ListTasks, Mutation, Request, Value, siblings};
use super::visible::{Visible, is_secret};

/// Fields that belong to the session or to the routing of a call; no parameter has such a name.
const RESERVED: [&str; 6] = ["api", "version", "method", "_sid", "SynoToken", "X-SYNO-TOKEN"];

/// A call, without its session.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(super) request: Request,
}

impl Invocation {
    /// Any method of any API, with parameters that go as JSON text. `version` is the one that is known for the method,
    /// or 1.
    ///
    /// # Errors
    /// [`Error::Configuration`] for names that cannot be ones, or that belong to the session.
    pub fn new(api: &str, method: &str, version: Option<i64>, parameters: &Extra) -> Result<Self, Error> {
        let wrong = |what: String| Err(Error::Configuration { what });
        for (what, name) in [("API", api), ("method", method)] {
            if !is_name(name) {
                return wrong(format!(
                    "{name:?} is no name of a {what}: letters, digits, '_' and '.' only"
                ));
            }
        }
        for name in parameters.keys() {
            if RESERVED
                .iter()
                .any(|reserved| reserved.eq_ignore_ascii_case(name))
            {
                return wrong(format!(
                    "the parameter {name:?} belongs to the session, leave it out"
                ));
            }
            if !is_name(name) {
                return wrong(format!(
                    "{name:?} is no name of a parameter: letters, digits, '_' and '.' only"
                ));
            }
        }
        let known = methods::find(api, method);
        let version = version.or(known.map(|known| known.version)).unwrap_or(1);
        let (api, method) = known.map_or_else(
            || (intern(api), intern(method)),
            |known| (known.call.api, known.call.method),
        );
        let mut request = Request::new(api, version, method);
        for (name, value) in parameters {
            request
                .fields
                .push((Cow::Owned(name.clone()), Value::Plain(text(api, value))));
        }
        Ok(Self { request })
    }

    /// A method whose names are ours.
    pub(super) fn of_known(api: &'static str, method: &'static str, parameters: &Extra) -> Self {
        Self {
            request: Request::new(api, 1, method).members(parameters),
        }
    }

    /// API and method.
    #[must_use]
    pub fn call(&self) -> Call {
        self.request.call
    }

    /// The version it is asked at.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.request.version
    }

    /// What is known of the method at this version.
    #[must_use]
    pub fn method(&self) -> Option<&'static Method> {
        let Call { api, method } = self.request.call;
        // What a method does at another version is not known.
        methods::find(api, method).filter(|known| known.version == self.request.version)
    }

    /// Whether it is known to change nothing.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.method().is_some_and(|method| method.effect == Effect::Reads)
    }

    /// The form that is posted, without the session. It holds no secret but what the caller gave as a parameter.
    #[must_use]
    pub fn form(&self) -> String {
        self.request.body(None)
    }

    /// The form for people, one field per line; values of secret fields are left out, and so is the session.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for (name, value) in form_urlencoded::parse(self.form().as_bytes()) {
            let value = if is_secret(&name) {
                Cow::Borrowed("REDACTED")
            } else {
                without_secrets(value)
            };
            text.extend([&name, "=", &value, "\n"]);
        }
        text.push_str("_sid=(of the session)\n");
        text
    }

    fn task(method: &'static str, parameters: &impl Serialize) -> Self {
        Self {
            request: tasks::request(method, parameters),
        }
    }

    /// `Task.create_vm`.
    #[must_use]
    pub fn create_vm(parameters: &CreateVm) -> Self {
        Self::task("create_vm", parameters)
    }

    /// `Task.create_vm_check`: the same parameters, before the task is made.
    #[must_use]
    pub fn create_vm_check(parameters: &CreateVm) -> Self {
        Self::task("create_vm_check", parameters)
    }

    /// `Task.list_vm_check`.
    #[must_use]
    pub fn list_vm_check(parameters: &VmCheck) -> Self {
        Self::task("list_vm_check", parameters)
    }

    /// `Task.vm_check_cancel`.
    #[must_use]
    pub fn vm_check_cancel(parameters: &VmCheck) -> Self {
        Self::task("vm_check_cancel", parameters)
    }

    /// `Task.create_agent`.
    #[must_use]
    pub fn create_agent(parameters: &CreateTask) -> Self {
        Self::task("create_agent", parameters)
    }

    /// `Task.create_agentless`.
    #[must_use]
    pub fn create_agentless(parameters: &CreateTask) -> Self {
        Self::task("create_agentless", parameters)
    }

    /// `Task.set`.
    #[must_use]
    pub fn set(parameters: &SetTasks) -> Self {
        Self::task("set", parameters)
    }

    /// `Task.get_default_task_name`.
    #[must_use]
    pub fn default_task_name(parameters: &DefaultTaskName) -> Self {
        Self::task("get_default_task_name", parameters)
    }

    /// `Task.cancel_waiting_backup`. It may clear the whole queue.
    #[must_use]
    pub fn cancel_waiting(parameters: &CancelWaiting) -> Self {
        Self::task("cancel_waiting_backup", parameters)
    }

    /// `Task.list_with_device`.
    #[must_use]
    pub fn list_with_device() -> Self {
        Self {
            request: request::list_with_device(),
        }
    }

    /// `Overview.list_activity`.
    #[must_use]
    pub fn list_activity() -> Self {
        Self {
            request: request::list_activity(),
        }
    }

    /// `Setting.list`.
    #[must_use]
    pub fn list_settings() -> Self {
        Self {
            request: siblings::list_settings(),
        }
    }

    /// `SYNO.DSM.Info` `getinfo`.
    #[must_use]
    pub fn dsm_info() -> Self {
        Self {
            request: request::dsm_info(),
        }
    }

    /// `SYNO.Core.Package` `list`, with the state of each package.
    #[must_use]
    pub fn list_packages() -> Self {
        Self {
            request: siblings::list_packages(),
        }
    }
}

macro_rules! from_request {
    ($($parameters:ty),* $(,)?) => {
        $(impl From<&$parameters> for Invocation {
            fn from(parameters: &$parameters) -> Self {
                Self { request: parameters.request() }
            }
        })*
    };
}

from_request!(
    ListTasks,
    ListResults,
    ListResultDetail,
    ListTransfers,
    ListDevices,
    DeleteVersions
);

impl From<Mutation> for Invocation {
    fn from(mutation: Mutation) -> Self {
        Self {
            request: mutation.request(),
        }
    }
}

/// A value without the secret fields inside of it.
fn without_secrets(value: Cow<'_, str>) -> Cow<'_, str> {
    match serde_json::from_str::<Visible>(&value) {
        Ok(Visible(value)) => Cow::Owned(value.to_string()),
        Err(_) => value,
    }
}

/// A name that stays within a form field and a log line.
fn is_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    !name.is_empty() && name.len() <= 128 && name.chars().all(plain)
}

/// A value as it is sent: JSON text, but raw for the one old API whose values are no JSON.
fn text(api: &str, value: &Json) -> String {
    match value {
        Json::String(raw) if api == "SYNO.API.Info" => raw.clone(),
        value => value.to_string(),
    }
}

/// The name of a call for as long as the process lives. A process asks for few names that are not known.
fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_method_with_parameters_as_json_text() {
        let parameters = Extra::from([
            ("task_ids".to_owned(), json!([5])),
            ("view_type".to_owned(), json!("a b")),
            ("on".to_owned(), json!(true)),
        ]);
        let call = Invocation::new("SYNO.ActiveBackup.New", "do", None, &parameters).unwrap();
        assert_eq!(
            call.form(),
            "api=SYNO.ActiveBackup.New&version=1&method=do&on=true&task_ids=%5B5%5D&view_type=%22a+b%22"
        );
        assert!(call.method().is_none() && !call.only_reads());
        let nested = Extra::from([(
            "info".to_owned(),
            json!({"host": "x", "login_password": "canary", "more": "{\"mssql_password\":\"canary\"}"}),
        )]);
        let nested = Invocation::new("SYNO.ActiveBackup.New", "do", None, &nested).unwrap();
        let shown = nested.shown();
        assert!(
            shown.contains("\"host\":\"x\"") && !shown.contains("canary"),
            "{shown}"
        );
        let other = Invocation::new("SYNO.ActiveBackup.Task", "list", Some(2), &Extra::new()).unwrap();
        assert!(!other.only_reads(), "what version 2 does is not known");
        let known = Invocation::new("SYNO.DSM.Info", "getinfo", None, &Extra::new()).unwrap();
        assert_eq!(known.form(), "api=SYNO.DSM.Info&version=2&method=getinfo");
        assert!(known.only_reads());
    }

    #[test]
    fn names_that_are_none_or_belong_to_the_session() {
        let none = Extra::new();
        for (api, method) in [("", "list"), ("A&b", "list"), ("A", ""), ("A", "a b")] {
            assert!(
                Invocation::new(api, method, None, &none).is_err(),
                "{api} {method}"
            );
        }
        for name in ["_sid", "synotoken", "API", "a=b", ""] {
            let parameters = Extra::from([(name.to_owned(), json!(1))]);
            assert!(Invocation::new("A", "b", None, &parameters).is_err(), "{name}");
        }
    }
}
