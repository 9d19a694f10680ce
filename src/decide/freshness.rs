//! How old the newest good backup is: its times in our clock, and until when it is fresh.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Draft, nas_time};
use crate::{
    api::{ResultSummary, Run, status_time},
    nas::ResultRow,
};

/// With a larger difference of the clocks a NAS time says too little about ours (contract, Rules).
const TRUSTED_SKEW: i64 = 5;

/// A run that a person started just before ours was asked for may answer it: only what began longer before shows
/// another clock.
const EARLY: SignedDuration = SignedDuration::from_mins(2);

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

    /// The NAS's clock minus ours, where they differ by more than can be ignored. Where the NAS does not tell, as the
    /// newest run has shown it.
    pub(super) fn skew(&self) -> Option<i64> {
        match self.observed.inventory?.skew() {
            Some(skew) => Some(skew.as_secs()).filter(|skew| skew.abs() > TRUSTED_SKEW),
            None => self.status.last_result.as_ref()?.clock_skew_seconds,
        }
    }

    /// The skew that the times of a run's own row show.
    pub(super) fn skew_of(&self, run: &Run, row: &ResultRow) -> Option<i64> {
        let asked = run.requested_at.as_ref().map(|time| time.0);
        self.skew_shown(row, asked, run.clock_skew_seconds)
    }

    /// A start that would lie before the run was asked for, or in the future, was told by another clock than the one
    /// that is known.
    pub(super) fn skew_shown(
        &self,
        row: &ResultRow,
        asked: Option<Timestamp>,
        known: Option<i64>,
    ) -> Option<i64> {
        let Some(Time(start)) = nas_time(row.time_start) else {
            return known;
        };
        let fits = |skew: &Option<i64>| {
            corrected(start, *skew).is_some_and(|start| {
                asked.is_none_or(|asked| asked.duration_since(start) <= EARLY)
                    && start.duration_since(self.now).as_secs() <= TRUSTED_SKEW
            })
        };
        [known, None].into_iter().find(fits).unwrap_or_else(|| {
            let skew = start.duration_since(asked.unwrap_or(self.now)).as_secs();
            Some(skew)
        })
    }
}
