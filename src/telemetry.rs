//! Logs and metrics. Metrics of the process are counted as things happen; metrics of objects are made from the
//! watched objects at each scrape, so they are there after a restart and gone with the object.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

use crate::{
    api::{BackupServer, BackupTask, ConditionType, IntentAction, ResultStatus, State, condition},
    nas::{CallRecord, Observer},
    observe::Answered,
};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `RUST_LOG` narrows or widens it.
pub fn init_logs(format: LogFormat, default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start (tests in one process) keeps the first one's settings.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// Metrics of the process.
pub struct Metrics {
    registry: Registry,
    requests: CounterVec,
    request_duration: HistogramVec,
    mutations: CounterVec,
    reconciles: CounterVec,
    reconcile_duration: HistogramVec,
    leader: IntGauge,
}

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

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            requests: counter(
                "abb_nas_requests_total",
                "HTTP requests to a NAS by outcome.",
                &["namespace", "server", "api", "method", "outcome"],
            ),
            request_duration: histogram(
                "abb_nas_request_duration_seconds",
                "Duration of HTTP requests to a NAS.",
                &["namespace", "server", "api", "method"],
            ),
            mutations: counter(
                "abb_nas_mutations_total",
                "Calls that change a NAS, by action and what was known of the answer.",
                &["action", "outcome"],
            ),
            reconciles: counter(
                "abb_reconciles_total",
                "Passes by kind and outcome.",
                &["kind", "outcome"],
            ),
            reconcile_duration: histogram("abb_reconcile_duration_seconds", "Duration of passes.", &["kind"]),
            leader: int_gauge("abb_leader", "Whether this process leads (1) or stands by (0)."),
            registry,
        };
        for part in [
            Box::new(metrics.requests.clone()) as Box<dyn Collector>,
            Box::new(metrics.request_duration.clone()),
            Box::new(metrics.mutations.clone()),
            Box::new(metrics.reconciles.clone()),
            Box::new(metrics.reconcile_duration.clone()),
            Box::new(metrics.leader.clone()),
            Box::new(build_info()),
        ] {
            register(&metrics.registry, part);
        }
        metrics
    }

    /// Counts the requests of one server's client.
    #[must_use]
    pub fn observer(&self, server: &BackupServer) -> Observer {
        let (requests, durations) = (self.requests.clone(), self.request_duration.clone());
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        Arc::new(move |call: &CallRecord| {
            let labels = [namespace.as_str(), name.as_str(), call.api, call.method];
            requests
                .with_label_values(&[labels[0], labels[1], labels[2], labels[3], call.outcome])
                .inc();
            durations.with_label_values(&labels).observe(call.seconds);
        })
    }

    /// Counts a mutating call.
    pub fn mutation(&self, action: IntentAction, answered: Answered) {
        let outcome = match answered {
            Answered::Applied => "applied",
            Answered::NotDispatched => "not_dispatched",
            Answered::Refused(_) => "refused",
            Answered::Unknown => "unknown",
            Answered::Withheld => "withheld",
        };
        self.mutations
            .with_label_values(&[action.as_str(), outcome])
            .inc();
    }

    /// Starts timing a pass.
    #[must_use]
    pub fn reconcile(&self, kind: &'static str) -> Pass<'_> {
        Pass {
            metrics: self,
            kind,
            begun: Instant::now(),
        }
    }

    /// Whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Everything in Prometheus text format.
    ///
    /// # Errors
    /// The encoder's, which registered metrics do not meet.
    pub fn render(
        &self,
        tasks: &[Arc<BackupTask>],
        servers: &[(BackupServer, ServerSample)],
    ) -> Result<String, prometheus::Error> {
        let objects = Registry::new();
        for gauge in task_gauges(tasks) {
            register(&objects, Box::new(gauge));
        }
        for gauge in server_gauges(servers) {
            register(&objects, Box::new(gauge));
        }
        let mut families = self.registry.gather();
        families.extend(objects.gather());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A pass being timed.
pub struct Pass<'a> {
    metrics: &'a Metrics,
    kind: &'static str,
    begun: Instant,
}

impl Pass<'_> {
    /// The pass is over.
    pub fn done(self, outcome: &str) {
        self.metrics
            .reconciles
            .with_label_values(&[self.kind, outcome])
            .inc();
        self.metrics
            .reconcile_duration
            .with_label_values(&[self.kind])
            .observe(self.begun.elapsed().as_secs_f64());
    }
}

const TASK_LABELS: [&str; 3] = ["namespace", "name", "server"];
const SERVER_LABELS: [&str; 2] = ["namespace", "server"];

#[allow(clippy::cast_precision_loss, reason = "seconds and bytes far below 2^52")]
fn task_gauges(tasks: &[Arc<BackupTask>]) -> Vec<GaugeVec> {
    let of = |name: &str, help: &str| gauge(name, help, &TASK_LABELS);
    let success = of(
        "abb_task_last_success_timestamp_seconds",
        "When the newest good run ended.",
    );
    let result = of(
        "abb_task_last_result_timestamp_seconds",
        "When the newest run ended.",
    );
    let duration = of("abb_task_last_duration_seconds", "Duration of the newest run.");
    let bytes = of(
        "abb_task_last_transferred_bytes",
        "Bytes moved by the newest run.",
    );
    let failures = of(
        "abb_task_consecutive_failures",
        "Failed runs since the newest good one.",
    );
    let running = of("abb_task_running", "Whether a run is queued or in progress.");
    let since = of(
        "abb_task_state_since_timestamp_seconds",
        "Since when the task is in its state.",
    );
    let max_age = of("abb_task_max_age_seconds", "triggers.maxAge.");
    let suspended = of("abb_task_suspended", "Whether the object is suspended.");
    let ready = of("abb_task_ready", "Whether Ready is True.");
    let labels = ["namespace", "name", "server", "status"];
    let status = gauge(
        "abb_task_last_result_status",
        "The newest result (state set).",
        &labels,
    );
    for task in tasks {
        let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
        let values = [
            namespace.as_str(),
            name.as_str(),
            task.spec.server_ref.name.as_str(),
        ];
        let set = |gauge: &GaugeVec, value: f64| gauge.with_label_values(&values).set(value);
        let flag = |value: bool| if value { 1.0 } else { 0.0 };
        let nothing = crate::api::BackupTaskStatus::default();
        let seen = task.status.as_ref().unwrap_or(&nothing);
        set(&suspended, flag(task.is_suspended()));
        set(
            &running,
            flag(matches!(
                seen.state,
                Some(State::Running | State::Waiting | State::Canceling)
            )),
        );
        set(&failures, seen.consecutive_failures.unwrap_or(0) as f64);
        let is_ready =
            condition(&seen.conditions, ConditionType::Ready).is_some_and(|ready| ready.status == "True");
        set(&ready, flag(is_ready));
        if let Some(age) = &task.spec.triggers.max_age {
            set(&max_age, age.get().as_secs_f64());
        }
        if let Some(time) = seconds(seen.last_success_time.as_ref()) {
            set(&success, time);
        }
        if let Some(time) = seconds(seen.state_since.as_ref()) {
            set(&since, time);
        }
        let Some(last) = &seen.last_result else { continue };
        for each in [
            ResultStatus::Success,
            ResultStatus::PartialSuccess,
            ResultStatus::Failed,
            ResultStatus::Canceled,
            ResultStatus::NoBackup,
            ResultStatus::Incomplete,
            ResultStatus::Unknown,
        ] {
            let values = [values[0], values[1], values[2], each.as_str()];
            status.with_label_values(&values).set(flag(each == last.status));
        }
        if let Some(end) = seconds(last.end_time.as_ref()) {
            set(&result, end);
            if let Some(start) = seconds(last.start_time.as_ref()) {
                set(&duration, end - start);
            }
        }
        if let Some(moved) = last.transferred_bytes {
            set(&bytes, moved as f64);
        }
    }
    vec![
        success, result, status, duration, bytes, failures, running, since, max_age, suspended, ready,
    ]
}

#[allow(clippy::cast_precision_loss, reason = "counts and seconds far below 2^52")]
fn server_gauges(servers: &[(BackupServer, ServerSample)]) -> Vec<GaugeVec> {
    let of = |name: &str, help: &str| gauge(name, help, &SERVER_LABELS);
    let up = of(
        "abb_server_up",
        "Whether the NAS could be read at the last attempt.",
    );
    let tasks = of("abb_server_tasks", "Tasks on the NAS.");
    let unmanaged = of(
        "abb_server_unmanaged_tasks",
        "Tasks of the NAS without a BackupTask.",
    );
    let skew = of("abb_server_clock_skew_seconds", "The NAS's clock minus ours.");
    let last = of(
        "abb_server_last_list_timestamp_seconds",
        "When the newest inventory was read.",
    );
    let duration = of(
        "abb_server_last_list_duration_seconds",
        "How long the newest inventory read took.",
    );
    for (server, sample) in servers {
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        let set = |gauge: &GaugeVec, value: f64| gauge.with_label_values(&[&namespace, &name]).set(value);
        if let Some(is_up) = sample.up {
            set(&up, f64::from(u8::from(is_up)));
        }
        let status = server.status.clone().unwrap_or_default();
        if let Some(counts) = status.tasks {
            set(&tasks, counts.total as f64);
            set(&unmanaged, counts.unmanaged as f64);
        }
        if let Some(seconds) = status.clock_skew_seconds {
            set(&skew, seconds as f64);
        }
        if let Some(time) = sample.last_list {
            set(&last, time.as_second() as f64);
        }
        if let Some(took) = sample.list_duration {
            set(&duration, took);
        }
    }
    vec![up, tasks, unmanaged, skew, last, duration]
}

#[allow(clippy::cast_precision_loss, reason = "seconds far below 2^52")]
fn seconds(time: Option<&Time>) -> Option<f64> {
    time.map(|time| time.0.as_second() as f64)
}

fn register(registry: &Registry, part: Box<dyn Collector>) {
    registry
        .register(part)
        .expect("every metric of a registry has a name of its own");
}

const VALID: &str = "names and labels are constants that fit the pattern";

fn counter(name: &str, help: &str, labels: &[&str]) -> CounterVec {
    CounterVec::new(Opts::new(name, help), labels).expect(VALID)
}

fn gauge(name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    GaugeVec::new(Opts::new(name, help), labels).expect(VALID)
}

fn int_gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect(VALID)
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    HistogramVec::new(HistogramOpts::new(name, help), labels).expect(VALID)
}

fn build_info() -> GaugeVec {
    let info = gauge("abb_build_info", "The version that runs.", &["version"]);
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
    info
}
