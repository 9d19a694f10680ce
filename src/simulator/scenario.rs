//! The scenario: what the NAS is and holds when it starts, written in YAML or JSON. Every field has a default
//! and unknown fields are refused. Without any field it is the recorded NAS with its one task.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::settings::Settings;
use super::{Behaviour, Error, Fault, PackageState};

/// What the NAS is and holds when it starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one independent state")]
pub struct Scenario {
    /// Account that may log in.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Base32 secret of the second factor; without one the code is always `123456`.
    pub totp_secret: Option<String>,
    /// Model name.
    pub model: String,
    /// Text such as `DSM 7.2.1-69057 Update 5`.
    pub dsm_version: String,
    /// Serial number.
    pub serial: String,
    /// Version of the package.
    pub package_version: String,
    /// Devices backed up at the same time; further runs wait.
    pub max_concurrent_devices: u32,
    /// Whether a session opened with a token needs it on every call.
    pub syno_token_enforced: bool,
    /// Seconds a session lives after its login; for ever when missing.
    pub session_seconds: Option<u32>,
    /// Seconds the clock of the NAS is ahead of true time.
    pub clock_offset_seconds: i64,
    /// Seconds a run takes where the task says nothing.
    pub default_run_seconds: f64,
    /// Bytes a run transfers where the task says nothing.
    pub default_run_bytes: i64,
    /// State of the backup package.
    pub package: PackageState,
    /// Whether logins are blocked: they answer 407.
    pub blocked: bool,
    /// Whether the account is locked after too many attempts: logins answer 411.
    pub account_locked: bool,
    /// Whether the network is plugged in.
    pub power: bool,
    /// Tasks it holds.
    pub tasks: Vec<TaskSpec>,
    /// Further tasks, named `task-0001` and so on.
    pub generate_tasks: u32,
    /// Answers to open questions.
    pub behaviour: Behaviour,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            username: "abb-operator".to_owned(),
            password: "simulated-password".to_owned(),
            totp_secret: None,
            model: "DS918+".to_owned(),
            dsm_version: "DSM 7.2.1-69057 Update 5".to_owned(),
            serial: "SIM0000000001".to_owned(),
            package_version: "2.7.0-13164".to_owned(),
            max_concurrent_devices: 5,
            syno_token_enforced: true,
            session_seconds: None,
            clock_offset_seconds: 0,
            // The recorded run: result 7544 took 522 seconds and moved this many bytes.
            default_run_seconds: 522.0,
            default_run_bytes: 4_754_168_380,
            package: PackageState::Running,
            blocked: false,
            account_locked: false,
            power: true,
            tasks: vec![TaskSpec {
                seed: true,
                ..TaskSpec::default()
            }],
            generate_tasks: 0,
            behaviour: Behaviour::default(),
            faults: Vec::new(),
        }
    }
}

impl Scenario {
    /// The recorded NAS with its one task.
    #[must_use]
    pub fn seed() -> Self {
        Self::default()
    }

    /// Reads a scenario from a YAML or JSON file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| Error::ReadScenario {
            path: path.to_owned(),
            source,
        })?;
        Self::from_text(&text, &path.display().to_string())
    }

    /// Reads a scenario from YAML or JSON text; `origin` names the text in errors.
    pub fn from_text(text: &str, origin: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|source| Error::ParseScenario {
            origin: origin.to_owned(),
            source: Box::new(source),
        })
    }

    /// Takes over what settings name.
    pub(super) fn set(&mut self, settings: Settings) {
        let Settings {
            username,
            password,
            totp_secret,
            model,
            dsm_version,
            serial,
            package_version,
            max_concurrent_devices,
            syno_token_enforced,
            session_seconds,
            account_locked,
            default_run_seconds,
            default_run_bytes,
        } = settings;
        self.username = username;
        self.password = password;
        self.totp_secret = totp_secret;
        self.model = model;
        self.dsm_version = dsm_version;
        self.serial = serial;
        self.package_version = package_version;
        self.max_concurrent_devices = max_concurrent_devices;
        self.syno_token_enforced = syno_token_enforced;
        self.session_seconds = session_seconds;
        self.account_locked = account_locked;
        self.default_run_seconds = default_run_seconds;
        self.default_run_bytes = default_run_bytes;
    }

    /// All tasks with every identity filled in: given ones first, generated ones after them.
    pub(super) fn resolved_tasks(&self) -> Vec<TaskSpec> {
        let generated = (1..=self.generate_tasks).map(|number| TaskSpec {
            name: Some(format!("task-{number:04}")),
            ..TaskSpec::default()
        });
        let mut tasks: Vec<TaskSpec> = self.tasks.iter().cloned().chain(generated).collect();
        let given = tasks.iter().filter_map(|task| task.id.or(task.seed.then_some(1)));
        let mut next = given.max().unwrap_or(0) + 1;
        for task in &mut tasks {
            if task.id.is_none() && !task.seed {
                task.id = Some(next);
                next += 1;
            }
        }
        tasks
    }
}

/// One task at the start, or one added later. What is missing comes from the recorded row or a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TaskSpec {
    /// Start from the recorded task, with its identity and last result.
    pub seed: bool,
    /// Task id; the next free one when missing.
    pub id: Option<i64>,
    /// Name; `task-` and the id when missing.
    pub name: Option<String>,
    /// Value of `unikey`; made from name and id when missing.
    pub unique_key: Option<String>,
    /// 1 virtual machine, 2 PC, 3 physical server, 4 file server, 5 NAS; 2 when missing.
    pub backup_type: Option<i64>,
    /// 1 entire device, 2 system volume, 3 custom volumes.
    pub source_type: Option<i64>,
    /// Devices; one with the id of the task when missing.
    pub devices: Option<Vec<DeviceSpec>>,
    /// Seconds a run takes.
    pub run_seconds: Option<f64>,
    /// Bytes a run transfers.
    pub run_bytes: Option<i64>,
    /// Result status runs end with: 2 success, 3 partial, 4 failure, 5 cancelled, 6 nothing to back up.
    pub result: Option<i64>,
    /// Versions it holds, in any order.
    pub versions: Option<Vec<VersionSpec>>,
    /// Whether the console offers a manual backup; `backup` answers 1209 when not.
    pub allow_manual_backup: Option<bool>,
    /// Whether its agents are connected; they are when missing.
    pub agent_online: Option<bool>,
    /// Whether its backup window is open; it is when missing.
    pub window_open: Option<bool>,
    /// Its last result; none when missing.
    pub last_result: Option<ResultSpec>,
    /// Next scheduled run, seconds since 1970, shown but not acted upon; -1 is none.
    pub next_trigger_time: Option<i64>,
}

/// A device of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeviceSpec {
    /// Device id.
    pub id: i64,
    /// Host name; `host-` and the id when missing.
    pub host_name: Option<String>,
    /// Operating system; the recorded one when missing.
    pub os_name: Option<String>,
}

/// A version of a task's data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VersionSpec {
    /// Version id.
    pub id: i64,
    /// A locked version stops the removal of its task.
    pub locked: bool,
    /// Bytes it uses.
    pub used_size: i64,
    /// Start, seconds since 1970.
    pub time_start: i64,
    /// End, seconds since 1970.
    pub time_end: i64,
}

/// A finished job of any kind, as its result row shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResultSpec {
    /// Result id; the next free one when missing.
    pub result_id: Option<i64>,
    /// 1 backup, 131072 deletion of a version, and so on; 1 when missing.
    pub job_action: Option<i64>,
    /// Result status; 2 when missing.
    pub status: Option<i64>,
    /// Start, seconds since 1970 on the clock of the NAS; now when missing.
    pub time_start: Option<i64>,
    /// End, likewise.
    pub time_end: Option<i64>,
    /// Bytes moved; 0 when missing.
    pub transfered_bytes: Option<i64>,
    /// Identity of the run; random when missing.
    pub activity_uuid: Option<String>,
}

/// What can be changed about a task while the NAS runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TaskChange {
    /// New name.
    pub name: Option<String>,
    /// New `unikey`.
    pub unique_key: Option<String>,
    /// Seconds its next runs take.
    pub run_seconds: Option<f64>,
    /// Bytes its next runs transfer.
    pub run_bytes: Option<i64>,
    /// Result status its next runs end with.
    pub result: Option<i64>,
    /// Versions it holds, replacing all it has.
    pub versions: Option<Vec<VersionSpec>>,
    /// Locks or unlocks every version it has.
    pub locked: Option<bool>,
    /// Whether a manual backup is allowed.
    pub allow_manual_backup: Option<bool>,
    /// Whether its agents are connected. A run that was paused for it goes on.
    pub agent_online: Option<bool>,
    /// Whether its backup window is open.
    pub window_open: Option<bool>,
    /// Next scheduled run to show.
    pub next_trigger_time: Option<i64>,
}

/// A `unikey` that looks like one and is the same at every start.
pub(super) fn unique_key(name: &str, id: i64) -> String {
    let digest = Sha256::digest(format!("{name}/{id}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}
