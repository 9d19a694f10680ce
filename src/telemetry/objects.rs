//! Metrics of objects, made anew at each scrape from the objects as they are watched and from what the process knows of
//! their NAS: there right after a restart, gone with the object.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use prometheus::{GaugeVec, Registry};

use super::{
    catalogue::{
        Metric, SERVER_LAST_LIST, SERVER_LIST_DURATION, SERVER_MODE, SERVER_POLLING, SERVER_REASON,
        SERVER_SKEW, SERVER_TASKS, SERVER_UNMANAGED, SERVER_UP, TASK_CREATED, TASK_DUE_SINCE, TASK_FAILURES,
        TASK_LAST_BYTES, TASK_LAST_DURATION, TASK_LAST_RESULT, TASK_LAST_STATUS, TASK_LAST_SUCCESS,
        TASK_MAX_AGE, TASK_READY, TASK_RUNNING, TASK_STALLED, TASK_STATE, TASK_STATE_SINCE, TASK_SUSPENDED,
    },
    gauge, register,
};
use crate::api::{
    BackupServer, BackupTask, BackupTaskStatus, ConditionType, Mode, Reason, ResultStatus, State, condition,
};

/// What a scrape knows of one server beside its object.
#[derive(Clone, Debug, Default)]
pub struct ServerSample {
    /// Whether the NAS could be read at the last attempt; `None` before the first, and on a standby.
    pub up: Option<bool>,
    /// When the newest inventory was read.
    pub last_list: Option<Timestamp>,
    /// How long that took, in seconds.
    pub list_duration: Option<f64>,
}

const RESULTS: [ResultStatus; 7] = [
    ResultStatus::Success,
    ResultStatus::PartialSuccess,
    ResultStatus::Failed,
    ResultStatus::Canceled,
    ResultStatus::NoBackup,
    ResultStatus::Incomplete,
    ResultStatus::Unknown,
];
const STATES: [State; 8] = [
    State::Idle,
    State::Waiting,
    State::Running,
    State::Canceling,
    State::Deleting,
    State::Missing,
    State::Removed,
    State::Unknown,
];
const MODES: [Mode; 3] = [Mode::Enforce, Mode::Plan, Mode::Observe];
/// Reasons of a server's `Ready`. One that is not among them is served while it holds.
const REASONS: [Reason; 11] = [
    Reason::Connected,
    Reason::Unreachable,
    Reason::CertificateRejected,
    Reason::CredentialsRejected,
    Reason::SecretNotFound,
    Reason::SecondFactorRequired,
    Reason::AccountBlocked,
    Reason::PermissionDenied,
    Reason::PackageNotRunning,
    Reason::UnexpectedResponse,
    Reason::Progressing,
];

/// Gauges of one kind of object, each made when it gets its first value.
struct Sheet {
    registry: Registry,
    gauges: Vec<(&'static str, GaugeVec)>,
}

impl Sheet {
    fn new() -> Self {
        Self {
            registry: Registry::new(),
            gauges: Vec::new(),
        }
    }

    fn set(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        let place = self.gauges.iter().position(|(name, _)| *name == metric.name);
        let place = place.unwrap_or_else(|| {
            let gauge = gauge(metric);
            register(&self.registry, Box::new(gauge.clone()));
            self.gauges.push((metric.name, gauge));
            self.gauges.len() - 1
        });
        self.gauges[place].1.with_label_values(labels).set(value);
    }

    fn set_if(&mut self, metric: &Metric, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.set(metric, labels, value);
        }
    }

    /// One of the values holds.
    fn choose<'a>(
        &mut self,
        metric: &Metric,
        labels: &[&str],
        values: impl Iterator<Item = &'a str>,
        holds: &str,
    ) {
        let mut all: Vec<&str> = labels.to_vec();
        for value in values {
            all.push(value);
            self.set(metric, &all, flag(value == holds));
            all.pop();
        }
        all.push(holds);
        self.set(metric, &all, 1.0);
    }
}

/// The metrics of all objects.
pub(super) fn gather(
    tasks: impl Iterator<Item = BackupTask>,
    servers: &[(BackupServer, ServerSample)],
) -> Vec<prometheus::proto::MetricFamily> {
    let mut sheet = Sheet::new();
    for each in tasks {
        task(&mut sheet, &each);
    }
    for (each, sample) in servers {
        server(&mut sheet, each, sample);
    }
    sheet.registry.gather()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts, seconds and bytes far below 2^52"
)]
fn task(sheet: &mut Sheet, task: &BackupTask) {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let labels = [
        namespace.as_str(),
        name.as_str(),
        task.spec.server_ref.name.as_str(),
    ];
    let nothing = BackupTaskStatus::default();
    let seen = task.status.as_ref().unwrap_or(&nothing);
    let holds =
        |kind| flag(condition(&seen.conditions, kind).is_some_and(|condition| condition.status == "True"));

    let max_age = task.spec.triggers.max_age.as_ref();
    sheet.set_if(&TASK_MAX_AGE, &labels, max_age.map(|age| age.get().as_secs_f64()));
    sheet.set(&TASK_SUSPENDED, &labels, flag(task.is_suspended()));
    let created = task.creation_timestamp();
    sheet.set_if(&TASK_CREATED, &labels, created.as_ref().map(seconds));
    sheet.set(&TASK_READY, &labels, holds(ConditionType::Ready));
    sheet.set(&TASK_STALLED, &labels, holds(ConditionType::Stalled));
    let is_run = matches!(
        seen.state,
        Some(State::Running | State::Waiting | State::Canceling)
    );
    sheet.set(&TASK_RUNNING, &labels, flag(is_run));
    if let Some(state) = seen.state {
        let states = STATES.iter().map(|state| state.as_str());
        sheet.choose(&TASK_STATE, &labels, states, state.as_str());
    }
    sheet.set_if(&TASK_STATE_SINCE, &labels, seen.state_since.as_ref().map(seconds));
    sheet.set_if(&TASK_DUE_SINCE, &labels, seen.due_since.as_ref().map(seconds));
    let failures = seen.consecutive_failures.unwrap_or(0) as f64;
    sheet.set(&TASK_FAILURES, &labels, failures);
    let success = seen.last_success_time.as_ref();
    sheet.set_if(&TASK_LAST_SUCCESS, &labels, success.map(seconds));

    let Some(last) = &seen.last_result else { return };
    let results = RESULTS.iter().map(|result| result.as_str());
    sheet.choose(&TASK_LAST_STATUS, &labels, results, last.status.as_str());
    let (start, end) = (
        last.start_time.as_ref().map(seconds),
        last.end_time.as_ref().map(seconds),
    );
    sheet.set_if(&TASK_LAST_RESULT, &labels, end);
    let took = start.zip(end).map(|(start, end)| end - start);
    sheet.set_if(&TASK_LAST_DURATION, &labels, took);
    let moved = last.transferred_bytes.map(|moved| moved as f64);
    sheet.set_if(&TASK_LAST_BYTES, &labels, moved);
}

#[allow(clippy::cast_precision_loss, reason = "counts and seconds far below 2^52")]
fn server(sheet: &mut Sheet, server: &BackupServer, sample: &ServerSample) {
    let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
    let labels = [namespace.as_str(), name.as_str()];
    let ServerSample {
        up,
        last_list,
        list_duration,
    } = sample;
    sheet.set_if(&SERVER_UP, &labels, up.map(flag));
    let listed = last_list.map(|time| time.as_second() as f64);
    sheet.set_if(&SERVER_LAST_LIST, &labels, listed);
    sheet.set_if(&SERVER_LIST_DURATION, &labels, *list_duration);
    let idle = server.spec.polling.idle.get().as_secs_f64();
    sheet.set(&SERVER_POLLING, &labels, idle);
    let modes = MODES.iter().map(|mode| mode_name(*mode));
    sheet.choose(&SERVER_MODE, &labels, modes, mode_name(server.spec.mode));

    let Some(status) = &server.status else { return };
    if let Some(ready) = condition(&status.conditions, ConditionType::Ready) {
        let reasons = REASONS.iter().map(|reason| reason.as_str());
        sheet.choose(&SERVER_REASON, &labels, reasons, &ready.reason);
    }
    let tasks = status.tasks.as_ref();
    sheet.set_if(&SERVER_TASKS, &labels, tasks.map(|tasks| tasks.total as f64));
    let unmanaged = tasks.map(|tasks| tasks.unmanaged as f64);
    sheet.set_if(&SERVER_UNMANAGED, &labels, unmanaged);
    let skew = status.clock_skew_seconds.map(|skew| skew as f64);
    sheet.set_if(&SERVER_SKEW, &labels, skew);
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "Enforce",
        Mode::Plan => "Plan",
        Mode::Observe => "Observe",
    }
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "seconds far below 2^52")]
fn seconds(time: &Time) -> f64 {
    time.0.as_second() as f64
}
