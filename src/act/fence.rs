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
    held: Arc<Mutex<Held>>,
    /// `None` without leader election.
    lease: Option<Duration>,
    /// Of which reign it is; `None` for whichever there is.
    reign: Option<u64>,
}

/// What the election says.
#[derive(Debug, Default)]
struct Held {
    until: Option<Instant>,
    /// How often the fence was opened: between two reigns another process may have led.
    reign: u64,
}

impl Fence {
    /// A fence that is always open: one process by construction.
    #[must_use]
    pub fn open() -> Self {
        Self {
            held: Arc::default(),
            lease: None,
            reign: None,
        }
    }

    /// A fence that opens only while a Lease of this duration is held.
    #[must_use]
    pub fn leased(lease: Duration) -> Self {
        Self {
            held: Arc::default(),
            lease: Some(lease),
            reign: None,
        }
    }

    /// The fence of the present reign. It closes for good with it: what was recorded before another process led may be
    /// settled by now, and must not be sent when this process leads once more.
    #[must_use]
    pub fn of_this_reign(&self) -> Self {
        let reign = self.held.lock().unwrap_or_else(PoisonError::into_inner).reign;
        Self {
            reign: Some(reign),
            ..self.clone()
        }
    }

    /// Whether a Lease stands behind it, so that no call of an earlier holder can be on its way any more.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// The number of the reign this fence is of, or of the present one: what was seen in another reign is out of date.
    #[must_use]
    pub fn reign(&self) -> u64 {
        let present = || self.held.lock().unwrap_or_else(PoisonError::into_inner).reign;
        self.reign.unwrap_or_else(present)
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
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_present = self.reign.is_none_or(|reign| reign == held.reign);
        held.until.filter(|_| is_present).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Opens the fence until a time on our monotonic clock, or closes it. The election's to call. Tells whether it was
    /// open up to now: one that was not may have been met closed.
    pub fn hold_until(&self, until: Option<Instant>) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = held.until.is_some_and(|until| until > Instant::now());
        if !is_held && until.is_some() {
            held.reign += 1;
        }
        held.until = until;
        is_held
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

    #[tokio::test(start_paused = true)]
    async fn a_reign_that_ended_does_not_come_back() {
        let fence = Fence::leased(Duration::from_secs(60));
        let request = Duration::from_secs(20);
        let hold = || {
            fence.hold_until(Some(Instant::now() + Duration::from_secs(60)));
        };
        hold();
        let first = fence.of_this_reign();
        tokio::time::advance(Duration::from_secs(30)).await;
        hold();
        assert_eq!(first.allowance(request), Some(request), "renewed in time");
        tokio::time::advance(Duration::from_secs(61)).await;
        hold();
        assert_eq!(fence.allowance(request), Some(request));
        assert_eq!(first.allowance(request), None, "another may have led in between");
        assert!(!first.is_open());
        let second = fence.of_this_reign();
        fence.hold_until(None);
        hold();
        assert_eq!(second.allowance(request), None, "given up and taken anew");
        assert_eq!((first.reign(), second.reign(), fence.reign()), (1, 2, 3));
        assert_eq!(Fence::open().of_this_reign().allowance(request), Some(request));
    }
}
