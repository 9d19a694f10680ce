//! The end of a decision: what the task is doing, what is said of it, and when something is due by itself.

use super::{Decision, Draft, Needs, Standing};
use crate::{
    api::{BackupType, BoundDevice, BoundTask, IntentAction, Reason, SourceType, State, status_time},
    nas::Task,
    observe::{Bound, Doing, Reach},
};
use jiff::Timestamp;

impl Draft<'_> {
    pub(super) fn finish(mut self) -> Decision {
        let state = self.state();
        if self.status.state != Some(state) {
            self.status.state = Some(state);
            self.status.state_since = Some(status_time(self.now));
        }
        self.status.task = self
            .status
            .task
            .take()
            .filter(|_| state != State::Unknown || !self.first_sight);
        self.status.next_run_time = self.next_run.map(status_time);
        if self.status.refusals.is_none() {
            self.status.next_attempt_time = self.next_attempt.map(status_time);
        } else if matches!(self.observed.bound, Bound::Missing | Bound::Replaced { .. })
            && self.put_off_until().is_none()
        {
            // On a task that is not there nothing is tried again, so there is no time at which.
            self.status.next_attempt_time = None;
        }
        let in_flight = self.status.intent.is_some() || self.status.run.is_some();
        let standing = self.standing.take().unwrap_or_else(|| self.quiet_standing(state));
        Decision {
            standing: self.unread().unwrap_or(standing),
            act: self.act,
            needs: self.needs,
            finalizer: self.finalizer,
            active: in_flight || matches!(state, State::Deleting) || self.needs != Needs::default(),
            wake: self.wake,
            seeking: in_flight || self.due_since.is_some(),
            wants_start: self.wants_start,
            due: self.due_since,
            notice: self.notice,
            status: self.status,
        }
    }

    /// A NAS never read, or unreadable for two polls, leaves no verdict (contract, Status).
    fn unread(&self) -> Option<Standing> {
        let message = "the NAS cannot be read; see the BackupServer";
        match (&self.observed.reach, self.observed.inventory) {
            (Reach::Failing { polls, reason }, inventory) if *polls >= 2 || inventory.is_none() => Some(
                Standing::unknown(Reason::ServerNotReady, format!("{message} ({})", reason.as_str())),
            ),
            (Reach::Readable, None) => Some(Standing::unknown(
                Reason::ServerNotReady,
                "the NAS has not been read yet",
            )),
            (Reach::Readable, Some(_)) | (Reach::Failing { .. }, _) => None,
        }
    }

    fn state(&self) -> State {
        let intent = self.status.intent.as_ref().map(|intent| intent.action);
        let doing = self.doing();
        if self.is_latched() {
            return State::Removed;
        }
        if intent == Some(IntentAction::Remove) || doing == Doing::Deleting {
            return State::Deleting;
        }
        let lost = matches!(self.observed.reach, Reach::Failing { polls, .. } if polls >= 2);
        match &self.observed.bound {
            Bound::Unread | Bound::Ambiguous(_) => return State::Unknown,
            _ if lost => return State::Unknown,
            Bound::Missing | Bound::Replaced { .. } => return State::Missing,
            Bound::To(_) => {}
        }
        let canceling = intent == Some(IntentAction::Cancel);
        match doing {
            _ if doing.is_run() && canceling => State::Canceling,
            Doing::Canceling => State::Canceling,
            Doing::Running | Doing::PerhapsRunning => State::Running,
            Doing::Waiting => State::Waiting,
            Doing::Nothing | Doing::Deleting => match (intent, &self.status.run) {
                (Some(IntentAction::Backup), _) => State::Waiting,
                (_, Some(_)) => State::Running,
                _ => State::Idle,
            },
        }
    }

    fn quiet_standing(&self, state: State) -> Standing {
        match state {
            State::Running | State::Canceling => {
                Standing::waiting(Reason::BackupRunning, "a run is in progress")
            }
            State::Waiting if self.status.intent.is_some() => Standing::waiting(
                Reason::BackupRequested,
                "a run was asked for; the NAS has not shown it yet",
            ),
            State::Waiting => Standing::waiting(Reason::BackupRunning, "a run is queued on the NAS"),
            State::Deleting => Standing::waiting(Reason::RemovalInProgress, "the NAS is removing the task"),
            State::Idle | State::Missing | State::Removed | State::Unknown => {
                Standing::fine(Reason::Reconciled, "bound and observed")
            }
        }
    }
}

pub(super) fn bound_task(task: &Task, before: Option<&BoundTask>) -> BoundTask {
    let device = |device: &crate::nas::Device| BoundDevice {
        id: device.id,
        host_name: device.host_name.clone(),
        os_name: device.os_name.clone(),
    };
    BoundTask {
        id: task.id.0,
        name: task.name.clone(),
        unique_key: task.unique_key.as_ref().map(|key| key.as_str().to_owned()),
        backup_type: task.backup_type.map(BackupType::from_code),
        backup_type_code: task.backup_type,
        source_type: task.source_type.map(SourceType::from_code),
        source_type_code: task.source_type,
        device_count: task.device_count,
        devices: task.devices.iter().take(20).map(device).collect(),
        share: task.share_name.clone(),
        // Only some reads carry it; what was known stays.
        version_count: task
            .version_count
            .or_else(|| before.and_then(|bound| bound.version_count)),
        next_trigger_time: task
            .next_trigger_time
            .and_then(|second| Timestamp::from_second(second).ok())
            .map(status_time),
    }
}
