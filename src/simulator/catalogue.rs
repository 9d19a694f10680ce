//! The catalogue: which APIs there are, where, at which versions and with which methods. Calls are checked
//! against it before anything else, in the order of the real thing: API, version, method, then session.

use serde_json::{Map, Value, json};

use super::answers::DsmGeneration;
use super::call::{ApiCall, Failure, Script};

/// An API, its versions and its methods.
pub(super) struct Api {
    pub(super) name: &'static str,
    min: i64,
    max: i64,
    /// Old form-style APIs carry no `requestFormat`.
    json: bool,
    /// Whether it works without a session.
    pub(super) open: bool,
    methods: &'static [&'static str],
}

const fn package(name: &'static str, methods: &'static [&'static str]) -> Api {
    Api {
        name,
        min: 1,
        max: 2,
        json: true,
        open: false,
        methods,
    }
}

const fn system(name: &'static str, min: i64, max: i64, methods: &'static [&'static str]) -> Api {
    Api {
        name,
        min,
        max,
        json: true,
        open: false,
        methods,
    }
}

const fn open(name: &'static str, max: i64, json: bool, methods: &'static [&'static str]) -> Api {
    Api {
        name,
        min: 1,
        max,
        json,
        open: true,
        methods,
    }
}

/// What a DSM 7.4.1 offers of the package, and what clients need of the system. A list of methods that is empty
/// stands for an API that is there and of which nothing more is known.
const APIS: &[Api] = &[
    open("SYNO.API.Info", 1, false, &["query"]),
    open(AUTH, 7, false, &["login", "logout"]),
    open("SYNO.API.Auth.UIConfig", 1, true, &["get"]),
    open(ENCRYPTION, 1, true, &["getinfo"]),
    system(COMPOUND, 1, 2, &["request"]),
    system("SYNO.DSM.Info", 2, 2, &["getinfo"]),
    system("SYNO.Core.System", 1, 3, &["info"]),
    system("SYNO.Core.Package", 1, 2, &["list", "get"]),
    package("SYNO.ActiveBackup.AEM", &["get_info"]),
    package("SYNO.ActiveBackup.AEM.Activity", &[]),
    package("SYNO.ActiveBackup.AEM.AgentInstaller", &[]),
    package("SYNO.ActiveBackup.AEM.NFS", &[]),
    package("SYNO.ActiveBackup.AEM.Script", &[]),
    package("SYNO.ActiveBackup.AEM.Task", &[]),
    package("SYNO.ActiveBackup.AEM.TaskTemplate", &[]),
    package("SYNO.ActiveBackup.AEM.Version", &[]),
    package("SYNO.ActiveBackup.Activation", &["get"]),
    package("SYNO.ActiveBackup.Agent", &[]),
    package("SYNO.ActiveBackup.Agent.Device", &[]),
    package("SYNO.ActiveBackup.Agentless", &[]),
    package("SYNO.ActiveBackup.Delegation", &[]),
    package("SYNO.ActiveBackup.Device", &["list", "list_tasks"]),
    package("SYNO.ActiveBackup.General", &["get_sys_mem_info"]),
    package("SYNO.ActiveBackup.Inventory", &["list"]),
    package(
        "SYNO.ActiveBackup.Log",
        &["list_result", "list_log", "list_result_detail"],
    ),
    package(
        "SYNO.ActiveBackup.Overview",
        &[
            "list_activity",
            "list_device_last_backup",
            "list_device_transfer_size",
        ],
    ),
    package("SYNO.ActiveBackup.Plan", &[]),
    package("SYNO.ActiveBackup.Report", &[]),
    package("SYNO.ActiveBackup.ReportConfig", &[]),
    package("SYNO.ActiveBackup.ReportGet", &[]),
    package("SYNO.ActiveBackup.Restore", &[]),
    package("SYNO.ActiveBackup.RestoreVM", &[]),
    package("SYNO.ActiveBackup.Setting", &["list", "set"]),
    package(
        "SYNO.ActiveBackup.Share",
        &["list", "list_storage", "list_volume"],
    ),
    package("SYNO.ActiveBackup.Storage", &[]),
    package(
        "SYNO.ActiveBackup.Task",
        &[
            "list",
            "list_with_device",
            "get_default_task_name",
            "create_vm_check",
            "list_vm_check",
            "vm_check_cancel",
            "create_vm",
            "create_agent",
            "create_agentless",
            "set",
            "backup",
            "cancel",
            "cancel_waiting_backup",
            "remove",
        ],
    ),
    package("SYNO.ActiveBackup.TaskTemplate", &["list"]),
    package("SYNO.ActiveBackup.UserGroup", &[]),
    package("SYNO.ActiveBackup.Version", &["list", "lock", "unlock", "delete"]),
    package("SYNO.ActiveBackup.Workload", &[]),
    package("SYNO.ActiveBackup.Wrapper.Domain", &[]),
    package("SYNO.ActiveBackup.Wrapper.LDAP", &[]),
    package("SYNO.ActiveBackup.Wrapper.NFS", &[]),
    package("SYNO.ActiveBackup.Wrapper.NFSPrivilege", &[]),
];

const AUTH: &str = "SYNO.API.Auth";
const ENCRYPTION: &str = "SYNO.API.Encryption";
const COMPOUND: &str = "SYNO.Entry.Request";

/// Highest version at which a DSM 6 logs in.
const OLD_LOGIN: i64 = 6;

/// Methods that change something; only these exist at version 2 of the package's APIs.
const WRITES: &[&str] = &[
    "backup",
    "cancel",
    "cancel_waiting_backup",
    "create_agent",
    "create_agentless",
    "create_vm",
    "delete",
    "lock",
    "remove",
    "set",
    "unlock",
];

impl Api {
    pub(super) fn of_package(&self) -> bool {
        self.name.starts_with("SYNO.ActiveBackup.")
    }

    /// Whether it takes several calls in one.
    pub(super) fn is_compound(&self) -> bool {
        self.name == COMPOUND
    }

    /// Whether only a DSM 7 has it.
    fn is_new(&self) -> bool {
        let part = self.name.strip_prefix("SYNO.ActiveBackup.").unwrap_or_default();
        self.name == "SYNO.API.Auth.UIConfig"
            || matches!(part, "AEM" | "General" | "Plan" | "Workload")
            || part.starts_with("AEM.")
    }
}

/// Which part of the catalogue there is at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    /// The package is not stopped.
    pub(super) package: bool,
    /// The reading methods of the package exist at version 2.
    pub(super) v2_reads: bool,
    /// Several calls may be sent in one.
    pub(super) compound: bool,
    /// Generation of the web API.
    pub(super) generation: DsmGeneration,
}

impl Offer {
    fn is_old(self) -> bool {
        self.generation == DsmGeneration::Dsm6
    }

    fn has(self, api: &Api) -> bool {
        (self.package || !api.of_package())
            && (self.compound || !api.is_compound())
            && !(self.is_old() && api.is_new())
    }

    /// Script that the catalogue names for an API.
    fn path(self, api: &Api) -> &'static str {
        match (self.is_old(), api.name) {
            (true, "SYNO.API.Info") => "query.cgi",
            (true, AUTH) => "auth.cgi",
            (true, ENCRYPTION) => "encryption.cgi",
            _ => "entry.cgi",
        }
    }

    fn max(self, api: &Api) -> i64 {
        if self.is_old() && api.name == AUTH {
            OLD_LOGIN
        } else {
            api.max
        }
    }

    /// Whether a script serves an API. On a DSM 7 `entry.cgi` serves every one, on a DSM 6 only what the catalogue
    /// puts there.
    fn serves(self, script: Script, api: &Api) -> bool {
        script.serves(api.name) && (script != Script::Entry || self.path(api) == "entry.cgi")
    }

    /// Finds the API of a call and checks version and method.
    pub(super) fn check(self, call: &ApiCall) -> Result<&'static Api, Failure> {
        let (false, false, Some(version)) = (call.api.is_empty(), call.method.is_empty(), call.version)
        else {
            return Err(Failure::code(101));
        };
        let api = APIS
            .iter()
            .find(|api| api.name == call.api)
            .filter(|api| self.has(api) && self.serves(call.script, api))
            .ok_or(Failure::code(102))?;
        if version < api.min || version > self.max(api) {
            return Err(Failure::code(104));
        }
        let method = call.method.as_str();
        let hidden = api.of_package() && version > 1 && !self.v2_reads && !WRITES.contains(&method);
        if hidden || !api.methods.contains(&method) {
            return Err(Failure::code(103));
        }
        Ok(api)
    }

    /// Data of `SYNO.API.Info` `query`: every API, those named, or those with a named prefix.
    pub(super) fn query(self, wanted: Option<&str>) -> Value {
        let wanted = wanted.map_or("all", |text| text.trim_matches('"'));
        let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
        let asked = |api: &Api| {
            names
                .iter()
                .any(|name| matches!(*name, "all" | "ALL" | "") || api.name.starts_with(name))
        };
        let mut data = Map::new();
        for api in APIS.iter().filter(|api| self.has(api) && asked(api)) {
            let mut entry =
                json!({"path": self.path(api), "minVersion": api.min, "maxVersion": self.max(api)});
            let as_json = api.json && self.path(api) == "entry.cgi";
            if let (true, Some(entry)) = (as_json, entry.as_object_mut()) {
                entry.insert("requestFormat".to_owned(), json!("JSON"));
            }
            data.insert(api.name.to_owned(), entry);
        }
        Value::Object(data)
    }
}
