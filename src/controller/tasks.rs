//! The watched BackupTasks, put away small and by server. A relist changes them in place: the old and the new list are
//! never there at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic::Ordering},
};

use kube::ResourceExt;
use tokio::time::Instant;

use super::{
    ServerKey,
    packed::{ByName, Packed, Uid},
    server_of,
};
use crate::api::BackupTask;

/// The tasks that a watch has shown. Clones share them.
#[derive(Clone, Default)]
pub struct TaskStore {
    content: Arc<RwLock<Content>>,
}

#[derive(Default)]
struct Content {
    servers: BTreeMap<Arc<ServerKey>, Tasks>,
    /// Whether a list is under way.
    is_listing: bool,
    /// Its number, or that of the last one; numbers come back after 65,536 lists.
    list: u16,
    /// When the list under way, or the last one, was asked for.
    asked: Option<Instant>,
}

/// The tasks of one server.
#[derive(Default)]
struct Tasks {
    by_name: BTreeSet<ByName>,
    /// How often one was shown with something that its status does not answer.
    edits: u64,
}

impl TaskStore {
    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list begins that was asked for at that time, or later: what it does not show is gone when it ends.
    pub fn begin_list(&self, asked: Instant) {
        let mut content = self.write();
        content.is_listing = true;
        content.list = content.list.wrapping_add(1);
        content.asked = Some(asked);
    }

    /// Since when all changes are shown, or will be in a moment: the last list was asked for at that time, or later, and has
    /// ended. Lists are consistent reads.
    #[must_use]
    pub fn listed_since(&self) -> Option<Instant> {
        let content = self.read();
        content.asked.filter(|_| !content.is_listing)
    }

    /// Takes a task as it is now. Tells whether that is news.
    #[allow(clippy::must_use_candidate, reason = "the store is changed, whoever asks")]
    pub fn put(&self, task: BackupTask) -> bool {
        let mut content = self.write();
        let server = content.shared(server_of(&task));
        let packed = Packed::of(task, server);
        packed.shown.0.store(content.list, Ordering::Relaxed);
        content.put(packed)
    }

    /// Takes a task away. Tells whether it was there.
    #[allow(clippy::must_use_candidate, reason = "the store is changed, whoever asks")]
    pub fn remove(&self, task: &BackupTask) -> bool {
        let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
        let uid = Uid::of_task(task);
        self.write().take(&namespace, &name, Some(&uid)).is_some()
    }

    /// Takes away what has become unreadable; whose task it was.
    #[allow(clippy::must_use_candidate, reason = "the store is changed, whoever asks")]
    pub fn remove_named(&self, namespace: &str, name: &str) -> Option<ServerKey> {
        self.write().take(namespace, name, None)
    }

    /// The list has ended: takes away what it did not show, and tells whose tasks these were.
    #[allow(clippy::must_use_candidate, reason = "the store is changed, whoever asks")]
    pub fn end_list(&self) -> BTreeSet<ServerKey> {
        let mut content = self.write();
        if !std::mem::take(&mut content.is_listing) {
            return BTreeSet::new();
        }
        let list = content.list;
        let mut touched = BTreeSet::new();
        for (server, tasks) in &mut content.servers {
            let before = tasks.by_name.len();
            let is_shown = |ByName(task): &ByName| task.shown.0.load(Ordering::Relaxed) == list;
            tasks.by_name.retain(is_shown);
            if tasks.by_name.len() != before {
                touched.insert(ServerKey::clone(server));
            }
        }
        content.tidy();
        touched
    }

    /// The tasks of one server, by name.
    #[must_use]
    pub fn of(&self, server: &ServerKey) -> Vec<Arc<Packed>> {
        let content = self.read();
        let tasks = content.servers.get(server);
        tasks
            .into_iter()
            .flat_map(|tasks| &tasks.by_name)
            .map(|ByName(task)| Arc::clone(task))
            .collect()
    }

    /// A number that changes when somebody has edited a task of that server.
    #[must_use]
    pub fn edits(&self, server: &ServerKey) -> u64 {
        self.read().servers.get(server).map_or(0, |tasks| tasks.edits)
    }

    /// The servers that tasks name, whether they exist or not.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerKey> {
        let content = self.read();
        content
            .servers
            .keys()
            .map(|server| ServerKey::clone(server))
            .collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers().is_empty()
    }
}

impl Content {
    /// What the tasks of that server share already.
    fn shared(&self, server: ServerKey) -> Arc<ServerKey> {
        let known = self.servers.get_key_value(&server);
        known.map_or_else(|| Arc::new(server), |(known, _)| Arc::clone(known))
    }

    fn of_namespace(&mut self, namespace: &str) -> impl Iterator<Item = (&Arc<ServerKey>, &mut Tasks)> {
        let first = (namespace.to_owned(), String::new());
        let from = self
            .servers
            .range_mut::<ServerKey, _>((Bound::Included(&first), Bound::Unbounded));
        from.take_while(move |(server, _)| server.0 == first.0)
    }

    fn put(&mut self, task: Packed) -> bool {
        let server = Arc::clone(&task.server);
        let known = self
            .servers
            .get(&*server)
            .and_then(|tasks| tasks.by_name.get(task.name()));
        match known {
            Some(ByName(known)) if known.uid == task.uid && known.version >= task.version => {
                known.shown.0.store(self.list, Ordering::Relaxed);
                return false;
            }
            Some(_) => {}
            // The server of an object never changes, but another object may have taken its name.
            None => {
                for (_, tasks) in self.of_namespace(&server.0) {
                    tasks.by_name.remove(task.name());
                }
            }
        }
        let tasks = self.servers.entry(server).or_default();
        tasks.edits += u64::from(task.is_edited());
        tasks.by_name.replace(ByName(Arc::new(task)));
        true
    }

    fn take(&mut self, namespace: &str, name: &str, uid: Option<&Uid>) -> Option<ServerKey> {
        let holds = |tasks: &Tasks| {
            let known = tasks.by_name.get(name);
            known.is_some_and(|ByName(known)| uid.is_none_or(|uid| known.uid == *uid))
        };
        let (server, tasks) = self.of_namespace(namespace).find(|(_, tasks)| holds(tasks))?;
        let key = ServerKey::clone(server);
        tasks.by_name.remove(name);
        if tasks.by_name.is_empty() {
            self.tidy();
        }
        Some(key)
    }

    fn tidy(&mut self) {
        self.servers.retain(|_, tasks| !tasks.by_name.is_empty());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use serde_json::json;

    use super::*;

    fn task(name: &str, server: &str, uid: &str, version: u64) -> BackupTask {
        task_in("here", name, server, uid, version)
    }

    fn task_in(namespace: &str, name: &str, server: &str, uid: &str, version: u64) -> BackupTask {
        serde_json::from_value(json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
            "metadata": {
                "name": name, "namespace": namespace, "uid": uid, "resourceVersion": version.to_string(),
            },
            "spec": { "serverRef": { "name": server }, "task": { "id": 1 } },
        }))
        .unwrap()
    }

    fn names(store: &TaskStore, server: &str) -> Vec<String> {
        let tasks = store.of(&("here".to_owned(), server.to_owned()));
        tasks.iter().map(|task| task.name().to_owned()).collect()
    }

    #[test]
    fn what_a_list_does_not_show_is_gone_when_it_ends() {
        let store = TaskStore::default();
        store.begin_list(Instant::now());
        assert!(store.put(task("a", "nas", "u1", 1)));
        assert!(store.put(task("b", "nas", "u2", 2)));
        assert!(store.end_list().is_empty());
        store.begin_list(Instant::now());
        assert!(!store.put(task("b", "nas", "u2", 2)), "as it was");
        assert_eq!(names(&store, "nas"), ["a", "b"], "until the list has ended");
        let touched: Vec<_> = store.end_list().into_iter().collect();
        assert_eq!(touched, [("here".to_owned(), "nas".to_owned())]);
        assert_eq!(names(&store, "nas"), ["b"]);
    }

    #[test]
    fn a_name_is_one_of_its_namespace() {
        let store = TaskStore::default();
        let namespaces = ["her", "here", "here-too", "hero"];
        for (number, namespace) in namespaces.iter().enumerate() {
            assert!(store.put(task_in(namespace, "a", &format!("nas-{number}"), namespace, 1)));
        }
        assert_eq!(store.servers().len(), 4);
        assert_eq!(
            store.remove_named("here", "a"),
            Some(("here".to_owned(), "nas-1".to_owned()))
        );
        assert_eq!(store.remove_named("here", "a"), None);
        assert_eq!(store.servers().len(), 3);
    }

    #[test]
    fn an_older_version_is_no_news_and_another_object_of_the_name_is() {
        let store = TaskStore::default();
        assert!(store.put(task("a", "nas", "u1", 5)));
        assert!(!store.put(task("a", "nas", "u1", 4)));
        assert!(
            store.put(task("a", "other", "u2", 6)),
            "made anew for another server"
        );
        assert!(names(&store, "nas").is_empty());
        assert_eq!(names(&store, "other"), ["a"]);
        assert!(!store.remove(&task("a", "other", "u1", 7)));
        assert_eq!(names(&store, "other"), ["a"], "the end of the old one comes late");
        assert!(store.remove(&task("a", "other", "u2", 7)));
        assert!(store.servers().is_empty() && store.is_empty());
    }
}
