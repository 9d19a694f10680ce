//! The clock of a process as a value: the machine's, or one that starts where a test says and goes as tokio's does,
//! so that a paused runtime decides how time passes. Nothing else in the crate asks the machine for the time of an
//! object, an inventory or a call.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    anchor: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// One that shows `now` at this moment of tokio's time and goes with it.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self {
            anchor: Some((now, Instant::now())),
        }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let Some((start, since)) = self.anchor else {
            return Timestamp::now();
        };
        let passed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
        start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}
