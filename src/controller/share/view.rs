//! What a process knows of all Leases: a prefix of their history, as the watch and full lists told it, and since when it has
//! seen each of them as it is. Whether somebody lives is judged by this process's own monotonic clock alone.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use super::lease::{Leases, Record, Takes};

/// Whether the holder of a Lease may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It may.
    Living,
    /// No sign of it for its whole time, by a watch that may lag: a full list has to confirm it.
    Silent,
    /// It may not, and has to read every Lease before it may again.
    Dead,
}

/// The last sign of somebody's life.
#[derive(Clone, Copy, Debug)]
struct Sign {
    at: Instant,
    lasts: Duration,
    /// Whether it takes everything.
    reigns: bool,
}

/// A Lease, and since when it is known that somebody has deleted it while it was held.
#[derive(Clone, Debug)]
struct Seen {
    record: Record,
    deleted: Option<Instant>,
}

/// What the first full list showed.
#[derive(Debug)]
struct First {
    /// When it had come.
    at: Instant,
    /// The Leases of servers that were nobody's, with their versions.
    free: BTreeMap<String, String>,
}

/// What the first list showed is out of date after this.
const FIRST: Duration = Duration::from_secs(5);

/// What is known.
#[derive(Debug)]
pub(super) struct View {
    leases: Leases,
    seen: BTreeMap<String, Seen>,
    signs: HashMap<String, Sign>,
    /// When the newest full list was asked for.
    listed: Option<Instant>,
    /// Up to which version the history is known.
    upto: u64,
    /// For as long as it is the only one, and nobody else was seen who takes everything, whether servers' Leases say so or not.
    first: Option<First>,
}

impl Seen {
    /// Until when a deleted one is left to its holder.
    fn end(&self) -> Option<Instant> {
        self.deleted.map(|at| at + self.record.lasts)
    }
}

impl View {
    pub(super) fn new(leases: Leases) -> Self {
        Self {
            leases,
            seen: BTreeMap::new(),
            signs: HashMap::new(),
            listed: None,
            upto: 0,
            first: None,
        }
    }

    /// Up to which version the history is known without a gap.
    pub(super) fn upto(&self) -> u64 {
        self.upto
    }

    /// Whether a full list has been read.
    pub(super) fn is_listed(&self) -> bool {
        self.listed.is_some()
    }

    /// The watch has told everything up to a version.
    pub(super) fn advance(&mut self, version: u64) {
        self.upto = self.upto.max(version);
    }

    /// A Lease as a write or a read of ours told it. Of a version that the history has passed nothing new is learnt: the Lease
    /// may be gone since.
    pub(super) fn learn(&mut self, record: Record, now: Instant) {
        if !record.is_watched || record.number() > self.upto {
            self.show(record, now);
        }
    }

    /// A Lease as it is now, or was at its version.
    pub(super) fn show(&mut self, record: Record, now: Instant) {
        let before = self.seen.get(&record.name);
        if before.is_some_and(|seen| seen.record.number() >= record.number()) {
            return;
        }
        let is_slot = self.leases.slot_of(&record.name).is_some();
        if is_slot && record.holder != self.leases.identity {
            // What was there already and is in no list had no labels of ours, so somebody led alone.
            let was_hidden = before.is_none() && self.listed.is_some() && record.transitions > 0;
            if self.rules(&record) || was_hidden {
                self.first = None;
            }
        }
        let sign = Sign {
            at: now,
            lasts: record.lasts,
            reigns: is_slot && record.takes == Takes::Everything,
        };
        if record.holder.is_empty() {
            // Only the holder itself gives up what it holds, and it closes its fence first.
            if let Some(before) = before.filter(|_| is_slot) {
                self.signs.remove(&before.record.holder);
            }
        } else if is_slot {
            self.signs.insert(record.holder.clone(), sign);
        } else {
            // A server's Lease is no sign of life; but who is named there lives until it is known that it does not.
            self.signs.entry(record.holder.clone()).or_insert(sign);
        }
        let deleted = None;
        self.seen.insert(record.name.clone(), Seen { record, deleted });
    }

    /// A Lease was deleted; `last` is how it was seen last.
    pub(super) fn hide(&mut self, last: &Record, now: Instant) {
        let Some(seen) = self.seen.get_mut(&last.name) else {
            return;
        };
        if seen.record.number() > last.number() {
            return;
        }
        // A person's doing, of which a holder that lives may not know yet: it is left the time to make it again.
        if seen.record.holder.is_empty() || self.leases.slot_of(&last.name).is_some() {
            self.seen.remove(&last.name);
        } else {
            seen.deleted.get_or_insert(now);
        }
    }

    /// All Leases, by a list that was asked for at `asked` and shows the history up to `version`.
    pub(super) fn list(&mut self, records: Vec<Record>, version: u64, asked: Instant, now: Instant) {
        let mut gone: Vec<Record> = Vec::new();
        for seen in self.seen.values() {
            let is_listed = records.iter().any(|record| record.name == seen.record.name);
            // What has no labels of ours is in no list; it is read by its name.
            let is_gone = !is_listed && seen.deleted.is_none() && seen.record.is_watched;
            if is_gone && seen.record.number() <= version {
                gone.push(seen.record.clone());
            }
        }
        for record in records {
            self.show(record, now);
        }
        for record in gone {
            self.hide(&record, now);
        }
        self.first = if self.listed.is_none() && !self.is_ruled_by_another() {
            let free = self.of_servers().filter(|record| record.holder.is_empty());
            let free = free.map(|record| (record.name.clone(), record.version.clone()));
            Some(First {
                at: now,
                free: free.collect(),
            })
        } else {
            // There may have been a gap in what the watch has told.
            None
        };
        self.listed = self.listed.max(Some(asked));
        self.advance(version);
        let named: BTreeSet<&String> = self.seen.values().map(|seen| &seen.record.holder).collect();
        let listed = self.listed;
        let is_over = |sign: &Sign| listed.is_some_and(|listed| sign.at + sign.lasts <= listed);
        self.signs
            .retain(|identity, sign| named.contains(identity) || !is_over(sign));
    }

    /// Forgets what was deleted while it was held: a server that is gone, or a holder that had its time.
    pub(super) fn forget(&mut self, name: &str) {
        self.seen
            .retain(|seen, state| seen != name || state.deleted.is_none());
    }

    /// Whether somebody lives.
    pub(super) fn life(&self, identity: &str, now: Instant) -> Life {
        let Some(sign) = self.signs.get(identity) else {
            return Life::Dead;
        };
        let end = sign.at + sign.lasts;
        if now < end {
            Life::Living
        } else if self.listed.is_some_and(|listed| listed >= end) {
            Life::Dead
        } else {
            Life::Silent
        }
    }

    /// When something ends if nothing more is seen, the earliest of all: somebody's time, or a deleted Lease's.
    pub(super) fn next_end(&self, me: &str, now: Instant) -> Option<Instant> {
        self.signs
            .iter()
            .filter(|(identity, _)| *identity != me)
            .map(|(_, sign)| sign.at + sign.lasts)
            .chain(self.seen.values().filter_map(Seen::end))
            .filter(|end| *end > now)
            .min()
    }

    /// Somebody else who takes everything, and who may act, whether or not its slot is to be seen.
    pub(super) fn sole_leader(&self, me: &str, now: Instant) -> Option<&str> {
        let reigns = |(identity, sign): &(&String, &Sign)| {
            sign.reigns && *identity != me && self.life(identity, now) != Life::Dead
        };
        self.signs
            .iter()
            .find(reigns)
            .map(|(identity, _)| identity.as_str())
    }

    /// Somebody else of whom a full list has to tell whether it lives.
    pub(super) fn is_anybody_silent(&self, me: &str, now: Instant) -> bool {
        self.signs
            .keys()
            .any(|identity| identity != me && self.life(identity, now) == Life::Silent)
    }

    /// Since when it is known that nobody writes for a server, where that is longer than since it was taken: its Lease is released
    /// as the first list showed it a moment ago, and whoever releases one has written for the last time.
    pub(super) fn free_since(&self, name: &str, now: Instant) -> Option<Instant> {
        let first = self.first.as_ref().filter(|first| now < first.at + FIRST)?;
        let is_as_it_was = first.free.get(name) == Some(&self.get(name)?.version);
        is_as_it_was.then_some(first.at)
    }

    /// Forgets what the first list showed.
    pub(super) fn forget_first(&mut self) {
        self.first = None;
    }

    /// Whether a slot was seen whose holder takes everything and is somebody else.
    fn is_ruled_by_another(&self) -> bool {
        self.slots().iter().any(|(_, record)| self.rules(record))
    }

    /// Whether the holder of a slot takes everything and is somebody else; one that was released counts where it is in no list.
    fn rules(&self, slot: &Record) -> bool {
        let is_anothers = slot.holder != self.leases.identity;
        slot.takes == Takes::Everything && is_anothers && (!slot.holder.is_empty() || !slot.is_watched)
    }

    /// A Lease; not one that was deleted.
    pub(super) fn get(&self, name: &str) -> Option<&Record> {
        let seen = self.seen.get(name).filter(|seen| seen.deleted.is_none());
        seen.map(|seen| &seen.record)
    }

    /// How a Lease was when it was deleted, and whether its holder has had the time to make it again.
    pub(super) fn deleted(&self, name: &str, now: Instant) -> Option<(&Record, bool)> {
        let seen = self.seen.get(name)?;
        let end = seen.end()?;
        Some((&seen.record, end <= now))
    }

    /// The slots, in their order.
    pub(super) fn slots(&self) -> Vec<(u32, &Record)> {
        let slot = |seen: &'_ Seen| self.leases.slot_of(&seen.record.name);
        let mut slots: Vec<(u32, &Record)> = self
            .seen
            .values()
            .filter_map(|seen| Some((slot(seen)?, &seen.record)))
            .collect();
        slots.sort_unstable_by_key(|(index, _)| *index);
        slots
    }

    /// The Leases of servers.
    pub(super) fn of_servers(&self) -> impl Iterator<Item = &Record> {
        let records = self.seen.values().map(|seen| &seen.record);
        records.filter(|record| self.leases.is_of_server(&record.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(60);

    fn record(name: &str, version: u64, holder: &str, takes: Takes) -> Record {
        Record {
            name: name.to_owned(),
            version: version.to_string(),
            holder: holder.to_owned(),
            lasts: LASTS,
            takes,
            is_watched: true,
            acquired: None,
            transitions: 0,
        }
    }

    #[test]
    fn a_server_is_free_as_the_first_list_showed_it_unless_somebody_led_alone() {
        let now = Instant::now();
        let leases = Leases {
            name: "abb".to_owned(),
            identity: "me".to_owned(),
            duration: LASTS,
        };
        let server = leases.server(&("backups".to_owned(), "nas".to_owned()));
        let after = |slot: Record| {
            let mut view = View::new(leases.clone());
            view.list(vec![slot, record(&server, 5, "", Takes::Everything)], 9, now, now);
            view
        };
        let view = after(record("abb", 6, "another", Takes::Share));
        assert_eq!(view.free_since(&server, now), Some(now));
        assert_eq!(view.free_since(&server, now + FIRST), None, "a moment ago");
        let mut view = after(record("abb", 6, "", Takes::Everything));
        assert_eq!(view.free_since(&server, now), Some(now), "gone before");
        view.show(record(&server, 10, "", Takes::Everything), now);
        assert_eq!(view.free_since(&server, now), None, "released since");
        let view = after(record("abb", 6, "another", Takes::Everything));
        assert_eq!(view.free_since(&server, now), None, "led alone");
        let mut view = after(record("abb", 6, "", Takes::Everything));
        view.show(record("abb", 10, "another", Takes::Everything), now);
        assert_eq!(view.free_since(&server, now), None, "leads alone");
        let mut view = after(record("abb", 6, "another", Takes::Share));
        view.list(vec![record(&server, 5, "", Takes::Everything)], 11, now, now);
        assert_eq!(view.free_since(&server, now), None, "listed anew");
    }
}
