//! Waiting on a condition. The only place where tests let time pass: short polls up to a deadline, never a
//! fixed sleep.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// How long a state that is on its way may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Short enough not to be noticed, long enough not to occupy a core.
const POLL: Duration = Duration::from_millis(50);

/// One look at what is waited for: `Some` or `Ok` ends the waiting, `Err` says what was seen instead.
pub trait Look {
    /// What the waiting yields.
    type Found;
    /// The value, or the state seen instead.
    fn found(self) -> Result<Self::Found, String>;
}

impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Debug> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Looks every 50 ms until something is found.
///
/// # Panics
/// With `what` and the last state seen once the deadline has passed; a look that itself hangs counts as well.
pub async fn eventually_within<L: Look>(
    what: &str,
    deadline: Duration,
    look: impl AsyncFnMut() -> L,
) -> L::Found {
    match attempt(deadline, look).await {
        Ok(found) => found,
        Err(seen) => panic!("{what}: not within {deadline:?}; last seen: {seen}"),
    }
}

/// [`eventually_within`] the usual patience.
pub async fn eventually<L: Look>(what: &str, look: impl AsyncFnMut() -> L) -> L::Found {
    eventually_within(what, PATIENCE, look).await
}

/// The waiting itself, for callers that do not want to panic.
pub async fn attempt<L: Look>(
    deadline: Duration,
    mut look: impl AsyncFnMut() -> L,
) -> Result<L::Found, String> {
    let end = Instant::now() + deadline;
    let mut last = "nothing".to_owned();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left.max(POLL), look()).await {
            Err(_) => return Err(format!("{last} (the last look did not come back)")),
            Ok(seen) => match seen.found() {
                Ok(found) => return Ok(found),
                Err(seen) => last = seen,
            },
        }
        if Instant::now() >= end {
            return Err(last);
        }
        tokio::time::sleep(POLL).await;
    }
}
