//! What one process does about the Leases, without doing it: requests go out, answers come in, time is an argument. The
//! fences are moved here and nowhere else.

mod servers;
mod slots;

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
    /// When it runs out.
    until: Instant,
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
    /// Of servers that are being taken, since when nobody could write for them, where that is known.
    free: BTreeMap<ServerKey, Instant>,
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
            free: BTreeMap::new(),
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
                self.view.hide(&record, now);
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

    /// Whether the Leases are known.
    pub(super) fn is_listed(&self) -> bool {
        self.view.is_listed()
    }

    /// What was gained since this was asked.
    pub(super) fn gains(&mut self) -> Vec<Gain> {
        std::mem::take(&mut self.gains)
    }

    /// Takes nothing more, and gives away what it has.
    pub(super) fn leave(&mut self, now: Instant) {
        self.is_leaving = true;
        self.fences.first.close();
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
        let released = self.attempts.keys().filter_map(|purpose| match purpose {
            Purpose::Release(server) => Some(server.clone()),
            _ => None,
        });
        let outgoing: BTreeSet<ServerKey> = released.chain(self.draining.iter().cloned()).collect();
        plan(&Situation {
            leases: &self.leases,
            mode: self.mode,
            is_leaving: self.is_leaving,
            slot: self.slot.as_ref().map(|slot| slot.index),
            is_current: is_open && self.since != 0 && self.view.upto() >= self.since,
            servers: self.servers.as_ref(),
            owned: &owned,
            claiming: self.attempts.keys().find_map(|purpose| match purpose {
                Purpose::Claim(index) => Some(*index),
                _ => None,
            }),
            outgoing: &outgoing,
            is_busy: self.is_moving() > 0,
            view: &self.view,
            now,
        })
    }

    fn soon(&self) -> Duration {
        // A failed or slow request is tried again well before the Lease runs out.
        (self.leases.duration / 12).clamp(Duration::from_millis(100), Duration::from_secs(5))
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
            Move::Claim(index) => requests.extend(self.claim(index)),
            Move::Lead => {
                if !self.fences.first.is_open() && self.fences.first.take(self.fences.whole.reign()) {
                    self.gains.push(match self.mode {
                        Mode::Shared => Gain::Orphans,
                        Mode::Single => Gain::Everything,
                    });
                }
            }
            Move::Take(server) => self.take(&server, now, requests),
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
            Written::Refused(after) => Some(self.bearable(*after, now).max(self.soon())),
            Written::Unknown => Some(self.soon()),
        };
        self.attempts.remove(&purpose);
        if let Some(wait) = wait {
            self.attempts
                .insert(purpose.clone(), Attempt::NotBefore(now + wait));
        }
        if let Written::Done(record) = &written {
            self.view.learn(record.clone(), now);
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
            // Somebody has written: a late renewal of ours, whoever takes it (which is after our time), or a person.
            (Purpose::Renew, Written::Conflict | Written::Unknown) => {
                if let Some(slot) = &mut self.slot {
                    slot.is_unsure = true;
                    self.attempts.remove(&Purpose::Renew);
                }
            }
            (Purpose::Drop(name), Written::Deleted) => self.drop_slot(&name),
            (Purpose::Take(server), Written::Done(_)) => {
                let fence = self.fences.part(&server);
                let since = self.free.remove(&server).unwrap_or(now);
                // One that was asked for before the slot was lost does not count: it is taken once more.
                if fence.take_free(reign, since) {
                    self.owned.insert(server.clone(), fence);
                    self.gains.push(Gain::Server(server));
                }
            }
            _ => {}
        }
    }
}
