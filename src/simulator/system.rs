//! What the NAS tells about itself: model, version, packages, settings of the backup package.

use serde_json::{Value, json};

use super::control::PackageState;
use super::core::Nas;
use super::ledger::rfc3339;

/// Seconds the NAS has been up when first asked.
const UPTIME: i64 = 864_000;

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

    /// `SYNO.Core.Package` `list`.
    pub(super) fn packages(&self) -> Value {
        let status = match self.package {
            PackageState::Running => "running",
            PackageState::Stopped => "stop",
            PackageState::Upgrading => "upgrading",
        };
        let package = json!({
            "additional": {"status": status},
            "id": "ActiveBackup",
            "name": "Active Backup for Business",
            "version": self.scenario.package_version,
        });
        json!({"packages": [package], "total": 1})
    }

    /// `SYNO.ActiveBackup.Setting` `list`: every value is a string.
    pub(super) fn settings(&self) -> Value {
        let limit = self.scenario.max_concurrent_devices.to_string();
        let settings: Vec<Value> = [
            ("max_concurrent_devices", limit.as_str()),
            ("memory_usage_limit_percentage", "75"),
            ("enable_global_bandwidth_control", "false"),
            ("retention_run_hour", "0"),
            ("retention_run_min", "0"),
        ]
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
        json!({"cert_info": {"cert_tillTime": "Dec 31 23:59:59 2035 GMT"}, "cert_use_package": false, "settings": settings})
    }

    /// `SYNO.ActiveBackup.Activation` `get`.
    pub(super) fn activation(&self) -> Value {
        json!({"activated": true, "serial_number": self.scenario.serial})
    }

    /// `SYNO.API.Encryption` `getinfo`. Encrypted logins are not understood; the plain one works.
    pub(super) fn encryption_info(&self) -> Value {
        json!({
            "cipherkey": "__cIpHeRtExT",
            "ciphertoken": "__cIpHeRtOkEn",
            "public_key": "c5".repeat(512),
            "server_time": self.nas_time(),
        })
    }
}
