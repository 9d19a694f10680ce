//! One pass over one BackupServer: observe, decide, act, report. kube-runtime never runs two passes of a server at
//! once and folds a burst of changes into one, so a pass sees server, tasks and inventory as one value.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    Context,
    cluster::{Cluster, WriteError},
    connect,
    fleet::Memory,
    read::{self, Want},
    reign, removal, report,
};
use crate::{
    act::{self, Fence, Peer},
    api::{BackupServer, BackupTask, Intent, IntentAction, Reason},
    decide::{Act, Decision, decide, queue},
    nas::TaskId,
    observe::{
        Admission, Answered, Bound, Claim, Inventory, Knowledge, LogByTask, Observation, Queue,
        ResultsByTask, ServerFacts, VersionsByTask, bind, claims,
    },
    status::{Notice, next_status, notices},
};

/// Reads of single tasks and writes of one pass under way at once.
pub(super) const AT_ONCE: usize = 8;
/// Decide, read what is missing, decide again: freshness, then results, then versions.
const ROUNDS: usize = 4;
/// After a conflict: the watch brings the newer object, this is for the case that it does not.
const AGAIN: Duration = Duration::from_millis(500);
/// After a reign could not be begun: the API server does not answer, or does not know the BackupServer.
const BEGIN_AGAIN: Duration = Duration::from_secs(2);

/// Runs one pass; returns when the next one is due by itself.
pub async fn pass<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    tasks: Vec<Arc<BackupTask>>,
) -> Duration {
    let key = (server.namespace().unwrap_or_default(), server.name_any());
    let memory = ctx.fleet.server(&key);
    let mut memory = memory.lock().await;
    let begun = ctx.now();
    let fence = ctx.fence_of(&key).of_this_reign();
    memory.follow(server).await;
    if let Err(why) = reign::begin(ctx, &fence, server, &mut memory).await {
        tracing::warn!(server = key.1, why, "cannot begin to lead; nothing is started");
        return BEGIN_AGAIN;
    }
    if !fence.is_open() {
        // Leadership ended since: a login whose refusal could not be recorded would be tried once more by the next one.
        return BEGIN_AGAIN;
    }
    let server = newest_server(server, &mut memory);
    let tasks = newest_tasks(
        reign::with_unwatched(ctx, &server, tasks, &mut memory).await,
        &mut memory,
    );
    let found = settles_from(&fence, &server, begun);
    for task in &tasks {
        let knowledge = memory.knowledge.entry(uid(task)).or_default();
        knowledge.find_intent(task, found);
        knowledge.versions_unreadable = false;
    }
    read::poll(ctx, &server, &mut memory, &tasks, begun).await;
    let (decisions, bound) = decide_all(ctx, &server, &mut memory, &tasks, begun).await;
    let mut next = carry_out(ctx, &fence, &server, &mut memory, &tasks, &decisions).await;
    memory.active = decisions.iter().any(|(decision, _)| decision.active);
    memory.seeking = seeking(&tasks, &decisions);
    if fence.is_open() {
        connect::probe(&mut memory, ctx.now()).await;
    }
    let results = decisions
        .iter()
        .filter_map(|(decision, _)| decision.status.last_result.as_ref());
    let newest = results.max_by_key(|result| result.result_id);
    let skew = newest.and_then(|result| result.clock_skew_seconds);
    report::server(ctx, &fence, &server, &mut memory, &bound, skew).await;
    ctx.fleet.note(&key, &memory);
    let now = ctx.now();
    let due = next_look(&server, &memory, &tasks, &decisions, now);
    memory.next_poll = Some(due);
    let wakes = decisions.iter().filter_map(|(decision, _)| decision.wake);
    // A time that has passed wakes nobody: what was to be seen then is seen by the next look.
    for wake in wakes.filter(|wake| *wake > now).chain([due]) {
        next = next.min(Duration::try_from(wake.duration_since(now)).unwrap_or_default());
    }
    // A time that has just come is met by the next turn of the loop, not by this one again.
    next.max(Duration::from_millis(20))
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
    let newest = memory.inventory.as_ref().map(|inventory| inventory.begun);
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
fn newest_tasks(tasks: Vec<Arc<BackupTask>>, memory: &mut Memory) -> Vec<BackupTask> {
    let uids: BTreeSet<String> = tasks.iter().map(|task| uid(task)).collect();
    memory.knowledge.retain(|uid, _| uids.contains(uid));
    memory.written.retain(|uid, _| uids.contains(uid));
    tasks
        .into_iter()
        .map(|task| match memory.written.get(&uid(&task)) {
            Some(ours) if version(ours) > version(task.as_ref()) => ours.clone(),
            _ => {
                memory.written.remove(&uid(&task));
                Arc::unwrap_or_clone(task)
            }
        })
        .collect()
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

/// Resource versions of one resource are ordered numbers (Kubernetes 1.35, KEP-5504).
pub(super) fn version(object: &impl ResourceExt) -> u64 {
    object
        .resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

pub(super) fn uid(task: &BackupTask) -> String {
    task.uid().unwrap_or_else(|| task.name_any())
}

fn facts(server: &BackupServer, memory: &Memory) -> ServerFacts {
    let breaker = server.status.as_ref().and_then(|status| status.removals.as_ref());
    let known = server
        .status
        .as_ref()
        .and_then(|status| status.dsm.as_ref())
        .and_then(|dsm| dsm.serial.clone());
    ServerFacts {
        name: server.name_any(),
        uid: server.uid().unwrap_or_default(),
        mode: server.spec.mode,
        deleting: server.metadata.deletion_timestamp.is_some(),
        serial: read::serial(memory).or(known),
        settle: SignedDuration::try_from(server.spec.timeouts.settle.get()).unwrap_or(SignedDuration::MAX),
        removals_allowed: server.spec.removals.allowed,
        removals_per_day: server.spec.removals.max_per_day,
        breaker: breaker.map_or((None, 0), |r| {
            (r.window_start.as_ref().map(|time| time.0), r.count)
        }),
    }
}

/// A decision with what the object was bound to.
type Decided = (Decision, crate::api::BackupTaskStatus);

/// Decides for every task, reading what the decisions need, until nothing more is needed. Network.
async fn decide_all<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &mut Memory,
    tasks: &[BackupTask],
    begun: Timestamp,
) -> (Vec<Decided>, BTreeSet<TaskId>) {
    let mut results = ResultsByTask::new();
    let mut versions = VersionsByTask::new();
    let mut logs = LogByTask::new();
    let ids: Vec<String> = tasks.iter().map(|_| (ctx.machine.identity)()).collect();
    for round in 0..=ROUNDS {
        let facts = facts(server, memory);
        let inventory = memory.inventory.clone();
        let inventory = inventory.as_deref();
        // A poll of this pass without the queue cannot show a run that is only queued.
        let fresh =
            inventory.is_some_and(|read| read.begun >= begun && !matches!(read.queue, Queue::NotAsked));
        let now = ctx.now();
        let nothing = Knowledge::default();
        let look = Look {
            facts: &facts,
            memory,
            inventory,
            fresh,
            results: &results,
            versions: &versions,
            logs: &logs,
        };
        let bound: Vec<(&BackupTask, Bound<'_>)> = tasks
            .iter()
            .map(|task| (task, bind(task, inventory, facts.serial.as_deref())))
            .collect();
        let claims = claims(&bound);
        let judge = |index: usize, admission: Admission| {
            let (task, binding) = &bound[index];
            let knowledge = look.memory.knowledge.get(&uid(task)).unwrap_or(&nothing);
            let observation = look.observation(binding.clone(), claims[index].clone(), admission, knowledge);
            let decision = decide(task, &observation, now, &ids[index]);
            let status = next_status(task, &decision, binding, now);
            (decision, status)
        };
        let mut decided: Vec<Decided> = (0..tasks.len())
            .map(|index| judge(index, Admission::Open))
            .collect();
        for (index, admission) in queued(server, tasks, &decided) {
            decided[index] = judge(index, admission);
        }
        let wanting: Vec<Want> = decided
            .iter()
            .zip(&bound)
            .filter_map(|((decision, _), (task, bound))| match bound {
                Bound::To(found) => Some(Want {
                    uid: uid(task),
                    id: found.id,
                    results: decision.needs.results,
                    versions: decision.needs.versions,
                    log_since: decision.needs.log_since,
                }),
                _ => None,
            })
            .filter(|want| want.results || want.versions || want.log_since.is_some())
            .collect();
        // Also once more, where something became due while the list was under way.
        let refresh = decided.iter().any(|(decision, _)| decision.needs.fresh);
        let usable = memory.problem.is_none() && memory.connection.is_some();
        if round == ROUNDS || !usable || !refresh && wanting.is_empty() {
            let ids = bound.iter().filter_map(|(_, bound)| match bound {
                Bound::To(found) => Some(found.id),
                _ => None,
            });
            return (decided, ids.collect());
        }
        if refresh {
            if !read::inventory(ctx, server, memory, tasks, true).await {
                continue;
            }
            memory.next_poll = Some(ctx.now() + read::pace(server, memory));
            continue;
        }
        read::logs(memory, &wanting, &mut logs).await;
        read::details(memory, &wanting, &mut results, &mut versions).await;
    }
    (Vec::new(), BTreeSet::new())
}

/// What every task of a round is judged by.
struct Look<'a> {
    facts: &'a ServerFacts,
    memory: &'a Memory,
    inventory: Option<&'a Inventory>,
    fresh: bool,
    results: &'a ResultsByTask,
    versions: &'a VersionsByTask,
    logs: &'a LogByTask,
}

impl<'a> Look<'a> {
    fn observation(
        &self,
        bound: Bound<'a>,
        claim: Claim,
        admission: Admission,
        knowledge: &'a Knowledge,
    ) -> Observation<'a> {
        let id = match &bound {
            Bound::To(task) => Some(task.id),
            _ => None,
        };
        Observation {
            server: self.facts,
            reach: self.memory.reach(),
            inventory: self.inventory,
            fresh: self.fresh,
            claim,
            admission,
            results: id.and_then(|id| self.results.get(&id)).map(Vec::as_slice),
            versions: id.and_then(|id| self.versions.get(&id)).map(Vec::as_slice),
            log: id.and_then(|id| self.logs.get(&id)).map(Vec::as_slice),
            knowledge,
            bound,
        }
    }
}

/// Tasks that must wait for their turn.
fn queued(server: &BackupServer, tasks: &[BackupTask], decided: &[Decided]) -> Vec<(usize, Admission)> {
    let limit = usize::try_from(server.spec.limits.max_concurrent_runs).unwrap_or(0);
    let decisions: Vec<&Decision> = decided.iter().map(|(decision, _)| decision).collect();
    queue(tasks, &decisions, limit)
}

/// Writes what was decided and sends what was recorded, side by side. Network.
async fn carry_out<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    memory: &mut Memory,
    tasks: &[BackupTask],
    decided: &[Decided],
) -> Duration {
    let peer = memory.connection.as_ref().map(|connection| Peer {
        client: connection.client.clone(),
        login: connection.login,
    });
    let mut jobs = Vec::with_capacity(tasks.len());
    for (task, decided) in tasks.iter().zip(decided) {
        jobs.push(carry_out_one(ctx, fence, server, peer.as_ref(), task, decided));
    }
    let done: Vec<Done> = stream::iter(jobs).buffer_unordered(AT_ONCE).collect().await;
    let mut next = Duration::MAX;
    for Done {
        uid,
        written,
        sent,
        again,
        unwritten,
        server_written,
    } in done
    {
        if unwritten {
            // What was read for that status is in no status: it has to be read again.
            memory
                .knowledge
                .entry(uid.clone())
                .or_default()
                .history_read_behind = None;
        }
        if let Some(task) = written {
            memory.written.insert(uid.clone(), task);
        }
        if let Some(server) = server_written {
            memory.written_server = Some(server);
        }
        if let Some(Sent {
            intent,
            outcome,
            withheld,
        }) = sent
        {
            let call = crate::observe::Call {
                intent,
                answered: Some(outcome.answered),
                sent: outcome.sent,
                settles_from: outcome.deadline,
                first_absence: None,
                unreadable_since: None,
            };
            let knowledge = memory.knowledge.entry(uid).or_default();
            knowledge.call = Some(call);
            knowledge.withheld = withheld;
            // What the answer itself settles needs no poll.
            if matches!(
                outcome.answered,
                Answered::NotDispatched | Answered::Refused(_) | Answered::Withheld
            ) {
                next = Duration::ZERO;
            }
        }
        if again {
            next = next.min(AGAIN);
        }
    }
    next
}

/// What came of one task's part of a pass.
#[derive(Default)]
struct Done {
    uid: String,
    written: Option<BackupTask>,
    server_written: Option<BackupServer>,
    sent: Option<Sent>,
    again: bool,
    /// The status was to change and could not be written.
    unwritten: bool,
}

/// What came of a recorded call.
struct Sent {
    intent: String,
    outcome: act::Outcome,
    /// Why the last check held it back, where one did.
    withheld: Option<(Reason, String)>,
}

/// One task: finalizer, status with its intent, the call. Network.
async fn carry_out_one<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    peer: Option<&Peer>,
    task: &BackupTask,
    (decision, status): &Decided,
) -> Done {
    let mut done = Done {
        uid: uid(task),
        ..Done::default()
    };
    if !fence.is_open() {
        done.unwritten = true;
        return done;
    }
    let mut object = task.clone();
    if decision.finalizer && !object.has_finalizer() {
        object.finalizers_mut().push(crate::api::FINALIZER.to_owned());
        match ctx.cluster.write_finalizers(&object).await {
            Ok(written) => object = written,
            Err(error) => return not_written(done, task, &error, None),
        }
        done.written = Some(object.clone());
    }
    let before = object.status.take();
    if before.as_ref() != Some(status) {
        object.status = Some(status.clone());
        match record(ctx, &object, &decision.act).await {
            Ok(written) => object = written,
            Err((error, read)) => return not_written(done, task, &error, read),
        }
        done.written = Some(object.clone());
        tell(ctx, &object, notices(before.as_ref(), status, decision)).await;
        report::log_change(&object, before.as_ref(), decision);
        if let (Act::Call(intent), Some(peer)) = (&decision.act, peer) {
            let request = server.spec.timeouts.request.get();
            let (outcome, withheld) = match intent.action {
                IntentAction::Remove => {
                    match removal::send(ctx, fence, peer, &object, intent, request).await {
                        Ok((outcome, reserved)) => {
                            done.server_written = Some(reserved);
                            (outcome, None)
                        }
                        Err(why) => (act::Outcome::withheld(ctx.now()), Some(why)),
                    }
                }
                IntentAction::Backup | IntentAction::Cancel => {
                    let outcome = match act::arm(peer, intent).await {
                        Ok(armed) => act::fire(armed, fence, ctx.machine.clock, request).await,
                        Err(error) => {
                            tracing::warn!(%error, intent = intent.id, "nothing was sent");
                            act::Outcome::not_sent(ctx.now())
                        }
                    };
                    (outcome, None)
                }
            };
            ctx.metrics.mutation(intent.action, outcome.answered);
            done.sent = Some(Sent {
                intent: intent.id.clone(),
                outcome,
                withheld,
            });
        }
    }
    if !decision.finalizer && object.has_finalizer() {
        if before.as_ref() == Some(status) {
            object.status = before;
            tell(ctx, &object, notices(Some(status), status, decision)).await;
        }
        object
            .finalizers_mut()
            .retain(|finalizer| finalizer != crate::api::FINALIZER);
        match ctx.cluster.write_finalizers(&object).await {
            Ok(written) => done.written = Some(written),
            Err(error) => return not_written(done, task, &error, None),
        }
    }
    done
}

/// Publishes Events. A removal publishes its own before the call; the rest is news that must not hold anything up.
async fn tell<C: Cluster>(ctx: &Context<C>, object: &BackupTask, notices: Vec<Notice>) {
    for notice in notices {
        if notice.reason == Reason::RemovalPlanned {
            continue;
        }
        if let Err(error) = ctx.cluster.publish_task(object, &notice).await {
            tracing::debug!(%error, "failed to publish an Event");
        }
    }
}

/// Writes the status once. After a conflict, and after an unknown answer of an intent's write, the object is read
/// back: only if *this* intent stands in it was the write ours, and it has not been sent on yet. Else what was read
/// comes with the error: the watch may take its time to bring it, and each pass on the old one would end the same way.
async fn record<C: Cluster>(
    ctx: &Context<C>,
    object: &BackupTask,
    act: &Act,
) -> Result<BackupTask, (WriteError, Option<BackupTask>)> {
    let error = match ctx.cluster.write_task_status(object).await {
        Ok(written) => return Ok(written),
        Err(error) => error,
    };
    let ours = match act {
        Act::Call(intent) => Some(&intent.id),
        Act::Nothing => None,
    };
    let is_worth_a_look = match error {
        WriteError::Conflict => true,
        WriteError::Unknown => ours.is_some(),
        WriteError::Gone | WriteError::Refused(_) | WriteError::OnlyPlanned => false,
    };
    if !is_worth_a_look {
        return Err((error, None));
    }
    let namespace = object.namespace().unwrap_or_default();
    let read = ctx.cluster.read_task(&namespace, &object.name_any()).await;
    match read.ok().flatten().filter(|read| read.uid() == object.uid()) {
        Some(read) if intent_of(&read).is_some_and(|recorded| Some(&recorded.id) == ours) => Ok(read),
        read => Err((error, read)),
    }
}

fn intent_of(task: &BackupTask) -> Option<&Intent> {
    task.status.as_ref().and_then(|status| status.intent.as_ref())
}

fn not_written(mut done: Done, task: &BackupTask, error: &WriteError, read: Option<BackupTask>) -> Done {
    done.written = read.or(done.written);
    match error {
        WriteError::Gone | WriteError::OnlyPlanned => {}
        WriteError::Conflict => tracing::debug!(task = task.name_any(), "the object changed; looking again"),
        WriteError::Unknown | WriteError::Refused(_) => {
            tracing::warn!(task = task.name_any(), %error, "failed to write the task");
        }
    }
    // What was refused (a quota, a rule, a right) is refused again in a moment; the next poll is soon enough.
    done.again = matches!(error, WriteError::Conflict | WriteError::Unknown);
    done.unwritten = true;
    done
}
