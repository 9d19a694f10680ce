//! One pass over one BackupServer: observe, decide, act, report. kube-runtime never runs two passes of a server at
//! once and folds a burst of changes into one, so a pass sees server, tasks and inventory as one value.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::Instant;

use super::{
    Context,
    awake::{Awake, Nap, Naps},
    carry,
    cluster::Cluster,
    connect,
    fleet::Memory,
    judge::{self, Decided, Judged},
    packed::{Packed, version},
    read, reign, report,
};
use crate::{
    act::Fence,
    api::{BackupServer, BackupTask},
    nas::TaskId,
};

/// Reads of single tasks and writes of one pass under way at once.
pub(super) const AT_ONCE: usize = 16;
/// After a reign could not be begun: the API server does not answer, or does not know the BackupServer.
const BEGIN_AGAIN: Duration = Duration::from_secs(2);

/// Runs one pass over whole objects; returns when the next one is due by itself.
pub async fn pass<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    tasks: Vec<Arc<BackupTask>>,
) -> Duration {
    let packed = tasks.iter().map(|task| Arc::new(Packed::alone(task)));
    pass_over(ctx, server, packed.collect(), None, &|| false).await
}

/// Does what a first pass needs and what needs no task: reads the server, logs in, reads the NAS. Network.
pub async fn prepare<C: Cluster>(ctx: &Context<C>, server: &BackupServer) {
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    let memory = ctx.fleet.server(&key);
    let mut memory = memory.lock().await;
    let fence = ctx.fence_of(&key).of_this_reign();
    memory.follow(server).await;
    read_early(ctx, &fence, server, &mut memory).await;
}

/// Reads the NAS before the tasks are known. What fails is said by the pass; only a refused login is written down at once: if
/// the tasks cannot be listed there is no pass, and whoever has the server next would be refused once more. Network.
async fn read_early<C: Cluster>(ctx: &Context<C>, fence: &Fence, server: &BackupServer, memory: &mut Memory) {
    if !fence.is_open() || reign::enter(ctx, fence, server, memory).await.is_err() {
        return;
    }
    let namespace = server.namespace().unwrap_or_default();
    let Ok(version) = ctx.cluster.tasks_version(&namespace).await else {
        return;
    };
    if !fence.is_open() {
        return;
    }
    let (server, asked) = (newest_server(server, memory), ctx.now());
    read::poll(ctx, &server, memory, &[], asked).await;
    let is_read = memory.shelf.as_ref().is_some_and(|shelf| shelf.begun >= asked);
    memory.early = version.filter(|_| is_read);
    if memory.refusal.is_some() {
        report::server(ctx, fence, &server, memory, None).await;
    }
}

/// Runs one pass; returns when the next one is due by itself. The tasks are as a watch shows them, whose list was asked for at
/// `listed_since` or later; `is_awaited` tells whether one of them was edited since.
pub async fn pass_over<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    tasks: Vec<Arc<Packed>>,
    listed_since: Option<Instant>,
    is_awaited: &(dyn Fn() -> bool + Sync),
) -> Duration {
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    let memory = ctx.fleet.server(&key);
    let mut memory = memory.lock().await;
    let memory = &mut *memory;
    let fence = ctx.fence_of(&key).of_this_reign();
    memory.follow(server).await;
    if memory.entered != Some(fence.reign()) && reign::has_to_list(&fence, listed_since, memory) {
        // Whoever takes many servers at once lists the tasks once for all of them, so all are taken and read first.
        read_early(ctx, &fence, server, memory).await;
    }
    if let Err(why) = reign::begin(ctx, &fence, server, listed_since, memory).await {
        tracing::warn!(server = key.1, why, "cannot begin to lead; nothing is started");
        if memory.refusal.is_some() {
            let server = newest_server(server, memory);
            report::server(ctx, &fence, &server, memory, None).await;
        }
        return BEGIN_AGAIN;
    }
    if !fence.is_open() {
        // Leadership ended since: a login whose refusal could not be recorded would be tried once more by the next one.
        return BEGIN_AGAIN;
    }
    // What was read of the NAS before the tasks were known was not read in this pass.
    let begun = ctx.now();
    let server = newest_server(server, memory);
    let tasks = newest_tasks(reign::with_unwatched(ctx, &server, tasks, memory).await, memory);
    let known = judge::digest(&judge::facts(&server, memory), memory);
    let mut awake = Awake::begin(&tasks, memory, known, begun, &*ctx.machine.identity);
    let found = settles_from(&fence, &server, begun);
    read::poll(ctx, &server, memory, &awake.objects, begun).await;
    let judged = judge::decide_all(ctx, &server, memory, &mut awake, begun, found).await;
    let mut next = carry::carry_out(ctx, &fence, &server, memory, &awake, &judged, is_awaited).await;
    let decisions = &judged.decided;
    memory.active = awake.left > 0 || decisions.iter().any(|(decision, _)| decision.active);
    memory.seeking = seeking(&awake.objects, decisions);
    if fence.is_open() {
        connect::probe(memory, ctx.now()).await;
    }
    note_skew(memory, decisions);
    let now = ctx.now();
    let due = next_look(&server, memory, &awake.objects, decisions, now);
    memory.next_poll = Some(due);
    judge::let_rest(memory, &awake, &judged, now);
    awake.note_turns(memory);
    #[cfg(debug_assertions)]
    judge::prove_naps(now, &server, memory, &tasks);
    // Those who were left for the next pass are not counted yet.
    let bound = (awake.left == 0).then(|| all_bound(&memory.naps, &judged));
    report::server(ctx, &fence, &server, memory, bound.as_deref()).await;
    ctx.fleet.note(&key, memory);
    if awake.left > 0 {
        return Duration::ZERO;
    }
    let now = ctx.now();
    let wakes = decisions.iter().filter_map(|(decision, _)| decision.wake);
    let naps = memory.naps.values().filter_map(Nap::until).min();
    // A time that has passed wakes nobody: what was to be seen then is seen by the next look.
    for wake in wakes.chain(naps).filter(|wake| *wake > now).chain([due]) {
        next = next.min(Duration::try_from(wake.duration_since(now)).unwrap_or_default());
    }
    // A time that has just come is met by the next turn of the loop, not by this one again.
    next.max(Duration::from_millis(20))
}

/// The NAS tasks that somebody is bound to, in order, each once.
fn all_bound(naps: &Naps, judged: &Judged) -> Vec<TaskId> {
    let at_rest = naps.values().map(|nap| nap.bound);
    let mut bound: Vec<TaskId> = at_rest.chain(judged.bound.iter().flatten().copied()).collect();
    bound.sort_unstable();
    bound.dedup();
    bound
}

/// Notes the clock skew of the newest result that shows one.
fn note_skew(memory: &mut Memory, decided: &[Decided]) {
    let results = decided
        .iter()
        .filter_map(|(decision, _)| decision.status.last_result.as_ref());
    let shown = results.filter_map(|result| Some((result.result_id, result.clock_skew_seconds?)));
    memory.shown_skew = shown.chain(memory.shown_skew).max();
}

/// The tasks for which a run is due, queued or in flight.
fn seeking(tasks: &[BackupTask], decided: &[Decided]) -> BTreeSet<String> {
    let sought = |(task, (decision, _)): (&BackupTask, &Decided)| decision.seeking.then(|| uid(task));
    tasks.iter().zip(decided).filter_map(sought).collect()
}

/// When the NAS is looked at next: as often as its pace says, and where something open waits for a time (the end of a
/// settling time, a deadline) right then, or now if that time has passed since the newest look. A NAS that cannot be
/// read is asked at its own pace.
fn next_look(
    server: &BackupServer,
    memory: &Memory,
    tasks: &[BackupTask],
    decided: &[Decided],
    now: Timestamp,
) -> Timestamp {
    let pace = read::pace(server, memory);
    let regular = memory.next_poll.map_or(now, |poll| poll.min(now + pace));
    let newest = memory.shelf.as_ref().map(|shelf| shelf.begun);
    let awaited = tasks
        .iter()
        .zip(decided)
        .filter(|(task, (_, status))| read::is_open(task, Some(status)))
        .filter_map(|(_, (decision, _))| decision.wake)
        .filter(|wake| *wake > now || newest.is_some_and(|newest| newest < *wake));
    match awaited.min() {
        Some(time) if memory.problem.is_none() => regular.min(time.max(now)),
        Some(_) | None => regular,
    }
}

/// When the settling time of an intent starts that is found now. A Lease is free only after the deadline of its last
/// holder's calls; without one, a predecessor that died a moment ago may have sent its call just then.
fn settles_from(fence: &Fence, server: &BackupServer, found: Timestamp) -> Timestamp {
    if fence.is_leased() {
        return found;
    }
    let request = server.spec.timeouts.request.get();
    found.saturating_add(request).unwrap_or(found)
}

/// Takes our own newer write where the watch has not brought it yet: deciding twice on the older one would only end
/// in a conflict.
fn newest_tasks(mut tasks: Vec<Arc<Packed>>, memory: &mut Memory) -> Vec<Arc<Packed>> {
    if memory.written.is_empty() {
        return tasks;
    }
    for task in &mut tasks {
        match memory.written.get(&task.uid) {
            Some(ours) if ours.version > task.version => *task = Arc::clone(ours),
            Some(_) => drop(memory.written.remove(&task.uid)),
            None => {}
        }
    }
    tasks
}

fn newest_server(server: &BackupServer, memory: &mut Memory) -> BackupServer {
    match memory.written_server.take() {
        Some(ours) if ours.uid() == server.uid() && version(&ours) > version(server) => {
            memory.written_server = Some(ours.clone());
            ours
        }
        _ => server.clone(),
    }
}

fn uid(task: &BackupTask) -> String {
    task.uid().unwrap_or_else(|| task.name_any())
}
