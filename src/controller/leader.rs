//! Leadership by a Lease. It moves the fence that no mutating call passes while it is closed.
//!
//! The crates for this keep time by the wall clock and renew without comparing `resourceVersion`; a paused leader
//! could renew a Lease that another took. Here every write is a compare-and-swap; the holder's time runs on its own
//! monotonic clock from *before* the renewal was sent; a contender waits one full duration, on its own clock, during
//! which it saw the record unchanged (as client-go does). So two holders' times never overlap, whatever their clocks
//! say, as long as both clocks run at about the same rate.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, ResourceExt, api::ObjectMeta, api::PostParams};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::swap::{parameters, swap};
use crate::act::Fence;

/// How often a standby looks at most, so that a released Lease is taken over at once.
const LOOK: Duration = Duration::from_secs(2);

/// One process's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    fence: Fence,
    leading: watch::Sender<bool>,
}

/// What a process knows of the Lease between two looks.
#[derive(Default)]
struct Record {
    /// Its version, and when it was first seen at it.
    seen: Option<(String, Instant)>,
    /// As we wrote it last: the next renewal needs no read.
    own: Option<Lease>,
}

impl Election {
    /// An election for the Lease `namespace/name`. The watch channel tells when leadership changes.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        duration: Duration,
    ) -> (Self, Fence, watch::Receiver<bool>) {
        let fence = Fence::leased(duration);
        let (leading, receiver) = watch::channel(false);
        let election = Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration,
            fence: fence.clone(),
            leading,
        };
        (election, fence, receiver)
    }

    /// Takes, renews and contends for the Lease until `stop` resolves. The Lease is *not* released: see
    /// [`Election::release`], which the owner calls when nothing of its own is under way any more.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut record = Record::default();
        loop {
            let wait = self.turn(&mut record).await;
            let is_open = self.fence.is_open();
            self.leading
                .send_if_modified(|leading| std::mem::replace(leading, is_open) != is_open);
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// One look at the Lease; returns when to look again.
    async fn turn(&self, record: &mut Record) -> Duration {
        let renewal = self.duration / 3;
        // A failed or slow request is tried again well before the Lease runs out.
        let soon = (renewal / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
        let lease = match record.own.take() {
            Some(own) => own,
            None => match timeout(renewal, self.api.get_opt(&self.name)).await {
                Ok(Ok(Some(lease))) => lease,
                Ok(Ok(None)) => {
                    let before = Instant::now();
                    let fresh = Lease {
                        metadata: self.metadata(),
                        spec: Some(self.claim(None)),
                    };
                    let made = timeout(renewal, self.api.create(&PostParams::default(), &fresh)).await;
                    return self.note(record, made, before).unwrap_or(soon);
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "failed to read the Lease");
                    return soon;
                }
                Err(_) => return soon,
            },
        };
        let before = Instant::now();
        let version = lease.resource_version().unwrap_or_default();
        let since = match &record.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => before,
        };
        record.seen = Some((version, since));
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or("");
        let theirs = spec
            .lease_duration_seconds
            .and_then(|s| u64::try_from(s).ok())
            .map(Duration::from_secs);
        let expired = before.saturating_duration_since(since) >= theirs.unwrap_or(self.duration);
        if holder != self.identity && !holder.is_empty() && !expired {
            return renewal.min(LOOK);
        }
        let written = timeout(renewal, self.write(&lease, &self.claim(Some(&spec)))).await;
        self.note(record, written, before).unwrap_or(soon)
    }

    /// Takes note of a write: held from before it was sent. Anything but a clear answer is looked into by a read.
    fn note(
        &self,
        record: &mut Record,
        written: Result<Result<Lease, kube::Error>, tokio::time::error::Elapsed>,
        before: Instant,
    ) -> Option<Duration> {
        match written {
            Ok(Ok(lease)) => {
                record.own = Some(lease);
                if !self.fence.hold_until(Some(before + self.duration)) {
                    // The Lease had run out (a pause, a slow API server) and nobody took it. A loop that met the closed
                    // fence meanwhile sleeps until leadership is *gained*, so it has to be lost first.
                    self.leading
                        .send_if_modified(|leading| std::mem::replace(leading, false));
                }
                Some(self.duration / 3)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                // Somebody else wrote: whoever it was, we cannot claim to hold it.
                self.fence.hold_until(None);
                None
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Puts a claim into the Lease, if nobody has written to it since it was read.
    async fn write(&self, read: &Lease, spec: &LeaseSpec) -> Result<Lease, kube::Error> {
        let patch = swap(read.resource_version().as_deref(), "/spec", spec);
        self.api.patch(&self.name, &parameters(), &patch).await
    }

    fn metadata(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            ..ObjectMeta::default()
        }
    }

    fn claim(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let renewed = old.filter(|old| old.holder_identity.as_deref() == Some(&self.identity));
        let transitions = old.and_then(|old| old.lease_transitions).unwrap_or(0);
        let taken = old.is_some() && renewed.is_none();
        LeaseSpec {
            acquire_time: renewed
                .and_then(|old| old.acquire_time.clone())
                .or(Some(now.clone())),
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
            lease_transitions: Some(transitions.saturating_add(i32::from(taken))),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    /// Gives the Lease up so that another takes over at once. The fence closes first.
    pub async fn release(&self) {
        let led = self.fence.is_open();
        self.fence.hold_until(None);
        self.leading.send_replace(false);
        if !led {
            return;
        }
        let Ok(Ok(Some(lease))) = timeout(self.duration / 3, self.api.get_opt(&self.name)).await else {
            return;
        };
        let Some(mut spec) = lease
            .spec
            .clone()
            .filter(|s| s.holder_identity.as_deref() == Some(&self.identity))
        else {
            return;
        };
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let written = timeout(self.duration / 3, self.write(&lease, &spec)).await;
        tracing::info!(released = matches!(written, Ok(Ok(_))), "lease released");
    }
}
