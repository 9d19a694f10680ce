//! What would be sent, and why: the passes decide as they do in earnest, and the write of an intent, without which no call
//! is ever sent, is taken down instead of made.
//!
//! Invariant: a plan sends nothing that changes a NAS, as no intent of it is ever recorded.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde::Serialize;

use super::{Advice, Ground, Standalone, credentials::Credentials};
use crate::{
    api::{
        BackupServer, BackupTask, BackupTaskStatus, ConditionType, IntentAction, Mode, RemovalPlan,
        RemovalWhen, State, TriggerRef, condition,
    },
    controller::{
        cluster::WriteError,
        store::{Keeper, MemoryStore},
    },
    manifest::Place,
};

/// Passes that lead to one another at once: an intent that is settled, a finalizer, then the next call.
const TURNS: usize = 5;
/// What is due sooner is waited for.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Takes down the intents that would be recorded.
#[derive(Default)]
struct Notes {
    planned: Mutex<BTreeMap<(String, String), BackupTaskStatus>>,
    // Those that stood there before: they are settled, not planned.
    open: BTreeMap<(String, String), String>,
}

impl Keeper for Notes {
    fn keep_task(&self, task: &BackupTask) -> Result<(), WriteError> {
        let key = (task.namespace().unwrap_or_default(), task.name_any());
        let intent = task.status.as_ref().and_then(|status| status.intent.as_ref());
        match (intent, &task.status) {
            (Some(intent), Some(status)) if self.open.get(&key) != Some(&intent.id) => {
                let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
                planned.insert(key, status.clone());
                Err(WriteError::OnlyPlanned)
            }
            _ => Ok(()),
        }
    }

    fn keep_server(&self, _: &BackupServer) -> Result<(), WriteError> {
        Ok(())
    }

    fn forget_task(&self, _: &BackupTask) -> Result<(), WriteError> {
        Ok(())
    }
}

/// How an object of the manifests stands to what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// It is new.
    Create,
    /// Its spec differs.
    Update,
    /// Its spec is the same.
    Unchanged,
    /// No manifest declares it any more, and it is to go.
    Delete,
}

/// What would be sent for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PlannedAct {
    /// The task would be removed from the NAS with every version.
    Remove,
    /// The run in flight would be cancelled.
    Cancel,
    /// A run would be started.
    Backup,
    /// Nothing.
    Nothing,
}

/// A server and whether it could be read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedServer {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Its mode.
    pub mode: Mode,
    /// Where it is declared; absent where only the cluster knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How it stands to what is kept of it.
    pub change: Change,
    /// Whether the NAS could be read; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Reason of its `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Message of its `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A task and what would be sent for it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTask {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its server.
    pub server: String,
    /// Where it is declared; absent where only the state knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How it stands to what is kept of it.
    pub change: Change,
    /// What would be sent now.
    pub action: PlannedAct,
    /// The NAS task it is bound to: name, or number where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRef>,
    /// Whether somebody has to act first.
    pub stalled: bool,
    /// What is said of it: the reason of `Stalled`, `Reconciling` or `Ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether the task is to be removed from the NAS with every version: now, or once what is in the way is gone.
    pub destroys: bool,
    /// What a removal destroys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal_plan: Option<RemovalPlan>,
    /// When a run becomes due by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<Time>,
}

/// What follows for a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Nothing would be sent.
    Nothing,
    /// Something would be sent.
    Due,
    /// Something is wrong: a NAS that cannot be read, or an object that needs somebody.
    Failed,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What follows.
    pub verdict: Verdict,
    /// Whether a backup with all its versions would be destroyed, now or by a deletion.
    pub destroys: bool,
    /// The servers, by namespace and name.
    pub servers: Vec<PlannedServer>,
    /// The tasks, by namespace and name.
    pub tasks: Vec<PlannedTask>,
    /// What somebody should look at.
    pub advice: Vec<Advice>,
}

/// Where an object comes from and how it stands to what was kept.
pub type Origins = BTreeMap<(String, String), (Option<Place>, Change)>;

/// What the commands prepared: objects as they would be after the manifests were applied.
pub struct Declared {
    /// The servers, with what is kept of them.
    pub servers: Vec<BackupServer>,
    /// The tasks, with what is kept of them.
    pub tasks: Vec<BackupTask>,
    /// Of each server.
    pub server_origins: Origins,
    /// Of each task.
    pub task_origins: Origins,
    /// What somebody should look at.
    pub advice: Vec<Advice>,
}

/// Decides for everything that was declared. Network, unless `offline`: reads of each NAS, nothing that changes it.
pub async fn plan(declared: Declared, credentials: Credentials, offline: bool) -> Plan {
    let Declared {
        servers,
        tasks,
        server_origins,
        task_origins,
        advice,
    } = declared;
    let intent = |task: &BackupTask| Some(task.status.as_ref()?.intent.as_ref()?.id.clone());
    let key = |task: &BackupTask| (task.namespace().unwrap_or_default(), task.name_any());
    let notes = Arc::new(Notes {
        planned: Mutex::default(),
        open: tasks
            .iter()
            .filter_map(|task| Some((key(task), intent(task)?)))
            .collect(),
    });
    let store = MemoryStore::kept_by(Arc::clone(&notes) as Arc<dyn Keeper>);
    for server in servers {
        store.restore_server(server);
    }
    for task in tasks {
        store.restore_task(task);
    }
    let ground = Standalone::new(Ground::new(store, credentials));
    if !offline {
        for _ in 0..TURNS {
            let look = Box::pin(ground.turn()).await;
            if look.next > AT_ONCE {
                break;
            }
        }
        ground.log_out().await;
    }
    let planned = notes
        .planned
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let servers: Vec<PlannedServer> = ground
        .store()
        .servers()
        .iter()
        .filter(|server| {
            let of_shown = |task: &BackupTask| {
                task.spec.server_ref.name == server.name_any()
                    && task.namespace() == server.namespace()
                    && task_origins.contains_key(&key(task))
            };
            let key = (server.namespace().unwrap_or_default(), server.name_any());
            server_origins.contains_key(&key) || ground.store().tasks().iter().any(of_shown)
        })
        .map(|server| planned_server(server, &server_origins, offline))
        .collect();
    let mut tasks: Vec<PlannedTask> = ground
        .store()
        .tasks()
        .iter()
        .filter(|task| task_origins.contains_key(&key(task)))
        .map(|task| planned_task(task, planned.get(&key(task)), &task_origins, ground.now()))
        .collect();
    for ((namespace, name), (place, change)) in &task_origins {
        if *change == Change::Delete
            && !tasks
                .iter()
                .any(|task| task.namespace == *namespace && task.name == *name)
        {
            tasks.push(PlannedTask::gone(namespace, name, place.clone()));
        }
    }
    tasks.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    let failed =
        servers.iter().any(|server| server.ready == Some(false)) || tasks.iter().any(|task| task.stalled);
    let due = tasks
        .iter()
        .any(|task| task.action != PlannedAct::Nothing || task.destroys);
    Plan {
        verdict: match (failed, due) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Due,
            (false, false) => Verdict::Nothing,
        },
        destroys: tasks.iter().any(|task| task.destroys),
        servers,
        tasks,
        advice,
    }
}

impl PlannedTask {
    fn gone(namespace: &str, name: &str, place: Option<Place>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            server: String::new(),
            place,
            change: Change::Delete,
            action: PlannedAct::Nothing,
            task: None,
            triggers: Vec::new(),
            stalled: false,
            reason: None,
            message: Some("the object goes, the NAS keeps its task".to_owned()),
            destroys: false,
            removal_plan: None,
            next_run_time: None,
        }
    }
}

fn planned_server(server: &BackupServer, origins: &Origins, offline: bool) -> PlannedServer {
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    let (place, change) = origins.get(&key).cloned().unwrap_or((None, Change::Unchanged));
    let conditions = server
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let ready = condition(conditions, ConditionType::Ready).filter(|_| !offline);
    PlannedServer {
        namespace: key.0,
        name: key.1,
        url: server.spec.url.clone(),
        mode: server.spec.mode,
        place,
        change,
        ready: ready.map(|ready| ready.status == "True"),
        reason: ready.map(|ready| ready.reason.clone()),
        message: ready.map(|ready| ready.message.clone()),
    }
}

fn planned_task(
    task: &BackupTask,
    planned: Option<&BackupTaskStatus>,
    origins: &Origins,
    now: Timestamp,
) -> PlannedTask {
    let key = (task.namespace().unwrap_or_default(), task.name_any());
    let (place, change) = origins.get(&key).cloned().unwrap_or((None, Change::Unchanged));
    let nothing = BackupTaskStatus::default();
    let status = planned.or(task.status.as_ref()).unwrap_or(&nothing);
    let intent = planned.and_then(|status| status.intent.as_ref());
    let said = [
        ConditionType::Stalled,
        ConditionType::Reconciling,
        ConditionType::Ready,
    ]
    .into_iter()
    .find_map(|kind| condition(&status.conditions, kind));
    PlannedTask {
        namespace: key.0,
        name: key.1,
        server: task.spec.server_ref.name.clone(),
        place,
        change,
        action: match intent.map(|intent| intent.action) {
            Some(IntentAction::Backup) => PlannedAct::Backup,
            Some(IntentAction::Cancel) => PlannedAct::Cancel,
            Some(IntentAction::Remove) => PlannedAct::Remove,
            None => PlannedAct::Nothing,
        },
        task: status.task.as_ref().map(|task| match task.name.as_str() {
            "" => task.id.to_string(),
            name => name.to_owned(),
        }),
        triggers: intent.map(|intent| intent.triggers.clone()).unwrap_or_default(),
        stalled: condition(&status.conditions, ConditionType::Stalled).is_some(),
        reason: said.map(|said| said.reason.clone()),
        message: said.map(|said| said.message.clone()),
        destroys: intent.is_some_and(|intent| intent.action == IntentAction::Remove)
            || is_to_be_removed(task, status, now),
        removal_plan: status.removal_plan.clone(),
        next_run_time: status.next_run_time.clone(),
    }
}

/// Whether a removal is asked for that only waits: for a run, the breaker, a suspension. One that is refused for good waits
/// for nothing.
fn is_to_be_removed(task: &BackupTask, status: &BackupTaskStatus, now: Timestamp) -> bool {
    let removal = &task.spec.removal;
    let is_asked = match removal.when {
        RemovalWhen::Never => false,
        RemovalWhen::OnDelete => task.is_deleted() && task.has_finalizer() && !task.is_abandoned(),
        RemovalWhen::Now => removal.not_after.as_ref().is_some_and(|limit| limit.0 >= now),
    };
    let is_stalled = condition(&status.conditions, ConditionType::Stalled).is_some();
    is_asked && !is_stalled && status.state != Some(State::Removed)
}
