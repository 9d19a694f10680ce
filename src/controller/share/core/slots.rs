//! The slot of a process: taken, renewed, moved down, lost and released.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::{Attempt, Core, LOOK, Purpose, Request, Slot};
use crate::controller::share::{
    Mode,
    lease::{Record, Takes},
};

impl Core {
    /// There will be no watch, as the rights for it are lacking: one leader, whose Lease is read from time to time.
    pub(super) fn fall_back(&mut self) {
        self.mode = Mode::Single;
        self.polls = true;
        self.looking = None;
        self.fences.lead_alone();
        self.lose();
        self.slot = None;
        self.fences.whole.hold_until(None);
    }

    /// The release of the slot, when nothing of its own is under way any more. The fence closes first.
    pub(in crate::controller::share) fn retire(&mut self) -> Option<Request> {
        let was_held = self.fences.whole.is_open();
        self.fences.whole.hold_until(None);
        let slot = self.slot.take().filter(|_| was_held)?;
        self.attempts.insert(Purpose::Retire, Attempt::UnderWay);
        Some(if slot.index == 0 {
            let spec = self.leases.released(&slot.record);
            let metadata = self.leases.metadata(&slot.record.name, Some(slot.takes), None);
            Request::Write {
                with_labels: false,
                purpose: Purpose::Retire,
                version: Some(slot.record.version),
                lease: Box::new(Lease {
                    metadata,
                    spec: Some(spec),
                }),
            }
        } else {
            Request::Delete {
                purpose: Purpose::Retire,
                name: slot.record.name,
                version: slot.record.version,
            }
        })
    }

    /// As long as the API server wishes, unless the slot would run out meanwhile: then half of what is left of it.
    pub(super) fn bearable(&self, after: Duration, now: Instant) -> Duration {
        let end = self.slot.as_ref().map(|slot| slot.until);
        let left = end.map_or(self.leases.duration, |end| end.saturating_duration_since(now));
        if after < left { after } else { left / 2 }
    }

    pub(super) fn renew(&mut self, now: Instant, requests: &mut Vec<Request>) {
        // A process that does not know the servers is of no use as a member: it takes its slot at once, so that all begins
        // quickly, and keeps it only when it knows them.
        let is_useful = self.servers.is_some() || self.is_leaving;
        let is_free = !self.attempts.contains_key(&Purpose::Renew) && !self.is_claiming();
        let Some(slot) = self
            .slot
            .as_mut()
            .filter(|slot| slot.due <= now && is_free && is_useful)
        else {
            return;
        };
        if slot.is_unsure {
            if !self.reading && self.unwatched.is_none() {
                self.unwatched = Some((slot.record.name.clone(), now));
            }
            return;
        }
        if self.view.upto() < slot.record.number() {
            // Its last renewal has not come back by the watch in all that time.
            requests.push(Request::Rewatch);
        }
        let (record, takes, index) = (slot.record.clone(), slot.takes, slot.index);
        requests.push(self.write_slot(Purpose::Renew, index, takes, Some(&record)));
    }

    pub(super) fn is_claiming(&self) -> bool {
        self.attempts
            .iter()
            .any(|(purpose, attempt)| matches!((purpose, attempt), (Purpose::Claim(_), Attempt::UnderWay)))
    }

    pub(super) fn write_slot(
        &mut self,
        purpose: Purpose,
        index: u32,
        takes: Takes,
        old: Option<&Record>,
    ) -> Request {
        self.attempts.insert(purpose.clone(), Attempt::UnderWay);
        Request::Write {
            with_labels: old.is_none_or(|old| old.takes != takes || !old.is_watched),
            purpose,
            version: old.map(|old| old.version.clone()),
            lease: Box::new(Lease {
                metadata: self.leases.metadata(&self.leases.slot(index), Some(takes), None),
                spec: Some(self.leases.claim(old)),
            }),
        }
    }

    pub(super) fn read(&mut self, now: Instant, requests: &mut Vec<Request>) {
        if self.reading {
            return;
        }
        if let Some((name, _)) = self.unwatched.as_ref().filter(|(_, time)| *time <= now) {
            self.reading = true;
            requests.push(Request::Read(name.clone()));
        }
    }

    /// A Lease was read, or does not exist; `Err` where nobody knows.
    pub(in crate::controller::share) fn read_one(
        &mut self,
        name: &str,
        read: Result<Option<Record>, ()>,
        now: Instant,
    ) {
        self.reading = false;
        let again = now + self.soon();
        let Ok(read) = read else {
            self.unwatched = Some((name.to_owned(), again));
            return;
        };
        self.unwatched = None;
        let Some(record) = read else {
            self.drop_slot(name);
            return;
        };
        self.view.learn(record.clone(), now);
        let (is_ours, is_watched) = (record.holder == self.leases.identity, record.is_watched);
        match self.slot.as_mut().filter(|slot| slot.record.name == name) {
            Some(slot) if is_ours => {
                slot.record = record;
                slot.is_unsure = false;
                slot.due = now;
            }
            Some(_) => self.drop_slot(name),
            // Its labels are not ours yet, so the watch does not show it.
            None if !is_watched => {
                self.unwatched = Some((name.to_owned(), now + LOOK.min(self.leases.duration / 3)));
            }
            None => {}
        }
    }

    pub(super) fn drop_slot(&mut self, name: &str) {
        if self.slot.as_ref().is_some_and(|slot| slot.record.name == name) {
            self.slot = None;
            self.fences.whole.hold_until(None);
            self.lose();
        }
    }

    /// The slot is held from before the write was sent.
    pub(super) fn hold(&mut self, index: u32, record: Record, sent: Instant, now: Instant) {
        let until = sent + self.leases.duration;
        let takes = match (self.mode, self.is_leaving) {
            (Mode::Single, _) => Takes::Everything,
            (Mode::Shared, false) => Takes::Share,
            (Mode::Shared, true) => Takes::Nothing,
        };
        let due = if takes == record.takes {
            sent + self.leases.duration / 3
        } else {
            now
        };
        if self.polls {
            self.view.advance(record.number());
        }
        if !self.fences.whole.hold_until(Some(until)) {
            // It had run out (a pause, a slow API server), or is new: what was taken before does not count any more.
            self.lose();
            self.since = record.number();
        }
        self.slot = Some(Slot {
            index,
            record,
            takes,
            due,
            until,
            is_unsure: false,
        });
    }

    /// Takes a slot, unless another write of a slot is under way or unsure.
    pub(super) fn claim(&mut self, index: u32) -> Option<Request> {
        let is_renewing = self.attempts.contains_key(&Purpose::Renew);
        let is_unsure = self.slot.as_ref().is_some_and(|slot| slot.is_unsure);
        let purpose = Purpose::Claim(index);
        let is_dropped = self
            .attempts
            .contains_key(&Purpose::Drop(self.leases.slot(index)));
        let is_tried = self.attempts.contains_key(&purpose);
        if is_renewing || is_unsure || is_dropped || self.is_claiming() || is_tried {
            return None;
        }
        let takes = match self.mode {
            Mode::Shared => Takes::Share,
            Mode::Single => Takes::Everything,
        };
        let old = self.view.get(&self.leases.slot(index)).cloned();
        Some(self.write_slot(purpose, index, takes, old.as_ref()))
    }
}
