//! The model that is checked: which steps a state allows, and what must hold in every state. A step ends where the
//! operator awaits something, so two replicas, the NAS, users and faults interleave as they can in a cluster; what a
//! step does is in `replica` (the operator) and `world` (everything else), what must hold in `judge`.

use std::{collections::HashSet, sync::RwLock};

use stateright::{Model, Property};

use crate::{
    adapter::{Library, Poll, SETTLE},
    judge,
    state::{Job, REPLICAS, State, TASKS},
};

/// Which protocol is run: the shipped one, or one with a deliberate mistake that the check has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As shipped.
    Shipped,
    /// The call comes first, its intent is recorded after it.
    CallFirst,
    /// An error means that the call failed: it is made again at once.
    ErrorIsFailure,
    /// A found intent is sent on.
    SendFound,
    /// Statuses are written without comparing the version.
    Overwrite,
    /// A call starts whether or not the fence is open.
    NoFence,
    /// A call that was recorded in an earlier reign passes the fence of a later one.
    NewReign,
    /// The absence of evidence counts at once.
    NoSettling,
}

impl Variant {
    /// Every mistake.
    pub const BROKEN: [Self; 7] = [
        Self::CallFirst,
        Self::ErrorIsFailure,
        Self::SendFound,
        Self::Overwrite,
        Self::NoFence,
        Self::NewReign,
        Self::NoSettling,
    ];

    /// What it does, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Shipped => "as shipped",
            Self::CallFirst => "call first, record after",
            Self::ErrorIsFailure => "an error means it failed",
            Self::SendFound => "a found intent is sent on",
            Self::Overwrite => "written without compare-and-swap",
            Self::NoFence => "a call passes a closed fence",
            Self::NewReign => "the fence forgets that it was closed",
            Self::NoSettling => "absence counts at once",
        }
    }
}

/// How far the check goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Faults on one path.
    pub faults: u8,
    /// Edits of a spec on one path.
    pub edits: u8,
}

/// The protocol with what it runs on.
pub struct Protocol {
    pub variant: Variant,
    pub bounds: Bounds,
    pub library: Library,
    /// States that are known to end well once faults stop.
    pub good: RwLock<HashSet<u64>>,
}

impl Protocol {
    pub fn new(variant: Variant, bounds: Bounds) -> Self {
        let settle = if variant == Variant::NoSettling { 0 } else { SETTLE };
        Self {
            variant,
            bounds,
            library: Library::new(settle),
            good: RwLock::default(),
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Half a settling time passes.
    Tick,
    /// A user edits the spec: another request token of the first task, a cancel token of the second.
    Edit(usize),
    /// A person starts a run at the NAS.
    External(usize),
    /// The leader's fence closes.
    Lose,
    /// A replica takes the Lease that nobody holds.
    Acquire(usize),
    /// A process dies and starts anew.
    Crash(usize),
    /// A watch delivers nothing any more.
    Stall(usize),
    /// It delivers everything.
    CatchUp(usize),
    /// A pass up to its writes.
    Pass(usize, Poll),
    /// A status write of a replica arrives at the API server, or does not.
    Write(usize, usize, Reply),
    /// An unanswered write arrives after all.
    Arrive(usize),
    /// The object is read back.
    ReadBack(usize, usize),
    /// The call.
    Send(usize, usize, Dispatch),
    /// The NAS goes on.
    Nas(usize, NasStep),
}

/// What becomes of a status write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Answered,
    LostAfterCommit,
    LostBeforeCommit,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    Answered,
    /// It takes effect, the answer is lost.
    LostAnswer,
    /// It is lost on its way, which nobody can tell.
    LostRequest,
    /// It takes effect within the settling time after its deadline.
    LateEffect,
    /// No connection, no valid session: certainly not carried out.
    NotSent,
    /// The NAS says no for now.
    Refused,
}

/// What a NAS does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NasStep {
    /// A queued run starts.
    Begin,
    Succeed,
    Fail,
    /// A late call takes effect.
    TakeLate,
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.bounds.faults, self.bounds.edits)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        Self::world_steps(state, steps);
        for replica in REPLICAS {
            self.replica_steps(state, replica, steps);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        self.take(&mut state, step);
        for replica in &mut state.replicas {
            // Nothing is under way that the end of a reign could stop.
            replica.deposed &= replica.jobs != [Job::Nothing; 2];
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        judge::properties()
    }
}

impl Protocol {
    /// Carries out a step that the state allows.
    pub fn take(&self, state: &mut State, step: Step) {
        match step {
            Step::Pass(replica, poll) => self.pass(state, replica, poll),
            Step::Write(replica, task, reply) => self.write(state, replica, task, reply),
            Step::ReadBack(replica, task) => self.read_back(state, replica, task),
            Step::Send(replica, task, dispatch) => self.send(state, replica, task, dispatch),
            Step::Arrive(task) => {
                if let Some(status) = state.strays[task] {
                    self.commit(state, task, status);
                }
            }
            Step::Tick => self.tick(state),
            _ => Self::go_on(state, step),
        }
    }

    /// Whether nothing is under way: what comes next is for a pass to say.
    pub fn is_at_rest(state: &State) -> bool {
        let is_idle = |replica: &usize| state.replicas[*replica].jobs == [Job::Nothing; 2];
        REPLICAS.iter().all(is_idle) && TASKS.iter().all(|task| state.nas[*task].late.is_none())
    }
}
