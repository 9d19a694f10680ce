//! The floor: the least hand-written loop that does what the operator does for a token. One watch; for what is due
//! together one fresh `list` of its NAS with the operator's parameters; for each a status write by compare-and-swap, the
//! call, and a second status write when the run is over, sixteen at once. It keeps no record that survives it, judges
//! nothing, settles no unknown outcome: it is here to say what the machine allows, not to be used.

mod session;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use abb_operator::{api::BackupTask, controller::cluster_client};
use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::watcher::{self, Event, watcher},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep_until},
};

use session::{Row, Session};

use crate::nas::Nas;

/// The role.
pub const FLOOR: &str = "floor";
/// The variable with its [`Plan`].
pub const PLAN: &str = "SCALE_FLOOR";
/// What its log says once it watches.
pub const WATCHES: &str = "the floor watches";
/// Writes and calls at once.
const AT_ONCE: usize = 16;
/// "Never", for a timer.
const FAR: Duration = Duration::from_hours(24);

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    pub kubeconfig: PathBuf,
    pub namespace: String,
    pub poll_seconds: u64,
    pub servers: Vec<(String, Nas)>,
}

/// What it reads of a BackupTask.
#[derive(Clone, Debug, Serialize, Deserialize, Resource)]
#[resource(inherit = BackupTask)]
struct Task {
    metadata: ObjectMeta,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    server_ref: Name,
    task: Name,
    #[serde(default)]
    triggers: Triggers,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Name {
    name: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Triggers {
    request: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Status {
    #[serde(default)]
    receipts: Receipts,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Receipts {
    request: Option<Receipt>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Receipt {
    token: String,
}

/// One run to be made, then one that is under way.
struct Due {
    object: String,
    version: String,
    nas_task: String,
    token: String,
    /// Newest result before the call.
    baseline: i64,
}

/// The whole process.
pub async fn run() -> ! {
    let plan: Plan = serde_json::from_str(&std::env::var(PLAN).unwrap()).unwrap();
    let kubeconfig = Kubeconfig::read_from(&plan.kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    let client = cluster_client(config).unwrap();
    let tasks: Api<Task> = Api::namespaced(client, &plan.namespace);
    let mut queues = HashMap::new();
    for (name, nas) in plan.servers {
        let (queue, due) = mpsc::unbounded_channel();
        queues.insert(name, queue);
        let server = Server {
            tasks: tasks.clone(),
            poll: Duration::from_secs(plan.poll_seconds),
            session: Session::new(nas),
            running: Arc::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        };
        tokio::spawn(server.serve(due));
    }
    // What was handed on already: an object comes again with every write to it.
    let mut handed: HashMap<String, String> = HashMap::new();
    let mut events = watcher(tasks, watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(task) | Event::InitApply(task)) => {
                let Some(token) = task.spec.triggers.request.clone() else {
                    continue;
                };
                let object = task.name_any();
                let answered = task.status.receipts.request.as_ref();
                if answered.is_some_and(|receipt| receipt.token == token)
                    || handed.get(&object).is_some_and(|last| *last == token)
                {
                    continue;
                }
                handed.insert(object.clone(), token.clone());
                let due = Due {
                    object,
                    version: task.resource_version().unwrap_or_default(),
                    nas_task: task.spec.task.name,
                    token,
                    baseline: 0,
                };
                queues[&task.spec.server_ref.name].send(due).unwrap();
            }
            Ok(Event::InitDone) => println!("{WATCHES}"),
            Ok(Event::Init | Event::Delete(_)) => {}
            Err(error) => eprintln!("the watch: {error}"),
        }
    }
    panic!("the watch ended");
}

/// One NAS.
struct Server {
    tasks: Api<Task>,
    poll: Duration,
    session: Session,
    running: Arc<Mutex<Vec<Due>>>,
    room: Arc<Semaphore>,
}

impl Server {
    async fn serve(mut self, mut queue: mpsc::UnboundedReceiver<Due>) {
        let mut listed = Instant::now();
        loop {
            let idle = self
                .running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty();
            let wait = if idle { FAR } else { self.poll };
            let mut due = Vec::new();
            tokio::select! {
                first = queue.recv() => due.extend(first),
                () = sleep_until(listed + wait) => {}
                // A run that begins meanwhile shortens the wait.
                () = tokio::time::sleep(self.poll), if idle => continue,
            }
            while let Ok(more) = queue.try_recv() {
                due.push(more);
            }
            listed = Instant::now();
            let rows = match self.session.list().await {
                Ok(rows) => rows,
                Err(error) => {
                    eprintln!("the list: {error}");
                    continue;
                }
            };
            self.finish(&rows);
            for mut due in due {
                let Some(row) = rows.get(&due.nas_task) else {
                    continue;
                };
                due.baseline = row.last_result.as_ref().map_or(0, |result| result.result_id);
                self.begin(due, row.task_id);
            }
        }
    }

    /// The first write, the call, and the wait for the end.
    fn begin(&self, mut due: Due, task_id: i64) {
        let (tasks, room) = (self.tasks.clone(), Arc::clone(&self.room));
        let (call, running) = (self.session.backup(task_id), Arc::clone(&self.running));
        tokio::spawn(async move {
            let _permit = room.acquire().await;
            let receipt =
                json!({ "token": due.token, "outcome": "Accepted", "acceptedAt": Timestamp::now() });
            let Some(version) = write(&tasks, &due, &receipt, true).await else {
                return;
            };
            due.version = version;
            if let Err(error) = call.send().await {
                eprintln!("the call: {error}");
                return;
            }
            running.lock().unwrap_or_else(PoisonError::into_inner).push(due);
        });
    }

    /// The second write for every run that is over.
    fn finish(&self, rows: &HashMap<String, Row>) {
        let over = |due: &mut Due| {
            rows.get(&due.nas_task).is_some_and(|row| {
                let result = row.last_result.as_ref().map_or(0, |result| result.result_id);
                row.status.is_none() && result > due.baseline
            })
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let over: Vec<Due> = running.extract_if(.., over).collect();
        drop(running);
        for due in over {
            let (tasks, room) = (self.tasks.clone(), Arc::clone(&self.room));
            tokio::spawn(async move {
                let _permit = room.acquire().await;
                let receipt =
                    json!({ "token": due.token, "outcome": "Succeeded", "finishedAt": Timestamp::now() });
                // The spec was edited meanwhile: the answer still belongs to this token.
                if write(&tasks, &due, &receipt, true).await.is_none() {
                    write(&tasks, &due, &receipt, false).await;
                }
            });
        }
    }
}

/// One status write; the object's new version.
async fn write(tasks: &Api<Task>, due: &Due, receipt: &serde_json::Value, swaps: bool) -> Option<String> {
    let mut patch = json!({ "status": { "receipts": { "request": receipt } } });
    if swaps {
        patch["metadata"] = json!({ "resourceVersion": due.version });
    }
    let written = tasks
        .patch_status(&due.object, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    match written {
        Ok(task) => task.resource_version(),
        Err(error) => {
            eprintln!("the status of {}: {error}", due.object);
            None
        }
    }
}
