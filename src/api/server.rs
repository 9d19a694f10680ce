//! `BackupServer`: one NAS running Active Backup for Business.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GoDuration, duration::AT_LEAST_A_SECOND};

/// One NAS running Active Backup for Business: its address, the account to use, and what may be done to it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "activebackup.dev",
    version = "v1alpha1",
    kind = "BackupServer",
    plural = "backupservers",
    shortname = "bsrv",
    category = "abb",
    namespaced,
    status = "BackupServerStatus",
    derive = "PartialEq",
    doc = "One NAS running Active Backup for Business.",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Tasks", type_ = "integer", json_path = ".status.tasks.total"),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.tasks.running"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Model",
        type_ = "string",
        priority = 1,
        json_path = ".status.dsm.model"
    ),
    printcolumn(
        name = "Serial",
        type_ = "string",
        priority = 1,
        json_path = ".status.dsm.serial"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.url.startsWith('http://') || (has(self.tls) && has(self.tls.allowPlaintext) && self.tls.allowPlaintext)")
        .message("an http:// URL sends the password in the clear: use https://, or set tls.allowPlaintext: true"),
    validation = Rule::new("!has(self.timeouts) || !self.timeouts.settle.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || !self.timeouts.request.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self.timeouts.settle) >= duration(self.timeouts.request)")
        .message("timeouts.settle must not be below timeouts.request: evidence may be missing for as long as a call may take")
)]
pub struct BackupServerSpec {
    /// Address of the NAS's web interface, such as `https://nas.example.org:5001`. `http://` only together
    /// with `tls.allowPlaintext: true`. Credentials do not belong here.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("!self.matches('^https?://[^/?#]*@')")
            .message("must not contain credentials: put username and password into the Secret named by credentials.secretRef"),
        validation = Rule::new("self.matches('^https?://([A-Za-z0-9._-]+|\\\\[[0-9A-Fa-f:.]+\\\\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/[A-Za-z0-9._~/-]*)?$') || self.matches('^https?://[^/?#]*@')")
            .message("must be http:// or https://, a host, and at most a port (1-65535) and a path, such as https://nas.example.org:5001, without query or fragment")
    )]
    pub url: String,
    /// The account on the NAS. A dedicated one without second factor is best: its name stands in the NAS's log.
    pub credentials: CredentialsSpec,
    /// How the NAS's certificate is verified; the system's roots when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// What may be sent to this NAS.
    #[serde(default)]
    pub mode: Mode,
    /// How often the NAS's inventory is read.
    #[serde(default)]
    pub polling: PollingSpec,
    /// How long a call may take.
    #[serde(default)]
    pub timeouts: TimeoutsSpec,
    /// How much may run at once.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Whether tasks may be removed from this NAS, and how many a day.
    #[serde(default)]
    pub removals: RemovalsSpec,
}

/// Where the account is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSpec {
    /// Secret in the same namespace with `username`, `password`, optional `otp-secret` (base32 TOTP seed),
    /// `device-name` and `device-id`.
    pub secret_ref: SecretRef,
}

/// A Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("must be the name of a Secret in the same namespace, without a namespace: lower case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// How the NAS's certificate is verified. At most one of `caRef`, `fingerprint` and `insecureSkipVerify`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.caRef) ? 1 : 0) + (has(self.fingerprint) ? 1 : 0) + (has(self.insecureSkipVerify) && self.insecureSkipVerify ? 1 : 0) <= 1")
        .message("at most one of caRef, fingerprint and insecureSkipVerify may be set")
)]
pub struct TlsSpec {
    /// A certificate authority (PEM) in a Secret or ConfigMap of the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
    /// SHA-256 of the NAS's own certificate, 64 hexadecimal digits, with or without colons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 95))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$')")
        .message("must be the SHA-256 of the NAS's own certificate, 64 hexadecimal digits with or without colons, as `openssl x509 -noout -fingerprint -sha256` prints it after the equals sign"))]
    pub fingerprint: Option<String>,
    /// Accept any certificate. Whoever stands between can read the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    /// Permit an `http://` URL. Whoever stands between can read the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_plaintext: Option<bool>,
}

/// A key of a Secret or ConfigMap in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct CaRef {
    /// `Secret` or `ConfigMap`.
    pub kind: CaKind,
    /// Name of the object.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("must be the name of an object in the same namespace, without a namespace: lower case letters, digits, '-' and '.'"))]
    pub name: String,
    /// Key whose value is one or more certificates in PEM.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("must be a key of that object, such as ca.crt: letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// The kind of object a certificate authority is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CaKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// What may be sent to a NAS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Calls are sent.
    #[default]
    Enforce,
    /// The call that would be sent stands in the condition; nothing is sent or receipted.
    Plan,
    /// Nothing is even planned.
    Observe,
}

/// How often the inventory is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct PollingSpec {
    /// While nothing runs.
    #[serde(default = "polling_idle")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub idle: GoDuration,
    /// While a run or an unanswered intent exists.
    #[serde(default = "polling_active")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub active: GoDuration,
}

impl Default for PollingSpec {
    fn default() -> Self {
        Self {
            idle: polling_idle(),
            active: polling_active(),
        }
    }
}

fn polling_idle() -> GoDuration {
    written("5m")
}

fn polling_active() -> GoDuration {
    written("10s")
}

fn written(text: &str) -> GoDuration {
    GoDuration::try_from(text.to_owned()).unwrap_or_else(|_| GoDuration::from_secs(60))
}

/// How long a call may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct TimeoutsSpec {
    /// Any call but the inventory.
    #[serde(default = "timeout_request")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub request: GoDuration,
    /// The inventory, which a NAS with many tasks and versions answers slowly.
    #[serde(default = "timeout_list")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub list: GoDuration,
    /// How long evidence may be missing before a call of unknown outcome counts as never having happened.
    #[serde(default = "timeout_settle")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub settle: GoDuration,
}

impl Default for TimeoutsSpec {
    fn default() -> Self {
        Self {
            request: timeout_request(),
            list: timeout_list(),
            settle: timeout_settle(),
        }
    }
}

fn timeout_request() -> GoDuration {
    written("20s")
}

fn timeout_list() -> GoDuration {
    written("2m")
}

fn timeout_settle() -> GoDuration {
    written("60s")
}

/// How much may run at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitsSpec {
    /// Runs that this operator keeps in flight through this server; the rest queue, oldest due first.
    /// 0 is no limit. 5 is the NAS's own default.
    #[serde(default = "max_concurrent_runs")]
    #[schemars(range(min = 0, max = 10000))]
    pub max_concurrent_runs: i32,
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self {
            max_concurrent_runs: max_concurrent_runs(),
        }
    }
}

fn max_concurrent_runs() -> i32 {
    5
}

/// The breaker in front of `remove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovalsSpec {
    /// Whether BackupTasks of this server may remove NAS tasks with all their versions.
    #[serde(default)]
    pub allowed: bool,
    /// Removals in 24 hours; more wait until the window has passed.
    #[serde(default = "removals_per_day")]
    #[schemars(range(min = 0, max = 10000))]
    pub max_per_day: i32,
}

impl Default for RemovalsSpec {
    fn default() -> Self {
        Self {
            allowed: false,
            max_per_day: removals_per_day(),
        }
    }
}

fn removals_per_day() -> i32 {
    5
}

/// What is known about the NAS. Nothing in it changes from one quiet poll to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupServerStatus {
    /// The generation of the spec these conditions speak of; -1 until the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`; `Reconciling` and `Stalled` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The machine and its system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsm: Option<DsmInfo>,
    /// The Active Backup package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageInfo>,
    /// Counts of the NAS's tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskCounts>,
    /// Tasks for which no BackupTask stands, the first 50; the total is in `tasks.unmanaged`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged_tasks: Vec<UnmanagedTask>,
    /// The NAS's clock minus ours in seconds; rewritten only when it moves by 5 s or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew_seconds: Option<i64>,
    /// The refused login and when the next one is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginStatus>,
    /// The breaker's count, kept here so that it survives restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removals: Option<RemovalsStatus>,
}

/// The machine and its system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DsmInfo {
    /// Model, such as `DS918+`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Version of DSM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Serial number: the identity of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// The Active Backup package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PackageInfo {
    /// Version of Active Backup for Business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it can be asked for with this account, beyond its tasks: `History` (results of finished jobs), `Log` (what was
    /// asked for and did not start), `Queue` (what runs and waits), `Packages` (its own version). What is missing is missed
    /// as evidence: without `History` or `Queue` more calls end as `OutcomeUnknown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// Counts of the NAS's tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskCounts {
    /// Tasks on the NAS.
    pub total: i64,
    /// Tasks bound by a BackupTask.
    pub bound: i64,
    /// Tasks bound by none.
    pub unmanaged: i64,
    /// Tasks with a run in progress or queued on the NAS.
    pub running: i64,
}

/// A NAS task without a BackupTask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedTask {
    /// The NAS's number of the task.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its lasting identity, where the NAS gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
}

/// A refused login.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginStatus {
    /// resourceVersion of the Secret whose credentials were refused; a change of a used key is tried at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_secret_version: Option<String>,
    /// When the same credentials are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
}

/// The breaker's count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovalsStatus {
    /// When the running 24 hours began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_start: Option<Time>,
    /// Removals reserved since.
    #[serde(default)]
    pub count: i32,
}
