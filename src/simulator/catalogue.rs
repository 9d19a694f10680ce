//! The catalogue: which APIs there are, where, at which versions and with which methods. Calls are checked
//! against it before anything else, in the order of the real thing: API, version, method, then session.

use serde_json::{Map, Value, json};

use super::call::{ApiCall, Failure};

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

const APIS: &[Api] = &[
    Api {
        name: "SYNO.API.Info",
        min: 1,
        max: 1,
        json: false,
        open: true,
        methods: &["query"],
    },
    Api {
        name: "SYNO.API.Auth",
        min: 1,
        max: 7,
        json: false,
        open: true,
        methods: &["login", "logout"],
    },
    Api {
        name: "SYNO.API.Encryption",
        min: 1,
        max: 1,
        json: true,
        open: true,
        methods: &["getinfo"],
    },
    Api {
        name: "SYNO.Entry.Request",
        min: 1,
        max: 2,
        json: true,
        open: false,
        methods: &["request"],
    },
    Api {
        name: "SYNO.DSM.Info",
        min: 2,
        max: 2,
        json: true,
        open: false,
        methods: &["getinfo"],
    },
    Api {
        name: "SYNO.Core.System",
        min: 1,
        max: 3,
        json: true,
        open: false,
        methods: &["info"],
    },
    Api {
        name: "SYNO.Core.Package",
        min: 1,
        max: 2,
        json: true,
        open: false,
        methods: &["list"],
    },
    package(
        "SYNO.ActiveBackup.Task",
        &[
            "list",
            "list_with_device",
            "backup",
            "cancel",
            "cancel_waiting_backup",
            "remove",
            "list_vm_check",
            "create_vm_check",
            "vm_check_cancel",
            "get_default_task_name",
        ],
    ),
    package("SYNO.ActiveBackup.Log", &["list_result", "list_log"]),
    package("SYNO.ActiveBackup.Version", &["list"]),
    package("SYNO.ActiveBackup.Overview", &["list_activity"]),
    package("SYNO.ActiveBackup.Device", &["list"]),
    package("SYNO.ActiveBackup.Setting", &["list"]),
    package("SYNO.ActiveBackup.Activation", &["get"]),
];

/// Methods that change something; only these exist at version 2 of the package's APIs.
const WRITES: &[&str] = &["backup", "cancel", "cancel_waiting_backup", "remove"];

impl Api {
    pub(super) fn of_package(&self) -> bool {
        self.name.starts_with("SYNO.ActiveBackup.")
    }
}

/// Finds the API of a call and checks version and method.
pub(super) fn check(call: &ApiCall, package_present: bool, v2_reads: bool) -> Result<&'static Api, Failure> {
    let (false, false, Some(version)) = (call.api.is_empty(), call.method.is_empty(), call.version) else {
        return Err(Failure::code(101));
    };
    let api = APIS
        .iter()
        .find(|api| api.name == call.api && call.script.serves(api.name))
        .filter(|api| package_present || !api.of_package())
        .ok_or(Failure::code(102))?;
    if version < api.min || version > api.max {
        return Err(Failure::code(104));
    }
    let method = call.method.as_str();
    let hidden = api.of_package() && version > 1 && !v2_reads && !WRITES.contains(&method);
    if hidden || !api.methods.contains(&method) {
        return Err(Failure::code(103));
    }
    Ok(api)
}

/// Data of `SYNO.API.Info` `query`: every API, those named, or those with a named prefix.
pub(super) fn query(wanted: Option<&str>, package_present: bool) -> Value {
    let wanted = wanted.map_or("all", |text| text.trim_matches('"'));
    let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let asked = |api: &Api| {
        names
            .iter()
            .any(|name| matches!(*name, "all" | "ALL" | "") || api.name.starts_with(name))
    };
    let mut data = Map::new();
    for api in APIS
        .iter()
        .filter(|api| (package_present || !api.of_package()) && asked(api))
    {
        let mut entry = json!({"path": "entry.cgi", "minVersion": api.min, "maxVersion": api.max});
        if let (true, Some(entry)) = (api.json, entry.as_object_mut()) {
            entry.insert("requestFormat".to_owned(), json!("JSON"));
        }
        data.insert(api.name.to_owned(), entry);
    }
    Value::Object(data)
}
