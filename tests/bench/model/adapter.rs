//! The seam between the model and the library: `Library::pass` follows `controller::pass` step by step, so that a new
//! field of `Observation` is mended in this file alone; `typed` translates the values.
//!
//! Statuses are numbered by their JSON after times that nobody decides by are levelled (`level`). Passes are
//! remembered: the decision is pure, so the same question has the same answer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use abb_operator::{
    api::{BackupTask, BackupTaskStatus, Reason},
    decide::{Act, Decision, decide, queue},
    observe::{
        Admission, Bound, Doing, Knowledge, Observation, Queue, Reach, ResultsByTask, ServerFacts, bind,
        claims, doing,
    },
    status::next_status,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    state::{IntentId, Inventory, Memory, Object, QueueRead, Sending, Shown, StatusId, TASKS},
    typed::{
        self, Facts, at, facts, inventory, knowledge, level, memory, rows, sending, server, task_id,
        template, tick,
    },
};

/// Ticks of `timeouts.settle`.
pub const SETTLE: u8 = 2;
/// Rounds of a pass, as in `controller::pass`.
const ROUNDS: usize = 4;
/// `limits.maxConcurrentRuns`.
const LIMIT: usize = 1;

/// How a pass comes by its inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Poll {
    /// It is due, and read.
    Read,
    /// It is not due: the remembered one, until a decision asks for more.
    Kept,
    /// It is read, and the queue cannot be.
    WithoutQueue,
    /// The NAS cannot be read.
    Failed,
}

/// All that a pass goes by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub objects: [Object; 2],
    pub memory: [Memory; 2],
    pub inventory: Option<Inventory>,
    pub failing: bool,
    pub poll: Poll,
    /// What the NAS shows at this moment.
    pub nas: [Shown; 2],
    /// Identities of the intents that may be recorded.
    pub ids: [IntentId; 2],
}

/// What a pass came to, before anything is written or sent.
#[derive(Clone, Debug)]
pub struct Passed {
    pub memory: [Memory; 2],
    pub inventory: Option<Inventory>,
    pub failing: bool,
    /// The statuses to write.
    pub statuses: [StatusId; 2],
    /// The calls to make once their status is written.
    pub calls: [Option<Sending>; 2],
}

struct Known {
    status: Option<BackupTaskStatus>,
    facts: Facts,
}

/// Statuses in the order of their numbers, and the numbers by their text.
type Numbered = (Vec<Arc<Known>>, HashMap<String, StatusId>);

/// The decision function with the statuses it has come to.
pub struct Library {
    settle: u8,
    templates: [BackupTask; 2],
    known: RwLock<Numbered>,
    passes: RwLock<HashMap<Question, Passed>>,
    older: RwLock<HashMap<StatusId, StatusId>>,
}

impl Library {
    /// Settling takes so many ticks.
    pub fn new(settle: u8) -> Self {
        let nothing = Arc::new(Known {
            status: None,
            facts: Facts::default(),
        });
        Self {
            settle,
            templates: TASKS.map(template),
            known: RwLock::new((vec![nothing], HashMap::new())),
            passes: RwLock::default(),
            older: RwLock::default(),
        }
    }

    fn known(&self, id: StatusId) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.0[usize::try_from(id).unwrap()])
    }

    /// What a status says.
    pub fn facts<T>(&self, id: StatusId, look: impl FnOnce(&Facts) -> T) -> T {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        look(&known.0[usize::try_from(id).unwrap()].facts)
    }

    /// How many statuses and passes there are.
    pub fn sizes(&self) -> (usize, usize) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let passes = self.passes.read().unwrap_or_else(PoisonError::into_inner);
        (known.0.len(), passes.len())
    }

    fn number(&self, task: usize, mut status: BackupTaskStatus) -> StatusId {
        level(&mut status);
        let text = serde_json::to_string(&status).unwrap();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.1.get(&text) {
            return *id;
        }
        let id = StatusId::try_from(known.0.len()).unwrap();
        // As it comes back from the API server.
        let status = serde_json::from_str(&text).unwrap();
        let facts = facts(task, &status);
        known.0.push(Arc::new(Known {
            status: Some(status),
            facts,
        }));
        known.1.insert(text, id);
        id
    }

    /// The status a tick later.
    pub fn older(&self, task: usize, id: StatusId) -> StatusId {
        let known = self
            .older
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .copied();
        known.unwrap_or_else(|| {
            let Some(mut status) = self.known(id).status.clone() else {
                return id;
            };
            let times = [
                &mut status.next_attempt_time,
                &mut status.next_run_time,
                &mut status.due_since,
            ];
            for time in times.into_iter().flatten() {
                time.0 = at((tick(time.0) - 1).max(-1));
            }
            let older = self.number(task, status);
            self.older
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id, older);
            older
        })
    }

    /// One pass up to its writes: observe and decide.
    pub fn pass(&self, question: Question) -> Passed {
        {
            let passes = self.passes.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(passed) = passes.get(&question) {
                return passed.clone();
            }
        }
        let answer = Pass::new(self, &question).run();
        let mut passes = self.passes.write().unwrap_or_else(PoisonError::into_inner);
        passes.insert(question, answer.clone());
        answer
    }
}

/// A pass under way (`controller::pass`).
struct Pass<'a> {
    library: &'a Library,
    question: &'a Question,
    facts: ServerFacts,
    objects: [BackupTask; 2],
    knowledge: [Knowledge; 2],
    seen: Option<Inventory>,
    /// When `seen` was read: what is kept from an earlier pass is older than this one.
    begun: Timestamp,
    failing: bool,
    results: ResultsByTask,
}

impl<'a> Pass<'a> {
    fn new(library: &'a Library, question: &'a Question) -> Self {
        Self {
            library,
            question,
            facts: server(library.settle),
            objects: TASKS.map(|task| {
                let asked = question.objects[task];
                let status = library.known(asked.status).status.clone();
                BackupTask {
                    status,
                    ..typed::object(&library.templates[task], asked)
                }
            }),
            knowledge: TASKS.map(|task| knowledge(task, &question.memory[task])),
            seen: question.inventory,
            begun: at(0) - SignedDuration::from_secs(1),
            failing: question.failing,
            results: BTreeMap::new(),
        }
    }

    fn run(mut self) -> Passed {
        for task in TASKS {
            self.knowledge[task].find_intent(&self.objects[task], at(0));
        }
        match self.question.poll {
            Poll::Read | Poll::WithoutQueue => self.read(self.asks_for_queue()),
            Poll::Failed => self.failing = true,
            Poll::Kept => {}
        }
        for round in 0..=ROUNDS {
            let (decided, fresh) = self.decide_all();
            let refresh = decided.iter().any(|(decision, _)| decision.needs.fresh) && !fresh;
            let wanting: Vec<usize> = TASKS
                .into_iter()
                .filter(|task| decided[*task].0.needs.results)
                .collect();
            if round == ROUNDS || self.failing || !refresh && wanting.is_empty() {
                return self.passed(decided);
            }
            if refresh {
                self.read(true);
            } else {
                self.read_results(&wanting);
            }
        }
        unreachable!("the last round returns")
    }

    /// `controller::read::poll`.
    fn asks_for_queue(&self) -> bool {
        let asks = |object: &BackupTask| {
            object
                .status
                .as_ref()
                .is_some_and(|status| status.intent.is_some() || status.run.is_some())
        };
        let unclear = self.seen.is_some_and(|seen| {
            inventory(&seen, self.begun)
                .tasks
                .iter()
                .any(|t| doing(t, &Queue::NotAsked) == Doing::PerhapsRunning)
        });
        unclear || self.objects.iter().any(asks)
    }

    /// `controller::read::inventory`.
    fn read(&mut self, with_queue: bool) {
        let queue = match (with_queue, self.question.poll) {
            (false, _) => QueueRead::NotAsked,
            (true, Poll::WithoutQueue) => QueueRead::Unreadable,
            (true, _) => QueueRead::Read,
        };
        let seen = Inventory {
            queue,
            shown: self.question.nas,
        };
        self.begun = at(0);
        let read = inventory(&seen, self.begun);
        for task in TASKS {
            let object = &self.objects[task];
            let bound = bind(object, Some(&read), self.facts.serial.as_deref());
            self.knowledge[task].note(object, &bound, &read);
        }
        self.seen = Some(seen);
        self.failing = false;
    }

    /// `controller::read::details`.
    fn read_results(&mut self, wanting: &[usize]) {
        for &task in wanting {
            let mut newest_first = rows(task, self.question.nas[task]);
            newest_first.reverse();
            self.results.insert(task_id(task), newest_first);
            if let Some(seen) = self.seen {
                let last = rows(task, seen.shown[task]).last().map(|row| row.result_id);
                self.knowledge[task].note_history(&inventory(&seen, self.begun), last, true);
            }
        }
    }

    /// One round of `controller::pass::decide_all`.
    fn decide_all(&self) -> ([(Decision, BackupTaskStatus); 2], bool) {
        let now = at(0);
        let read = self.seen.map(|seen| inventory(&seen, self.begun));
        let read = read.as_ref();
        let fresh = read.is_some_and(|read| read.begun >= now && !matches!(read.queue, Queue::NotAsked));
        let serial = self.facts.serial.as_deref();
        let bound: Vec<(&BackupTask, Bound<'_>)> = self
            .objects
            .iter()
            .map(|object| (object, bind(object, read, serial)))
            .collect();
        let claims = claims(&bound);
        let judge = |task: usize, admission: Admission| {
            let (object, binding) = &bound[task];
            let observation = Observation {
                server: &self.facts,
                reach: self.reach(),
                inventory: read,
                fresh,
                bound: binding.clone(),
                claim: claims[task].clone(),
                admission,
                results: self.results.get(&task_id(task)).map(Vec::as_slice),
                versions: None,
                // No call is ignored here.
                log: Some(&[]),
                knowledge: &self.knowledge[task],
            };
            let id = self.question.ids[task].to_string();
            let decision = decide(object, &observation, now, &id);
            let status = next_status(object, &decision, binding, now);
            (decision, status)
        };
        let mut decided = TASKS.map(|task| judge(task, Admission::Open));
        let decisions: Vec<&Decision> = decided.iter().map(|(decision, _)| decision).collect();
        for (task, admission) in queue(&self.objects, &decisions, LIMIT) {
            decided[task] = judge(task, admission);
        }
        (decided, fresh)
    }

    fn reach(&self) -> Reach {
        if self.failing {
            Reach::Failing {
                polls: 1,
                reason: Reason::Unreachable,
            }
        } else {
            Reach::Readable
        }
    }

    fn passed(self, decided: [(Decision, BackupTaskStatus); 2]) -> Passed {
        let calls = TASKS.map(|task| match &decided[task].0.act {
            Act::Nothing => None,
            Act::Call(intent) => Some(sending(intent).0),
        });
        let mut number = 0..;
        let statuses = decided.map(|(_, status)| self.library.number(number.next().unwrap(), status));
        Passed {
            memory: TASKS.map(|task| memory(task, &self.knowledge[task])),
            inventory: self.seen,
            failing: self.failing,
            statuses,
            calls,
        }
    }
}
