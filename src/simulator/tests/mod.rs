//! The simulator's own tests: the state machine under given times, then the same over real sockets.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod direct;
mod document;
mod logins;
mod methods;
mod nas;
mod shapes;
mod switches;
mod wire;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{ApiCall, Effect, Nas, Scenario};

const TASK: &str = "SYNO.ActiveBackup.Task";
const LOG: &str = "SYNO.ActiveBackup.Log";

/// A NAS, a clock that the test turns, and a session with a token.
struct Bench {
    nas: Nas,
    now: Timestamp,
    sid: String,
    token: String,
}

impl Bench {
    fn new(scenario: Scenario) -> Self {
        Self::scaled(scenario, 1.0)
    }

    fn scaled(scenario: Scenario, time_scale: f64) -> Self {
        let now: Timestamp = "2026-03-01T03:00:00Z".parse().unwrap();
        let nas = Nas::new(scenario, time_scale, now).unwrap();
        let mut bench = Self {
            nas,
            now,
            sid: String::new(),
            token: String::new(),
        };
        bench.log_in();
        bench
    }

    /// A NAS whose scenario is written in YAML.
    fn yaml(text: &str) -> Self {
        Self::new(Scenario::from_text(text, "test").unwrap())
    }

    fn log_in(&mut self) {
        let body = self.send(&login());
        if let Some(sid) = body["data"]["sid"].as_str() {
            self.sid = sid.to_owned();
            self.token = body["data"]["synotoken"].as_str().unwrap_or_default().to_owned();
        }
    }

    /// Sends a call as it is; null when no whole answer comes.
    fn send(&mut self, call: &ApiCall) -> Value {
        self.nas
            .handle(call, self.now)
            .body()
            .cloned()
            .unwrap_or_default()
    }

    /// Sends a call in the session.
    fn ask(&mut self, call: ApiCall) -> Value {
        let call = call.in_session(&self.sid, Some(&self.token));
        self.send(&call)
    }

    fn act(&mut self, method: &str, task: i64) -> Value {
        self.ask(ApiCall::new(TASK, method).with("task_ids", &format!("[{task}]")))
    }

    /// The answer's code; 0 is success.
    fn code(&mut self, method: &str, task: i64) -> i64 {
        code(&self.act(method, task))
    }

    /// The row of a task with its last result; null when it is not listed.
    fn row(&mut self, task: i64) -> Value {
        let call = ApiCall::new(TASK, "list").with("load_result", "true");
        let data = self.ask(call)["data"].take();
        data["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["task_id"] == task)
            .cloned()
            .unwrap_or_default()
    }

    /// Backup results of a task, newest first.
    fn results(&mut self, task: i64) -> Vec<Value> {
        let filter = json!({"job_action": 1}).to_string();
        let call = ApiCall::new(LOG, "list_result")
            .with("task_id", &task.to_string())
            .with("filter", &filter);
        self.ask(call)["data"]["results"].as_array().cloned().unwrap()
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.nas.advance(self.now);
    }

    fn effects(&self, kind: &str) -> Vec<&Effect> {
        self.nas
            .ledger()
            .iter()
            .filter(|effect| effect.kind == kind)
            .collect()
    }
}

fn login() -> ApiCall {
    ApiCall::new("SYNO.API.Auth", "login")
        .at_version(6)
        .with("account", "abb-operator")
        .with("passwd", "simulated-password")
        .with("format", "sid")
        .with("enable_syno_token", "yes")
}

fn code(body: &Value) -> i64 {
    if body["success"] == true {
        0
    } else {
        body["error"]["code"].as_i64().unwrap_or(-1)
    }
}
