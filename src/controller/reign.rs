//! The beginning of a reign. What this process remembers is from before another one led, and its watch may lack what
//! the predecessor recorded a moment ago: a run that nobody counts would be one too many. So the first pass of each
//! reign, the first of a process included, forgets what it saw of the NAS and reads the API server itself.

use std::{collections::BTreeSet, sync::Arc};

use kube::ResourceExt;

use super::{
    Context,
    cluster::Cluster,
    connect,
    fleet::Memory,
    pass::{uid, version},
};
use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
};

/// Begins a reign, if the memory is of another one. Network: a read of the server, a list of the namespace's tasks.
///
/// Until both have succeeded nothing may be started; the reason comes back.
pub async fn begin<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    memory: &mut Memory,
) -> Result<(), String> {
    let reign = fence.reign();
    if memory.reign == Some(reign) {
        return Ok(());
    }
    let namespace = server.namespace().unwrap_or_default();
    let (cluster, name) = (&ctx.cluster, server.name_any());
    let (live, tasks) = futures::join!(
        cluster.read_server(&namespace, &name),
        cluster.list_tasks(&namespace)
    );
    let live = live
        .map_err(|error| error.to_string())?
        .filter(|live| live.uid() == server.uid())
        .ok_or_else(|| "the BackupServer does not exist any more".to_owned())?;
    let tasks = tasks.map_err(|error| error.to_string())?;
    ctx.machine.codes.begin_reign(reign, ctx.now());
    memory.begin_reign();
    connect::forget_refusal(&live, memory).await;
    for task in tasks.into_iter().filter(|task| is_of(task, server)) {
        // `newest_tasks` takes whichever is newer, this or what the watch shows.
        memory.unwatched.insert(uid(&task), task.clone());
        memory.written.insert(uid(&task), task);
    }
    memory.written_server = Some(live);
    memory.reign = Some(reign);
    Ok(())
}

/// The watched tasks, and those that a live read showed and the watch has not brought yet. Network: one read for each
/// of these, which may be gone again.
pub async fn with_unwatched<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    mut tasks: Vec<Arc<BackupTask>>,
    memory: &mut Memory,
) -> Vec<Arc<BackupTask>> {
    let watched: BTreeSet<String> = tasks.iter().map(|task| uid(task)).collect();
    memory.unwatched.retain(|uid, _| !watched.contains(uid));
    let unwatched: Vec<BackupTask> = memory.unwatched.values().cloned().collect();
    for known in unwatched {
        let namespace = known.namespace().unwrap_or_default();
        let read = ctx.cluster.read_task(&namespace, &known.name_any()).await;
        let task = match read {
            Ok(Some(task)) if task.uid() == known.uid() && is_of(&task, server) => task,
            Ok(_) => {
                memory.unwatched.remove(&uid(&known));
                continue;
            }
            // What was seen of it counts until something else is seen.
            Err(_) => known,
        };
        let newest = memory.written.get(&uid(&task)).cloned();
        let newest = newest.filter(|ours| version(ours) > version(&task));
        tasks.push(Arc::new(newest.unwrap_or(task)));
    }
    tasks
}

fn is_of(task: &BackupTask, server: &BackupServer) -> bool {
    task.namespace() == server.namespace() && task.spec.server_ref.name == server.name_any()
}
