//! Logs and metrics. Metrics of the process are counted as things happen; metrics of objects are made from the
//! watched objects at each scrape, so they are there after a restart and gone with the object.

mod catalogue;
mod objects;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use kube::ResourceExt;
use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector, proto::MetricFamily,
};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use self::catalogue::{
    BUILD_INFO, LEADER, MUTATIONS, RECONCILE_DURATION, RECONCILES, REQUEST_DURATION, REQUESTS,
};
pub use self::{
    catalogue::{CATALOGUE, Kind, Metric},
    objects::ServerSample,
};
use crate::{
    api::{BackupServer, BackupTask, IntentAction},
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

/// Starts logging to standard error. `RUST_LOG` narrows or widens it: levels, of all or by target, such as
/// `info,kube_client=debug`. It names no spans and no fields: what reads those has a machine of regular expressions in it.
pub fn init_logs(format: LogFormat, default: &str) {
    let chosen = std::env::var("RUST_LOG").ok();
    let filter = levels(chosen.as_deref(), default);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start (tests in one process) keeps the first one's settings.
    let _ = match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// What was chosen, if it says something that can be read.
fn levels(chosen: Option<&str>, default: &str) -> Targets {
    let read = |text: &str| text.parse().ok();
    chosen
        .filter(|text| !text.trim().is_empty())
        .and_then(read)
        .or_else(|| read(default))
        .unwrap_or_else(|| Targets::new().with_default(Level::INFO))
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
            requests: counter(&REQUESTS),
            request_duration: histogram(&REQUEST_DURATION),
            mutations: counter(&MUTATIONS),
            reconciles: counter(&RECONCILES),
            reconcile_duration: histogram(&RECONCILE_DURATION),
            leader: int_gauge(&LEADER),
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
        tasks: impl Iterator<Item = BackupTask>,
        servers: &[(BackupServer, ServerSample)],
    ) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        forget_deleted(&mut families, servers);
        families.extend(objects::gather(tasks, servers));
        families.sort_by(|one, other| one.name().cmp(other.name()));
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

/// Requests to a server that does not exist any more are not served: its name would stay for as long as the process.
fn forget_deleted(families: &mut Vec<MetricFamily>, servers: &[(BackupServer, ServerSample)]) {
    let living: BTreeSet<(String, String)> = servers
        .iter()
        .map(|(server, _)| (server.namespace().unwrap_or_default(), server.name_any()))
        .collect();
    for family in &mut *families {
        if ![REQUESTS.name, REQUEST_DURATION.name].contains(&family.name()) {
            continue;
        }
        family.mut_metric().retain(|metric| {
            let of = |label: &str| {
                let pair = metric.get_label().iter().find(|pair| pair.name() == label);
                pair.map(|pair| pair.value().to_owned()).unwrap_or_default()
            };
            living.contains(&(of("namespace"), of("server")))
        });
    }
    // The encoder refuses a family without series.
    families.retain(|family| !family.get_metric().is_empty());
}

fn register(registry: &Registry, part: Box<dyn Collector>) {
    registry
        .register(part)
        .expect("every metric of a registry has a name of its own");
}

const VALID: &str = "names and labels are constants that fit the pattern";
/// Upper bounds in seconds: a NAS answers a call in milliseconds, a list with many versions in minutes.
const BUCKETS: [f64; 13] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

fn counter(metric: &Metric) -> CounterVec {
    CounterVec::new(Opts::new(metric.name, metric.help), metric.labels).expect(VALID)
}

fn gauge(metric: &Metric) -> GaugeVec {
    GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels).expect(VALID)
}

fn int_gauge(metric: &Metric) -> IntGauge {
    IntGauge::new(metric.name, metric.help).expect(VALID)
}

fn histogram(metric: &Metric) -> HistogramVec {
    let options = HistogramOpts::new(metric.name, metric.help).buckets(BUCKETS.to_vec());
    HistogramVec::new(options, metric.labels).expect(VALID)
}

fn build_info() -> GaugeVec {
    let info = gauge(&BUILD_INFO);
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_chosen_for_all_and_by_target() {
        let chosen = levels(Some("info,hyper=warn,kube_client::client=debug"), "error");
        for (target, level, passes) in [
            ("abb_operator::nas", Level::INFO, true),
            ("abb_operator::nas", Level::DEBUG, false),
            ("hyper::client", Level::WARN, true),
            ("hyper::client", Level::INFO, false),
            ("kube_client::client::retry", Level::DEBUG, true),
            ("kube_client", Level::DEBUG, false),
        ] {
            assert_eq!(chosen.would_enable(target, &level), passes, "{target} {level}");
        }
    }

    #[test]
    fn what_says_nothing_or_cannot_be_read_leaves_the_default() {
        for text in [None, Some(""), Some(" "), Some("hyper=loud")] {
            let chosen = levels(text, "warn,kube_client=off");
            assert!(chosen.would_enable("abb_operator", &Level::WARN), "{text:?}");
            assert!(!chosen.would_enable("abb_operator", &Level::INFO), "{text:?}");
            assert!(!chosen.would_enable("kube_client", &Level::ERROR), "{text:?}");
        }
    }
}
