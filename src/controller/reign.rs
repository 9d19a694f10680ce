//! The beginning of a reign. What this process remembers is from before another one led, and its watch may lack what
//! the predecessor recorded a moment ago: a run that nobody counts would be one too many. So the first pass of each
//! reign, the first of a process included, forgets what it saw of the NAS and reads the API server itself.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kube::ResourceExt;
use tokio::{sync::Mutex, time::Instant};

use super::{
    Context,
    cluster::{Cluster, ReadError},
    connect,
    fleet::Memory,
    packed::{Packed, Uid},
    pass::uid,
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
    if fence.since().is_none_or(|since| listed_since < Some(since)) {
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        let listed = ctx.fleet.lists.of(&ctx.cluster, &namespace, &name).await;
        for task in listed.map_err(|error| error.to_string())? {
            // `newest_tasks` takes whichever is newer, this or what the watch shows.
            memory.unwatched.insert(task.uid.clone(), Arc::clone(&task));
            memory.written.insert(task.uid.clone(), task);
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
        let read = ctx.cluster.read_task(&known.namespace, &known.name).await;
        let task = match read {
            Ok(Some(task)) if Uid::of(&uid(&task)) == known.uid && is_of(&task, server) => {
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
/// that was begun after it was asked for serves all who asked before.
#[derive(Default)]
pub struct Lists {
    of_namespaces: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Listed>>>>>,
}

/// The tasks of one namespace, by server.
struct Listed {
    begun: Instant,
    tasks: HashMap<Arc<str>, Vec<Arc<Packed>>>,
}

/// A list that nobody has asked for is let go after this.
const KEPT: Duration = Duration::from_secs(5);

impl Lists {
    /// The tasks of one server as they are now. Network: at most one list of the namespace.
    async fn of<C: Cluster>(
        &self,
        cluster: &C,
        namespace: &str,
        server: &str,
    ) -> Result<Vec<Arc<Packed>>, ReadError> {
        let asked = Instant::now();
        let place = {
            let mut all = self.of_namespaces.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(namespace.to_owned()).or_default())
        };
        let mut listed = place.lock().await;
        if listed.as_ref().is_none_or(|listed| listed.begun < asked) {
            let begun = Instant::now();
            let mut tasks: HashMap<Arc<str>, Vec<Arc<Packed>>> = HashMap::new();
            for task in cluster.list_tasks(namespace).await? {
                tasks.entry(Arc::clone(&task.server)).or_default().push(task);
            }
            *listed = Some(Listed { begun, tasks });
        }
        let tasks = listed.as_mut().and_then(|listed| listed.tasks.remove(server));
        Ok(tasks.unwrap_or_default())
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
