//! One run or deletion under way: where it stands, when the next thing happens to it, how much of it is done.

use super::ledger::Origin;

/// A run or a deletion under way.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: i64,
    pub(super) task_id: i64,
    pub(super) phase: Phase,
    pub(super) user: Option<String>,
    pub(super) origin: Origin,
    /// As the caller sent it; kept for the log.
    pub(super) trigger_type: Option<i64>,
    pub(super) result_id: Option<i64>,
    pub(super) total_bytes: i64,
    /// Versions it deletes.
    pub(super) versions: Vec<i64>,
    pub(super) activity_uuid: String,
    /// Start on the clock of the NAS, in seconds since 1970.
    pub(super) time_start: i64,
}

/// End of a run that is paused.
pub(super) const PAUSED: i64 = i64::MAX;

/// Where a job stands. Times are true time in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the queue; may start from `ready` on.
    Waiting { ready: i64 },
    /// A run, until it ends by itself.
    Running { since: i64, until: i64 },
    /// A run that was cancelled: ends at `stop`, or by itself if that is earlier.
    Stopping { since: i64, until: i64, stop: i64 },
    /// The deletion of a task.
    Deleting { until: i64 },
    /// The deletion of some of its versions.
    Trimming { until: i64 },
}

impl Job {
    /// When the next thing happens to it; a queued job that is ready waits for others.
    pub(super) fn next_due(&self, clock: i64) -> Option<i64> {
        match self.phase {
            Phase::Waiting { ready } => (ready > clock).then_some(ready),
            Phase::Running { until: PAUSED, .. } => None,
            Phase::Running { until, .. } | Phase::Deleting { until } | Phase::Trimming { until } => {
                Some(until)
            }
            Phase::Stopping { until, stop, .. } => Some(until.min(stop)),
        }
    }

    pub(super) fn is_active_run(&self) -> bool {
        matches!(self.phase, Phase::Running { .. } | Phase::Stopping { .. })
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    pub(super) fn is_deletion(&self) -> bool {
        matches!(self.phase, Phase::Deleting { .. })
    }

    pub(super) fn is_trimming(&self) -> bool {
        matches!(self.phase, Phase::Trimming { .. })
    }

    /// Part of the run that is done, in ten-thousandths.
    pub(super) fn done(&self, clock: i64) -> i64 {
        match self.phase {
            Phase::Running { since, until } | Phase::Stopping { since, until, .. } => {
                let (passed, length) = (i128::from(clock - since), i128::from((until - since).max(1)));
                i64::try_from(passed * 10_000 / length)
                    .unwrap_or(10_000)
                    .clamp(0, 10_000)
            }
            Phase::Waiting { .. } | Phase::Deleting { .. } | Phase::Trimming { .. } => 0,
        }
    }

    pub(super) fn transferred(&self, clock: i64) -> i64 {
        let bytes = i128::from(self.total_bytes) * i128::from(self.done(clock)) / 10_000;
        i64::try_from(bytes).unwrap_or(self.total_bytes)
    }

    /// Whether it waits for the agents of its task.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Running { until: PAUSED, .. })
    }

    /// Process id shown for it.
    pub(super) fn pid(&self) -> i64 {
        20_000 + self.id
    }
}
