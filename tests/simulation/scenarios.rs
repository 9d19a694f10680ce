//! What the runs are about: a NAS, objects, what users and the NAS do meanwhile, and how it must end when nothing
//! goes wrong. Each is short; the faults make them interesting.

use abb_operator::{
    api::{BackupServer, BackupTask, Reason, ReceiptOutcome, State},
    simulator::{self, Control, ResultSpec, TaskSpec},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// What somebody does at a second of the run.
pub enum Do {
    /// A user edits a task.
    Edit(&'static str, fn(&mut BackupTask)),
    /// A user edits the server.
    EditServer(fn(&mut BackupServer)),
    /// A user deletes a task.
    Delete(&'static str),
    /// A user edits these keys of the Secret.
    Secret(&'static [(&'static str, &'static str)]),
    /// Something happens to the NAS.
    Nas(Control),
    /// Where nothing goes wrong, the first task shows this reason then.
    See(Reason),
    /// Where nothing goes wrong, the server shows this reason then.
    SeeServer(Reason),
    /// Where nothing goes wrong, the NAS has answered this method so by then.
    Answered(&'static str, &'static str),
    /// Where nothing goes wrong, the NAS has not answered this method so until then.
    NeverAnswered(&'static str, &'static str),
    /// Where nothing goes wrong, the ledger has so many entries of this kind then.
    Entries(&'static str, usize),
}

/// One story.
pub struct Scenario {
    pub name: &'static str,
    pub nas: simulator::Scenario,
    pub server: BackupServer,
    /// Keys of its Secret beside what the NAS knows.
    pub secret: &'static [(&'static str, &'static str)],
    pub tasks: Vec<BackupTask>,
    /// Second, deed.
    pub script: Vec<(u64, Do)>,
    /// Seconds before which it cannot be over.
    pub lasts: u64,
    /// Runs of the operator when nothing goes wrong.
    pub backups: usize,
    /// State of the first task then.
    pub ends: State,
    /// How its token is answered then, where that is told.
    pub answer: Option<ReceiptOutcome>,
}

impl Scenario {
    /// Whether the NAS shows a run that has ended nowhere for longer than `timeouts.settle`. Whoever finds its intent only then
    /// sees nothing in two reads and asks once more, as the protocol has it (step 6): no process could know better.
    pub fn hides_runs(&self) -> bool {
        let behaviour = &self.nas.behaviour;
        let hidden = behaviour
            .last_result_delay_seconds
            .min(behaviour.result_row_delay_seconds);
        hidden > self.server.spec.timeouts.settle.get().as_secs_f64()
    }
}

/// When every run begins: eight in the morning, UTC.
pub fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// That moment and some seconds.
pub fn at(second: i64) -> String {
    time(second).0.to_string()
}

/// The same as objects have it.
pub fn time(second: i64) -> Time {
    Time(Timestamp::from_second(1_800_000_000 + second).unwrap())
}

pub(super) fn nas() -> simulator::Scenario {
    let task = |id: i64, result| TaskSpec {
        id: Some(id),
        name: Some(format!("task-{id}")),
        unique_key: Some(format!("key-{id}")),
        run_seconds: Some(60.0),
        result,
        last_result: Some(ResultSpec {
            time_start: Some(1_799_990_000),
            time_end: Some(1_799_990_100),
            ..ResultSpec::default()
        }),
        ..TaskSpec::default()
    };
    simulator::Scenario {
        tasks: vec![task(1, None), task(2, None)],
        ..simulator::Scenario::default()
    }
}

pub(super) fn server(spec: &Value) -> BackupServer {
    let mut all = json!({
        "url": "http://nas",
        "credentials": { "secretRef": { "name": "nas" } },
        "tls": { "allowPlaintext": true },
        "polling": { "idle": "2m", "active": "10s" },
        "timeouts": { "request": "20s", "settle": "60s" },
    });
    merge(&mut all, spec);
    BackupServer::new("nas", serde_json::from_value(all).unwrap())
}

pub(super) fn task(id: i64, spec: &Value) -> BackupTask {
    let mut all = json!({ "serverRef": { "name": "nas" }, "task": { "id": id } });
    merge(&mut all, spec);
    BackupTask::new(&format!("task-{id}"), serde_json::from_value(all).unwrap())
}

fn merge(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (key, value) in from {
            into.insert(key.clone(), value.clone());
        }
    }
}

pub(super) fn story(name: &'static str, spec: &Value) -> Scenario {
    Scenario {
        name,
        nas: nas(),
        server: server(&json!({})),
        secret: &[],
        tasks: vec![task(1, spec)],
        script: Vec::new(),
        lasts: 210,
        backups: 1,
        ends: State::Idle,
        answer: None,
    }
}

/// Every story.
pub fn all() -> Vec<Scenario> {
    super::stories::all()
}

/// The story of that name.
#[allow(dead_code, reason = "the test's")]
pub fn named(name: &str) -> Scenario {
    all().into_iter().find(|scenario| scenario.name == name).unwrap()
}

/// The newest success of both tasks started at that second.
pub(super) fn aged(second: i64) -> simulator::Scenario {
    let mut nas = nas();
    for task in &mut nas.tasks {
        let result = task.last_result.get_or_insert_default();
        result.time_start = Some(1_800_000_000 + second);
        result.time_end = Some(1_800_000_000 + second + 50);
    }
    nas
}

/// Tasks whose slots come in the first minutes, a few every minute, and a server with a limit.
pub fn crowd(tasks: usize, limit: i32) -> (BackupServer, Vec<BackupTask>) {
    let server = server(&json!({ "limits": { "maxConcurrentRuns": limit } }));
    let tasks = (1..=tasks).map(|number| {
        // The names are in another order than the slots.
        let minute = 1 + (number * 7) % 10;
        let schedule = format!("{minute} 8 15 1 *");
        task(
            i64::try_from(number).unwrap(),
            &json!({ "triggers": { "schedule": schedule } }),
        )
    });
    (server, tasks.collect())
}
