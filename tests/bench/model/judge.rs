//! What must hold (I1 to I3 of the protocol) and what must be reachable, so that nothing holds
//! merely because it never comes up. Judged by the ledger, which no replica reads.

use std::hash::{Hash, Hasher};

use abb_operator::api::ReceiptOutcome;
use stateright::Property;

use crate::{
    adapter::Poll,
    protocol::{Dispatch, NasStep, Protocol, Reply, Step},
    state::{Job, Phase, REPLICAS, State, TASKS},
};

pub const OUTCOME_UNKNOWN: ReceiptOutcome = ReceiptOutcome::OutcomeUnknown;
/// The one property that every mistake must violate.
pub const ONCE: &str = "at most one run per token";
/// `limits.maxConcurrentRuns`.
const LIMIT: usize = 1;
/// Ticks in which everything must be answered once faults have stopped: a run, an unknown answer and a refusal for
/// each of two tasks need fewer.
const PATIENCE: u8 = 40;

/// What must hold, and what must come up.
pub fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ONCE, |_, state: &State| {
            state
                .ledger
                .iter()
                .all(|ledger| ledger.effects.iter().all(|effects| *effects <= 1))
        }),
        Property::always(
            "no call without its intent in the API server",
            |_, state: &State| state.ledger.iter().all(|ledger| !ledger.unrecorded),
        ),
        Property::always("a cancel token is sent once", |_, state: &State| {
            state.ledger.iter().all(|ledger| ledger.cancels <= 1)
        }),
        Property::always("no more runs than maxConcurrentRuns", |_, state: &State| {
            // Of a run that a person starts in the same moment nobody can tell whose is whose (protocol, step 6).
            let tasks = TASKS.into_iter().filter(|task| !state.ledger[*task].external);
            tasks.filter(|task| state.nas[*task].by > 0).count() <= LIMIT
        }),
        Property::always("the status says what the NAS says", status_is_true),
        Property::always(
            "once faults stop every token is answered",
            |model: &Protocol, state: &State| {
                !Protocol::is_at_rest(state) || is_answered_in_time(model, state)
            },
        ),
        Property::sometimes("both tasks are backed up", |_, state: &State| {
            state.ledger.iter().all(|ledger| ledger.effects[0] == 1)
        }),
        Property::sometimes(
            "a second attempt takes effect",
            |model: &Protocol, state: &State| {
                TASKS.iter().any(|task| {
                    let attempt = model.library.facts(state.objects[*task].status, |facts| {
                        facts.intent.map_or(0, |(_, attempt)| attempt)
                    });
                    attempt > 1 && state.ledger[*task].effects[0] == 1
                })
            },
        ),
        Property::sometimes("a replica watches an intent it found", |_, state: &State| {
            state
                .replicas
                .iter()
                .flat_map(|replica| replica.memory)
                .any(|memory| {
                    memory
                        .call
                        .is_some_and(|call| call.answered.is_none() && call.first_absence.is_some())
                })
        }),
        Property::sometimes("a write of a former leader is under way", |_, state: &State| {
            REPLICAS.iter().any(|replica| {
                let writes = |job: &Job| matches!(job, Job::Writing { .. });
                state.leader == Some(1 - replica) && state.replicas[*replica].jobs.iter().any(writes)
            })
        }),
        Property::sometimes("a token changed in mid-run is run too", |_, state: &State| {
            state.ledger[0].effects == [1, 1]
        }),
        Property::sometimes("a cancel ends a run", |_, state: &State| {
            state.ledger[1].cancels == 1
        }),
        Property::sometimes("an outcome is declared unknown", |_, state: &State| {
            state.ledger.iter().any(|ledger| ledger.declared[0])
        }),
    ]
}

/// I3: what a status says of a result row is what the row says; rows stay.
fn status_is_true(model: &Protocol, state: &State) -> bool {
    TASKS.into_iter().all(|task| {
        let rows = state.nas[task].rows;
        // Row 0 is the good one from before the beginning.
        let code = |row: i64| match usize::try_from(row) {
            Ok(0) => Some(2),
            Ok(row) => rows.get(row - 1).map(|code| i64::from(*code)),
            Err(_) => None,
        };
        model.library.facts(state.objects[task].status, |facts| {
            facts.results.iter().all(|(row, said)| code(*row) == Some(*said))
        })
    })
}

/// I2: lets time go on without faults, one replica leading, and looks what became of every token.
fn is_answered_in_time(model: &Protocol, state: &State) -> bool {
    let mut state = state.clone();
    state.faults = 0;
    state.edits = 0;
    state.calling = false;
    state.strays = [None; 2];
    let leader = state.leader.unwrap_or(0);
    state.leader = Some(leader);
    for replica in REPLICAS {
        model.take(&mut state, Step::CatchUp(replica));
    }
    let mut way = Vec::new();
    for _ in 0..PATIENCE {
        let mark = fingerprint(&state);
        let is_known = model.good.read().unwrap().contains(&mark);
        if !is_known {
            way.push(mark);
            settle_down(model, &mut state, leader);
        }
        if is_known || is_answered(model, &state) {
            model.good.write().unwrap().extend(way);
            return true;
        }
        model.take(&mut state, Step::Tick);
    }
    false
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// Everything that can happen within a tick happens; a pass that changes nothing ends it.
fn settle_down(model: &Protocol, state: &mut State, leader: usize) {
    for _ in 0..20 {
        let before = state.clone();
        model.take(state, Step::Pass(leader, Poll::Read));
        for task in TASKS {
            model.take(state, Step::Write(leader, task, Reply::Answered));
            model.take(state, Step::Send(leader, task, Dispatch::Answered));
            for step in [NasStep::Begin, NasStep::Succeed] {
                let phase = state.nas[task].phase;
                let possible = match step {
                    NasStep::Begin => phase == Phase::Waiting,
                    _ => phase == Phase::Running,
                };
                if possible {
                    model.take(state, Step::Nas(task, step));
                }
            }
        }
        if *state == before {
            return;
        }
    }
}

/// Whether every token has its one run, or its honest answer.
fn is_answered(model: &Protocol, state: &State) -> bool {
    TASKS.into_iter().all(|task| {
        let object = state.objects[task];
        let ledger = &state.ledger[task];
        let answered = model.library.facts(object.status, |facts| {
            let current = facts.receipt.filter(|(token, _)| *token == object.token);
            facts.intent.is_none() && current.is_some_and(|(_, outcome)| outcome.is_final())
        });
        let has_run = |token: usize| {
            let ran = ledger.effects[token] == 1;
            // A token that was replaced after its call was declined has been superseded.
            let superseded = ledger.declined[token] && token + 1 < usize::from(object.token);
            // The run that a person started in the same moment may answer, too.
            ran || ledger.declared[token] || ledger.external || superseded
        };
        answered && (0..2).all(|token| !ledger.accepted[token] || has_run(token))
    })
}
