//! What a process remembers between passes about one object: the answer to its own call, and since when
//! something has been missing. Losing it (a restart) is safe: an intent without knowledge was *found*, and
//! nobody sends on a found intent; a missing time starts anew, which only waits longer.

use jiff::Timestamp;

use super::{Bound, Doing, Inventory, Queue, doing};
use crate::{
    api::{BackupTask, IntentAction, Reason},
    nas::ResultId,
};

/// How the call of an intent was answered, as this process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Success: the call took effect or will.
    Applied,
    /// Certainly not carried out: no valid session, or nothing was sent. A new intent may follow at once.
    NotDispatched,
    /// Certainly not carried out, with the NAS's number.
    Refused(i64),
    /// Anything else; evidence decides.
    Unknown,
    /// Withheld by a last check before the call.
    Withheld,
}

/// This process's knowledge of one intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The intent it belongs to.
    pub intent: String,
    /// Its answer; `None` when the intent was found, not sent by this process.
    pub answered: Option<Answered>,
    /// When it was sent, our clock; when it was found, for one that was found.
    pub sent: Timestamp,
    /// When the settling time starts: the call's deadline, or when the intent was found.
    pub settles_from: Timestamp,
    /// Beginning of the first read after that which showed no trace of the call.
    pub first_absence: Option<Timestamp>,
    /// Beginning of the first read after that since when the queue or the history cannot be read.
    pub unreadable_since: Option<Timestamp>,
}

impl Call {
    fn note_unreadable(&mut self, inventory: &Inventory) {
        self.unreadable_since = self.unreadable_since.or(Some(inventory.begun));
    }
}

/// What this process remembers about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The open call.
    pub call: Option<Call>,
    /// Beginning of the first read since when no run shows.
    pub quiet_since: Option<Timestamp>,
    /// The unfinished row that the newest read showed and nothing else did.
    pub unfinished: Option<ResultId>,
    /// Beginning of the first complete read since when the task is not listed and no deletion shows.
    pub absent_since: Option<Timestamp>,
    /// The newest result of another kind (a version deletion, a restore) behind which the history was read.
    pub history_read_behind: Option<ResultId>,
    /// Whether the history could not be read behind the newest inventory.
    pub history_unreadable: bool,
    /// Whether the versions could not be read in this pass.
    pub versions_unreadable: bool,
    /// Why the last check held the open call back.
    pub withheld: Option<(Reason, String)>,
}

impl Knowledge {
    /// Notes an intent that this process finds without having sent on it, and forgets a settled one.
    pub fn find_intent(&mut self, object: &BackupTask, now: Timestamp) {
        let intent = object.status.as_ref().and_then(|status| status.intent.as_ref());
        match (intent, &self.call) {
            (None, _) => self.call = None,
            (Some(intent), Some(call)) if call.intent == intent.id => {}
            (Some(intent), _) => {
                let call = Call {
                    intent: intent.id.clone(),
                    answered: None,
                    sent: now,
                    settles_from: now,
                    first_absence: None,
                    unreadable_since: None,
                };
                self.call = Some(call);
            }
        }
    }

    /// Notes what a new inventory does not show.
    pub fn note(&mut self, object: &BackupTask, bound: &Bound<'_>, inventory: &Inventory) {
        let listed = match bound {
            Bound::To(task) => Some(doing(task, &inventory.queue)),
            Bound::Unread | Bound::Missing | Bound::Ambiguous(_) | Bound::Replaced { .. } => None,
        };
        let readable = matches!(inventory.queue, Queue::Read(_));
        let row = match bound {
            Bound::To(task) => task.last_result.as_ref().map(|row| row.result_id),
            Bound::Unread | Bound::Missing | Bound::Ambiguous(_) | Bound::Replaced { .. } => None,
        };
        let unfinished = row.filter(|_| listed == Some(Doing::PerhapsRunning));
        if unfinished.is_some() && unfinished != self.unfinished {
            // The quiet before this row says nothing of its run.
            self.quiet_since = None;
        }
        self.unfinished = unfinished;
        match listed {
            Some(Doing::Nothing) => self.quiet_since = self.quiet_since.or(Some(inventory.begun)),
            Some(Doing::PerhapsRunning) if readable => {
                self.quiet_since = self.quiet_since.or(Some(inventory.begun));
            }
            // An unfinished row alone says nothing, neither way, while the queue cannot be read.
            Some(Doing::PerhapsRunning) => {}
            Some(_) | None => self.quiet_since = None,
        }
        let missing = matches!(bound, Bound::Missing | Bound::Replaced { .. });
        let gone = missing && inventory.complete && !deletion_shows(object, inventory);
        self.absent_since = gone.then(|| self.absent_since.unwrap_or(inventory.begun));
        self.history_unreadable = false;
        if let Some(call) = &mut self.call
            && inventory.begun >= call.settles_from
        {
            call.first_absence = match listed {
                Some(doing) if readable && !shows(object, doing) => {
                    call.first_absence.or(Some(inventory.begun))
                }
                // A queue that cannot be read takes nothing back of what an earlier read showed.
                Some(doing) if !shows(object, doing) => call.first_absence,
                // What is not listed cannot show a run: no trace of anything.
                Some(_) | None => None,
            };
            match &inventory.queue {
                Queue::Unreadable => call.note_unreadable(inventory),
                Queue::Read(_) if !hides_history(bound) => call.unreadable_since = None,
                // The read of the history decides.
                Queue::Read(_) | Queue::NotAsked => {}
            }
        }
    }

    /// Notes whether the history behind an inventory could be read.
    pub fn note_history(&mut self, inventory: &Inventory, last: Option<ResultId>, readable: bool) {
        // Not an empty history: what is behind it stays unknown.
        self.history_unreadable = !readable;
        if readable {
            self.history_read_behind = last;
        }
        if let Some(call) = &mut self.call
            && inventory.begun >= call.settles_from
        {
            match &inventory.queue {
                Queue::Read(_) if readable => call.unreadable_since = None,
                _ if !readable => call.note_unreadable(inventory),
                _ => {}
            }
        }
    }
}

/// Whether the newest result is of another kind, so that a backup may be hidden behind it.
fn hides_history(bound: &Bound<'_>) -> bool {
    let Bound::To(task) = bound else {
        return true;
    };
    task.last_result.as_ref().is_some_and(|last| !last.is_backup())
}

/// Whether what the task is doing may be the work of its open call.
fn shows(object: &BackupTask, doing: Doing) -> bool {
    let intent = object.status.as_ref().and_then(|status| status.intent.as_ref());
    intent.is_some_and(|intent| match intent.action {
        IntentAction::Remove => doing == Doing::Deleting,
        IntentAction::Cancel => doing == Doing::Canceling,
        IntentAction::Backup => doing.is_certain_run(),
    })
}

/// Whether a job still deletes the object's task.
fn deletion_shows(object: &BackupTask, inventory: &Inventory) -> bool {
    let Queue::Read(jobs) = &inventory.queue else {
        return false;
    };
    let Some(id) = object
        .status
        .as_ref()
        .and_then(|s| s.task.as_ref())
        .map(|task| task.id)
    else {
        return false;
    };
    jobs.iter().any(|job| {
        job.task_id.is_some_and(|task| task.0 == id)
            && job.action == Some(crate::nas::job_action::DELETE_TARGET)
    })
}
