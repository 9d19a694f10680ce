//! The servers of a process: taken, given away after their last pass, and lost with the slot.

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::{AT_ONCE, Attempt, Core, Purpose, Request};
use crate::controller::ServerKey;

impl Core {
    /// Takes and releases under way.
    pub(super) fn is_moving(&self) -> usize {
        let writes = self.attempts.iter().filter(|(purpose, attempt)| {
            matches!(purpose, Purpose::Take(_) | Purpose::Release(_)) && matches!(attempt, Attempt::UnderWay)
        });
        writes.count() + self.draining.len()
    }

    pub(super) fn lose(&mut self) {
        // At the beginning there is nothing to lose.
        if self.since > 0 {
            self.view.forget_first();
        }
        self.since = 0;
        self.owned.retain(|_, fence| {
            fence.end();
            false
        });
        self.fences.keep_only(&self.owned);
    }

    pub(super) fn take(&mut self, server: &ServerKey, now: Instant, requests: &mut Vec<Request>) {
        let purpose = Purpose::Take(server.clone());
        let is_given =
            self.draining.contains(server) || self.attempts.contains_key(&Purpose::Release(server.clone()));
        if is_given || self.attempts.contains_key(&purpose) || self.is_moving() >= AT_ONCE {
            return;
        }
        let name = self.leases.server(server);
        let old = self.view.get(&name).cloned();
        match self.view.free_since(&name, now) {
            Some(since) => self.free.insert(server.clone(), since),
            None => self.free.remove(server),
        };
        self.attempts.insert(purpose.clone(), Attempt::UnderWay);
        requests.push(Request::Write {
            with_labels: false,
            purpose,
            version: old.as_ref().map(|old| old.version.clone()),
            lease: Box::new(Lease {
                metadata: self.leases.metadata(&name, None, Some(server)),
                spec: Some(self.leases.claim(old.as_ref())),
            }),
        });
    }

    pub(super) fn give(&mut self, server: ServerKey, requests: &mut Vec<Request>) {
        if self.draining.contains(&server) {
            return;
        }
        match self.owned.get(&server) {
            Some(fence) => {
                if self.draining.len() < AT_ONCE || self.is_leaving {
                    fence.close();
                    self.draining.insert(server.clone());
                    requests.push(Request::Drain(server, fence.clone()));
                }
            }
            None => requests.extend(self.release(&server)),
        }
    }

    /// The release of a server that nothing of ours uses any more.
    pub(super) fn release(&mut self, server: &ServerKey) -> Option<Request> {
        let name = self.leases.server(server);
        let is_taking = self.attempts.contains_key(&Purpose::Take(server.clone()));
        let purpose = Purpose::Release(server.clone());
        let record = self
            .view
            .get(&name)
            .filter(|record| record.holder == self.leases.identity)?;
        if is_taking || self.attempts.contains_key(&purpose) {
            return None;
        }
        let (version, spec) = (record.version.clone(), self.leases.released(record));
        self.attempts.insert(purpose.clone(), Attempt::UnderWay);
        Some(Request::Write {
            with_labels: false,
            purpose,
            version: Some(version),
            lease: Box::new(Lease {
                metadata: self.leases.metadata(&name, None, Some(server)),
                spec: Some(spec),
            }),
        })
    }

    /// The last pass of a server has ended, and its fence with it.
    pub(in crate::controller::share) fn drained(&mut self, server: &ServerKey) -> Option<Request> {
        self.draining.remove(server);
        self.owned.remove(server);
        self.fences.keep_only(&self.owned);
        self.release(server)
    }
}
