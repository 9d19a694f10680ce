//! The simulated NAS in a process of its own, so that its work is not counted as anybody's: this program again, hosting
//! as many as a file lists, each with the admin interface that the bench reads requests and ledger from.

use std::{fs, path::Path, time::Duration};

use abb_operator::simulator::{self, Effect, Options, RequestRecord, Scenario};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::{Cluster, eventually_within, process::Process};

/// Names the role of this program when it is started again.
pub const ROLE: &str = "SCALE_ROLE";
pub const HOST: &str = "nas";
const FILE: &str = "SCALE_NAS";

/// One simulated NAS as the bench sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nas {
    pub url: String,
    pub username: String,
    pub password: String,
    admin: String,
}

/// The process with all of them; ends when dropped.
pub struct Hosts {
    _process: Process,
    pub nas: Vec<Nas>,
}

/// A NAS with generated tasks on which nothing waits for anything: what is measured is not its queue.
pub fn scenario(tasks: usize, run_seconds: f64) -> Scenario {
    let fields = json!({
        "tasks": [],
        "generateTasks": tasks,
        "defaultRunSeconds": run_seconds,
        "maxConcurrentDevices": 1_000_000,
        // Compressing is the work of the NAS, and here it would be done by the cores that are measured.
        "behaviour": { "cancelSeconds": 0.1, "removeSeconds": 0.2, "gzip": compresses() },
    });
    serde_json::from_value(fields).unwrap()
}

/// Whether the NAS compresses its answers for those who accept it; `SCALE_GZIP=1` says so.
fn compresses() -> bool {
    std::env::var("SCALE_GZIP").is_ok_and(|text| text == "1")
}

/// Starts a process with a NAS for each scenario.
pub async fn start(cluster: &Cluster, name: &str, scenarios: &[Scenario]) -> Hosts {
    let folder = cluster.directory();
    let asked = folder.join(format!("nas-{name}.json"));
    fs::write(&asked, serde_json::to_string(scenarios).unwrap()).unwrap();
    let environment = [(ROLE, HOST.to_owned()), (FILE, asked.display().to_string())];
    let program = std::env::current_exe().unwrap();
    let log = folder.join(format!("nas-{name}.log"));
    let mut process = Process::start(&program, &[], &environment, &log).unwrap();
    let told = answer_of(&asked);
    let nas = eventually_within("the simulated NAS serve", Duration::from_mins(1), async || {
        if let Some(status) = process.exit_status() {
            panic!("the process of the NAS ended ({status}): {}", process.output());
        }
        let text = fs::read(&told).ok()?;
        serde_json::from_slice::<Vec<Nas>>(&text).ok()
    })
    .await;
    Hosts {
        _process: process,
        nas,
    }
}

fn answer_of(asked: &Path) -> std::path::PathBuf {
    asked.with_extension("serving.json")
}

/// The process itself: serves until it is ended.
pub async fn host() -> ! {
    let asked = std::path::PathBuf::from(std::env::var_os(FILE).unwrap());
    let scenarios: Vec<Scenario> = serde_json::from_slice(&fs::read(&asked).unwrap()).unwrap();
    let mut serving = Vec::new();
    for scenario in scenarios {
        let options = Options {
            plaintext: true,
            scenario,
            ..Options::default()
        };
        serving.push(simulator::start(options).await.unwrap());
    }
    let nas: Vec<Nas> = serving
        .iter()
        .map(|simulator| Nas {
            url: simulator.url().to_owned(),
            username: simulator.username().to_owned(),
            password: simulator.password().to_owned(),
            admin: simulator.admin_url().unwrap().to_owned(),
        })
        .collect();
    // Whole or not at all: it is read as soon as it is there.
    let unfinished = asked.with_extension("unfinished");
    fs::write(&unfinished, serde_json::to_string(&nas).unwrap()).unwrap();
    fs::rename(&unfinished, answer_of(&asked)).unwrap();
    std::future::pending().await
}

impl Nas {
    pub async fn ledger(&self) -> Vec<Effect> {
        serde_json::from_value(self.ask("GET", "ledger", None).await).unwrap()
    }

    /// Effects of one kind.
    pub async fn effects(&self, kind: &str) -> Vec<Effect> {
        let mut ledger = self.ledger().await;
        ledger.retain(|effect| effect.kind == kind);
        ledger
    }

    pub async fn requests(&self) -> Vec<RequestRecord> {
        serde_json::from_value(self.ask("GET", "requests", None).await).unwrap()
    }

    /// How many requests for a method there were; cheap, unlike the list of them.
    pub async fn count(&self, method: &str) -> usize {
        let path = format!("requests/count?method={method}");
        let count = &self.ask("GET", &path, None).await["count"];
        usize::try_from(count.as_u64().unwrap()).unwrap()
    }

    pub async fn forget_requests(&self) {
        self.ask("POST", "reset-requests", None).await;
    }

    /// Lets calls go wrong from now on.
    pub async fn fault(&self, fault: Value) {
        self.ask("POST", "faults", Some(fault)).await;
    }

    /// Ends every session and refuses new ones, as after a change of the password.
    pub async fn refuse_logins(&self) {
        self.ask("POST", "behaviour", Some(json!({ "loginAnswer": 400 })))
            .await;
        self.ask("POST", "sessions/expire", None).await;
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        static CLIENT: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
        let client = CLIENT.get_or_init(|| reqwest::Client::builder().no_proxy().build().unwrap());
        let url = format!("{}/{path}", self.admin);
        let request = client
            .request(method.parse().unwrap(), url)
            .body(body.map(|body| body.to_string()).unwrap_or_default());
        let answer = request.send().await.unwrap();
        let good = answer.status().is_success();
        let text = answer.text().await.unwrap();
        assert!(good, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// When a request had come in, microseconds since 1970.
pub fn arrived(request: &RequestRecord) -> i64 {
    request.at.parse::<Timestamp>().unwrap().as_microsecond()
}

/// The `backup` calls that took effect, in their order: when each came in, and for which task of the NAS. The k-th
/// effective call is the k-th effect: both lists are written under one lock.
pub async fn backups(nas: &Nas) -> Vec<(i64, String)> {
    let (requests, effects) = (nas.requests().await, nas.effects("backup").await);
    let calls: Vec<i64> = requests
        .iter()
        .filter(|request| request.method == "backup" && request.outcome == "ok")
        .map(arrived)
        .collect();
    assert_eq!(
        calls.len(),
        effects.len(),
        "every call that succeeds has one effect"
    );
    let names = effects.into_iter().map(|effect| effect.task_name.unwrap());
    calls.into_iter().zip(names).collect()
}
