//! Everything that is not the operator: time, users, the Lease, crashes, watches and the NAS.

use crate::{
    adapter::SETTLE,
    protocol::{NasStep, Protocol, Step},
    state::{Job, Late, Memory, Phase, REPLICAS, Sending, State, StatusId, TASKS, Tick, Verb, View},
};

/// Codes of `nas::status` as the model keeps them.
const SUCCESS: u8 = 2;
const FAILED: u8 = 4;
const CANCELED: u8 = 5;
/// Runs of the first task are queued first, those of the second start at once.
const FIRST_PHASE: [Phase; 2] = [Phase::Waiting, Phase::Running];
/// Ticks in which a late call takes effect, its own included: up to its deadline, one tick later, and the settling
/// time after that (I1's assumption).
const LATE: u8 = SETTLE;

impl Protocol {
    /// The steps of the world that a state allows.
    pub fn world_steps(state: &State, steps: &mut Vec<Step>) {
        let is_due = |task: &usize| state.nas[*task].late.is_some_and(|late| late.left == 0);
        if !TASKS.iter().any(is_due) {
            steps.push(Step::Tick);
        }
        for task in TASKS {
            Self::nas_steps(state, task, steps);
            let object = &state.objects[task];
            if state.edits > 0 && (task == 0 && object.token == 1 || task == 1 && !object.cancel) {
                steps.push(Step::Edit(task));
            }
            if state.strays[task].is_some() {
                steps.push(Step::Arrive(task));
            }
        }
        for replica in REPLICAS {
            if state.leader.is_none() && !state.calling {
                steps.push(Step::Acquire(replica));
            }
            if state.replicas[replica].stalled {
                steps.push(Step::CatchUp(replica));
            }
        }
        if state.faults > 0 {
            Self::faults(state, steps);
        }
    }

    fn faults(state: &State, steps: &mut Vec<Step>) {
        // A call starts only with more of the Lease left than it may take.
        if state.leader.is_some() && !state.calling {
            steps.push(Step::Lose);
        }
        for (number, replica) in state.replicas.iter().enumerate() {
            let knows = replica.memory != [Memory::default(); 2] || replica.jobs != [Job::Nothing; 2];
            if knows || state.leader == Some(number) {
                steps.push(Step::Crash(number));
            }
            if !replica.stalled {
                steps.push(Step::Stall(number));
            }
        }
        for task in TASKS {
            if state.nas[task].phase == Phase::Idle && !state.ledger[task].external {
                steps.push(Step::External(task));
            }
        }
    }

    fn nas_steps(state: &State, task: usize, steps: &mut Vec<Step>) {
        let nas = &state.nas[task];
        let mut push = |step| steps.push(Step::Nas(task, step));
        match nas.phase {
            Phase::Idle => {}
            Phase::Waiting => push(NasStep::Begin),
            Phase::Running => {
                push(NasStep::Succeed);
                if state.faults > 0 {
                    push(NasStep::Fail);
                }
            }
        }
        if nas.late.is_some() {
            push(NasStep::TakeLate);
        }
    }

    /// Half a settling time passes: everything is a tick older, as far as that matters.
    pub fn tick(&self, state: &mut State) {
        state.calling = false;
        for task in TASKS {
            let older = |status: &mut StatusId| *status = self.library.older(task, *status);
            older(&mut state.objects[task].status);
            state.strays[task].as_mut().map(older);
            let late = &mut state.nas[task].late;
            *late = late.map(|late| Late {
                left: late.left - 1,
                ..late
            });
            for replica in &mut state.replicas {
                older(&mut replica.views[task].object.status);
                match &mut replica.jobs[task] {
                    Job::Writing { status, .. } => older(status),
                    Job::Sending(Sending { record_after, .. }) => {
                        record_after.as_mut().map(older);
                    }
                    Job::Nothing | Job::ReadingBack { .. } => {}
                }
                grow_older(&mut replica.memory[task]);
                replica.inventory = None;
            }
        }
    }

    /// Carries out a step of the world.
    pub fn go_on(state: &mut State, step: Step) {
        match step {
            Step::Edit(task) => {
                state.edits -= 1;
                match task {
                    0 => state.objects[0].token = 2,
                    _ => state.objects[task].cancel = true,
                }
                state.touch(task);
            }
            Step::External(task) => {
                state.faults -= 1;
                state.ledger[task].external = true;
                state.nas[task].phase = FIRST_PHASE[task];
            }
            Step::Lose => {
                state.faults -= 1;
                if let Some(number) = state.leader.take() {
                    state.replicas[number].deposed = true;
                }
            }
            Step::Acquire(replica) => state.leader = Some(replica),
            Step::Crash(replica) => Self::crash(state, replica),
            Step::Stall(replica) => {
                state.faults -= 1;
                state.replicas[replica].stalled = true;
            }
            Step::CatchUp(replica) => {
                state.replicas[replica].stalled = false;
                state.replicas[replica].views = TASKS.map(|task| View {
                    object: state.objects[task],
                    current: true,
                });
            }
            Step::Nas(task, step) => Self::nas(state, task, step),
            Step::Tick
            | Step::Pass(..)
            | Step::Write(..)
            | Step::Arrive(_)
            | Step::ReadBack(..)
            | Step::Send(..) => {
                unreachable!("not a step of the world alone")
            }
        }
    }

    /// Its memory is gone, its writes are still on their way, its Lease runs out by itself; what it lists anew may be
    /// as old as what its watch had shown.
    fn crash(state: &mut State, number: usize) {
        state.faults -= 1;
        if state.leader == Some(number) {
            state.leader = None;
        }
        for task in TASKS {
            let replica = &mut state.replicas[number];
            if let Job::Writing {
                status,
                outdated: false,
                ..
            } = replica.jobs[task]
            {
                state.strays[task] = Some(status);
            }
            replica.jobs[task] = Job::Nothing;
            replica.memory[task] = Memory::default();
            replica.inventory = None;
            replica.failing = false;
            replica.deposed = false;
        }
    }

    fn nas(state: &mut State, task: usize, step: NasStep) {
        match step {
            NasStep::Begin => state.nas[task].phase = Phase::Running,
            NasStep::Succeed => state.nas[task].end(SUCCESS),
            NasStep::Fail => {
                state.faults -= 1;
                state.nas[task].end(FAILED);
            }
            NasStep::TakeLate => {
                if let Some(late) = state.nas[task].late.take() {
                    Self::take_effect(state, task, late.verb, late.token);
                }
            }
        }
    }

    /// A call does at the NAS what it asks for. On a task that has a run already a backup starts nothing, on an idle
    /// one a cancel ends nothing.
    pub fn take_effect(state: &mut State, task: usize, verb: Verb, token: u8) {
        let (nas, ledger) = (&mut state.nas[task], &mut state.ledger[task]);
        match verb {
            Verb::Backup if nas.phase == Phase::Idle => {
                nas.phase = FIRST_PHASE[task];
                nas.by = token;
                if let Some(effects) = token
                    .checked_sub(1)
                    .map(|place| &mut ledger.effects[usize::from(place)])
                {
                    *effects += 1;
                }
            }
            Verb::Backup => {}
            Verb::Cancel => {
                ledger.cancels += 1;
                if nas.phase != Phase::Idle {
                    nas.end(CANCELED);
                }
            }
        }
    }

    /// A call that takes effect later.
    pub fn take_effect_later(state: &mut State, task: usize, verb: Verb, token: u8) {
        state.nas[task].late = Some(Late {
            verb,
            token,
            left: LATE,
        });
    }
}

/// What is older than any decision asks for stays what it is: twice the settling time for a call (`Unprovable`), the
/// settling time for quiet, half of it for an absence.
fn grow_older(memory: &mut Memory) {
    let older = |time: Tick, oldest: Tick| (time - 1).max(oldest);
    memory.quiet_since = memory.quiet_since.map(|since| older(since, -2));
    if let Some(call) = &mut memory.call {
        call.settles_from = older(call.settles_from, -4);
        call.first_absence = call.first_absence.map(|first| older(first, -1));
        // As long as the settling time is what a decision asks for.
        call.unreadable_since = call.unreadable_since.map(|since| older(since, -2));
    }
}
