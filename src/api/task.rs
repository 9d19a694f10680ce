//! `BackupTask`: one task on one NAS, when it must run, what to cancel, what may be removed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema, ResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    ANNOTATION_ABANDON, ANNOTATION_SUSPENDED, BackupTaskStatus, FINALIZER, GoDuration,
    duration::AT_LEAST_A_SECOND,
};

/// Times of the spec as every RFC 3339 parser reads them. The API server's `date-time` alone also takes offsets
/// that no zone has, fractions finer than a nanosecond and leap seconds, on which a reader fails.
const RFC_3339: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// One task of Active Backup for Business: which, when it must run, what to cancel, what may be removed.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "activebackup.dev",
    version = "v1alpha1",
    kind = "BackupTask",
    plural = "backuptasks",
    shortname = "bt",
    category = "abb",
    namespaced,
    status = "BackupTaskStatus",
    derive = "PartialEq",
    doc = "One task of Active Backup for Business on one NAS.",
    printcolumn(name = "Server", type_ = "string", json_path = ".spec.serverRef.name"),
    printcolumn(name = "Task", type_ = "string", json_path = ".status.task.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(
        name = "Last Result",
        type_ = "string",
        json_path = ".status.lastResult.status"
    ),
    printcolumn(name = "Last Success", type_ = "date", json_path = ".status.lastSuccessTime"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextRunTime"),
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
        name = "Result ID",
        type_ = "integer",
        priority = 1,
        json_path = ".status.lastResult.resultId"
    ),
    printcolumn(
        name = "Transferred",
        type_ = "integer",
        priority = 1,
        json_path = ".status.lastResult.transferredBytes"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        priority = 1,
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.readiness) || self.readiness != 'Fresh' || (has(self.triggers) && has(self.triggers.maxAge))")
        .message("readiness: Fresh needs triggers.maxAge: without it there is no age to judge by")
)]
pub struct BackupTaskSpec {
    /// The BackupServer in the same namespace. Immutable.
    pub server_ref: ServerRef,
    /// Which task of the NAS: exactly one of `name`, `id` and `uniqueKey`.
    pub task: TaskSelector,
    /// When the task must run. Triggers of different kinds may stand together.
    #[serde(default)]
    pub triggers: Triggers,
    /// What a due trigger does while a run is in progress.
    #[serde(default)]
    pub when_running: WhenRunning,
    /// A run that has been running (not queued) for longer is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub active_deadline: Option<GoDuration>,
    /// Further attempts after a failed run.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub retries: i32,
    /// Time before the next attempt; doubles with each, at most 6h.
    #[serde(default = "retry_backoff")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub retry_backoff: GoDuration,
    /// Whether `PartialSuccess` counts as a success.
    #[serde(default)]
    pub partial_is_success: bool,
    /// Send nothing to the NAS for this object; go on observing.
    #[serde(default)]
    pub suspend: bool,
    /// Cancels the run in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<CancelSpec>,
    /// Whether, when and with what confirmation the task is removed from the NAS with all its versions.
    #[serde(default)]
    pub removal: RemovalSpec,
    /// What `Ready` means.
    #[serde(default)]
    pub readiness: Readiness,
    /// Finished runs kept in the status.
    #[serde(default = "history_limit")]
    #[schemars(range(min = 0, max = 50))]
    pub history_limit: i32,
}

fn retry_backoff() -> GoDuration {
    GoDuration::try_from("5m".to_owned()).unwrap_or_else(|_| GoDuration::from_secs(300))
}

fn history_limit() -> i32 {
    10
}

/// A BackupServer in the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct ServerRef {
    /// Name of the BackupServer.
    #[schemars(length(max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
            .message("must be the name of a BackupServer in the same namespace, without a namespace: lower case letters, digits, '-' and '.'"),
        validation = Rule::new("self == oldSelf").message("is immutable: a task of another NAS is another object; delete this one and create one for the other server")
    )]
    pub name: String,
}

/// Names one task of the NAS. Exactly one field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.name) ? 1 : 0) + (has(self.id) ? 1 : 0) + (has(self.uniqueKey) ? 1 : 0) == 1")
        .message("set exactly one of name, id and uniqueKey")
)]
pub struct TaskSelector {
    /// The task's name. One that matches several tasks binds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub name: Option<String>,
    /// The NAS's number of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub id: Option<i64>,
    /// The task's lasting identity (`unikey` in the NAS's API).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub unique_key: Option<String>,
}

/// When the task must run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.requestNotAfter) || has(self.request)")
        .message("requestNotAfter needs request: there is no request it could end"),
    validation = Rule::new("!has(self.jitter) || has(self.schedule) || !self.jitter.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self.jitter) == duration('0s')")
        .message("jitter needs schedule: there is no slot it could delay"),
    validation = Rule::new("!has(self.startingDeadline) || has(self.schedule)")
        .message("startingDeadline needs schedule: there is no slot it could end")
)]
pub struct Triggers {
    /// Token. A value other than the last accepted one asks for one run. An RFC 3339 time asks for a successful
    /// run that started at or after that time; prefer times in Git, as reverting an opaque token asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub request: Option<String>,
    /// A request that could not be started by this time is answered `Expired`, never run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = RFC_3339))]
    pub request_not_after: Option<Time>,
    /// Vixie cron with five fields, or `@hourly @daily @midnight @weekly @monthly @yearly @annually`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// IANA time zone of `schedule`.
    #[serde(default = "time_zone")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$')")
        .message("must be an IANA time zone such as Europe/Berlin or Etc/UTC"))]
    pub time_zone: String,
    /// Longest delay after a slot, drawn from object UID and slot; always shorter than the time to the next slot.
    #[serde(default = "no_jitter")]
    pub jitter: GoDuration,
    /// A slot older than this is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub starting_deadline: Option<GoDuration>,
    /// Whenever the newest successful run started longer ago than this, a run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(AT_LEAST_A_SECOND).message("must be at least 1s"))]
    pub max_age: Option<GoDuration>,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            request: None,
            request_not_after: None,
            schedule: None,
            time_zone: time_zone(),
            jitter: no_jitter(),
            starting_deadline: None,
            max_age: None,
        }
    }
}

fn time_zone() -> String {
    "Etc/UTC".to_owned()
}

fn no_jitter() -> GoDuration {
    GoDuration::from_secs(0)
}

/// A cron expression; its shape is checked by the API server, its meaning by the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule(pub String);

impl JsonSchema for Schedule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Schedule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = super::cron::schedule_pattern();
        json_schema!({
            "type": "string",
            "maxLength": 128,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches('{}')", pattern.replace('\\', "\\\\")),
                "message": "must be five cron fields (minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 0-7 or SUN-SAT; * , - /), or one of @hourly @daily @midnight @weekly @monthly @yearly @annually; a time zone belongs into timeZone"
            }]
        })
    }
}

/// What a due trigger does while a run is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenRunning {
    /// Start after the run in progress.
    #[default]
    Wait,
    /// The run in progress answers the trigger.
    Adopt,
    /// Cancel the run in progress, then start.
    Replace,
}

/// Cancels the run in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelSpec {
    /// Token; cancels the run that is in flight when the token is first seen. A token already there when the
    /// object is first seen cancels nothing.
    #[schemars(length(min = 1, max = 63))]
    pub request: String,
}

/// Removal of the task from the NAS **with all its versions**.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.when) && self.when != 'Never') || !has(self.confirm)")
        .message("confirm must be absent while removal.when is Never: set removal.when to OnDelete or Now, or take confirm away"),
    validation = Rule::new("!has(self.when) || self.when == 'Never' || (has(self.confirm) && self.confirm != '')")
        .message("confirm is required with OnDelete and Now: set it to the uniqueKey shown in status.task.uniqueKey"),
    validation = Rule::new("!has(self.when) || self.when != 'Now' || has(self.notAfter)")
        .message("notAfter is required with Now: set a time soon after which nothing may be removed any more"),
    validation = Rule::new("!has(self.notAfter) || (has(self.when) && self.when != 'Never')")
        .message("notAfter must be absent while removal.when is Never")
)]
pub struct RemovalSpec {
    /// When the task is removed.
    #[serde(default)]
    pub when: RemovalWhen,
    /// Must equal the bound task's `uniqueKey`. A task without one is never removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub confirm: Option<String>,
    /// Nothing is sent later, so a manifest left in Git cannot destroy a restored task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = RFC_3339))]
    pub not_after: Option<Time>,
}

/// When the task is removed from the NAS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RemovalWhen {
    /// Never: deleting the object leaves the NAS as it is.
    #[default]
    Never,
    /// When the object is deleted; it is held until the task is gone.
    OnDelete,
    /// Now, until `notAfter`.
    Now,
}

/// What `Ready` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Readiness {
    /// The spec is observed, and the task bound or removed.
    #[default]
    Reconciled,
    /// The newest backup was good and none is being sought.
    LastBackup,
    /// The newest success is younger than `maxAge`.
    Fresh,
}

impl BackupTask {
    /// Whether `spec.suspend` or the annotation holds everything back.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.spec.suspend || self.is_annotated_true(ANNOTATION_SUSPENDED)
    }

    /// Whether a deletion is to let go without removing anything.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.is_annotated_true(ANNOTATION_ABANDON)
    }

    /// Whether the object is being deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether the object carries our finalizer.
    #[must_use]
    pub fn has_finalizer(&self) -> bool {
        self.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
    }

    fn is_annotated_true(&self, annotation: &str) -> bool {
        self.annotations()
            .get(annotation)
            .is_some_and(|value| value == "true")
    }
}
