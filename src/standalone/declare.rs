//! From manifests and what is kept of earlier ones to the objects as an API server would have them after an apply. Pure but
//! for the identities that new objects get.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use super::{
    advise,
    plan::{Change, Declared, Origins},
};
use crate::{
    api::{BackupServer, BackupTask},
    manifest::{self, Fault, Located, Manifests},
};

/// What is known of objects beside the manifests.
#[derive(Default)]
pub struct Kept {
    /// Servers.
    pub servers: Vec<BackupServer>,
    /// Tasks.
    pub tasks: Vec<BackupTask>,
    /// Whether undeclared tasks act as well, as in a cluster, or rest, as in a folder that holds more than one set of
    /// manifests.
    pub is_cluster: bool,
}

type Key = (String, String);

fn key(object: &impl ResourceExt) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// The objects after an apply. `prune` deletes the tasks of declared servers that no manifest declares any more.
///
/// # Errors
/// Changes that the API server would refuse.
pub fn declare(
    manifests: &Manifests,
    kept: Kept,
    prune: bool,
    now: Timestamp,
) -> Result<Declared, Vec<Fault>> {
    let Kept {
        servers,
        tasks,
        is_cluster,
    } = kept;
    let mut servers: BTreeMap<Key, BackupServer> =
        servers.into_iter().map(|server| (key(&server), server)).collect();
    let mut tasks: BTreeMap<Key, BackupTask> = tasks.into_iter().map(|task| (key(&task), task)).collect();
    let mut faults = Vec::new();
    let (mut server_origins, mut task_origins) = (Origins::new(), Origins::new());
    for located in &manifests.servers {
        let old = servers.get(&key(&located.object));
        let is_same = old.is_some_and(|old| old.spec == located.object.spec);
        let (object, change) = adopted(located, old, is_same, now, &mut faults);
        server_origins.insert(key(&object), (Some(located.place.clone()), change));
        servers.insert(key(&object), object);
    }
    for located in &manifests.tasks {
        let old = tasks.get(&key(&located.object));
        let is_same = old.is_some_and(|old| old.spec == located.object.spec);
        let (object, change) = adopted(located, old, is_same, now, &mut faults);
        task_origins.insert(key(&object), (Some(located.place.clone()), change));
        tasks.insert(key(&object), object);
    }
    if !faults.is_empty() {
        faults.sort();
        return Err(faults);
    }
    if prune {
        for (key, task) in &mut tasks {
            let server = (key.0.clone(), task.spec.server_ref.name.clone());
            if server_origins.contains_key(&server) && !task_origins.contains_key(key) {
                task.metadata.deletion_timestamp.get_or_insert(Time(now));
                task_origins.insert(key.clone(), (None, Change::Delete));
            }
        }
    }
    tasks.retain(|key, task| {
        let is_meant = is_cluster || task_origins.contains_key(key);
        is_meant && (task.metadata.deletion_timestamp.is_none() || !task.finalizers().is_empty())
    });
    let used: BTreeSet<Key> = tasks
        .values()
        .map(|task| {
            (
                task.namespace().unwrap_or_default(),
                task.spec.server_ref.name.clone(),
            )
        })
        .collect();
    servers.retain(|key, _| server_origins.contains_key(key) || used.contains(key));
    let advice = advise(
        manifests,
        |server| changes(&server_origins, &key(server)),
        |task| changes(&task_origins, &key(task)),
        now,
    );
    Ok(Declared {
        servers: servers.into_values().collect(),
        tasks: tasks.into_values().collect(),
        server_origins,
        task_origins,
        advice,
    })
}

fn changes(origins: &Origins, key: &Key) -> bool {
    origins
        .get(key)
        .is_some_and(|(_, change)| *change != Change::Unchanged)
}

/// A declared object with what the API server keeps and adds.
fn adopted<K>(
    declared: &Located<K>,
    old: Option<&K>,
    is_same: bool,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> (K, Change)
where
    K: Resource<DynamicType = ()> + Clone + Status + serde::Serialize,
{
    let mut object = declared.object.clone();
    let Some(old) = old else {
        let meta = object.meta_mut();
        meta.uid = Some(uuid::Uuid::new_v4().to_string());
        meta.creation_timestamp = Some(Time(now));
        meta.generation = Some(1);
        object.keep_status_of(None);
        return (object, Change::Create);
    };
    faults.extend(manifest::changes(old, declared));
    let mut meta = old.meta().clone();
    meta.labels.clone_from(&object.meta().labels);
    let annotations = object.meta_mut().annotations.take();
    // Those of the command line stand beside what the manifest has.
    meta.annotations
        .get_or_insert_default()
        .extend(annotations.unwrap_or_default());
    meta.generation = meta.generation.map(|generation| generation + i64::from(!is_same));
    *object.meta_mut() = meta;
    object.keep_status_of(Some(old));
    let change = if is_same {
        Change::Unchanged
    } else {
        Change::Update
    };
    (object, change)
}

/// An object with a status of its own.
trait Status {
    /// What a manifest says of a status is not heard.
    fn keep_status_of(&mut self, old: Option<&Self>);
}

impl Status for BackupTask {
    fn keep_status_of(&mut self, old: Option<&Self>) {
        self.status = old.and_then(|old| old.status.clone());
    }
}

impl Status for BackupServer {
    fn keep_status_of(&mut self, old: Option<&Self>) {
        self.status = old.and_then(|old| old.status.clone());
    }
}
