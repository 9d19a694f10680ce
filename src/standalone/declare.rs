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
    api::{BackupServer, BackupTask, RemovalWhen},
    controller::server_of,
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
        let (object, change) = adopted(located, old, is_same, is_cluster, now, &mut faults);
        server_origins.insert(key(&object), (Some(located.place.clone()), change));
        servers.insert(key(&object), object);
    }
    for located in &manifests.tasks {
        let old = tasks.get(&key(&located.object));
        let is_same = old.is_some_and(|old| old.spec == located.object.spec);
        let (mut object, change) = adopted(located, old, is_same, is_cluster, now, &mut faults);
        let is_sent = object
            .status
            .as_ref()
            .is_some_and(|status| status.intent.is_some());
        if !is_cluster && !is_sent {
            // What is declared again is not to go, unless the call is out already.
            object.metadata.deletion_timestamp = None;
        }
        task_origins.insert(key(&object), (Some(located.place.clone()), change));
        tasks.insert(key(&object), object);
    }
    if !faults.is_empty() {
        faults.sort();
        return Err(faults);
    }
    for (key, task) in &mut tasks {
        let server = (key.0.clone(), task.spec.server_ref.name.clone());
        let is_pruned = prune && server_origins.contains_key(&server);
        // A deletion that has begun goes on, also where it was interrupted.
        if (is_pruned || task.is_deleted()) && !task_origins.contains_key(key) {
            task.metadata.deletion_timestamp.get_or_insert(Time(now));
            task_origins.insert(key.clone(), (None, Change::Delete));
        }
    }
    for (key, task) in &tasks {
        let other = tasks.iter().find(|(resting, other)| {
            !is_cluster && !task_origins.contains_key(*resting) && is_doomed(task, other)
        });
        if let Some(((_, resting), _)) = other.filter(|_| task_origins.contains_key(key)) {
            faults.push(Fault {
                place: task_origins.get(key).and_then(|(place, _)| place.clone()).unwrap_or_default(),
                object: format!("BackupTask {:?}", key.1),
                field: "spec.removal".to_owned(),
                message: format!(
                    "the BackupTask {resting:?} of the state folder names the same NAS task, and no manifest given here declares it: \
                     nothing is removed while it does; give its manifest, too, or delete it with --prune"
                ),
            });
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    tasks.retain(|key, task| {
        let is_meant = is_cluster || task_origins.contains_key(key);
        is_meant && (task.metadata.deletion_timestamp.is_none() || !task.finalizers().is_empty())
    });
    let used: BTreeSet<Key> = tasks.values().map(server_of).collect();
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

/// Whether a removal of `task` would take what the other one names.
fn is_doomed(task: &BackupTask, other: &BackupTask) -> bool {
    let removal = &task.spec.removal;
    let is_asked = match removal.when {
        RemovalWhen::Never => false,
        RemovalWhen::Now => true,
        RemovalWhen::OnDelete => task.is_deleted(),
    };
    let status = other.status.as_ref();
    let keys = [
        other.spec.task.unique_key.as_deref(),
        status.and_then(|status| status.task.as_ref()?.unique_key.as_deref()),
        status.and_then(|status| status.binding.as_ref()?.unique_key.as_deref()),
    ];
    is_asked
        && !other.is_deleted()
        && task.namespace() == other.namespace()
        && task.spec.server_ref == other.spec.server_ref
        && (keys.contains(&removal.confirm.as_deref()) || task.spec.task == other.spec.task)
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
    is_cluster: bool,
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
    // In a cluster those of the command line stand beside what the manifest has.
    let mut kept = meta.annotations.take().filter(|_| is_cluster).unwrap_or_default();
    kept.extend(annotations.unwrap_or_default());
    meta.annotations = (!kept.is_empty()).then_some(kept);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load;

    fn manifests(text: &str) -> Manifests {
        let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(&[file.path().to_owned()], "default").unwrap()
    }

    const NAS: &str = "apiVersion: activebackup.dev/v1alpha1\nkind: BackupServer\nmetadata: {name: nas}\nspec:\n  url: \
                       https://nas:5001\n  credentials: {secretRef: {name: nas}}\n---\n";

    fn laptop(more: &str) -> String {
        format!(
            "{NAS}apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {{name: laptop{more}}}\nspec:\n  \
             serverRef: {{name: nas}}\n  task: {{name: Laptop}}\n"
        )
    }

    fn declared(text: &str, kept: Kept, prune: bool) -> Declared {
        declare(&manifests(text), kept, prune, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn kept(declared: Declared, is_cluster: bool) -> Kept {
        Kept {
            servers: declared.servers,
            tasks: declared.tasks,
            is_cluster,
        }
    }

    #[test]
    fn an_object_keeps_its_identity_and_an_edit_counts() {
        let first = declared(&laptop(""), Kept::default(), false);
        let before = first.tasks[0].metadata.clone();
        assert_eq!(before.generation, Some(1));
        let second = declared(&laptop(""), kept(first, false), false);
        assert_eq!(second.tasks[0].metadata, before);
        let edited = laptop("").replace("Laptop", "Desk");
        let third = declared(&edited, kept(second, false), false);
        assert_eq!(third.tasks[0].metadata.uid, before.uid);
        assert_eq!(third.tasks[0].metadata.generation, Some(2));
    }

    #[test]
    fn annotations_are_the_manifests_own_but_in_a_cluster() {
        let held = laptop(", annotations: {activebackup.dev/suspended: \"true\"}");
        for (is_cluster, stays) in [(false, false), (true, true)] {
            let first = declared(&held, Kept::default(), false);
            assert!(first.tasks[0].is_suspended());
            let second = declared(&laptop(""), kept(first, is_cluster), false);
            assert_eq!(second.tasks[0].is_suspended(), stays);
        }
    }

    #[test]
    fn what_is_not_declared_rests_until_it_is_pruned_and_a_deletion_goes_on() {
        let mut first = declared(&laptop(""), Kept::default(), false);
        first.tasks[0].metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        let second = declared(NAS, kept(first, false), false);
        assert!(second.tasks.is_empty() && second.task_origins.is_empty());
        let mut first = declared(&laptop(""), Kept::default(), false);
        first.tasks[0].metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        let pruned = declared(NAS, kept(first, false), true);
        assert!(pruned.tasks[0].is_deleted());
        let later = declared(NAS, kept(pruned, false), false);
        assert!(later.tasks[0].is_deleted() && later.task_origins.len() == 1);
    }

    #[test]
    fn what_rests_keeps_its_nas_task() {
        let first = declared(&laptop(""), Kept::default(), false);
        let mut known = kept(first, false);
        known.tasks[0].spec.task.name = None;
        known.tasks[0].spec.task.unique_key = Some("key".to_owned());
        let other = laptop("").replace("metadata: {name: laptop}", "metadata: {name: other}")
            + "  removal: {when: Now, confirm: key, notAfter: \"2099-01-01T00:00:00Z\"}\n";
        let faults = declare(&manifests(&other), known, false, Timestamp::UNIX_EPOCH);
        let Err(faults) = faults else {
            panic!("it was accepted")
        };
        assert!(faults[0].message.contains("the same NAS task"), "{}", faults[0]);
    }

    #[test]
    fn what_is_declared_again_is_not_to_go() {
        let mut first = declared(&laptop(""), Kept::default(), false);
        first.tasks[0].metadata.finalizers = Some(vec![crate::api::FINALIZER.to_owned()]);
        let pruned = declared(NAS, kept(first, false), true);
        assert!(pruned.tasks[0].is_deleted());
        let again = declared(&laptop(""), kept(pruned, false), false);
        assert!(!again.tasks[0].is_deleted());
    }

    #[test]
    fn a_change_that_the_api_server_would_refuse_is_refused() {
        let first = declared(&laptop(""), Kept::default(), false);
        let moved = laptop("").replace("serverRef: {name: nas}", "serverRef: {name: other}");
        let faults = declare(
            &manifests(&moved),
            kept(first, false),
            false,
            Timestamp::UNIX_EPOCH,
        );
        let Err(faults) = faults else {
            panic!("it was accepted")
        };
        assert!(faults[0].message.contains("immutable"), "{}", faults[0]);
    }
}
