//! What a pass reads from the NAS: the inventory when it is due, and what single decisions ask for beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{Context, cluster::Cluster, connect, fleet::Memory, packed::Uid, pass::AT_ONCE};
use crate::{
    api::{BackupServer, BackupTask, BackupTaskStatus},
    decide::Needs,
    nas::{self, TaskId},
    observe::{
        LogByTask, ResultsByTask, Shelf, VersionsByTask, Wanted, read_log, read_results, read_shelf,
        read_versions,
    },
};

/// How often the NAS is read now.
pub fn pace(server: &BackupServer, memory: &Memory) -> SignedDuration {
    let polling = &server.spec.polling;
    let [idle, active] = [&polling.idle, &polling.active]
        .map(|d| SignedDuration::try_from(d.get()).unwrap_or(SignedDuration::MAX));
    match &memory.problem {
        // Somebody mends a Secret and waits for it; a NAS that is switched off is asked less and less.
        Some(problem) if problem.stalled => active.min(idle),
        Some(_) => {
            (active * 1_i32.checked_shl(memory.failures.min(12)).unwrap_or(i32::MAX)).min(idle.max(active))
        }
        None if memory.active => active.min(idle),
        None => idle,
    }
}

/// Reads the inventory when it is due. Network.
pub async fn poll<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &mut Memory,
    tasks: &[BackupTask],
    now: Timestamp,
) {
    if memory.next_poll.is_some_and(|due| now < due) {
        return;
    }
    match connect::connect(ctx, server, memory, now).await {
        Ok(()) => {
            let asks = |task: &BackupTask| is_open(task, task.status.as_ref());
            // What is due at the start needs the queue; asking for it right away spares a second list.
            let unclear = memory.shelf.as_ref().is_none_or(|shelf| shelf.unclear);
            let with_queue = unclear || tasks.iter().any(asks);
            inventory(ctx, server, memory, with_queue).await;
        }
        Err(problem) => memory.fail(problem),
    }
    memory.next_poll = Some(ctx.now() + pace(server, memory));
}

/// Whether the object waits for something to show on the NAS, for which its queue has to be read.
pub fn is_open(task: &BackupTask, status: Option<&BackupTaskStatus>) -> bool {
    status.is_some_and(|status| status.intent.is_some() || status.run.is_some()) || task.is_deleted()
}

/// One inventory read. Network.
pub async fn inventory<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &mut Memory,
    with_queue: bool,
) -> bool {
    let begun = ctx.now();
    let mut read = read_identified(memory, with_queue).await;
    if matches!(&read, Some(Err(error)) if error.is_session_over()) {
        // The next login is one with the Secret as it is now.
        memory.is_session_over = true;
        if let Err(problem) = connect::connect(ctx, server, memory, begun).await {
            memory.fail(problem);
            return false;
        }
        read = read_identified(memory, with_queue).await;
    }
    let Some(read) = read else { return false };
    match read {
        Ok(shelf) => {
            memory.list_duration = Some(ctx.now().duration_since(begun));
            memory.failures = 0;
            memory.problem = None;
            memory.shelf = Some(Arc::new(shelf));
            memory.early = None;
            memory.is_news = true;
            true
        }
        Err(error) => {
            tracing::warn!(server = server.name_any(), %error, "failed to read the inventory");
            let now = ctx.now();
            let problem = connect::failed(server, memory, &error, now, None);
            memory.fail(problem);
            false
        }
    }
}

/// An inventory of a machine that was asked who it is: again where a login came in between, for another machine may
/// stand behind the address since. Where it does, what was read may be of both, and is read anew. Network.
async fn read_identified(memory: &mut Memory, with_queue: bool) -> Option<Result<Shelf, nas::Error>> {
    let connection = memory.connection.as_mut()?;
    // A session that is over is told of, not renewed: the Secret may have changed since it was read.
    let client = connection.client.clone().without_renewal();
    let known = memory.shelf.as_ref();
    let shelf = match read_shelf(&client, with_queue, known).await {
        Ok(shelf) if connection.is_identified() => return Some(Ok(shelf)),
        Ok(shelf) => shelf,
        Err(error) => return Some(Err(error)),
    };
    let before = connection.serial().map(str::to_owned);
    if let Err(error) = connect::identify(connection).await {
        return Some(Err(error));
    }
    if connection.serial() == before.as_deref() {
        return Some(Ok(shelf));
    }
    // Were there yet another login in this read, nothing would be sent before the machine is asked once more.
    Some(read_shelf(&client, with_queue, known).await)
}

pub fn serial(memory: &Memory) -> Option<String> {
    memory.connection.as_ref()?.serial().map(str::to_owned)
}

/// What one task's decision needs to see beside the inventory.
pub struct Want {
    /// Its object.
    pub uid: Uid,
    /// The task on the NAS.
    pub id: TaskId,
    /// What of it.
    pub needs: Needs,
}

/// Reads the logs of single tasks. One that cannot be read is asked for again at the next poll. Network.
pub async fn logs(memory: &Memory, wanting: &[Want], logs: &mut LogByTask) {
    let Some(connection) = &memory.connection else {
        return;
    };
    let of = |want: &Want| want.needs.log_since.map(|since| (want.id, since));
    let wanted: BTreeMap<TaskId, i64> = wanting.iter().filter_map(of).collect();
    let read_one = |(id, since)| async move { (id, read_log(&connection.client, id, since).await) };
    let found: Vec<_> = stream::iter(wanted)
        .map(read_one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    logs.extend(found.into_iter().map(|(id, read)| (id, read.unwrap_or_default())));
}

/// Reads results and versions of single tasks. Network: one call each, a few at once.
pub async fn details(
    memory: &mut Memory,
    wanting: &[Want],
    results: &mut ResultsByTask,
    versions: &mut VersionsByTask,
) {
    let Some(connection) = &memory.connection else {
        return;
    };
    let client = connection.client.clone();
    let (results_of, versions_of): (BTreeSet<TaskId>, BTreeSet<TaskId>) = (
        wanting
            .iter()
            .filter(|want| want.needs.results)
            .map(|want| want.id)
            .collect(),
        wanting
            .iter()
            .filter(|want| want.needs.versions)
            .map(|want| want.id)
            .collect(),
    );
    let read_one = |id| {
        let client = client.clone();
        async move { (id, read_results(&client, id).await) }
    };
    let histories: Vec<_> = stream::iter(results_of)
        .map(read_one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let read_one = |id| {
        let client = client.clone();
        async move { (id, read_versions(&client, id).await.ok().flatten()) }
    };
    let found: Vec<_> = stream::iter(versions_of)
        .map(read_one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    versions.extend(found.into_iter().filter_map(|(id, read)| Some((id, read?))));
    for want in wanting.iter().filter(|want| want.needs.versions) {
        let knowledge = memory.knowledge.entry(want.uid).or_default();
        knowledge.versions_unreadable = !versions.contains_key(&want.id);
    }
    let unreadable: BTreeSet<TaskId> = histories
        .iter()
        .filter(|(_, read)| read.is_err())
        .map(|(id, _)| *id)
        .collect();
    results.extend(
        histories
            .into_iter()
            .filter_map(|(id, read)| Some((id, read.ok()?))),
    );
    let mut wanted = Wanted::default();
    for want in wanting.iter().filter(|want| want.needs.results) {
        wanted.id(want.id);
    }
    let inventory = memory.shelf.as_ref().map(|shelf| shelf.open(&wanted));
    for want in wanting.iter().filter(|want| want.needs.results) {
        let knowledge = memory.knowledge.entry(want.uid).or_default();
        if let Some(inventory) = &inventory {
            let last = inventory.task(want.id).and_then(|task| task.last_result.as_ref());
            let readable = !unreadable.contains(&want.id);
            knowledge.note_history(inventory, last.map(|row| row.result_id), readable);
        }
    }
}
