//! The fence in front of everything that changes a NAS or the cluster: open while this process leads. The election
//! moves it; whoever sends asks it after the last await.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Until when this process may act, shared with everything that sends.
#[derive(Clone, Debug)]
pub struct Fence {
    until: Arc<Mutex<Option<Instant>>>,
    /// `None` without leader election.
    lease: Option<Duration>,
}

impl Fence {
    /// A fence that is always open: one process by construction.
    #[must_use]
    pub fn open() -> Self {
        Self {
            until: Arc::default(),
            lease: None,
        }
    }

    /// A fence that opens only while a Lease of this duration is held.
    #[must_use]
    pub fn leased(lease: Duration) -> Self {
        Self {
            until: Arc::default(),
            lease: Some(lease),
        }
    }

    /// Whether this process leads now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lease.is_none() || self.remaining() > Duration::ZERO
    }

    /// How long a mutating call may take if it starts now: the smaller of `request` and a third of the Lease, and
    /// `None` unless more than that is left (protocol, step 4).
    #[must_use]
    pub fn allowance(&self, request: Duration) -> Option<Duration> {
        let Some(lease) = self.lease else {
            return Some(request);
        };
        let allowance = request.min(lease / 3);
        (self.remaining() > allowance).then_some(allowance)
    }

    fn remaining(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Opens the fence until a time on our monotonic clock, or closes it. The election's to call. Tells whether it was
    /// open up to now: one that was not may have been met closed.
    pub fn hold_until(&self, until: Option<Instant>) -> bool {
        let mut held = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, until);
        before.is_some_and(|before| before > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_starts_only_with_more_lease_left_than_it_may_take() {
        let fence = Fence::leased(Duration::from_secs(60));
        let request = Duration::from_secs(20);
        assert_eq!(fence.allowance(request), None, "never held");
        fence.hold_until(Some(Instant::now() + Duration::from_secs(60)));
        assert_eq!(fence.allowance(request), Some(request));
        assert_eq!(
            fence.allowance(Duration::from_secs(50)),
            Some(request),
            "a third of the lease caps it"
        );
        tokio::time::advance(Duration::from_secs(39)).await;
        assert_eq!(fence.allowance(request), Some(request));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(
            fence.allowance(request),
            None,
            "exactly as much as it may take is too little"
        );
        assert!(fence.is_open());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!fence.is_open());
        let later = Some(Instant::now() + Duration::from_secs(60));
        assert!(!fence.hold_until(later), "it had run out");
        assert!(fence.hold_until(None), "it was open");
        assert_eq!(Fence::open().allowance(request), Some(request));
    }
}
