//! The fields of a scenario that can be changed while the NAS runs, beside its behaviour. Tasks, faults and what
//! has a lever of its own are not among them.

use serde::{Deserialize, Serialize};

use super::Scenario;

/// Fields of a scenario that can be changed while the NAS runs, under the same names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) username: String,
    pub(super) password: String,
    pub(super) totp_secret: Option<String>,
    pub(super) model: String,
    pub(super) dsm_version: String,
    pub(super) serial: String,
    pub(super) package_version: String,
    pub(super) max_concurrent_devices: u32,
    pub(super) syno_token_enforced: bool,
    pub(super) session_seconds: Option<u32>,
    pub(super) account_locked: bool,
    pub(super) default_run_seconds: f64,
    pub(super) default_run_bytes: i64,
}

impl From<&Scenario> for Settings {
    fn from(scenario: &Scenario) -> Self {
        Self {
            username: scenario.username.clone(),
            password: scenario.password.clone(),
            totp_secret: scenario.totp_secret.clone(),
            model: scenario.model.clone(),
            dsm_version: scenario.dsm_version.clone(),
            serial: scenario.serial.clone(),
            package_version: scenario.package_version.clone(),
            max_concurrent_devices: scenario.max_concurrent_devices,
            syno_token_enforced: scenario.syno_token_enforced,
            session_seconds: scenario.session_seconds,
            account_locked: scenario.account_locked,
            default_run_seconds: scenario.default_run_seconds,
            default_run_bytes: scenario.default_run_bytes,
        }
    }
}
