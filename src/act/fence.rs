//! The fence in front of everything that changes a NAS or the cluster: open while this process may act. Whoever holds the
//! Leases moves it; whoever sends asks it after the last await. Where the work is shared out, a part of the fence stands in
//! front of each share: it is open while the whole is, and while this process has that share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// Of which share it is; `None` for the whole.
    part: Option<Arc<Mutex<Part>>>,
}

/// What the slot's Lease says.
#[derive(Debug, Default)]
struct Held {
    until: Option<Instant>,
    /// The present reign: between two of them another process may have led.
    reign: u64,
    /// Reigns of the whole and of its parts so far; no two have the same number.
    reigns: u64,
}

/// What the Lease of one share says.
#[derive(Debug, Default)]
struct Part {
    /// The present reign over this share.
    reign: u64,
    /// In which reign of the whole it was taken; it ends with that one.
    taken_in: Option<u64>,
    /// Since when nobody else could write for it: when it was taken, or known to be free.
    since: Option<Instant>,
    /// It is to be given away: what is under way may end, nothing begins.
    is_closing: bool,
}

impl Fence {
    /// A fence that is always open: one process by construction.
    #[must_use]
    pub fn open() -> Self {
        Self {
            held: Arc::default(),
            lease: None,
            reign: None,
            part: None,
        }
    }

    /// A fence that opens only while a Lease of this duration is held.
    #[must_use]
    pub fn leased(lease: Duration) -> Self {
        Self {
            held: Arc::default(),
            lease: Some(lease),
            reign: None,
            part: None,
        }
    }

    /// A part of this fence that is closed until it is taken.
    #[must_use]
    pub fn part(&self) -> Self {
        Self {
            part: Some(Arc::default()),
            reign: None,
            ..self.clone()
        }
    }

    /// Opens a part, for as long as the whole has not been closed since its reign of that number. Tells whether it is
    /// open now.
    #[must_use]
    pub fn take(&self, whole: u64) -> bool {
        self.take_free(whole, Instant::now())
    }

    /// As [`Fence::take`], of a share for which nobody could write from `since` on.
    #[must_use]
    pub fn take_free(&self, whole: u64, since: Instant) -> bool {
        let Some(part) = &self.part else { return false };
        let mut part = lock(part);
        let mut held = lock(&self.held);
        if held.reign != whole {
            return false;
        }
        held.reigns += 1;
        *part = Part {
            reign: held.reigns,
            taken_in: Some(whole),
            since: Some(since),
            is_closing: false,
        };
        drop((held, part));
        self.is_open()
    }

    /// Lets nothing begin any more behind a part; what has begun keeps its fence until [`Fence::end`].
    pub fn close(&self) {
        if let Some(part) = &self.part {
            lock(part).is_closing = true;
        }
    }

    /// Whether nothing is to begin any more, though what has begun may go on.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.part.as_ref().is_some_and(|part| lock(part).is_closing)
    }

    /// Closes a part for good.
    pub fn end(&self) {
        if let Some(part) = &self.part {
            lock(part).taken_in = None;
        }
    }

    /// The fence of the present reign. It closes for good with it: what was recorded before another process led may be
    /// settled by now, and must not be sent when this process leads once more.
    #[must_use]
    pub fn of_this_reign(&self) -> Self {
        Self {
            reign: Some(self.present_reign()),
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
        self.reign.unwrap_or_else(|| self.present_reign())
    }

    /// When the part was taken or known to be free: what is read later shows all that its last holder could write. `None` for the
    /// whole.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.part.as_ref().and_then(|part| lock(part).since)
    }

    fn present_reign(&self) -> u64 {
        match &self.part {
            Some(part) => lock(part).reign,
            None => lock(&self.held).reign,
        }
    }

    /// Whether something may begin now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lease.is_none()
            || self.remaining() > Duration::ZERO && (self.reign.is_some() || !self.is_closing())
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
        let part = self.part.as_ref().map(|part| lock(part));
        let held = lock(&self.held);
        let (present, is_taken) = match &part {
            Some(part) => (part.reign, part.taken_in == Some(held.reign)),
            None => (held.reign, true),
        };
        let is_present = is_taken && self.reign.is_none_or(|reign| reign == present);
        held.until.filter(|_| is_present).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }

    /// Opens the whole until a time on our monotonic clock, or closes it. For whoever holds the Lease to call. Tells whether it was
    /// open up to now: one that was not may have been met closed.
    pub fn hold_until(&self, until: Option<Instant>) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = held.until.is_some_and(|until| until > Instant::now());
        if !is_held && until.is_some() {
            held.reigns += 1;
            held.reign = held.reigns;
        }
        held.until = until;
        is_held
    }
}

/// A panic elsewhere leaves plain values.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn a_part_is_open_while_it_is_taken_and_the_whole_is_held() {
        let whole = Fence::leased(Duration::from_secs(60));
        let request = Duration::from_secs(20);
        let (one, other) = (whole.part(), whole.part());
        let hold = || {
            whole.hold_until(Some(Instant::now() + Duration::from_secs(60)));
        };
        hold();
        assert!(!one.is_open(), "nobody has taken it");
        let now = Instant::now();
        assert!(one.take(whole.reign()) && one.is_open() && !other.is_open());
        assert_eq!(
            (whole.since(), one.since(), other.since()),
            (None, Some(now), None)
        );
        let pass = one.of_this_reign();
        one.close();
        assert!(!one.is_open() && pass.is_closing(), "nothing begins any more");
        assert_eq!(pass.allowance(request), Some(request), "what has begun goes on");
        one.end();
        assert_eq!(pass.allowance(request), None);
        assert!(one.take(whole.reign()) && one.is_open());
        assert!(!pass.is_open(), "taken anew, which is another reign");
        let (pass, before) = (one.of_this_reign(), whole.reign());
        whole.hold_until(None);
        hold();
        assert!(!one.is_open() && !pass.is_open(), "the whole was lost");
        assert!(!one.take(before), "asked for before the whole was lost");
        assert!(one.take(whole.reign()) && other.take(whole.reign()));
        assert!(!pass.is_open());
        assert_ne!(one.reign(), other.reign(), "each share has reigns of its own");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(
            !one.is_open() && !one.take(whole.reign()),
            "the whole has run out"
        );
    }
}
