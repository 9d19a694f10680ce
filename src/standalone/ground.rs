//! What the passes stand on: the objects in memory with what is kept of them, and the sources of Secrets.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    credentials::Credentials,
    folder::{Answers, Applied},
};
use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
    controller::{
        Context, Fleet, Machine, ServerKey,
        cluster::{Cluster, Keys, ReadError, WriteError},
        orphan,
        packed::{Packed, Uid},
        pass, server_of,
        store::MemoryStore,
    },
    observe::{Answered, Call},
    status::Notice,
    telemetry::Metrics,
};

/// Kubernetes as the controller sees it here.
#[derive(Clone)]
pub struct Ground {
    /// Servers and tasks.
    pub store: MemoryStore,
    credentials: Arc<Credentials>,
}

impl Ground {
    /// Objects, and where their Secrets are.
    #[must_use]
    pub fn new(store: MemoryStore, credentials: Credentials) -> Self {
        Self {
            store,
            credentials: Arc::new(credentials),
        }
    }
}

impl Cluster for Ground {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        self.store.write_task_status(task).await
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        self.store.write_server_status(server).await
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        self.store.write_finalizers(task).await
    }

    async fn read_task(&self, namespace: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        self.store.read_task(namespace, name).await
    }

    async fn list_tasks(&self, namespace: &str) -> Result<Vec<Arc<Packed>>, ReadError> {
        self.store.list_tasks(namespace).await
    }

    async fn tasks_version(&self, namespace: &str) -> Result<Option<u64>, ReadError> {
        self.store.tasks_version(namespace).await
    }

    async fn read_server(&self, namespace: &str, name: &str) -> Result<Option<BackupServer>, ReadError> {
        self.store.read_server(namespace, name).await
    }

    async fn read_secret(&self, namespace: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        let servers = self.store.servers();
        self.credentials.secret(namespace, name, &servers).await
    }

    async fn read_config_map(&self, namespace: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        self.credentials.config_map(namespace, name).await
    }

    async fn publish_task(&self, task: &BackupTask, notice: &Notice) -> Result<(), WriteError> {
        self.store.publish_task(task, notice).await
    }

    async fn publish_server(&self, server: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        self.store.publish_server(server, notice).await
    }
}

/// The controller on that ground.
pub struct Standalone {
    context: Context<Ground>,
}

/// What a turn over all servers left.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// UIDs of the tasks for which a run is due, queued or in flight.
    pub seeking: BTreeSet<String>,
    /// When something is due by itself.
    pub next: Duration,
}

impl Standalone {
    /// Begins with no session and no inventory.
    #[must_use]
    pub fn new(ground: Ground) -> Self {
        Self {
            context: Context {
                cluster: ground,
                fleet: Fleet::default(),
                fence: Fence::open().into(),
                metrics: Arc::new(Metrics::new()),
                machine: Machine::default(),
            },
        }
    }

    /// The objects.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        &self.context.cluster.store
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// One pass over every server, side by side, and over the tasks that have none. Network.
    pub async fn turn(&self) -> Look {
        let store = self.store();
        let servers = store.servers();
        let passes = servers
            .iter()
            .map(|server| pass(&self.context, server, store.tasks_of(server)));
        let next = futures::future::join_all(passes).await;
        for task in store.tasks() {
            let namespace = task.namespace().unwrap_or_default();
            if store.server(&namespace, &task.spec.server_ref.name).is_none() {
                orphan::reconcile(&self.context, &task).await;
            }
        }
        let mut seeking = BTreeSet::new();
        for server in &servers {
            let key: ServerKey = (server.namespace().unwrap_or_default(), server.name_any());
            let memory = self.context.fleet.server(&key);
            seeking.extend(memory.lock().await.seeking.iter().cloned());
        }
        Look {
            seeking,
            next: next.into_iter().min().unwrap_or(Duration::MAX),
        }
    }

    /// The open calls that were answered with success.
    pub async fn answers(&self) -> Answers {
        let mut answers = Answers::new();
        for task in self.store().tasks() {
            let Some(uid) = task.uid() else { continue };
            let memory = self.context.fleet.server(&server_of(&task));
            let memory = memory.lock().await;
            let knowledge = memory.knowledge.get(&Uid::of(&uid));
            let call = knowledge.and_then(|knowledge| knowledge.call.as_ref());
            if let Some(call) = call.filter(|call| call.answered == Some(Answered::Applied)) {
                let applied = Applied {
                    intent: call.intent.clone(),
                    sent: call.sent,
                    settles_from: call.settles_from,
                };
                answers.insert(uid, applied);
            }
        }
        answers
    }

    /// Knows answers that an earlier process was given.
    pub async fn recall(&self, answers: &Answers) {
        for task in self.store().tasks() {
            let Some((uid, applied)) = task.uid().and_then(|uid| answers.get_key_value(&uid)) else {
                continue;
            };
            let memory = self.context.fleet.server(&server_of(&task));
            memory
                .lock()
                .await
                .knowledge
                .entry(Uid::of(uid))
                .or_default()
                .call = Some(Call {
                intent: applied.intent.clone(),
                answered: Some(Answered::Applied),
                sent: applied.sent,
                settles_from: applied.settles_from,
                first_absence: None,
                unreadable_since: None,
            });
        }
    }

    /// Ends every session. Network.
    pub async fn log_out(&self) {
        self.context.fleet.log_out().await;
    }
}
