//! Kubernetes in memory, for commands and tests without a cluster: versions and compare-and-swap as the API server has
//! them, and nothing else. A keeper may have its say before a write is answered, which is how a folder becomes the store.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use super::{
    cluster::{Cluster, Keys, ReadError, WriteError},
    packed::Packed,
};
use crate::{
    api::{BackupServer, BackupTask},
    status::Notice,
};

/// Objects in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
    keeper: Option<Arc<dyn Keeper>>,
}

/// Where writes of the controller go before they are answered. What it refuses was never written.
pub trait Keeper: Send + Sync {
    /// Keeps a task as it is about to stand in the store.
    ///
    /// # Errors
    /// What the write is answered with instead.
    fn keep_task(&self, task: &BackupTask) -> Result<(), WriteError>;
    /// Keeps a server likewise.
    ///
    /// # Errors
    /// What the write is answered with instead.
    fn keep_server(&self, server: &BackupServer) -> Result<(), WriteError>;
    /// Lets go of a task whose last finalizer was taken.
    ///
    /// # Errors
    /// What the write is answered with instead.
    fn forget_task(&self, task: &BackupTask) -> Result<(), WriteError>;
}

#[derive(Default)]
struct Content {
    version: u64,
    tasks: BTreeMap<(String, String), BackupTask>,
    servers: BTreeMap<(String, String), BackupServer>,
    notices: Vec<(String, Notice)>,
}

impl MemoryStore {
    /// An empty store whose writes are kept.
    #[must_use]
    pub fn kept_by(keeper: Arc<dyn Keeper>) -> Self {
        Self {
            content: Arc::default(),
            keeper: Some(keeper),
        }
    }

    fn keep(&self, kept: impl FnOnce(&dyn Keeper) -> Result<(), WriteError>) -> Result<(), WriteError> {
        self.keeper.as_deref().map_or(Ok(()), kept)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a task there as a user would, with what the API server adds.
    pub fn apply_task(&self, mut task: BackupTask) {
        let mut content = self.content();
        let old = content.tasks.get(&key(&task)).cloned();
        let is_changed = old.as_ref().is_none_or(|old| old.spec != task.spec);
        adopt(&mut task, old.as_ref(), is_changed, &mut content.version);
        task.status = old.and_then(|old| old.status);
        content.tasks.insert(key(&task), task);
    }

    /// Puts a server there as a user would, with what the API server adds.
    pub fn apply_server(&self, mut server: BackupServer) {
        let mut content = self.content();
        let old = content.servers.get(&key(&server)).cloned();
        let is_changed = old.as_ref().is_none_or(|old| old.spec != server.spec);
        adopt(&mut server, old.as_ref(), is_changed, &mut content.version);
        server.status = old.and_then(|old| old.status);
        content.servers.insert(key(&server), server);
    }

    /// Puts a task there as it was kept, status and identity included.
    pub fn restore_task(&self, mut task: BackupTask) {
        let mut content = self.content();
        content.version += 1;
        task.metadata.resource_version = Some(content.version.to_string());
        content.tasks.insert(key(&task), task);
    }

    /// Puts a server there as it was kept, status and identity included.
    pub fn restore_server(&self, mut server: BackupServer) {
        let mut content = self.content();
        content.version += 1;
        server.metadata.resource_version = Some(content.version.to_string());
        content.servers.insert(key(&server), server);
    }

    /// Takes a task away, or marks it where a finalizer holds it, as a user's deletion does. Whether it is gone.
    #[must_use]
    pub fn delete_task(&self, namespace: &str, name: &str, now: Timestamp) -> bool {
        let mut content = self.content();
        let Content { version, tasks, .. } = &mut *content;
        let key = (namespace.to_owned(), name.to_owned());
        let Some(task) = tasks.get_mut(&key) else {
            return true;
        };
        if task.finalizers().is_empty() {
            tasks.remove(&key);
            return true;
        }
        *version += 1;
        task.metadata.resource_version = Some(version.to_string());
        task.metadata.deletion_timestamp.get_or_insert(Time(now));
        false
    }

    /// Every task.
    #[must_use]
    pub fn tasks(&self) -> Vec<BackupTask> {
        self.content().tasks.values().cloned().collect()
    }

    /// A server.
    #[must_use]
    pub fn server(&self, namespace: &str, name: &str) -> Option<BackupServer> {
        self.content()
            .servers
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Every server.
    #[must_use]
    pub fn servers(&self) -> Vec<BackupServer> {
        self.content().servers.values().cloned().collect()
    }

    /// The tasks of a server.
    #[must_use]
    pub fn tasks_of(&self, server: &BackupServer) -> Vec<Arc<BackupTask>> {
        let (namespace, name) = key(server);
        self.content()
            .tasks
            .values()
            .filter(|task| {
                task.namespace().as_deref() == Some(&namespace) && task.spec.server_ref.name == name
            })
            .map(|task| Arc::new(task.clone()))
            .collect()
    }

    /// A task.
    #[must_use]
    pub fn task(&self, namespace: &str, name: &str) -> Option<BackupTask> {
        self.content()
            .tasks
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// Events published so far: the object's name and the Event.
    #[must_use]
    pub fn notices(&self) -> Vec<(String, Notice)> {
        self.content().notices.clone()
    }
}

fn key(object: &impl ResourceExt) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// What the API server adds to an object that is applied. The generation counts changes of the spec.
fn adopt<K: Resource>(object: &mut K, old: Option<&K>, is_changed: bool, version: &mut u64) {
    *version += 1;
    let known = old.map(|old| old.meta().clone());
    let meta = object.meta_mut();
    meta.resource_version = Some(version.to_string());
    let generation = known.as_ref().and_then(|old| old.generation).unwrap_or(0);
    meta.generation = Some(generation + i64::from(is_changed));
    if let Some(known) = &known {
        meta.finalizers.clone_from(&known.finalizers);
        meta.deletion_timestamp.clone_from(&known.deletion_timestamp);
    }
    meta.uid = known
        .as_ref()
        .and_then(|old| old.uid.clone())
        .or_else(|| Some(uuid::Uuid::new_v4().to_string()));
    let created = known.and_then(|old| old.creation_timestamp);
    meta.creation_timestamp = created.or_else(|| Some(Time(Timestamp::now())));
}

/// Compare-and-swap: `change` is applied to the stored object if its version is the one that was read.
fn swap<K: Resource + Clone>(
    stored: Option<&mut K>,
    version: &mut u64,
    read: Option<&str>,
    change: impl FnOnce(&mut K),
    keep: impl FnOnce(&K) -> Result<(), WriteError>,
) -> Result<K, WriteError> {
    let stored = stored.ok_or(WriteError::Gone)?;
    if stored.meta().resource_version.as_deref() != read {
        return Err(WriteError::Conflict);
    }
    let mut changed = stored.clone();
    change(&mut changed);
    keep(&changed)?;
    *version += 1;
    changed.meta_mut().resource_version = Some(version.to_string());
    stored.clone_from(&changed);
    Ok(changed)
}

impl Cluster for MemoryStore {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let mut content = self.content();
        let Content { version, tasks, .. } = &mut *content;
        let read = task.metadata.resource_version.as_deref();
        let keep = |changed: &BackupTask| self.keep(|keeper| keeper.keep_task(changed));
        let change = |stored: &mut BackupTask| stored.status.clone_from(&task.status);
        swap(tasks.get_mut(&key(task)), version, read, change, keep)
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        let mut content = self.content();
        let Content { version, servers, .. } = &mut *content;
        let read = server.metadata.resource_version.as_deref();
        let keep = |changed: &BackupServer| self.keep(|keeper| keeper.keep_server(changed));
        let change = |stored: &mut BackupServer| stored.status.clone_from(&server.status);
        swap(servers.get_mut(&key(server)), version, read, change, keep)
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let mut content = self.content();
        let Content { version, tasks, .. } = &mut *content;
        let read = task.metadata.resource_version.as_deref();
        let is_gone =
            |task: &BackupTask| task.metadata.deletion_timestamp.is_some() && task.finalizers().is_empty();
        let keep = |changed: &BackupTask| {
            self.keep(|keeper| {
                if is_gone(changed) {
                    keeper.forget_task(changed)
                } else {
                    keeper.keep_task(changed)
                }
            })
        };
        let change =
            |stored: &mut BackupTask| stored.metadata.finalizers.clone_from(&task.metadata.finalizers);
        let written = swap(tasks.get_mut(&key(task)), version, read, change, keep)?;
        if is_gone(&written) {
            tasks.remove(&key(task));
        }
        Ok(written)
    }

    async fn read_task(&self, namespace: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        Ok(self.task(namespace, name))
    }

    async fn list_tasks(&self, namespace: &str) -> Result<Vec<Arc<Packed>>, ReadError> {
        let content = self.content();
        let tasks = content.tasks.iter().filter(|((place, _), _)| place == namespace);
        Ok(tasks.map(|(_, task)| Arc::new(Packed::alone(task))).collect())
    }

    async fn tasks_version(&self, _: &str) -> Result<Option<u64>, ReadError> {
        Ok(Some(self.content().version))
    }

    async fn read_server(&self, namespace: &str, name: &str) -> Result<Option<BackupServer>, ReadError> {
        Ok(self
            .content()
            .servers
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned())
    }

    /// Credentials are not kept here; who has them reads them from elsewhere.
    async fn read_secret(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        Ok(None)
    }

    async fn read_config_map(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        Ok(None)
    }

    async fn publish_task(&self, task: &BackupTask, notice: &Notice) -> Result<(), WriteError> {
        self.content().notices.push((task.name_any(), notice.clone()));
        Ok(())
    }

    async fn publish_server(&self, server: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        self.content().notices.push((server.name_any(), notice.clone()));
        Ok(())
    }
}
