//! Every metric by name: what it is called, which labels it has, what it says and when it is not there. Metrics are
//! registered from these descriptions, `docs/metrics.md` is made from them, alert rules and dashboard are compared
//! with them.

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name; a histogram's series have `_bucket`, `_sum` and `_count` behind it.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// Unit of the value; empty where it is a count or a yes and no.
    pub unit: &'static str,
    /// What it says: the scrape's HELP text.
    pub help: &'static str,
    /// When there is no series.
    pub absent: &'static str,
}

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A gauge per value of its last label: 1 for the one that holds, 0 for the others.
    StateSet,
    /// Counts by upper bound.
    Histogram,
}

impl Kind {
    /// The scrape's TYPE.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::StateSet => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

const OF_TASK: &[&str] = &["namespace", "name", "server"];
const OF_SERVER: &[&str] = &["namespace", "server"];

const SECONDS: &str = "seconds";
const UNIX: &str = "Unix time in seconds";
const BYTES: &str = "bytes";

const NEVER: &str = "never";
const NO_RESULT: &str = "before the first result";
const NOT_LEADING: &str = "before the first read, and on a replica that does not serve it";
const NOT_READ: &str = "until the NAS was read once";
const NO_CALL: &str = "before the first, and once the BackupServer is deleted";

const fn gauge(
    labels: &'static [&'static str],
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    absent: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        labels,
        unit,
        help,
        absent,
    }
}

const fn of_task(name: &'static str, unit: &'static str, help: &'static str, absent: &'static str) -> Metric {
    gauge(OF_TASK, name, unit, help, absent)
}

const fn of_server(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    absent: &'static str,
) -> Metric {
    gauge(OF_SERVER, name, unit, help, absent)
}

const fn state_set(
    labels: &'static [&'static str],
    name: &'static str,
    help: &'static str,
    absent: &'static str,
) -> Metric {
    Metric {
        kind: Kind::StateSet,
        ..gauge(labels, name, "", help, absent)
    }
}

const fn counter(
    labels: &'static [&'static str],
    name: &'static str,
    help: &'static str,
    absent: &'static str,
) -> Metric {
    Metric {
        kind: Kind::Counter,
        ..gauge(labels, name, "", help, absent)
    }
}

const fn histogram(
    labels: &'static [&'static str],
    name: &'static str,
    help: &'static str,
    absent: &'static str,
) -> Metric {
    Metric {
        kind: Kind::Histogram,
        ..gauge(labels, name, SECONDS, help, absent)
    }
}

pub(super) const TASK_LAST_SUCCESS: Metric = of_task(
    "abb_task_last_success_timestamp_seconds",
    UNIX,
    "When the newest good run ended.",
    "before the first good run",
);
pub(super) const TASK_LAST_RESULT: Metric = of_task(
    "abb_task_last_result_timestamp_seconds",
    UNIX,
    "When the newest run ended, whatever came of it.",
    NO_RESULT,
);
pub(super) const TASK_LAST_STATUS: Metric = state_set(
    &["namespace", "name", "server", "status"],
    "abb_task_last_result_status",
    "How the newest run ended: 1 for the status that holds, 0 for the others.",
    NO_RESULT,
);
pub(super) const TASK_LAST_DURATION: Metric = of_task(
    "abb_task_last_duration_seconds",
    SECONDS,
    "How long the newest run took.",
    NO_RESULT,
);
pub(super) const TASK_LAST_BYTES: Metric = of_task(
    "abb_task_last_transferred_bytes",
    BYTES,
    "Bytes moved by the newest run.",
    "before the first result, and where the NAS does not tell",
);
pub(super) const TASK_FAILURES: Metric = of_task(
    "abb_task_consecutive_failures",
    "",
    "Failed runs since the newest good one; cancelled runs and results of unknown meaning do not count.",
    NEVER,
);
pub(super) const TASK_RUNNING: Metric = of_task(
    "abb_task_running",
    "",
    "1 while a run is queued on the NAS, in progress or being cancelled.",
    NEVER,
);
pub(super) const TASK_STATE: Metric = state_set(
    &["namespace", "name", "server", "state"],
    "abb_task_state",
    "What the task is doing: 1 for the state that holds, 0 for the others.",
    "until the object was looked at once",
);
pub(super) const TASK_STATE_SINCE: Metric = of_task(
    "abb_task_state_since_timestamp_seconds",
    UNIX,
    "Since when the task is in its state.",
    "until the object was looked at once",
);
pub(super) const TASK_DUE_SINCE: Metric = of_task(
    "abb_task_due_since_timestamp_seconds",
    UNIX,
    "Since when a run is due that was not started yet.",
    "while no run is due",
);
pub(super) const TASK_MAX_AGE: Metric = of_task(
    "abb_task_max_age_seconds",
    SECONDS,
    "How old the newest good run may be: spec.triggers.maxAge.",
    "without spec.triggers.maxAge",
);
pub(super) const TASK_SUSPENDED: Metric = of_task(
    "abb_task_suspended",
    "",
    "1 while the object is suspended by its spec or its annotation.",
    NEVER,
);
pub(super) const TASK_READY: Metric = of_task(
    "abb_task_ready",
    "",
    "1 while the condition Ready is True.",
    NEVER,
);
pub(super) const TASK_STALLED: Metric = of_task(
    "abb_task_stalled",
    "",
    "1 while the condition Stalled is True: somebody has to act.",
    NEVER,
);
pub(super) const TASK_CREATED: Metric = of_task(
    "abb_task_created_timestamp_seconds",
    UNIX,
    "When the BackupTask was created.",
    NEVER,
);

pub(super) const SERVER_UP: Metric = of_server(
    "abb_server_up",
    "",
    "1 if the newest attempt to read the NAS succeeded, 0 if not.",
    NOT_LEADING,
);
pub(super) const SERVER_REASON: Metric = state_set(
    &["namespace", "server", "reason"],
    "abb_server_ready_reason",
    "Reason of the BackupServer's condition Ready: 1 for the one that holds, 0 for the others.",
    "until the object was looked at once",
);
pub(super) const SERVER_MODE: Metric = state_set(
    &["namespace", "server", "mode"],
    "abb_server_mode",
    "What may be sent to the NAS (spec.mode): 1 for the mode that holds, 0 for the others.",
    NEVER,
);
pub(super) const SERVER_TASKS: Metric = of_server("abb_server_tasks", "", "Tasks on the NAS.", NOT_READ);
pub(super) const SERVER_UNMANAGED: Metric = of_server(
    "abb_server_unmanaged_tasks",
    "",
    "Tasks on the NAS that no BackupTask is bound to.",
    NOT_READ,
);
pub(super) const SERVER_SKEW: Metric = of_server(
    "abb_server_clock_skew_seconds",
    SECONDS,
    "Clock of the NAS minus clock of the operator; moves in steps of 5 s and more.",
    "until the NAS told its time",
);
pub(super) const SERVER_LAST_LIST: Metric = of_server(
    "abb_server_last_list_timestamp_seconds",
    UNIX,
    "When the newest complete inventory of the NAS was read.",
    NOT_LEADING,
);
pub(super) const SERVER_LIST_DURATION: Metric = of_server(
    "abb_server_last_list_duration_seconds",
    SECONDS,
    "How long that read took.",
    NOT_LEADING,
);
pub(super) const SERVER_POLLING: Metric = of_server(
    "abb_server_polling_idle_seconds",
    SECONDS,
    "How often the inventory is read while nothing runs: spec.polling.idle.",
    NEVER,
);

pub(super) const REQUESTS: Metric = counter(
    &["namespace", "server", "api", "method", "outcome"],
    "abb_nas_requests_total",
    "HTTP requests to a NAS by outcome: ok, refused, login_refused, session, timeout, transport or unexpected.",
    NO_CALL,
);
pub(super) const REQUEST_DURATION: Metric = histogram(
    &["namespace", "server", "api", "method"],
    "abb_nas_request_duration_seconds",
    "Duration of HTTP requests to a NAS.",
    NO_CALL,
);
pub(super) const MUTATIONS: Metric = counter(
    &["action", "outcome"],
    "abb_nas_mutations_total",
    "Calls that change a NAS by action (Backup, Cancel, Remove) and by what was known of the answer: applied, refused, \
     not_dispatched, unknown or withheld.",
    "before the first",
);
pub(super) const RECONCILES: Metric = counter(
    &["kind", "outcome"],
    "abb_reconciles_total",
    "Passes by kind and outcome: ok, or nas_unreadable where the pass ended without a readable NAS.",
    "before the first",
);
pub(super) const RECONCILE_DURATION: Metric = histogram(
    &["kind"],
    "abb_reconcile_duration_seconds",
    "Duration of passes, calls to the NAS included.",
    "before the first",
);
pub(super) const LEADER: Metric = gauge(
    &[],
    "abb_leader",
    "",
    "1 on the replica that holds the first slot, 0 on the others.",
    NEVER,
);
pub(super) const BUILD_INFO: Metric = gauge(
    &["version"],
    "abb_build_info",
    "",
    "Always 1; the label is the version that runs.",
    NEVER,
);

/// Every metric, those of tasks first, then of servers, then of the process.
pub const CATALOGUE: &[Metric] = &[
    TASK_LAST_SUCCESS,
    TASK_LAST_RESULT,
    TASK_LAST_STATUS,
    TASK_LAST_DURATION,
    TASK_LAST_BYTES,
    TASK_FAILURES,
    TASK_RUNNING,
    TASK_STATE,
    TASK_STATE_SINCE,
    TASK_DUE_SINCE,
    TASK_MAX_AGE,
    TASK_SUSPENDED,
    TASK_READY,
    TASK_STALLED,
    TASK_CREATED,
    SERVER_UP,
    SERVER_REASON,
    SERVER_MODE,
    SERVER_TASKS,
    SERVER_UNMANAGED,
    SERVER_SKEW,
    SERVER_LAST_LIST,
    SERVER_LIST_DURATION,
    SERVER_POLLING,
    REQUESTS,
    REQUEST_DURATION,
    MUTATIONS,
    RECONCILES,
    RECONCILE_DURATION,
    LEADER,
    BUILD_INFO,
];
