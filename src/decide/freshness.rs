//! How old the newest good backup is: its times in our clock, and until when it is fresh.

use jiff::{SignedDuration, Timestamp};

use super::Draft;
use crate::api::{ResultSummary, status_time};

/// With a larger difference of the clocks a NAS time says too little about ours (contract, Rules).
const TRUSTED_SKEW: i64 = 5;

/// When a run started, our clock: corrected by the skew at the time it was first seen.
pub(super) fn started(result: &ResultSummary) -> Option<Timestamp> {
    let start = result.start_time.as_ref().or(result.end_time.as_ref())?.0;
    corrected(start, result.clock_skew_seconds)
}

/// When a run ended, our clock.
pub(super) fn ended(result: &ResultSummary) -> Option<Timestamp> {
    corrected(result.end_time.as_ref()?.0, result.clock_skew_seconds)
}

/// A time of the NAS in our clock.
pub(super) fn corrected(nas_time: Timestamp, skew: Option<i64>) -> Option<Timestamp> {
    nas_time
        .checked_sub(SignedDuration::from_secs(skew.unwrap_or(0)))
        .ok()
}

impl Draft<'_> {
    /// Keeps the time until which the newest success is fresh.
    pub(super) fn keep_freshness(&mut self) {
        let max_age = self.object.spec.triggers.max_age.as_ref();
        let started = self.status.last_success.as_ref().and_then(started);
        let until = max_age
            .zip(started)
            .and_then(|(max_age, started)| started.checked_add(max_age.get()).ok());
        self.status.fresh_until = until.map(status_time);
    }

    /// The NAS's clock minus ours, where they differ by more than can be ignored.
    pub(super) fn skew(&self) -> Option<i64> {
        let skew = self.observed.inventory?.skew()?.as_secs();
        (skew.abs() > TRUSTED_SKEW).then_some(skew)
    }
}
