//! An API server in memory, as far as the operator can tell: versions, compare-and-swap, finalizers, deletion, and
//! watches that lag. Everything committed is shown to the judge before anybody else can act on it.

use abb_operator::{
    api::{BackupServer, BackupTask},
    controller::{
        cluster::{Cluster, Keys, ReadError, WriteError},
        packed::Packed,
    },
    status::Notice,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};
use std::{collections::BTreeMap, sync::Arc};

use super::{
    faults::{Fault, Step},
    world::World,
};

/// Objects at one moment.
#[derive(Clone)]
pub struct Snapshot {
    /// When it was committed.
    pub at: Timestamp,
    /// Tasks by name.
    pub tasks: BTreeMap<String, Arc<BackupTask>>,
    /// The server.
    pub server: Arc<BackupServer>,
}

impl Snapshot {
    /// The version of the newest object.
    pub fn version(&self) -> u64 {
        let tasks = self.tasks.values().map(|task| task.resource_version());
        let versions = tasks.chain([self.server.resource_version()]).flatten();
        versions
            .filter_map(|version| version.parse().ok())
            .max()
            .unwrap_or(0)
    }
}

/// The store.
pub struct ApiServer {
    version: u64,
    /// Snapshots, oldest first; the last one is the truth.
    history: Vec<Snapshot>,
    /// Writes of the operator so far.
    pub writes: u64,
    secret: Keys,
    secret_values: BTreeMap<String, Vec<u8>>,
}

impl ApiServer {
    pub fn new(mut server: BackupServer, tasks: Vec<BackupTask>, now: Timestamp) -> Self {
        let mut store = Self {
            version: 1,
            history: Vec::new(),
            writes: 0,
            secret: Keys::new(String::new(), BTreeMap::new()),
            secret_values: BTreeMap::new(),
        };
        store.edit_secret(&[("username", "abb-operator"), ("password", "simulated-password")]);
        store.adopt(&mut server, now);
        let mut snapshot = Snapshot {
            at: now,
            tasks: BTreeMap::new(),
            server: Arc::new(server),
        };
        for mut task in tasks {
            store.adopt(&mut task, now);
            snapshot.tasks.insert(task.name_any(), Arc::new(task));
        }
        store.history.push(snapshot);
        store
    }

    fn adopt<K: Resource>(&mut self, object: &mut K, now: Timestamp) {
        self.version += 1;
        let name = object.meta().name.clone().unwrap_or_default();
        let meta = object.meta_mut();
        meta.namespace = Some("default".to_owned());
        meta.uid = Some(format!("uid-{name}"));
        meta.generation = Some(1);
        meta.resource_version = Some(self.version.to_string());
        meta.creation_timestamp = Some(Time(now));
    }

    /// The truth.
    pub fn now(&self) -> &Snapshot {
        &self.history[self.history.len() - 1]
    }

    /// What a watch shows that lags.
    pub fn seen_at(&self, time: Timestamp) -> &Snapshot {
        let seen = self.history.iter().rev().find(|snapshot| snapshot.at <= time);
        seen.unwrap_or(&self.history[0])
    }

    fn commit(&mut self, now: Timestamp, change: impl FnOnce(&mut Snapshot)) {
        let mut next = self.now().clone();
        next.at = now;
        change(&mut next);
        self.history.push(next);
    }

    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// A user's edit of a task.
    pub fn edit(&mut self, name: &str, now: Timestamp, change: impl FnOnce(&mut BackupTask)) {
        let Some(old) = self.now().tasks.get(name) else {
            return;
        };
        let mut task = BackupTask::clone(old);
        let spec = task.spec.clone();
        change(&mut task);
        if task.spec != spec {
            task.metadata.generation = task.metadata.generation.map(|generation| generation + 1);
        }
        task.metadata.resource_version = Some(self.next_version());
        self.commit(now, |next| {
            next.tasks.insert(name.to_owned(), Arc::new(task));
        });
    }

    /// A user's edit of the server.
    pub fn edit_server(&mut self, now: Timestamp, change: impl FnOnce(&mut BackupServer)) {
        let mut server = BackupServer::clone(&self.now().server);
        let spec = server.spec.clone();
        change(&mut server);
        if server.spec != spec {
            server.metadata.generation = server.metadata.generation.map(|generation| generation + 1);
        }
        server.metadata.resource_version = Some(self.next_version());
        self.commit(now, |next| next.server = Arc::new(server));
    }

    /// A user's edit of the Secret: these keys, the others stay.
    pub fn edit_secret(&mut self, keys: &[(&str, &str)]) {
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        self.secret_values.extend(keys);
        self.secret = Keys::new(self.next_version(), self.secret_values.clone());
    }

    /// A user deletes a task.
    pub fn delete(&mut self, name: &str, now: Timestamp) {
        let held = self
            .now()
            .tasks
            .get(name)
            .is_some_and(|task| !task.finalizers().is_empty());
        if held {
            let time = Some(Time(now));
            self.edit(name, now, |task| task.metadata.deletion_timestamp = time);
        } else {
            self.commit(now, |next| {
                next.tasks.remove(name);
            });
        }
    }

    fn swap_task(
        &mut self,
        object: &BackupTask,
        now: Timestamp,
        change: impl FnOnce(&mut BackupTask),
    ) -> Result<BackupTask, WriteError> {
        let name = object.name_any();
        let stored = self.now().tasks.get(&name).ok_or(WriteError::Gone)?;
        if stored.metadata.resource_version != object.metadata.resource_version {
            return Err(WriteError::Conflict);
        }
        let mut task = BackupTask::clone(stored);
        change(&mut task);
        task.metadata.resource_version = Some(self.next_version());
        self.writes += 1;
        let is_gone = task.metadata.deletion_timestamp.is_some() && task.finalizers().is_empty();
        let written = task.clone();
        self.commit(now, |next| {
            if is_gone {
                next.tasks.remove(&name);
            } else {
                next.tasks.insert(name, Arc::new(task));
            }
        });
        Ok(written)
    }

    fn swap_server(&mut self, object: &BackupServer, now: Timestamp) -> Result<BackupServer, WriteError> {
        let stored = &self.now().server;
        if stored.metadata.resource_version != object.metadata.resource_version {
            return Err(WriteError::Conflict);
        }
        let mut server = BackupServer::clone(stored);
        server.status.clone_from(&object.status);
        server.metadata.resource_version = Some(self.next_version());
        self.writes += 1;
        let written = server.clone();
        self.commit(now, |next| next.server = Arc::new(server));
        Ok(written)
    }
}

/// One process's client of it.
#[derive(Clone)]
pub struct ApiClient {
    pub world: Arc<World>,
    pub process: usize,
}

impl ApiClient {
    /// `name` is the task's, empty for the server.
    async fn write<T>(
        &self,
        name: &str,
        what: impl FnOnce() -> String,
        change: impl FnOnce(&mut ApiServer, Timestamp) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let world = &self.world;
        let fault = world.step(self.process, Step::Write, what).await;
        match fault {
            Some(Fault::Conflict) => {
                let now = world.clock.now();
                let mark = ("somebody".to_owned(), now.to_string());
                if name.is_empty() {
                    world
                        .lock()
                        .api
                        .edit_server(now, |server| server.annotations_mut().extend([mark]));
                } else {
                    world
                        .lock()
                        .api
                        .edit(name, now, |task| task.annotations_mut().extend([mark]));
                }
                world.wake();
            }
            Some(Fault::WriteLostBefore) => return Err(WriteError::Unknown),
            _ => {}
        }
        let written = {
            let mut state = world.lock();
            let now = world.clock.now();
            let written = change(&mut state.api, now);
            state.recorded(self.process);
            state.judge(now);
            written
        };
        world.wake();
        world.after(self.process, fault).await;
        match fault {
            Some(Fault::WriteLostAfter) => Err(WriteError::Unknown),
            _ => written,
        }
    }
}

impl Cluster for ApiClient {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let what = || format!("status {} {}", task.name_any(), super::world::brief(task));
        self.write(&task.name_any(), what, |api, now| {
            api.swap_task(task, now, |stored| stored.status.clone_from(&task.status))
        })
        .await
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        self.write(
            "",
            || "server status".to_owned(),
            |api, now| api.swap_server(server, now),
        )
        .await
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let what = || format!("finalizers {} {:?}", task.name_any(), task.finalizers());
        self.write(&task.name_any(), what, |api, now| {
            api.swap_task(task, now, |stored| {
                stored.metadata.finalizers.clone_from(&task.metadata.finalizers);
            })
        })
        .await
    }

    async fn read_task(&self, _: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        let fault = self
            .world
            .step(self.process, Step::Read, || "read task".to_owned())
            .await;
        let read = self
            .world
            .lock()
            .api
            .now()
            .tasks
            .get(name)
            .map(|task| BackupTask::clone(task));
        self.world.after(self.process, fault).await;
        Ok(read)
    }

    async fn list_tasks(&self, _: &str) -> Result<Vec<Arc<Packed>>, ReadError> {
        let fault = self
            .world
            .step(self.process, Step::Read, || "list tasks".to_owned())
            .await;
        let tasks = {
            let state = self.world.lock();
            let tasks = state.api.now().tasks.values();
            tasks.map(|task| Arc::new(Packed::alone(task))).collect()
        };
        self.world.after(self.process, fault).await;
        Ok(tasks)
    }

    async fn tasks_version(&self, _: &str) -> Result<Option<u64>, ReadError> {
        let fault = self
            .world
            .step(self.process, Step::Read, || {
                "read the version of the tasks".to_owned()
            })
            .await;
        // What a cache knows may be older than what is written.
        let version = self.world.seen(self.process).version();
        self.world.after(self.process, fault).await;
        Ok(Some(version))
    }

    async fn read_server(&self, _: &str, _: &str) -> Result<Option<BackupServer>, ReadError> {
        let fault = self
            .world
            .step(self.process, Step::Read, || "read server".to_owned())
            .await;
        let read = BackupServer::clone(&self.world.lock().api.now().server);
        self.world.after(self.process, fault).await;
        Ok(Some(read))
    }

    async fn read_secret(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        let fault = self
            .world
            .step(self.process, Step::Read, || "read secret".to_owned())
            .await;
        let keys = self.world.lock().api.secret.clone();
        self.world.after(self.process, fault).await;
        Ok(Some(keys))
    }

    async fn read_config_map(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        Ok(None)
    }

    async fn publish_task(&self, task: &BackupTask, notice: &Notice) -> Result<(), WriteError> {
        let what = || format!("event {} {}", task.name_any(), notice.reason.as_str());
        let fault = self.world.step(self.process, Step::Read, what).await;
        self.world.after(self.process, fault).await;
        Ok(())
    }

    async fn publish_server(&self, _: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        let what = || format!("event server {}", notice.reason.as_str());
        let fault = self.world.step(self.process, Step::Read, what).await;
        self.world.after(self.process, fault).await;
        Ok(())
    }
}
