//! Who is looked at in a pass. Nearly all tasks of a server rest: judged once more they would say what they said, until
//! their object, their row on the NAS, the server or a time they wait for has changed. Of these a pass keeps a nap, some
//! forty bytes, and neither unpacks nor judges them.
//!
//! Invariant: a nap holds only what a judgement of the same object, the same row and the same facts came to, so waking
//! somebody for nothing costs time and changes nothing. In builds with debug assertions every pass proves it.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    sync::Arc,
};

use foldhash::quality::FixedState;
use jiff::{SignedDuration, Timestamp};

use super::{
    fleet::Memory,
    packed::{Packed, Uid},
};
use crate::{
    api::BackupTask,
    nas::{ResultId, TaskId},
    observe::{Bound, Inventory, Knowledge, Shelf, Wanted, bind},
};

/// Tasks without an open call or run that one pass looks at because their time has come, at most: what a pass holds of them
/// is some kilobytes each. Those whose time came first are looked at in every pass, since they are whose turn it is.
const MOST: usize = 128;
/// Others that one pass looks at: all wake at once when a process begins or a server changes, and for as long as the NAS cannot
/// be read nobody rests. The rest follow in the next pass; each has its turn before anybody has a second one.
const FEW: usize = 32;
/// A nap that nothing ends is over after this: what a judgement could miss is not missed for good.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A task at rest.
#[derive(Clone, Copy, Debug)]
pub struct Nap {
    /// What it rests on, see [`seal`].
    seal: u64,
    /// The task.
    pub bound: TaskId,
    /// When it is to be looked at again, seconds since 1970.
    until: i64,
    /// As [`Knowledge::quiet_since`], microseconds since 1970; [`NEVER`] for none.
    quiet_since: i64,
    /// As [`Knowledge::history_read_behind`], 0 for none.
    behind: i64,
}

/// The naps of one server. There are as many as tasks: a tree has fewer empty places than a table, and never two sizes of itself.
pub type Naps = BTreeMap<Uid, Nap>;

/// No time.
const NEVER: i64 = i64::MIN;

/// Version of the object, what was known beside object and row, and what the NAS said of the task, as one number: there are
/// as many naps as tasks.
fn seal(version: u64, facts: u64, digest: u64) -> u64 {
    FixedState::default().hash_one((version, facts, digest))
}

impl Nap {
    /// Lets a task rest, if nothing but what a nap holds is known of it.
    pub fn begin(
        object_version: u64,
        facts: u64,
        (bound, digest): (TaskId, u64),
        knowledge: &Knowledge,
        wake: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Self> {
        let Knowledge {
            call: None,
            quiet_since,
            unfinished: None,
            absent_since: None,
            history_read_behind,
            history_unreadable: false,
            versions_unreadable: false,
            withheld: None,
        } = knowledge
        else {
            return None;
        };
        let latest = now + LONGEST;
        let until = wake.map_or(latest, |wake| wake.min(latest)).as_second();
        (until > now.as_second()).then(|| Self {
            seal: seal(object_version, facts, digest),
            bound,
            until,
            quiet_since: quiet_since.map_or(NEVER, Timestamp::as_microsecond),
            behind: history_read_behind.map_or(0, |row| row.0),
        })
    }

    /// When it is over by itself.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.until).ok()
    }

    /// What is known of the task.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        Knowledge {
            quiet_since: Timestamp::from_microsecond(self.quiet_since).ok(),
            history_read_behind: (self.behind != 0).then_some(ResultId(self.behind)),
            ..Knowledge::default()
        }
    }

    /// Whether nothing that it rests on has changed.
    #[must_use]
    pub fn holds(&self, task: &Packed, facts: u64, read: Option<&Shelf>, now: Timestamp) -> bool {
        let digest = read.and_then(|read| read.digest(self.bound));
        now.as_second() < self.until
            && digest.is_some_and(|digest| self.seal == seal(task.version, facts, digest))
    }
}

/// The tasks that a pass looks at.
pub struct Awake<'a> {
    tasks: &'a [Arc<Packed>],
    is_up: Vec<bool>,
    /// The objects, in the order in which they woke.
    pub objects: Vec<BackupTask>,
    /// Places of the objects among all tasks.
    places: Vec<usize>,
    /// For each, the identity that a new intent of it would get.
    pub intents: Vec<String>,
    /// NAS tasks whose claims may have changed.
    touched: BTreeSet<TaskId>,
    /// How many others were to be looked at and are left for the next pass.
    pub left: usize,
    /// How many were woken because their time had come, and how many others.
    due: usize,
    others: usize,
    /// How many of the objects were looked through for what is known of them.
    pub known: usize,
    /// The rows that may concern the objects.
    pub inventory: Option<Inventory>,
}

impl<'a> Awake<'a> {
    /// Wakes those that have to be looked at, as far as that is known before the NAS is read.
    pub fn begin(
        tasks: &'a [Arc<Packed>],
        memory: &mut Memory,
        facts: u64,
        now: Timestamp,
        identity: &dyn Fn() -> String,
    ) -> Self {
        let mut awake = Self {
            tasks,
            is_up: vec![false; tasks.len()],
            objects: Vec::new(),
            places: Vec::new(),
            intents: Vec::new(),
            touched: memory.forget_the_gone(tasks),
            left: 0,
            due: 0,
            others: 0,
            known: 0,
            inventory: None,
        };
        awake.wake(memory, facts, now, identity);
        awake
    }

    /// Wakes those that a new read of the NAS concerns, and those who mean the same task as somebody who is awake.
    pub fn rouse(
        &mut self,
        memory: &mut Memory,
        facts: u64,
        serial: Option<&str>,
        now: Timestamp,
        identity: &dyn Fn() -> String,
    ) {
        self.wake(memory, facts, now, identity);
        loop {
            let read = memory.shelf.clone();
            let mut wanted = Wanted::default();
            for object in &self.objects {
                wanted.of(object);
            }
            self.inventory = read.map(|read| read.open(&wanted));
            let mut meant = self.touched.clone();
            for object in &self.objects {
                if let Bound::To(task) = bind(object, self.inventory.as_ref(), serial) {
                    meant.insert(task.id);
                }
            }
            let rivals: Vec<usize> = (0..self.tasks.len())
                .filter(|place| !self.is_up[*place])
                .filter(|place| {
                    let nap = memory.naps.get(&self.tasks[*place].uid);
                    nap.is_some_and(|nap| meant.contains(&nap.bound))
                })
                .collect();
            if rivals.is_empty() {
                return;
            }
            for place in rivals {
                self.open(place, memory, identity);
            }
        }
    }

    fn wake(&mut self, memory: &mut Memory, facts: u64, now: Timestamp, identity: &dyn Fn() -> String) {
        let read = memory.shelf.clone();
        let has_nap = |task: &Packed| {
            let nap = memory.naps.get(&task.uid);
            nap.is_some_and(|nap| nap.holds(task, facts, read.as_deref(), now))
        };
        let waking =
            (0..self.tasks.len()).filter(|place| !self.is_up[*place] && !has_nap(&self.tasks[*place]));
        let (mut open, mut resting): (Vec<usize>, Vec<usize>) =
            waking.partition(|place| self.tasks[*place].is_open);
        // Who waits for a time that has come goes before those that are only looked at again.
        resting.sort_by_key(|place| self.tasks[*place].hint);
        let due = resting.partition_point(|place| self.tasks[*place].hint <= now.as_second());
        let others = resting.split_off(due.min(MOST.saturating_sub(self.due)));
        self.due += resting.len();
        let had_a_turn = |place: &usize| {
            let task = &self.tasks[*place];
            memory.had_a_turn.get(&task.uid) == Some(&task.version)
        };
        let (had, mut next): (Vec<usize>, Vec<usize>) = others.into_iter().partition(had_a_turn);
        let later = next.split_off(next.len().min(FEW.saturating_sub(self.others)));
        self.others += next.len();
        self.left = later.len();
        resting.append(&mut next);
        for place in later.into_iter().chain(had) {
            // What is read meanwhile is not noted for them, so it must not look as if nothing had been seen.
            let uid = &self.tasks[place].uid;
            memory.knowledge.remove(uid);
            if let Some(nap) = memory.naps.get_mut(uid) {
                nap.quiet_since = NEVER;
            }
        }
        open.append(&mut resting);
        // As the tasks stand, whoever woke first.
        open.sort_unstable();
        for place in open {
            self.open(place, memory, identity);
        }
    }

    fn open(&mut self, place: usize, memory: &mut Memory, identity: &dyn Fn() -> String) {
        let task = &self.tasks[place];
        if let Some(nap) = memory.naps.remove(&task.uid) {
            self.touched.insert(nap.bound);
            memory
                .knowledge
                .entry(task.uid)
                .or_insert_with(|| nap.knowledge());
        }
        self.is_up[place] = true;
        self.places.push(place);
        self.objects.push(task.open());
        self.intents.push(identity());
    }

    /// Notes who was looked at and does not rest, as long as others wait for their turn.
    pub fn note_turns(&self, memory: &mut Memory) {
        let mut turns = std::mem::take(&mut memory.had_a_turn);
        if self.left > 0 {
            let looked_at = self.places.iter().map(|place| &self.tasks[*place]);
            let restless = looked_at.filter(|task| !memory.naps.contains_key(&task.uid));
            turns.extend(restless.map(|task| (task.uid, task.version)));
            memory.had_a_turn = turns;
        }
    }

    /// The task as it is put away.
    #[must_use]
    pub fn packed(&self, index: usize) -> &Packed {
        &self.tasks[self.places[index]]
    }
}
