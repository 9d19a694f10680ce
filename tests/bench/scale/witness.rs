//! Watches the BackupTasks of one namespace for the bench: waits for what they come to say, and keeps every version of
//! their status where a section counts what was written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use abb_operator::api::BackupTask;
use futures::StreamExt;
use kube::{
    Api, Resource, ResourceExt,
    api::ObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use crate::objects::Objects;

/// A BackupTask of which only the status is looked at.
#[derive(Clone, Debug, Serialize, Deserialize, Resource)]
#[resource(inherit = BackupTask)]
pub struct Seen {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub status: Value,
}

/// Statuses by name.
pub type Statuses = BTreeMap<String, Value>;

/// One version of one status.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub status: Value,
}

/// A running watch; ends when dropped.
pub struct Witness {
    statuses: watch::Receiver<Statuses>,
    versions: Arc<Mutex<Vec<Version>>>,
    watching: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Witness {
    /// Starts watching; `keeps` every version if asked to.
    pub fn start(objects: &Objects, keeps: bool) -> Self {
        let api: Api<Seen> = Api::namespaced(objects.client.clone(), &objects.namespace);
        let (publish, statuses) = watch::channel(Statuses::new());
        let versions = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&versions);
        let watching = tokio::spawn(async move {
            let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(task) | Event::InitApply(task)) => {
                        let name = task.name_any();
                        if keeps {
                            let version = Version {
                                name: name.clone(),
                                status: task.status.clone(),
                            };
                            kept.lock().unwrap_or_else(PoisonError::into_inner).push(version);
                        }
                        publish.send_modify(|statuses| {
                            statuses.insert(name, task.status);
                        });
                    }
                    Ok(Event::Delete(task)) => {
                        publish.send_modify(|statuses| {
                            statuses.remove(&task.name_any());
                        });
                    }
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => eprintln!("the witness's watch: {error}"),
                }
            }
        });
        Self {
            statuses,
            versions,
            watching,
        }
    }

    /// Waits until the statuses satisfy a condition.
    ///
    /// # Panics
    /// When they do not in time.
    pub async fn until(&self, what: &str, deadline: Duration, mut holds: impl FnMut(&Statuses) -> bool) {
        let mut statuses = self.statuses.clone();
        let waited = tokio::time::timeout(deadline, statuses.wait_for(|now| holds(now))).await;
        if waited.is_err() {
            let seen = self.statuses.borrow();
            let some: Vec<_> = seen.iter().take(2).collect();
            panic!(
                "{what}: not within {deadline:?}; {} objects, such as {some:#?}",
                seen.len()
            );
        }
    }

    /// The versions since the last call.
    pub fn take_versions(&self) -> Vec<Version> {
        std::mem::take(&mut *self.versions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A status as last seen.
    pub fn status(&self, name: &str) -> Value {
        self.statuses.borrow().get(name).cloned().unwrap_or_default()
    }
}

/// Whether a token has its final answer and nothing is open any more.
pub fn answered(status: &Value, token: &str) -> bool {
    let receipt = &status["receipts"]["request"];
    receipt["token"] == token
        && receipt["outcome"] != "Accepted"
        && status["intent"].is_null()
        && status["run"].is_null()
}

/// Whether the operator has looked at an object whose task is there, and left it alone.
pub fn settled(status: &Value) -> bool {
    status["state"] == "Idle" && status["intent"].is_null() && status["run"].is_null()
}
