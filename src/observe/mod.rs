//! What is seen: one inventory of a NAS, shared by all its tasks, and per task the `Observation` that `decide`
//! judges. Types and pure reading of them only; `read` fetches. A failed read is an observation too.

mod bind;
mod knowledge;
mod read;
mod shelf;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Mode, Reason},
    nas::{self, Activity, LogRow, ResultRow, Task, TaskId, Version, job_action, status},
};

pub use bind::{Bound, Claim, bind, claims};
pub use knowledge::{Answered, Call, Knowledge};
pub use read::{
    read_inventory, read_inventory_then_queue, read_log, read_results, read_shelf, read_versions,
};
pub use shelf::{Shelf, Stacking, Wanted};

/// One read of a NAS's tasks.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// When the read began, our clock.
    pub begun: Timestamp,
    /// The NAS's clock, from the answer's `Date` header.
    pub nas_time: Option<Timestamp>,
    /// Whether every task the NAS counts was in the answer; absence means nothing otherwise.
    pub complete: bool,
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The job queue, where it was asked for.
    pub queue: Queue,
}

impl Inventory {
    /// The task with that number.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The NAS's clock minus ours, to the second.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        self.nas_time.map(|nas| nas.duration_since(self.begun))
    }
}

/// The NAS's job queue (`Overview.list_activity`), read beside the tasks.
#[derive(Clone, Debug)]
pub enum Queue {
    /// Nobody needed it.
    NotAsked,
    /// The NAS would not show it.
    Unreadable,
    /// The jobs in it.
    Read(Vec<Activity>),
}

/// What is known of the server beside its inventory.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// Name of the BackupServer.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `spec.mode`.
    pub mode: Mode,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Serial of the NAS, where it told.
    pub serial: Option<String>,
    /// `timeouts.settle`.
    pub settle: SignedDuration,
    /// `removals.allowed`.
    pub removals_allowed: bool,
    /// `removals.maxPerDay`.
    pub removals_per_day: i32,
    /// Start of the breaker's window and removals in it.
    pub breaker: (Option<Timestamp>, i32),
}

/// Whether the NAS could be read at the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It could.
    Readable,
    /// It could not, so many polls in a row.
    Failing {
        /// Failed polls in a row.
        polls: u32,
        /// Why, as in the BackupServer's `Ready`.
        reason: Reason,
    },
}

/// Whether it is a task's turn to start a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may start.
    Open,
    /// Others come first.
    Queued {
        /// Its place in the queue, from 1.
        position: usize,
        /// `limits.maxConcurrentRuns`.
        limit: usize,
    },
}

/// All that `decide` may know about one task.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The server.
    pub server: &'a ServerFacts,
    /// Whether it could be read.
    pub reach: Reach,
    /// The newest inventory, if there ever was one.
    pub inventory: Option<&'a Inventory>,
    /// Whether that inventory was begun after every trigger that stands in the object.
    pub fresh: bool,
    /// The NAS task the object means.
    pub bound: Bound<'a>,
    /// Whether the object may act for it.
    pub claim: Claim,
    /// Whether it is the task's turn to start a run.
    pub admission: Admission,
    /// Backup results of the task, newest first, where they were asked for.
    pub results: Option<&'a [ResultRow]>,
    /// Versions of the task, where they were asked for.
    pub versions: Option<&'a [Version]>,
    /// Rows of the task's log since its open call was recorded, where they were asked for.
    pub log: Option<&'a [LogRow]>,
    /// What this process remembers about calls and absences.
    pub knowledge: &'a Knowledge,
}

/// What a task is doing on the NAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// Nothing that shows.
    Nothing,
    /// A result row says "incomplete" and nothing else shows a run.
    PerhapsRunning,
    /// A run is queued.
    Waiting,
    /// A run is in progress.
    Running,
    /// A run is being cancelled.
    Canceling,
    /// The task is being removed.
    Deleting,
}

impl Doing {
    /// Whether a run occupies the task.
    #[must_use]
    pub fn is_run(self) -> bool {
        matches!(
            self,
            Self::PerhapsRunning | Self::Waiting | Self::Running | Self::Canceling
        )
    }

    /// Whether that is certain, not only an unfinished row.
    #[must_use]
    pub fn is_certain_run(self) -> bool {
        self.is_run() && self != Self::PerhapsRunning
    }
}

/// What the task is doing, from its row and the queue (dsm-api-facts 3.2).
#[must_use]
pub fn doing(task: &Task, queue: &Queue) -> Doing {
    let from_queue = match queue {
        Queue::Read(jobs) => jobs
            .iter()
            .filter(|job| job.task_id == Some(task.id))
            .map(of_job)
            .max(),
        Queue::NotAsked | Queue::Unreadable => None,
    };
    let from_status = match task.status.as_deref() {
        Some("deleting") => Doing::Deleting,
        Some("backingup") => Doing::Running,
        Some("waiting") => Doing::Waiting,
        Some("canceling") => Doing::Canceling,
        _ => Doing::Nothing,
    };
    let from_progress = match &task.progress {
        Some(progress) => match progress.running_task_status {
            Some(0) => Doing::Waiting,
            Some(3) => Doing::Canceling,
            _ => Doing::Running,
        },
        None => Doing::Nothing,
    };
    // A row of progress is closer to the run than the coarse status text.
    let certain = from_queue.unwrap_or(Doing::Nothing).max(from_status);
    let certain = if from_progress == Doing::Nothing || certain == Doing::Deleting {
        certain
    } else {
        from_progress
    };
    match &task.last_result {
        Some(row) if certain == Doing::Nothing && row.is_backup() && !row.is_finished() => {
            Doing::PerhapsRunning
        }
        _ => certain,
    }
}

fn of_job(job: &Activity) -> Doing {
    match (job.action, job.status) {
        (Some(job_action::DELETE_TARGET), _) => Doing::Deleting,
        (Some(job_action::BACKUP), Some(1 | 2)) => Doing::Waiting,
        (Some(job_action::BACKUP), Some(4)) => Doing::Canceling,
        (Some(job_action::BACKUP), _) => Doing::Running,
        _ => Doing::Nothing,
    }
}

/// Whether a result row means an unfinished run.
#[must_use]
pub fn is_unfinished(row: &ResultRow) -> bool {
    row.status == status::INCOMPLETE
}

/// Results by task, as far as they were read in this pass.
pub type ResultsByTask = BTreeMap<nas::TaskId, Vec<ResultRow>>;
/// Versions by task, as far as they were read in this pass.
pub type VersionsByTask = BTreeMap<nas::TaskId, Vec<Version>>;
/// Log rows by task, as far as they were read in this pass.
pub type LogByTask = BTreeMap<nas::TaskId, Vec<LogRow>>;
