//! The judging part of a pass: decides for everybody who is awake, reads what the decisions need, and decides again.

use std::{collections::BTreeSet, hash::BuildHasher};

use foldhash::quality::FixedState;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    Context,
    awake::{Awake, Nap},
    cluster::Cluster,
    fleet::Memory,
    read::{self, Want},
};
use crate::{
    api::{BackupServer, BackupTask, BackupTaskStatus},
    decide::{Act, Decision, decide, queue},
    nas::TaskId,
    observe::{
        Admission, Bound, Claim, Inventory, Knowledge, LogByTask, Observation, Queue, Reach, ResultsByTask,
        ServerFacts, VersionsByTask, bind, claims,
    },
    status::next_status,
};

/// Decide, read what is missing, decide again: freshness, then results, then versions.
const ROUNDS: usize = 4;

/// How old an inventory may be that was read before the pass and still is the one behind an intent: as old as any is when
/// the list took its time.
const EARLY: SignedDuration = SignedDuration::from_secs(5);

/// A decision with the status it leads to.
pub(super) type Decided = (Decision, BackupTaskStatus);

/// What a pass came to.
#[derive(Default)]
pub(super) struct Judged {
    /// By object that is awake.
    pub decided: Vec<Decided>,
    /// The NAS task of each.
    pub bound: Vec<Option<TaskId>>,
    /// Digest of what was known beside objects and rows.
    pub facts: u64,
    /// Objects that were judged by more than that: by results, versions or a log that were read for them.
    pub asked: BTreeSet<usize>,
}

pub(super) fn facts(server: &BackupServer, memory: &Memory) -> ServerFacts {
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

/// Everything beside object and row that a judgement rests on, as one number.
pub(super) fn digest(facts: &ServerFacts, memory: &Memory) -> u64 {
    let reach = match memory.reach() {
        Reach::Readable => None,
        // From the second failure on they say the same (contract, Status).
        Reach::Failing { polls, reason } => Some((polls.min(2), reason)),
    };
    let is_complete = memory.shelf.as_ref().map(|shelf| shelf.complete);
    FixedState::default().hash_one(format!("{facts:?} {reach:?} {is_complete:?}"))
}

/// Decides for every task that is awake, reading what the decisions need, until nothing more is needed. Network.
pub(super) async fn decide_all<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &mut Memory,
    awake: &mut Awake<'_>,
    begun: Timestamp,
    found: Timestamp,
) -> Judged {
    let mut results = ResultsByTask::new();
    let mut versions = VersionsByTask::new();
    let mut logs = LogByTask::new();
    let mut asked = BTreeSet::new();
    for round in 0..=ROUNDS {
        let facts = facts(server, memory);
        let now = ctx.now();
        let facts_digest = digest(&facts, memory);
        let serial = facts.serial.as_deref();
        awake.rouse(memory, facts_digest, serial, now, &*ctx.machine.identity);
        note(memory, awake, serial, found);
        let inventory = awake.inventory.as_ref();
        // A poll of this pass without the queue cannot show a run that is only queued.
        let whole = inventory.filter(|read| !matches!(read.queue, Queue::NotAsked));
        let is_of_pass = whole.is_some_and(|read| read.begun >= begun);
        // One that was read before the pass was still read after what then stood in the objects.
        let is_early = whole.is_some_and(|read| begun.duration_since(read.begun) <= EARLY);
        let early = memory.early.filter(|_| is_early);
        let nothing = Knowledge::default();
        let look = Look {
            facts: &facts,
            memory,
            inventory,
            results: &results,
            versions: &versions,
            logs: &logs,
        };
        let bound: Vec<(&BackupTask, Bound<'_>)> = awake
            .objects
            .iter()
            .map(|task| (task, bind(task, inventory, serial)))
            .collect();
        let claims = claims(&bound);
        let judge = |index: usize, admission: Admission| {
            let knowledge = look
                .memory
                .knowledge
                .get(&awake.packed(index).uid)
                .unwrap_or(&nothing);
            let intent = &awake.intents[index];
            let fresh = is_of_pass || early.is_some_and(|version| awake.packed(index).version <= version);
            look.judge(
                &bound[index],
                (&claims[index], admission, fresh),
                knowledge,
                (now, intent),
            )
        };
        let usable = memory.problem.is_none() && memory.connection.is_some();
        // Who was edited wants a fresh read, most likely, and then everybody is judged by that. Where they wait for their turn they
        // may not.
        let is_unlimited = server.spec.limits.max_concurrent_runs == 0;
        let mut edited = (0..awake.objects.len()).filter(|index| awake.packed(*index).is_edited());
        if round == 0
            && usable
            && is_unlimited
            && edited.any(|index| judge(index, Admission::Open).0.needs.fresh)
        {
            refresh(ctx, server, memory).await;
            continue;
        }
        let mut decided: Vec<Decided> = (0..awake.objects.len())
            .map(|index| judge(index, Admission::Open))
            .collect();
        for (index, admission) in queued(server, &awake.objects, &decided) {
            decided[index] = judge(index, admission);
        }
        let asking: Vec<usize> = (0..decided.len())
            .filter(|index| asks(&decided[*index].0))
            .collect();
        let want = |index: &usize| match &bound[*index].1 {
            Bound::To(found) => Some(Want {
                uid: awake.packed(*index).uid,
                id: found.id,
                needs: decided[*index].0.needs,
            }),
            _ => None,
        };
        let wanting: Vec<Want> = asking.iter().filter_map(want).collect();
        // Also once more, where something became due while the list was under way.
        let is_refresh = decided.iter().any(|(decision, _)| decision.needs.fresh);
        if round == ROUNDS || !usable || !is_refresh && wanting.is_empty() {
            let id = |(_, bound): &(&BackupTask, Bound<'_>)| match bound {
                Bound::To(found) => Some(found.id),
                _ => None,
            };
            return Judged {
                bound: bound.iter().map(id).collect(),
                decided,
                facts: facts_digest,
                asked,
            };
        }
        if is_refresh {
            refresh(ctx, server, memory).await;
            continue;
        }
        asked.extend(asking);
        read::logs(memory, &wanting, &mut logs).await;
        read::details(memory, &wanting, &mut results, &mut versions).await;
    }
    Judged::default()
}

/// Reads the inventory once more. Network.
async fn refresh<C: Cluster>(ctx: &Context<C>, server: &BackupServer, memory: &mut Memory) {
    if read::inventory(ctx, server, memory, true).await {
        memory.next_poll = Some(ctx.now() + read::pace(server, memory));
    }
}

/// Whether something is to be read for one task alone.
fn asks(decision: &Decision) -> bool {
    decision.needs.results || decision.needs.versions || decision.needs.log_since.is_some()
}

/// Notes what the newest inventory shows and does not show of those who are awake, and once in a pass the intents that are
/// found.
fn note(memory: &mut Memory, awake: &mut Awake<'_>, serial: Option<&str>, found: Timestamp) {
    let is_news = std::mem::take(&mut memory.is_news);
    for (index, task) in awake.objects.iter().enumerate() {
        let uid = &awake.packed(index).uid;
        let knowledge = memory.knowledge.entry(*uid).or_default();
        if index >= awake.known {
            knowledge.find_intent(task, found);
            knowledge.versions_unreadable = false;
        }
        if let Some(inventory) = awake.inventory.as_ref().filter(|_| is_news) {
            knowledge.note(task, &bind(task, Some(inventory), serial), inventory);
        }
    }
    awake.known = awake.objects.len();
}

/// What every task of a round is judged by.
struct Look<'a> {
    facts: &'a ServerFacts,
    memory: &'a Memory,
    inventory: Option<&'a Inventory>,
    results: &'a ResultsByTask,
    versions: &'a VersionsByTask,
    logs: &'a LogByTask,
}

impl<'a> Look<'a> {
    /// Judges one task: the decision and the status it leads to. The identity beside the time is that of a new intent.
    fn judge(
        &self,
        (task, binding): &(&BackupTask, Bound<'a>),
        place: (&Claim, Admission, bool),
        knowledge: &'a Knowledge,
        (now, intent): (Timestamp, &str),
    ) -> Decided {
        let observation = self.observation(binding.clone(), place, knowledge);
        let decision = decide(task, &observation, now, intent);
        let status = next_status(task, &decision, binding, now);
        (decision, status)
    }

    fn observation(
        &self,
        bound: Bound<'a>,
        (claim, admission, fresh): (&Claim, Admission, bool),
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
            fresh,
            claim: claim.clone(),
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

/// Lets those rest for whom the pass found nothing to do. `written` are the objects whose status it changed.
pub(super) fn let_rest(memory: &mut Memory, awake: &Awake<'_>, judged: &Judged, now: Timestamp) {
    let Some(shelf) = memory.shelf.clone().filter(|_| memory.problem.is_none()) else {
        return;
    };
    let Judged {
        decided,
        bound,
        facts,
        asked,
    } = judged;
    for (index, ((decision, status), bound)) in decided.iter().zip(bound).enumerate() {
        let (object, packed) = (&awake.objects[index], awake.packed(index));
        let known = bound.and_then(|id| Some((id, shelf.digest(id)?)));
        let Some(known) = known.filter(|_| !asked.contains(&index) && is_at_rest(object, decision, status))
        else {
            continue;
        };
        let Some(knowledge) = memory.knowledge.get(&packed.uid) else {
            continue;
        };
        if let Some(nap) = Nap::begin(packed.version, *facts, known, knowledge, decision.wake, now) {
            memory.knowledge.remove(&packed.uid);
            memory.naps.insert(packed.uid, nap);
        }
    }
}

/// Whether the pass changed nothing of the object and left nothing of it open.
fn is_at_rest(object: &BackupTask, decision: &Decision, status: &BackupTaskStatus) -> bool {
    let Decision {
        status: BackupTaskStatus {
            intent: None,
            run: None,
            ..
        },
        standing: _,
        act: Act::Nothing,
        needs,
        finalizer,
        active: false,
        wake: _,
        seeking: false,
        wants_start: false,
        due: None,
        notice: None,
    } = decision
    else {
        return false;
    };
    *needs == crate::decide::Needs::default()
        && *finalizer == object.has_finalizer()
        && !object.is_deleted()
        && object.status.as_ref() == Some(status)
}

/// Judges those at rest all the same: none has anything to say, or a nap was wrong.
#[cfg(debug_assertions)]
pub(super) fn prove_naps(
    now: Timestamp,
    server: &BackupServer,
    memory: &Memory,
    tasks: &[std::sync::Arc<super::packed::Packed>],
) {
    let facts = facts(server, memory);
    let facts_digest = digest(&facts, memory);
    let (Some(shelf), None) = (&memory.shelf, &memory.problem) else {
        return;
    };
    let objects: Vec<BackupTask> = tasks.iter().map(|task| task.open()).collect();
    let mut wanted = crate::observe::Wanted::default();
    for object in &objects {
        wanted.of(object);
    }
    let inventory = shelf.open(&wanted);
    let bound: Vec<(&BackupTask, Bound<'_>)> = objects
        .iter()
        .map(|task| (task, bind(task, Some(&inventory), facts.serial.as_deref())))
        .collect();
    let claims = claims(&bound);
    let (results, versions, logs) = (ResultsByTask::new(), VersionsByTask::new(), LogByTask::new());
    let look = Look {
        facts: &facts,
        memory,
        inventory: Some(&inventory),
        results: &results,
        versions: &versions,
        logs: &logs,
    };
    for (place, task) in tasks.iter().enumerate() {
        let Some(nap) = memory.naps.get(&task.uid) else {
            continue;
        };
        if !nap.holds(task, facts_digest, Some(shelf), now) {
            continue;
        }
        let (object, knowledge) = (bound[place].0, nap.knowledge());
        let (decision, status) = look.judge(
            &bound[place],
            (&claims[place], Admission::Open, false),
            &knowledge,
            (now, "none"),
        );
        assert!(
            is_at_rest(object, &decision, &status),
            "{} was taken to be at rest: {decision:#?}\n{:#?}",
            object.name_any(),
            object.status,
        );
    }
}
