//! The beginning of a reign. What this process remembers is from before another one led, and its watch may lack what
//! the predecessor recorded a moment ago: a run that nobody counts would be one too many. So the first pass of each
//! reign, the first of a process included, forgets what it saw of the NAS and reads the API server itself.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use kube::ResourceExt;
use tokio::{sync::Mutex, time::Instant};

use super::{
    Context,
    cluster::{Cluster, ReadError},
    connect,
    fleet::{Memory, ServerKey},
    packed::{Packed, Uid},
};
use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
};

/// Begins a reign with the server, if the memory is of another one: what was seen of the NAS before is forgotten. Network: a
/// read of the server.
///
/// # Errors
/// Why the server is not known as it is now; nothing may be sent to its NAS until it is.
pub async fn enter<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    memory: &mut Memory,
) -> Result<(), String> {
    let reign = fence.reign();
    if memory.entered == Some(reign) {
        return Ok(());
    }
    let namespace = server.namespace().unwrap_or_default();
    let live = ctx.cluster.read_server(&namespace, &server.name_any()).await;
    let live = live
        .map_err(|error| error.to_string())?
        .filter(|live| live.uid() == server.uid())
        .ok_or_else(|| "the BackupServer does not exist any more".to_owned())?;
    ctx.machine.codes.begin_reign(reign, ctx.now());
    memory.begin_reign();
    connect::forget_refusal(&live, memory).await;
    memory.written_server = Some(live);
    memory.entered = Some(reign);
    Ok(())
}

/// Whether the reign has to begin with a list of the tasks: the watch's own was asked for before it began, or nobody knows
/// whether it was.
pub fn has_to_list(fence: &Fence, listed_since: Option<Instant>, memory: &Memory) -> bool {
    memory.reign != Some(fence.reign()) && fence.since().is_none_or(|since| listed_since < Some(since))
}

/// Begins a reign with the tasks, once it was entered. Network: a list of the namespace's tasks unless the watch's own was
/// asked for after the reign began.
///
/// # Errors
/// Why the tasks are not known as they are now; nothing may be started until they are.
pub async fn begin<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    listed_since: Option<Instant>,
    memory: &mut Memory,
) -> Result<(), String> {
    enter(ctx, fence, server, memory).await?;
    let reign = fence.reign();
    if memory.reign == Some(reign) {
        return Ok(());
    }
    if has_to_list(fence, listed_since, memory) {
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        let since = fence.since();
        let listed = ctx.fleet.lists.of(&ctx.cluster, &namespace, &name, since).await;
        for task in listed.map_err(|error| error.to_string())? {
            // `newest_tasks` takes whichever is newer, this or what the watch shows.
            memory.unwatched.insert(task.uid, Arc::clone(&task));
            memory.written.insert(task.uid, task);
        }
    }
    memory.reign = Some(reign);
    Ok(())
}

/// The watched tasks, and those that a live read showed and the watch has not brought yet. Network: one read for each
/// of these, which may be gone again.
pub async fn with_unwatched<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    mut tasks: Vec<Arc<Packed>>,
    memory: &mut Memory,
) -> Vec<Arc<Packed>> {
    if memory.unwatched.is_empty() {
        return tasks;
    }
    for task in &tasks {
        memory.unwatched.remove(&task.uid);
    }
    let unwatched: Vec<Arc<Packed>> = memory.unwatched.values().cloned().collect();
    for known in unwatched {
        let read = ctx.cluster.read_task(&known.server.0, known.name()).await;
        let task = match read {
            Ok(Some(task)) if Uid::of_task(&task) == known.uid && is_of(&task, server) => {
                Arc::new(Packed::alone(&task))
            }
            Ok(_) => {
                memory.unwatched.remove(&known.uid);
                continue;
            }
            // What was seen of it counts until something else is seen.
            Err(_) => known,
        };
        let newest = memory.written.get(&task.uid).cloned();
        tasks.push(newest.filter(|ours| ours.version > task.version).unwrap_or(task));
    }
    tasks
}

/// A process that takes many servers at once reads the tasks of their namespace once or twice, not once for each: a list
/// serves all that were taken before it was begun.
#[derive(Default)]
pub struct Lists {
    of_namespaces: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Listed>>>>>,
}

/// The tasks of one namespace, by server.
struct Listed {
    begun: Instant,
    tasks: HashMap<Arc<ServerKey>, Vec<Arc<Packed>>>,
    /// Each is served once: whoever asks again has forgotten what it has written since.
    served: HashSet<String>,
}

impl Listed {
    fn is_for(&self, server: &str, since: Instant) -> bool {
        self.begun > since && !self.served.contains(server)
    }
}

/// A list is let go that long after it was begun.
const KEPT: Duration = Duration::from_secs(5);

impl Lists {
    /// The tasks of one server as they were at some time after `since`, or are now. Network: at most one list of the namespace.
    async fn of<C: Cluster>(
        &self,
        cluster: &C,
        namespace: &str,
        server: &str,
        since: Option<Instant>,
    ) -> Result<Vec<Arc<Packed>>, ReadError> {
        let since = since.unwrap_or_else(Instant::now);
        let place = {
            let mut all = self.of_namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(namespace.to_owned()).or_default())
        };
        let mut listed = place.lock().await;
        if !listed.as_ref().is_some_and(|listed| listed.is_for(server, since)) {
            let begun = Instant::now();
            let mut tasks: HashMap<Arc<ServerKey>, Vec<Arc<Packed>>> = HashMap::new();
            for task in cluster.list_tasks(namespace).await? {
                tasks.entry(Arc::clone(&task.server)).or_default().push(task);
            }
            *listed = Some(Listed {
                begun,
                tasks,
                served: HashSet::new(),
            });
        }
        let Some(listed) = listed.as_mut() else {
            return Ok(Vec::new());
        };
        listed.served.insert(server.to_owned());
        let key = (namespace.to_owned(), server.to_owned());
        Ok(listed.tasks.remove(&key).unwrap_or_default())
    }

    /// Lets go of lists that are not asked for any more.
    pub fn forget(&self) {
        let mut all = self.of_namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, place| {
            let is_old = |listed: &Option<Listed>| listed.as_ref().is_none_or(|l| l.begun.elapsed() > KEPT);
            place.try_lock().map_or(true, |listed| !is_old(&listed))
        });
    }
}

fn is_of(task: &BackupTask, server: &BackupServer) -> bool {
    task.namespace() == server.namespace() && task.spec.server_ref.name == server.name_any()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;
    use crate::controller::store::MemoryStore;

    fn store() -> MemoryStore {
        let store = MemoryStore::default();
        for (name, server) in [("a", "one"), ("b", "other")] {
            let task = serde_json::json!({
                "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
                "metadata": { "name": name, "namespace": "here" },
                "spec": { "serverRef": { "name": server }, "task": { "id": 1 } },
            });
            store.apply_task(serde_json::from_value(task).unwrap());
        }
        store
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_serves_those_who_were_taken_before_it_and_each_of_them_once() {
        let (store, lists) = (store(), Lists::default());
        let ask = async |server: &str, since: Instant| {
            let tasks = lists.of(&store, "here", server, Some(since)).await.unwrap();
            tasks.iter().map(|task| task.version).collect::<Vec<_>>()
        };
        let taken = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        let first = ask("one", taken).await;
        let mut edited = store.task("here", "b").unwrap();
        edited.spec.suspend = true;
        store.apply_task(edited);
        let shared = ask("other", taken).await;
        tokio::time::advance(Duration::from_secs(1)).await;
        let again = ask("other", taken).await;
        assert!(shared < again, "a list is served once: {again:?}");
        store.apply_task(store.task("here", "a").unwrap());
        let later = ask("one", Instant::now()).await;
        assert!(first < later, "taken after the list: {later:?}");
    }
}
