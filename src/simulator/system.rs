//! What the NAS tells about itself: model, version, packages, settings of the backup package.

use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Failure};
use super::control::PackageState;
use super::core::Nas;
use super::ledger::{Origin, rfc3339};

/// Seconds the NAS has been up when first asked.
const UPTIME: i64 = 864_000;

/// Id of the package.
const PACKAGE: &str = "ActiveBackup";

/// Name of the setting that bounds the devices backed up at the same time.
const CONCURRENT: &str = "max_concurrent_devices";

/// Settings of the package and their values at the start, in the order of a real answer.
const SETTINGS: &[(&str, &str)] = &[
    (CONCURRENT, "5"),
    ("memory_usage_limit_percentage", "75"),
    ("package_cert_id", "simulated"),
    ("enable_global_bandwidth_control", "false"),
    ("global_backup_bandwidth_number", "0"),
    ("enable_ip_range_bandwidth_control", "false"),
    ("bandwidth_control_ip_start", ""),
    ("bandwidth_control_ip_end", ""),
    ("full_backup_task_ids", ""),
    ("retention_run_hour", "0"),
    ("retention_run_min", "0"),
];

impl Nas {
    /// `SYNO.DSM.Info` `getinfo`.
    pub(super) fn dsm_info(&self) -> Value {
        let version = self.scenario.dsm_version.as_str();
        let build = version
            .split(['-', ' '])
            .find(|part| part.len() > 4 && part.parse::<u32>().is_ok());
        json!({
            "model": self.scenario.model,
            "ram": 8192,
            "serial": self.scenario.serial,
            "temperature": 40,
            "temperature_warn": false,
            "time": self.local_time(),
            "uptime": UPTIME,
            "version": build.unwrap_or_default(),
            "version_string": version,
        })
    }

    /// `SYNO.Core.System` `info`.
    pub(super) fn system_info(&self) -> Value {
        json!({
            "cpu_cores": "4",
            "firmware_ver": self.scenario.dsm_version,
            "model": self.scenario.model,
            "ram_size": 8192,
            "serial": self.scenario.serial,
            "temperature_warning": false,
            "time": self.local_time(),
            "up_time": "240:0:0",
        })
    }

    /// Time of the NAS as text; its time zone is UTC.
    fn local_time(&self) -> String {
        rfc3339(self.nas_time() * 1000)
            .chars()
            .take(19)
            .map(|c| if c == 'T' { ' ' } else { c })
            .collect()
    }

    /// `SYNO.Core.Package` `list`; the state only where it is asked for.
    pub(super) fn packages(&self, call: &ApiCall) -> Value {
        let asked = match call.value("additional") {
            Some(Value::Array(names)) => names.iter().any(|name| name == "status"),
            Some(Value::String(name)) => name == "status",
            _ => false,
        };
        json!({"packages": [self.package_row(asked)], "total": 1})
    }

    /// `SYNO.Core.Package` `get`, which not every DSM has.
    pub(super) fn package_info(&self, call: &ApiCall) -> Answer {
        if !self.scenario.behaviour.package_get {
            return Err(Failure::code(103));
        }
        let id = call.text("id").ok_or(Failure::missing("id"))?;
        if id == PACKAGE {
            Ok(Some(self.package_row(true)))
        } else {
            Err(Failure::code(4501))
        }
    }

    fn package_row(&self, with_status: bool) -> Value {
        let mut package = json!({
            "id": PACKAGE,
            "name": "Active Backup for Business",
            "version": self.scenario.package_version,
        });
        if with_status {
            let status = match self.package {
                PackageState::Running => "running",
                PackageState::Stopped => "stop",
                PackageState::Upgrading | PackageState::UpgradeInitialising => "upgrading",
                PackageState::UpgradeFailed => "broken",
            };
            package["additional"] = json!({"status": status});
        }
        package
    }

    /// `SYNO.ActiveBackup.Setting` `list`: every value is a string, and not every one has an id.
    pub(super) fn settings(&self) -> Value {
        let limit = self.scenario.max_concurrent_devices.to_string();
        let mut settings = Vec::new();
        for (index, (name, value)) in SETTINGS.iter().enumerate() {
            let value = match self.package_settings.get(*name) {
                _ if *name == CONCURRENT => &limit,
                Some(changed) => changed.as_str(),
                None => value,
            };
            let mut setting = json!({"name": name, "value": value});
            if !name.starts_with("retention_run_") {
                setting["id"] = json!(index + 1);
            }
            settings.push(setting);
        }
        let certificate = |name: &str, till: Value| {
            json!({
                "cert_common_name": name,
                "cert_issuer": name,
                "cert_san": [name],
                "cert_tillTime": till,
            })
        };
        json!({
            "cert_info": {
                "cert_from_dsm": certificate("synology.simulated", json!("Dec 31 23:59:59 2035 GMT")),
                "cert_from_package": certificate("Active Backup for Business", json!(2_082_758_399)),
                "cert_use_package": true,
            },
            "settings": settings,
        })
    }

    /// `SYNO.ActiveBackup.Setting` `set`: the settings named, as `list` shows them.
    pub(super) fn change_settings(&mut self, call: &ApiCall, user: &str) -> Answer {
        let settings = call.value("settings").ok_or(Failure::missing("settings"))?;
        let Value::Array(settings) = settings else {
            return Err(Failure::wrong_type("settings"));
        };
        for setting in &settings {
            let part = |name: &str| setting.get(name).and_then(Value::as_str);
            let (Some(name), Some(value)) = (part("name"), part("value")) else {
                return Err(Failure::wrong_type("settings"));
            };
            if name == CONCURRENT {
                let limit = value.parse().map_err(|_| Failure::wrong_type("settings"))?;
                self.scenario.max_concurrent_devices = limit;
            }
            self.package_settings.insert(name.to_owned(), value.to_owned());
        }
        self.enter_plain("set-settings", Some(user), Origin::Api);
        self.start_ready();
        Ok(None)
    }

    /// `SYNO.ActiveBackup.Activation` `get`.
    pub(super) fn activation(&self) -> Value {
        json!({"activated": true, "serial_number": self.scenario.serial})
    }
}
