//! What the model is between two steps: two objects in the API server, two replicas, one NAS with two tasks, and what
//! is left of the faults. Everything is small and hashable; what only the library understands (a status) is a number
//! here, see `adapter`.
//!
//! Versions and times are kept relative, so that histories of different length meet and the space is finite without a
//! last day: instead of a `resourceVersion` a copy carries whether the object has changed since (`current`,
//! `outdated`), which is all a compare-and-swap asks; a time is a number of ticks from now, and no older than matters.

/// Objects, and tasks of the NAS.
pub const TASKS: [usize; 2] = [0, 1];
/// Processes of the operator.
pub const REPLICAS: [usize; 2] = [0, 1];

/// Ticks from now, negative in the past; one is half the settling time.
pub type Tick = i8;
/// A request token, from 1; 0 is a person at the NAS.
pub type Token = u8;
/// The identity of an intent: the smallest number that is nowhere in use.
pub type IntentId = u8;
/// A status, as `adapter::Library` numbers them; 0 is none.
pub type StatusId = u32;
/// Codes of finished results, oldest first; 0 where there is none yet.
pub type Rows = [u8; 4];

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Whose fence is open.
    pub leader: Option<usize>,
    /// Whether a call was started in this tick: until its deadline nobody else's fence opens.
    pub calling: bool,
    /// What the API server holds.
    pub objects: [Object; 2],
    /// A status write that nobody awaits any more and that may still arrive; dropped once it is outdated.
    pub strays: [Option<StatusId>; 2],
    pub replicas: [Replica; 2],
    pub nas: [NasTask; 2],
    pub ledger: [Ledger; 2],
    /// Faults that may still happen.
    pub faults: u8,
    /// Edits of a spec that may still happen.
    pub edits: u8,
}

/// A `BackupTask`: what its user wants and what its status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    pub token: Token,
    /// Whether `cancel.request` is set.
    pub cancel: bool,
    pub status: StatusId,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    pub views: [View; 2],
    /// Whether its watch delivers nothing at the moment.
    pub stalled: bool,
    pub memory: [Memory; 2],
    pub inventory: Option<Inventory>,
    /// Whether the last attempt to read the NAS failed.
    pub failing: bool,
    pub jobs: [Job; 2],
    /// Whether it has lost the Lease since these jobs began: their fence is closed for good.
    pub deposed: bool,
}

/// An object as a process last saw or wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub object: Object,
    pub current: bool,
}

/// `observe::Knowledge`, of which only this much comes up here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    pub call: Option<Call>,
    pub quiet_since: Option<Tick>,
    pub unfinished: Option<u8>,
    pub read_behind: Option<u8>,
}

/// `observe::Call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub intent: IntentId,
    pub answered: Option<Answer>,
    pub settles_from: Tick,
    pub first_absence: Option<Tick>,
    pub unreadable_since: Option<Tick>,
}

/// `observe::Answered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Applied,
    NotDispatched,
    Refused,
    Unknown,
    Withheld,
}

/// A read of the NAS in this tick: polls are closer than ticks, an older one is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inventory {
    pub queue: QueueRead,
    pub shown: [Shown; 2],
}

/// How the queue came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueRead {
    NotAsked,
    Unreadable,
    Read,
}

/// What a NAS shows of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    pub phase: Phase,
    pub rows: Rows,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Idle,
    Waiting,
    Running,
}

/// What a process is about to do for one object: each variant is an await in `controller::pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    Nothing,
    /// A status write is under way; with the call to make once it is known to be recorded.
    Writing {
        status: StatusId,
        outdated: bool,
        call: Option<Sending>,
    },
    /// It was not answered: the object is read back for the identity of the intent.
    ReadingBack {
        call: Sending,
    },
    /// The intent is recorded; the call comes next.
    Sending(Sending),
}

/// A call to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sending {
    pub intent: IntentId,
    pub verb: Verb,
    pub token: Token,
    /// Only in a broken variant: what to record after the call.
    pub record_after: Option<StatusId>,
}

/// A mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Backup,
    Cancel,
}

/// A task on the NAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NasTask {
    pub phase: Phase,
    /// Whose token started the run.
    pub by: Token,
    pub rows: Rows,
    /// A call that was accepted and takes effect later.
    pub late: Option<Late>,
}

/// A call that takes effect later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Late {
    pub verb: Verb,
    pub token: Token,
    /// Ticks it may still take.
    pub left: u8,
}

/// The judge's record of one task; no replica reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    /// Runs started per token.
    pub effects: [u8; 2],
    /// Calls of `cancel` that reached the NAS.
    pub cancels: u8,
    /// Tokens of which an intent stood in the API server.
    pub accepted: [bool; 2],
    /// Tokens of which the status said `OutcomeUnknown`.
    pub declared: [bool; 2],
    /// Tokens of which a call certainly was not carried out.
    pub declined: [bool; 2],
    /// Whether a person started a run.
    pub external: bool,
    /// Whether a call was made whose intent did not stand in the API server.
    pub unrecorded: bool,
}

impl NasTask {
    /// What a read shows.
    pub fn shown(&self) -> Shown {
        Shown {
            phase: self.phase,
            rows: self.rows,
        }
    }

    /// Ends the run with a result.
    pub fn end(&mut self, code: u8) {
        self.phase = Phase::Idle;
        self.by = 0;
        if let Some(free) = self.rows.iter_mut().find(|row| **row == 0) {
            *free = code;
        }
    }
}

impl State {
    /// Both objects new with a token, nothing seen, the first replica leads.
    pub fn new(faults: u8, edits: u8) -> Self {
        let object = Object {
            token: 1,
            cancel: false,
            status: 0,
        };
        let replica = Replica {
            views: [View {
                object,
                current: true,
            }; 2],
            stalled: false,
            memory: [Memory::default(); 2],
            inventory: None,
            failing: false,
            jobs: [Job::Nothing; 2],
            deposed: false,
        };
        Self {
            leader: Some(0),
            calling: false,
            objects: [object; 2],
            strays: [None; 2],
            replicas: [replica.clone(), replica],
            nas: [NasTask {
                phase: Phase::Idle,
                by: 0,
                rows: [0; 4],
                late: None,
            }; 2],
            ledger: [Ledger::default(); 2],
            faults,
            edits,
        }
    }

    /// What a read of the NAS shows now.
    pub fn shown(&self) -> [Shown; 2] {
        TASKS.map(|task| self.nas[task].shown())
    }

    /// The object has a new version: what was read before is stale, and watches deliver it.
    pub fn touch(&mut self, task: usize) {
        self.strays[task] = None;
        let object = self.objects[task];
        for replica in &mut self.replicas {
            if replica.stalled {
                replica.views[task].current = false;
            } else {
                replica.views[task] = View {
                    object,
                    current: true,
                };
            }
            if let Job::Writing { outdated, .. } = &mut replica.jobs[task] {
                *outdated = true;
            }
        }
    }
}
