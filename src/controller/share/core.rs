//! What one process does about the Leases, without doing it: requests go out, answers come in, time is an argument. The
//! fences are moved here and nowhere else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::{
    Fences, Gain, Mode,
    lease::{Leases, Record, Takes},
    plan::{Move, Situation, plan},
    view::View,
    watching::Told,
};
use crate::{act::Fence, controller::ServerKey};

/// Takes and releases under way at once.
const AT_ONCE: usize = 8;
/// After a lost compare-and-swap the watch brings what is there now; this is for the case that it does not.
const AFTER_CONFLICT: Duration = Duration::from_millis(250);
/// How often a Lease is read that the watch does not show.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// A slot.
    Claim(u32),
    /// The slot that is held.
    Renew,
    /// The slot, at the end.
    Retire,
    /// A server.
    Take(ServerKey),
    /// A server, after its last pass.
    Release(ServerKey),
    /// A Lease that nobody needs.
    Drop(String),
}

/// What goes out.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// List all.
    Look,
    /// Read one.
    Read(String),
    /// Begin the watch anew: it does not show what it should.
    Rewatch,
    /// Create a Lease, or put it in the place of the one of a version.
    Write {
        purpose: Purpose,
        version: Option<String>,
        lease: Box<Lease>,
        /// Whether the labels are written too; those of a Lease that is there may be somebody else's.
        with_labels: bool,
    },
    /// Delete the Lease of a version.
    Delete {
        purpose: Purpose,
        name: String,
        version: String,
    },
    /// Wait for the pass of a server, log out, and [`Fence::end`] its fence.
    Drain(ServerKey, Fence),
}

/// What came of a write.
#[derive(Clone, Debug)]
pub(super) enum Written {
    /// It stands there.
    Done(Record),
    /// It is deleted.
    Deleted,
    /// Somebody else has written meanwhile; nothing of ours was.
    Conflict,
    /// The API server took nothing, and may be asked again after this.
    Refused(Duration),
    /// Nobody knows.
    Unknown,
}

/// What is under way, or was tried in vain a moment ago.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    UnderWay,
    NotBefore(Instant),
}

/// The slot that is held.
#[derive(Clone, Debug)]
struct Slot {
    index: u32,
    /// As it was written last: a renewal needs no read.
    record: Record,
    takes: Takes,
    /// When it is renewed.
    due: Instant,
    /// The last write may or may not have been committed.
    is_unsure: bool,
}

/// One process's part in it.
pub(super) struct Core {
    leases: Leases,
    mode: Mode,
    fences: Arc<Fences>,
    view: View,
    slot: Option<Slot>,
    /// The version of the slot's Lease with which the present reign began.
    since: u64,
    owned: BTreeMap<ServerKey, Fence>,
    attempts: BTreeMap<Purpose, Attempt>,
    draining: BTreeSet<ServerKey>,
    /// Since when the list that is under way was asked for.
    looking: Option<Instant>,
    /// When the next one may be asked for, after one that failed.
    look_again: Option<Instant>,
    /// There is no watch: the first slot's Lease is read from time to time.
    polls: bool,
    /// A Lease that the watch does not show, and when it is read next.
    unwatched: Option<(String, Instant)>,
    reading: bool,
    gains: Vec<Gain>,
    is_leaving: bool,
    /// With the names of their Leases.
    servers: Option<BTreeMap<ServerKey, String>>,
}

impl Core {
    pub(super) fn new(leases: Leases, mode: Mode, fences: Arc<Fences>) -> Self {
        Self {
            view: View::new(leases.clone()),
            leases,
            mode,
            fences,
            slot: None,
            since: 0,
            owned: BTreeMap::new(),
            attempts: BTreeMap::new(),
            draining: BTreeSet::new(),
            looking: None,
            look_again: None,
            polls: false,
            unwatched: None,
            reading: false,
            gains: Vec::new(),
            is_leaving: false,
            servers: None,
        }
    }

    /// The watch has told something.
    pub(super) fn told(&mut self, told: Told, now: Instant) {
        match told {
            Told::Listed(records, version, asked) => self.view.list(records, version, asked, now),
            Told::Shown(record) => {
                let version = record.number();
                self.view.show(record, now);
                self.view.advance(version);
            }
            Told::Hidden(record) => {
                let is_mine =
                    |slot: &Slot| slot.record.name == record.name && slot.record.number() < record.number();
                if self.slot.as_ref().is_some_and(is_mine) {
                    // Somebody has deleted it; whoever comes now knows nothing of us.
                    self.drop_slot(&record.name);
                }
                self.view.hide(&record);
                self.view.advance(record.number());
            }
            Told::Upto(version) => self.view.advance(version),
            Told::Refused => self.fall_back(),
        }
    }

    /// The servers that exist, once they are known.
    pub(super) fn servers(&mut self, servers: BTreeSet<ServerKey>) {
        let named = |server: ServerKey| {
            let name = self.leases.server(&server);
            (server, name)
        };
        self.servers = Some(servers.into_iter().map(named).collect());
    }

    /// There will be no watch, as the rights for it are lacking: one leader, whose Lease is read from time to time.
    fn fall_back(&mut self) {
        self.mode = Mode::Single;
        self.polls = true;
        self.looking = None;
        self.fences.lead_alone();
        self.lose();
        self.slot = None;
        self.fences.whole.hold_until(None);
    }

    /// What was gained since this was asked.
    pub(super) fn gains(&mut self) -> Vec<Gain> {
        std::mem::take(&mut self.gains)
    }

    /// Takes nothing more, and gives away what it has.
    pub(super) fn leave(&mut self, now: Instant) {
        self.is_leaving = true;
        if let Some(slot) = &mut self.slot
            && slot.takes == Takes::Share
        {
            slot.takes = Takes::Nothing;
            // Alone there is nobody who would have to know.
            if self.view.slots().len() > 1 {
                slot.due = now;
            }
        }
    }

    /// Whether nothing is held any more but the slot, and nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        let is_under_way = self
            .attempts
            .values()
            .any(|attempt| matches!(attempt, Attempt::UnderWay));
        self.owned.is_empty() && self.draining.is_empty() && !is_under_way
    }

    /// The release of the slot, when nothing of its own is under way any more. The fence closes first.
    pub(super) fn retire(&mut self) -> Option<Request> {
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

    /// What is to be done now, and when to ask again if nothing happens.
    pub(super) fn next(&mut self, now: Instant) -> (Vec<Request>, Option<Instant>) {
        let mut requests = Vec::new();
        if !self.fences.whole.is_open() {
            // What was taken is lost with the slot: its fence is closed, and it has to be taken anew.
            self.lose();
        }
        self.attempts
            .retain(|_, attempt| !matches!(attempt, Attempt::NotBefore(time) if *time <= now));
        self.renew(now, &mut requests);
        self.read(now, &mut requests);
        if self.polls && self.slot.is_none() {
            self.begin(Move::Look, now, &mut requests);
        }
        if self.view.is_listed() {
            for next in self.moves(now) {
                self.begin(next, now, &mut requests);
            }
        }
        let cooling = self.attempts.values().filter_map(|attempt| match attempt {
            Attempt::NotBefore(time) => Some(*time),
            Attempt::UnderWay => None,
        });
        let renewal = self.slot.as_ref().map(|slot| slot.due).filter(|due| *due > now);
        let reading = self
            .unwatched
            .as_ref()
            .map(|(_, time)| *time)
            .filter(|time| *time > now);
        let wake = cooling
            .chain(renewal)
            .chain(reading)
            .chain(self.look_again.filter(|time| *time > now))
            .chain(self.view.next_end(&self.leases.identity, now))
            .min();
        (requests, wake)
    }

    fn moves(&self, now: Instant) -> Vec<Move> {
        let owned: BTreeSet<ServerKey> = self.owned.keys().cloned().collect();
        let is_open = self.fences.whole.is_open();
        plan(&Situation {
            leases: &self.leases,
            mode: self.mode,
            is_leaving: self.is_leaving,
            slot: self.slot.as_ref().map(|slot| slot.index),
            is_current: is_open && self.since != 0 && self.view.upto() >= self.since,
            servers: self.servers.as_ref(),
            owned: &owned,
            is_busy: self.is_moving() > 0,
            view: &self.view,
            now,
        })
    }

    /// Takes and releases under way.
    fn is_moving(&self) -> usize {
        let writes = self.attempts.iter().filter(|(purpose, attempt)| {
            matches!(purpose, Purpose::Take(_) | Purpose::Release(_)) && matches!(attempt, Attempt::UnderWay)
        });
        writes.count() + self.draining.len()
    }

    fn lose(&mut self) {
        self.since = 0;
        self.owned.retain(|_, fence| {
            fence.end();
            false
        });
        self.fences.keep_only(&self.owned);
    }

    fn soon(&self) -> Duration {
        // A failed or slow request is tried again well before the Lease runs out.
        (self.leases.duration / 12).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }

    fn renew(&mut self, now: Instant, requests: &mut Vec<Request>) {
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
            self.unwatched = Some((slot.record.name.clone(), now));
            return;
        }
        if self.view.upto() < slot.record.number() {
            // Its last renewal has not come back by the watch in all that time.
            requests.push(Request::Rewatch);
        }
        let (record, takes, index) = (slot.record.clone(), slot.takes, slot.index);
        requests.push(self.write_slot(Purpose::Renew, index, takes, Some(&record)));
    }

    fn is_claiming(&self) -> bool {
        self.attempts
            .iter()
            .any(|(purpose, attempt)| matches!((purpose, attempt), (Purpose::Claim(_), Attempt::UnderWay)))
    }

    fn write_slot(&mut self, purpose: Purpose, index: u32, takes: Takes, old: Option<&Record>) -> Request {
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

    fn read(&mut self, now: Instant, requests: &mut Vec<Request>) {
        if self.reading {
            return;
        }
        if let Some((name, _)) = self.unwatched.as_ref().filter(|(_, time)| *time <= now) {
            self.reading = true;
            requests.push(Request::Read(name.clone()));
        }
    }

    fn begin(&mut self, next: Move, now: Instant, requests: &mut Vec<Request>) {
        match next {
            Move::Look => {
                let is_late = self.look_again.is_none_or(|time| time <= now);
                if self.looking.is_none() && is_late {
                    self.looking = Some(now);
                    requests.push(Request::Look);
                }
            }
            Move::Claim(index) => {
                let is_renewing = self.attempts.contains_key(&Purpose::Renew);
                let is_unsure = self.slot.as_ref().is_some_and(|slot| slot.is_unsure);
                let purpose = Purpose::Claim(index);
                if is_renewing || is_unsure || self.is_claiming() || self.attempts.contains_key(&purpose) {
                    return;
                }
                let takes = match self.mode {
                    Mode::Shared => Takes::Share,
                    Mode::Single => Takes::Everything,
                };
                let old = self.view.get(&self.leases.slot(index)).cloned();
                requests.push(self.write_slot(purpose, index, takes, old.as_ref()));
            }
            Move::Lead => {
                if !self.fences.first.is_open() && self.fences.first.take(self.fences.whole.reign()) {
                    self.gains.push(match self.mode {
                        Mode::Shared => Gain::Orphans,
                        Mode::Single => Gain::Everything,
                    });
                }
            }
            Move::Take(server) => self.take(server, requests),
            Move::Give(server) => self.give(server, requests),
            Move::Retire => {
                if !self.attempts.contains_key(&Purpose::Renew) && !self.is_claiming() {
                    requests.extend(self.retire());
                    self.lose();
                }
            }
            Move::Drop(name) => {
                let purpose = Purpose::Drop(name.clone());
                let is_released = |(server, attempt): (&Purpose, &Attempt)| match server {
                    Purpose::Take(server) | Purpose::Release(server) => {
                        matches!(attempt, Attempt::UnderWay) && self.leases.server(server) == name
                    }
                    _ => false,
                };
                if self.attempts.contains_key(&purpose) || self.attempts.iter().any(is_released) {
                    return;
                }
                if let Some(version) = self.view.get(&name).map(|record| record.version.clone()) {
                    self.attempts.insert(purpose.clone(), Attempt::UnderWay);
                    requests.push(Request::Delete {
                        purpose,
                        name,
                        version,
                    });
                }
            }
            Move::Forget(name) => self.view.forget(&name),
        }
    }

    fn take(&mut self, server: ServerKey, requests: &mut Vec<Request>) {
        let purpose = Purpose::Take(server.clone());
        let is_given =
            self.draining.contains(&server) || self.attempts.contains_key(&Purpose::Release(server.clone()));
        if is_given || self.attempts.contains_key(&purpose) || self.is_moving() >= AT_ONCE {
            return;
        }
        let name = self.leases.server(&server);
        let old = self.view.get(&name).cloned();
        self.attempts.insert(purpose.clone(), Attempt::UnderWay);
        requests.push(Request::Write {
            with_labels: false,
            purpose,
            version: old.as_ref().map(|old| old.version.clone()),
            lease: Box::new(Lease {
                metadata: self.leases.metadata(&name, None, Some(&server)),
                spec: Some(self.leases.claim(old.as_ref())),
            }),
        });
    }

    fn give(&mut self, server: ServerKey, requests: &mut Vec<Request>) {
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
            None => requests.extend(self.release(server)),
        }
    }

    /// The release of a server that nothing of ours uses any more.
    fn release(&mut self, server: ServerKey) -> Option<Request> {
        let name = self.leases.server(&server);
        let is_taking = self.attempts.contains_key(&Purpose::Take(server.clone()));
        let purpose = Purpose::Release(server.clone());
        let record = self
            .view
            .get(&name)
            .filter(|record| record.holder == self.leases.identity)?;
        if is_taking || self.attempts.contains_key(&purpose) {
            return None;
        }
        let is_gone = self
            .servers
            .as_ref()
            .is_some_and(|servers| !servers.contains_key(&server));
        let (version, spec) = (record.version.clone(), self.leases.released(record));
        self.attempts.insert(purpose.clone(), Attempt::UnderWay);
        Some(if is_gone {
            Request::Delete {
                purpose,
                name,
                version,
            }
        } else {
            Request::Write {
                with_labels: false,
                purpose,
                version: Some(version),
                lease: Box::new(Lease {
                    metadata: self.leases.metadata(&name, None, Some(&server)),
                    spec: Some(spec),
                }),
            }
        })
    }

    /// The last pass of a server has ended, and its fence with it.
    pub(super) fn drained(&mut self, server: ServerKey) -> Option<Request> {
        self.draining.remove(&server);
        self.owned.remove(&server);
        self.fences.keep_only(&self.owned);
        self.release(server)
    }

    /// A full list has come, or not.
    pub(super) fn looked(&mut self, listed: Option<(Vec<Record>, u64)>, now: Instant) {
        let asked = self.looking.take();
        let pause = match (&listed, self.polls) {
            (None, _) => Some(self.soon()),
            (Some(_), true) => Some(LOOK.min(self.leases.duration / 3)),
            (Some(_), false) => None,
        };
        self.look_again = pause.map(|pause| now + pause);
        if let (Some((records, version)), Some(asked)) = (listed, asked) {
            self.view.list(records, version, asked, now);
        }
    }

    /// A Lease was read, or does not exist; `Err` where nobody knows.
    pub(super) fn read_one(&mut self, name: &str, read: Result<Option<Record>, ()>, now: Instant) {
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
        self.view.show(record.clone(), now);
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
                self.unwatched = Some((name.to_owned(), now + LOOK.min(self.leases.duration / 3)))
            }
            None => {}
        }
    }

    fn drop_slot(&mut self, name: &str) {
        if self.slot.as_ref().is_some_and(|slot| slot.record.name == name) {
            self.slot = None;
            self.fences.whole.hold_until(None);
            self.lose();
        }
    }

    /// A write was answered that was sent at `sent`, in the reign of that number.
    pub(super) fn answered(
        &mut self,
        purpose: Purpose,
        written: Written,
        sent: Instant,
        reign: u64,
        now: Instant,
    ) {
        let wait = match &written {
            Written::Done(_) => None,
            Written::Deleted | Written::Conflict => Some(AFTER_CONFLICT),
            // The API server's wish, as long as the slot does not run out for it.
            Written::Refused(after) => Some((*after).max(self.soon()).min(self.leases.duration / 3)),
            Written::Unknown => Some(self.soon()),
        };
        self.attempts.remove(&purpose);
        if let Some(wait) = wait {
            self.attempts
                .insert(purpose.clone(), Attempt::NotBefore(now + wait));
        }
        if let Written::Done(record) = &written {
            self.view.show(record.clone(), now);
        }
        match (purpose, written) {
            (Purpose::Claim(index), Written::Done(record)) => self.hold(index, record, sent, now),
            (Purpose::Renew, Written::Done(record)) => {
                if let Some(index) = self.slot.as_ref().map(|slot| slot.index) {
                    self.hold(index, record, sent, now);
                }
            }
            (Purpose::Claim(index), Written::Conflict | Written::Unknown) => {
                // It may be there without our labels, or be ours by now.
                let name = self.leases.slot(index);
                if self.view.get(&name).is_none() && self.unwatched.is_none() {
                    self.unwatched = Some((name, now));
                }
            }
            (Purpose::Renew, Written::Conflict) => {
                // Somebody else wrote: whoever it was, we cannot claim to hold it.
                if let Some(name) = self.slot.as_ref().map(|slot| slot.record.name.clone()) {
                    self.drop_slot(&name);
                    self.unwatched = Some((name, now));
                }
            }
            (Purpose::Renew, Written::Unknown) => {
                if let Some(slot) = &mut self.slot {
                    slot.is_unsure = true;
                }
            }
            (Purpose::Take(server), Written::Done(_)) => {
                let fence = self.fences.part(&server);
                // One that was asked for before the slot was lost does not count: it is taken once more.
                if fence.take(reign) {
                    self.owned.insert(server.clone(), fence);
                    self.gains.push(Gain::Server(server));
                }
            }
            _ => {}
        }
    }

    /// The slot is held from before the write was sent.
    fn hold(&mut self, index: u32, record: Record, sent: Instant, now: Instant) {
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
            is_unsure: false,
        });
    }
}
