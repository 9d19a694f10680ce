//! The steps of the operator, split where `controller::pass` awaits: observe and decide, write the status, read it
//! back when the answer is missing, check the fence and call. The mistakes of the broken variants are made here.

use crate::{
    adapter::{Poll, Question},
    protocol::{Dispatch, Protocol, Reply, Step, Variant},
    state::{Answer, Call, IntentId, Inventory, Job, QueueRead, Sending, State, StatusId, TASKS, Tick, View},
};

impl Protocol {
    /// The steps of a replica that a state allows.
    pub fn replica_steps(&self, state: &State, number: usize, steps: &mut Vec<Step>) {
        let replica = &state.replicas[number];
        if state.leader == Some(number) && replica.jobs == [Job::Nothing; 2] {
            Self::polls(state, number, steps);
        }
        for task in TASKS {
            match replica.jobs[task] {
                Job::Nothing => {}
                Job::Writing { .. } => {
                    steps.push(Step::Write(number, task, Reply::Answered));
                    if state.faults > 0 {
                        steps.push(Step::Write(number, task, Reply::LostAfterCommit));
                        steps.push(Step::Write(number, task, Reply::LostBeforeCommit));
                    }
                }
                Job::ReadingBack { .. } => steps.push(Step::ReadBack(number, task)),
                Job::Sending(_) => self.dispatches(state, number, task, steps),
            }
        }
    }

    fn polls(state: &State, number: usize, steps: &mut Vec<Step>) {
        steps.push(Step::Pass(number, Poll::Read));
        let now = |seen: &Inventory| {
            *seen
                == Inventory {
                    queue: QueueRead::Read,
                    shown: state.shown(),
                }
        };
        if state.replicas[number]
            .inventory
            .as_ref()
            .is_some_and(|seen| !now(seen))
        {
            steps.push(Step::Pass(number, Poll::Kept));
        }
        if state.faults > 0 {
            steps.push(Step::Pass(number, Poll::WithoutQueue));
            steps.push(Step::Pass(number, Poll::Failed));
        }
    }

    fn dispatches(&self, state: &State, number: usize, task: usize, steps: &mut Vec<Step>) {
        let mut push = |dispatch| steps.push(Step::Send(number, task, dispatch));
        push(Dispatch::Answered);
        if state.faults == 0 || self.is_withheld(state, number) {
            return;
        }
        push(Dispatch::LostAnswer);
        push(Dispatch::LostRequest);
        if state.nas[task].late.is_none() {
            push(Dispatch::LateEffect);
        }
        push(Dispatch::NotSent);
        push(Dispatch::Refused);
    }

    fn is_withheld(&self, state: &State, number: usize) -> bool {
        match self.variant {
            Variant::NoFence => false,
            Variant::NewReign => state.leader != Some(number),
            _ => state.leader != Some(number) || state.replicas[number].deposed,
        }
    }

    /// A pass up to its writes. They start at once, and the fence was open a moment ago.
    pub fn pass(&self, state: &mut State, number: usize, poll: Poll) {
        if matches!(poll, Poll::WithoutQueue | Poll::Failed) {
            state.faults -= 1;
        }
        let replica = &state.replicas[number];
        let passed = self.library.pass(Question {
            objects: TASKS.map(|task| replica.views[task].object),
            memory: replica.memory,
            inventory: replica.inventory,
            failing: replica.failing,
            poll,
            nas: state.shown(),
            ids: TASKS.map(|task| self.unused_id(state, task)),
        });
        let replica = &mut state.replicas[number];
        replica.memory = passed.memory;
        replica.inventory = passed.inventory;
        replica.failing = passed.failing;
        replica.deposed = false;
        for task in TASKS {
            let view = replica.views[task];
            let status = passed.statuses[task];
            if status != view.object.status {
                let call = passed.calls[task];
                let record = Job::Writing {
                    status,
                    outdated: !view.current,
                    call,
                };
                replica.jobs[task] = match call {
                    Some(call) if self.variant == Variant::CallFirst => Job::Sending(Sending {
                        record_after: Some(status),
                        ..call
                    }),
                    _ => record,
                };
            } else if self.variant == Variant::SendFound
                && let Some((found, _)) = self.library.facts(status, |facts| facts.intent)
                && replica.memory[task]
                    .call
                    .is_some_and(|call| call.answered.is_none())
            {
                replica.jobs[task] = Job::Sending(found);
            }
        }
    }

    /// The smallest number that is in use nowhere: identities are unique among all that are about.
    fn unused_id(&self, state: &State, task: usize) -> IntentId {
        let mut used = vec![state.objects[task].status];
        used.extend(state.strays[task]);
        let mut ids: Vec<IntentId> = Vec::new();
        for replica in &state.replicas {
            used.push(replica.views[task].object.status);
            ids.extend(replica.memory[task].call.map(|call| call.intent));
            match replica.jobs[task] {
                Job::Nothing => {}
                Job::Writing { status, .. } => used.push(status),
                Job::ReadingBack { call } | Job::Sending(call) => ids.push(call.intent),
            }
        }
        ids.extend(used.into_iter().filter_map(|status| self.intent_of(status)));
        (0..IntentId::MAX)
            .find(|id| !ids.contains(id))
            .expect("fewer are about than there are numbers")
    }

    fn intent_of(&self, status: StatusId) -> Option<IntentId> {
        self.library
            .facts(status, |facts| facts.intent.map(|(sending, _)| sending.intent))
    }

    /// A status write arrives, if it does, and its answer comes back, if it does.
    pub fn write(&self, state: &mut State, number: usize, task: usize, reply: Reply) {
        let Job::Writing {
            status,
            outdated,
            call,
        } = state.replicas[number].jobs[task]
        else {
            return;
        };
        let conflict = outdated && self.variant != Variant::Overwrite;
        state.replicas[number].jobs[task] = Job::Nothing;
        if reply == Reply::Answered && conflict {
            return Self::unwritten(state, number, task);
        }
        if reply != Reply::Answered {
            state.faults -= 1;
        }
        if reply != Reply::LostBeforeCommit && !conflict {
            self.commit(state, task, status);
        } else if reply == Reply::LostBeforeCommit && !conflict {
            state.strays[task] = Some(status);
        }
        let job = &mut state.replicas[number].jobs[task];
        match call {
            Some(call) if reply == Reply::Answered => *job = Job::Sending(call),
            Some(call) => *job = Job::ReadingBack { call },
            None => {}
        }
        if call.is_none() && reply != Reply::Answered {
            Self::unwritten(state, number, task);
        }
        if reply == Reply::Answered {
            state.replicas[number].views[task] = View {
                object: state.objects[task],
                current: true,
            };
        }
    }

    /// The API server takes a status. The judge notes what it says of tokens.
    pub fn commit(&self, state: &mut State, task: usize, status: StatusId) {
        state.objects[task].status = status;
        state.touch(task);
        let ledger = &mut state.ledger[task];
        self.library.facts(status, |facts| {
            let asked = facts.intent.and_then(|(sending, _)| sending.token.checked_sub(1));
            if let Some(place) = asked {
                ledger.accepted[usize::from(place)] = true;
            }
            if let Some((token, outcome)) = facts.receipt
                && outcome == crate::judge::OUTCOME_UNKNOWN
            {
                ledger.declared[usize::from(token - 1)] = true;
            }
        });
    }

    /// Only if the intent itself stands in the object was the write ours.
    pub fn read_back(&self, state: &mut State, number: usize, task: usize) {
        let Job::ReadingBack { call } = state.replicas[number].jobs[task] else {
            return;
        };
        let object = state.objects[task];
        let replica = &mut state.replicas[number];
        replica.jobs[task] = Job::Nothing;
        if self.intent_of(object.status) == Some(call.intent) {
            replica.views[task] = View {
                object,
                current: true,
            };
            replica.jobs[task] = Job::Sending(call);
        } else {
            Self::unwritten(state, number, task);
        }
    }

    /// What was read for a status that was not written is in no status: it has to be read again.
    fn unwritten(state: &mut State, number: usize, task: usize) {
        state.replicas[number].memory[task].read_behind = None;
    }

    /// The line of the call: the fence is asked, the call made, its answer noted.
    pub fn send(&self, state: &mut State, number: usize, task: usize, dispatch: Dispatch) {
        let Job::Sending(call) = state.replicas[number].jobs[task] else {
            return;
        };
        let (answer, settles_from) = if self.is_withheld(state, number) {
            (Answer::Withheld, 0)
        } else {
            self.call(state, task, call, dispatch)
        };
        if matches!(answer, Answer::Withheld | Answer::NotDispatched | Answer::Refused)
            && let Some(place) = call.token.checked_sub(1)
        {
            state.ledger[task].declined[usize::from(place)] = true;
        }
        let replica = &mut state.replicas[number];
        replica.memory[task].call = Some(Call {
            intent: call.intent,
            answered: Some(answer),
            settles_from,
            first_absence: None,
            unreadable_since: None,
        });
        replica.jobs[task] = match call.record_after {
            Some(status) => Job::Writing {
                status,
                outdated: !replica.views[task].current,
                call: None,
            },
            None => Job::Nothing,
        };
    }

    /// A call whose fence is open.
    fn call(&self, state: &mut State, task: usize, call: Sending, dispatch: Dispatch) -> (Answer, Tick) {
        let Sending {
            intent, verb, token, ..
        } = call;
        if dispatch != Dispatch::Answered {
            state.faults -= 1;
        }
        if dispatch == Dispatch::NotSent {
            return (Answer::NotDispatched, 0);
        }
        state.calling = true;
        state.ledger[task].unrecorded |= self.intent_of(state.objects[task].status) != Some(intent);
        match dispatch {
            Dispatch::Answered | Dispatch::LostAnswer => Self::take_effect(state, task, verb, token),
            Dispatch::LateEffect => Self::take_effect_later(state, task, verb, token),
            Dispatch::LostRequest | Dispatch::NotSent | Dispatch::Refused => {}
        }
        let answer = match dispatch {
            Dispatch::Answered => Answer::Applied,
            Dispatch::Refused => Answer::Refused,
            _ if self.variant == Variant::ErrorIsFailure => Answer::NotDispatched,
            _ => Answer::Unknown,
        };
        (answer, 1)
    }
}
