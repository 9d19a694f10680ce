//! One read of a NAS's tasks, put away small between passes: of every row its number, what it is called by and a digest in
//! the open, the rest compressed. Most tasks of a NAS are not looked at from one poll to the next; which of them changed
//! is told by the digests, and only rows that somebody asks for are unpacked.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hasher},
    sync::{Arc, LazyLock},
};

use foldhash::quality::RandomState;
use jiff::Timestamp;

use super::{Doing, Inventory, Queue, doing};
use crate::{
    api::BackupTask,
    nas::{Activity, Task, TaskId, TaskSink},
};

/// Rows that are compressed together: they resemble each other, and one that is wanted costs that many.
const TOGETHER: usize = 32;

/// What stands in the open of a row.
#[derive(Clone, Copy, Debug)]
struct Mark {
    id: TaskId,
    /// Changes with anything that the NAS says of the task, the jobs in its queue included.
    digest: u64,
    /// Of the bytes that the NAS sent; 0 where they are not known.
    sent: u64,
    name: u32,
    /// 0 where there is no key.
    key: u32,
    /// Place in the list.
    place: u32,
    /// Where the row begins among those that were compressed with it, in bytes.
    begins: u32,
    shows: Shows,
}

/// What a row alone says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    None,
    Run,
    /// "Unfinished", which the queue tells apart.
    Unfinished,
}

/// One read of a NAS's tasks.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// When the read began, our clock.
    pub begun: Timestamp,
    /// The NAS's clock, as in [`Inventory::nas_time`].
    pub nas_time: Option<Timestamp>,
    /// As [`Inventory::complete`].
    pub complete: bool,
    /// The job queue, where it was asked for.
    pub queue: Queue,
    /// Tasks that run, wait or are being cancelled.
    pub running: usize,
    /// Whether a row says "unfinished" and nothing else tells of a run: the queue has to be asked.
    pub unclear: bool,
    /// By number.
    marks: Box<[Mark]>,
    packs: Box<[Arc<[u8]>]>,
}

/// The rows that somebody asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    ids: BTreeSet<TaskId>,
    names: BTreeSet<u32>,
    keys: BTreeSet<u32>,
}

impl Wanted {
    /// A row by its number.
    pub fn id(&mut self, id: TaskId) {
        self.ids.insert(id);
    }

    /// Every row that the object may mean: by its selector, its binding, or an annotation.
    pub fn of(&mut self, object: &BackupTask) {
        let selector = &object.spec.task;
        self.ids.extend(selector.id.map(TaskId));
        self.names.extend(selector.name.as_deref().map(short));
        self.keys.extend(selector.unique_key.as_deref().map(key));
        let named = object.metadata.annotations.as_ref();
        let named = named.and_then(|all| all.get(crate::api::ANNOTATION_REBIND));
        self.keys.extend(named.map(|named| key(named)));
        let status = object.status.as_ref();
        let bound = status.and_then(|status| status.binding.as_ref());
        self.keys
            .extend(bound.and_then(|bound| bound.unique_key.as_deref()).map(key));
        let seen = status.and_then(|status| status.task.as_ref());
        self.ids.extend(seen.map(|seen| TaskId(seen.id)));
        let intent = status.and_then(|status| status.intent.as_ref());
        self.ids.extend(intent.map(|intent| TaskId(intent.task_id)));
    }
}

/// Rows on their way to the shelf. Most are, byte by byte, what they were at the read before: of these what is known is
/// taken over, and a pack of nothing else is shared.
#[derive(Debug, Default)]
pub struct Stacking {
    marks: Vec<Mark>,
    packs: Vec<Arc<[u8]>>,
    /// Rows of the pack that is being filled, if any of them is new.
    open: Vec<u8>,
    before: Before,
}

/// The rows of an earlier read, in the order of the NAS.
#[derive(Debug, Default)]
struct Before {
    shelf: Option<Arc<Shelf>>,
    /// Where the mark of each place stands.
    order: Vec<u32>,
    /// What the queue has added to digests.
    stirred: BTreeMap<TaskId, u64>,
    /// The pack that was unpacked last, and its place.
    unpacked: Option<(usize, Vec<u8>)>,
}

impl Before {
    fn of(shelf: Arc<Shelf>) -> Self {
        let mut stirred = BTreeMap::new();
        if let Queue::Read(jobs) = &shelf.queue {
            for (id, stir) in jobs.iter().filter_map(|job| Some((job.task_id?, stir(job)))) {
                *stirred.entry(id).or_default() ^= stir;
            }
        }
        let mut order: Vec<u32> = (0..).take(shelf.marks.len()).collect();
        order.sort_unstable_by_key(|at| shelf.marks[*at as usize].place);
        Self {
            shelf: Some(shelf),
            order,
            stirred,
            unpacked: None,
        }
    }

    /// The mark of a place, without what the queue said.
    fn mark(&self, place: usize) -> Option<Mark> {
        let at = *self.order.get(place)?;
        let mut mark = self.shelf.as_ref()?.marks[at as usize];
        mark.digest ^= self.stirred.get(&mark.id).copied().unwrap_or_default();
        Some(mark)
    }

    fn pack(&self, number: usize) -> Option<&Arc<[u8]>> {
        self.shelf.as_ref()?.packs.get(number)
    }

    /// The text of a row.
    fn text(&mut self, place: usize) -> &[u8] {
        let number = place / TOGETHER;
        let of = |mark: Option<Mark>| mark.filter(|mark| mark.place as usize / TOGETHER == number);
        let (begin, end) = (of(self.mark(place)), of(self.mark(place + 1)));
        if self.unpacked.as_ref().is_none_or(|(known, _)| *known != number) {
            self.unpacked = self.pack(number).map(|pack| (number, unpack(pack)));
        }
        let text = self
            .unpacked
            .as_ref()
            .map_or(&[][..], |(_, text)| text.as_slice());
        let at = |mark: Mark| mark.begins as usize;
        &text[begin.map_or(text.len(), at)..end.map_or(text.len(), at)]
    }
}

impl Stacking {
    /// Begins a read that comes after another one.
    #[must_use]
    pub fn after(before: Option<&Arc<Shelf>>) -> Self {
        let before = before.cloned().map(Before::of).unwrap_or_default();
        Self::upon(before)
    }

    /// With room for what was there before, and some rows more: it is as large as all of them.
    fn upon(before: Before) -> Self {
        Self {
            marks: Vec::with_capacity(before.order.len() + TOGETHER),
            before,
            ..Self::default()
        }
    }

    /// Puts a row behind the others, with the bytes that the NAS sent for it where they are known.
    ///
    /// # Panics
    /// Never: a row is JSON.
    pub fn push(&mut self, task: &Task, sent: Option<&[u8]>) {
        self.write_out();
        let begins = self.open.len();
        serde_json::to_writer(&mut self.open, task).expect("a row is JSON with texts as keys");
        let shows = match doing(task, &Queue::NotAsked) {
            Doing::PerhapsRunning => Shows::Unfinished,
            seen if seen.is_run() => Shows::Run,
            _ => Shows::None,
        };
        self.put(Mark {
            id: task.id,
            digest: digest(&self.open[begins..]),
            sent: sent.map_or(0, digest),
            name: short(&task.name),
            key: task.unique_key.as_ref().map_or(0, |unique| key(unique.as_str())),
            place: u32::try_from(self.marks.len()).unwrap_or(u32::MAX),
            begins: u32::try_from(begins).unwrap_or(u32::MAX),
            shows,
        });
    }

    /// Puts a row behind the others that is known in this place.
    fn push_known(&mut self, mut mark: Mark) {
        if !self.open.is_empty() {
            mark.begins = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
            self.open.extend_from_slice(self.before.text(mark.place as usize));
        }
        self.put(mark);
    }

    fn put(&mut self, mark: Mark) {
        self.marks.push(mark);
        if self.marks.len().is_multiple_of(TOGETHER) {
            self.close();
        }
    }

    /// Before the first new row of a pack: the known ones that stand before it.
    fn write_out(&mut self) {
        if self.open.is_empty() {
            for place in self.marks.len() / TOGETHER * TOGETHER..self.marks.len() {
                self.open.extend_from_slice(self.before.text(place));
            }
        }
    }

    fn close(&mut self) {
        let pack = if self.open.is_empty() {
            // Known rows only, and they stand at the same places of that pack.
            self.before.pack(self.packs.len()).cloned()
        } else {
            Some(lz4_flex::block::compress_prepend_size(&self.open).into())
        };
        self.packs.extend(pack);
        self.open.clear();
    }

    /// The shelf with all rows.
    #[must_use]
    pub fn done(
        mut self,
        (begun, nas_time): (Timestamp, Option<Timestamp>),
        complete: bool,
        queue: Queue,
    ) -> Shelf {
        if self.packs.len() * TOGETHER < self.marks.len() {
            self.close();
        }
        let of = |marks: &[Mark], shows| -> BTreeSet<TaskId> {
            let all = marks.iter().filter(|mark| mark.shows == shows);
            all.map(|mark| mark.id).collect()
        };
        let mut running = of(&self.marks, Shows::Run);
        let unfinished = of(&self.marks, Shows::Unfinished);
        self.marks.sort_unstable_by_key(|mark| (mark.id, mark.place));
        let mut made = Shelf {
            begun,
            nas_time,
            complete,
            running: 0,
            unclear: !unfinished.is_empty(),
            marks: self.marks.into(),
            packs: self.packs.into(),
            queue: Queue::NotAsked,
        };
        // What only the queue tells apart shows in whole rows.
        let mut asked = Wanted::default();
        asked.ids.extend(unfinished);
        if let Queue::Read(jobs) = &queue {
            for job in jobs {
                made.stir(job);
                asked.ids.extend(job.task_id);
            }
        }
        made.queue = queue;
        let seen = made.open(&asked);
        for task in &seen.tasks {
            if doing(task, &seen.queue).is_run() {
                running.insert(task.id);
            } else {
                running.remove(&task.id);
            }
        }
        made.running = running.len();
        made
    }
}

impl TaskSink for Stacking {
    fn begin(&mut self) {
        *self = Self::upon(std::mem::take(&mut self.before));
    }

    fn take(&mut self, task: Task, row: Option<&[u8]>) {
        self.push(&task, row);
    }

    fn take_again(&mut self, row: &[u8]) -> Option<TaskId> {
        let known = self.before.mark(self.marks.len());
        let mark = known.filter(|mark| mark.sent != 0 && mark.sent == digest(row))?;
        self.push_known(mark);
        Some(mark.id)
    }
}

impl Shelf {
    /// Puts away what was read as a whole.
    #[cfg(test)]
    #[must_use]
    pub fn of(inventory: Inventory) -> Self {
        let mut rows = Stacking::default();
        for task in &inventory.tasks {
            rows.push(task, None);
        }
        let times = (inventory.begun, inventory.nas_time);
        rows.done(times, inventory.complete, inventory.queue)
    }

    /// How many tasks the NAS lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether it lists none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// What the NAS says of a task, as a digest; `None` where it lists none with that number.
    #[must_use]
    pub fn digest(&self, id: TaskId) -> Option<u64> {
        let at = self.marks.partition_point(|mark| mark.id < id);
        self.marks
            .get(at)
            .filter(|mark| mark.id == id)
            .map(|mark| mark.digest)
    }

    /// The inventory of the wanted rows alone, in the order of the NAS. What a row that is not wanted would say is not in
    /// it; whether a wanted one is missing is.
    #[must_use]
    pub fn open(&self, wanted: &Wanted) -> Inventory {
        let is_wanted = |mark: &&Mark| {
            wanted.ids.contains(&mark.id)
                || wanted.names.contains(&mark.name)
                || (mark.key != 0 && wanted.keys.contains(&mark.key))
        };
        let mut marks: Vec<Mark> = self.marks.iter().filter(is_wanted).copied().collect();
        marks.sort_by_key(|mark| mark.place);
        Inventory {
            begun: self.begun,
            nas_time: self.nas_time,
            complete: self.complete,
            tasks: self.unpacked(&marks),
            queue: self.queue.clone(),
        }
    }

    /// The first tasks by number that are not among `bound`, which are in order, and how many there are.
    #[must_use]
    pub fn others(&self, bound: &[TaskId], most: usize) -> (Vec<Task>, usize) {
        let is_other = |mark: &&Mark| bound.binary_search(&mark.id).is_err();
        let others = || self.marks.iter().filter(is_other);
        let first: Vec<Mark> = others().take(most).copied().collect();
        (self.unpacked(&first), others().count())
    }

    /// Rows in the order of their marks, each pack unpacked once where they come in order.
    fn unpacked(&self, marks: &[Mark]) -> Vec<Task> {
        let mut tasks = Vec::with_capacity(marks.len());
        let mut open: Option<(usize, Vec<u8>)> = None;
        for mark in marks {
            let pack = mark.place as usize / TOGETHER;
            if open.as_ref().is_none_or(|(place, _)| *place != pack) {
                open = Some((pack, unpack(&self.packs[pack])));
            }
            let text = open.as_ref().map_or(&[][..], |(_, text)| text.as_slice());
            let mut rows = serde_json::Deserializer::from_slice(&text[mark.begins as usize..]).into_iter();
            let row: Result<Task, _> = rows.next().expect("a row begins where its mark says");
            tasks.push(row.expect("what was a row is one"));
        }
        tasks
    }

    /// Makes a job of the queue part of what the NAS says of its task.
    fn stir(&mut self, job: &Activity) {
        let Some(id) = job.task_id else { return };
        let at = self.marks.partition_point(|mark| mark.id < id);
        for mark in self.marks[at..].iter_mut().take_while(|mark| mark.id == id) {
            mark.digest ^= stir(job);
        }
    }

    /// Bytes that it occupies, without the overhead of the allocator.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of_val(&*self.marks) + self.packs.iter().map(|pack| pack.len() + 16).sum::<usize>()
    }
}

impl Shelf {
    /// The NAS's clock minus ours, to the second.
    #[must_use]
    pub fn skew(&self) -> Option<jiff::SignedDuration> {
        self.nas_time.map(|nas| nas.duration_since(self.begun))
    }
}

fn unpack(pack: &[u8]) -> Vec<u8> {
    lz4_flex::block::decompress_size_prepended(pack)
        .expect("what was compressed here comes out as it went in")
}

/// What a job of the queue adds to the digest of its task.
fn stir(job: &Activity) -> u64 {
    digest(format!("{job:?}").as_bytes())
}

fn digest(bytes: &[u8]) -> u64 {
    // A NAS must not know how to send another row with the digest of the one before.
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let mut hasher = SEED.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Two texts with the same one may differ: more is unpacked than was wanted, which harms nobody.
#[allow(clippy::cast_possible_truncation, reason = "half of the digest is meant")]
fn short(text: &str) -> u32 {
    digest(text.as_bytes()) as u32
}

fn key(text: &str) -> u32 {
    short(text).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;
    use crate::nas::{ResultRow, UniqueKey, job_action};

    fn task(id: i64) -> Task {
        Task {
            id: TaskId(id),
            name: format!("backup-of-host-{id:05}"),
            unique_key: UniqueKey::new(uuid::Uuid::from_u64_pair(id.cast_unsigned(), 7).to_string()),
            backup_type: Some(2),
            source_type: Some(3),
            device_count: Some(1),
            devices: Vec::new(),
            share_name: Some("ActiveBackupforBusiness".to_owned()),
            version_count: None,
            versions: None,
            next_trigger_time: Some(1_800_000_000 + id * 60),
            allow_manual_backup: Some(true),
            status: None,
            target_status: Some("online".to_owned()),
            progress: None,
            last_result: None,
        }
    }

    fn inventory(tasks: Vec<Task>, queue: Queue) -> Inventory {
        Inventory {
            begun: Timestamp::UNIX_EPOCH,
            nas_time: None,
            complete: true,
            tasks,
            queue,
        }
    }

    fn wanted(ids: &[i64]) -> Wanted {
        let mut wanted = Wanted::default();
        for id in ids {
            wanted.id(TaskId(*id));
        }
        wanted
    }

    #[test]
    fn rows_come_out_as_they_were_in_the_order_of_the_nas() {
        let tasks: Vec<Task> = (1..100).rev().map(task).collect();
        let shelf = Shelf::of(inventory(tasks.clone(), Queue::NotAsked));
        assert_eq!(shelf.len(), 99);
        let opened = shelf.open(&wanted(&[3, 70, 98, 1000]));
        assert_eq!(opened.tasks, [task(98), task(70), task(3)]);
        let mut by_name = Wanted::default();
        by_name.names.insert(short("backup-of-host-00007"));
        assert_eq!(shelf.open(&by_name).tasks, [task(7)]);
        let mut by_key = Wanted::default();
        by_key.keys.insert(key(task(8).unique_key.unwrap().as_str()));
        assert_eq!(shelf.open(&by_key).tasks, [task(8)]);
        let bound: Vec<TaskId> = (3..99).map(TaskId).collect();
        let (others, count) = shelf.others(&bound, 2);
        assert_eq!((others, count), (vec![task(1), task(2)], 3));
    }

    #[test]
    fn a_digest_changes_with_the_row_and_with_its_jobs_and_with_nothing_else() {
        let before = Shelf::of(inventory(vec![task(1), task(2), task(3)], Queue::NotAsked));
        let mut changed = task(2);
        changed.next_trigger_time = None;
        let after = Shelf::of(inventory(
            vec![task(3), changed, task(1)],
            Queue::Read(vec![job(3)]),
        ));
        assert_eq!(before.digest(TaskId(1)), after.digest(TaskId(1)));
        for id in [2, 3] {
            assert_ne!(before.digest(TaskId(id)), after.digest(TaskId(id)), "{id}");
        }
        assert_eq!(after.digest(TaskId(4)), None);
        assert_eq!((before.running, after.running), (0, 1));
    }

    #[test]
    fn an_unfinished_row_is_unclear_and_counts_as_running() {
        let mut unfinished = task(1);
        unfinished.last_result = Some(row());
        let shelf = Shelf::of(inventory(vec![unfinished, task(2)], Queue::NotAsked));
        assert!(shelf.unclear);
        assert_eq!(shelf.running, 1);
    }

    /// A backup of a task that runs.
    fn job(id: i64) -> Activity {
        Activity {
            task_id: Some(TaskId(id)),
            action: Some(job_action::BACKUP),
            status: Some(3),
            stage: None,
            job_id: Some(1),
            user_name: None,
        }
    }

    fn row() -> ResultRow {
        serde_json::from_value(serde_json::json!({
            "result_id": 9, "job_action": 1, "status": 1, "devices": [],
        }))
        .unwrap()
    }

    /// Rows as the NAS sends them, the way a list takes them; how many of them were parsed.
    fn take(rows: &[Task], before: Option<&Arc<Shelf>>, queue: Queue) -> (Arc<Shelf>, usize) {
        let mut stacking = Stacking::after(before);
        let mut parsed = 0;
        TaskSink::begin(&mut stacking);
        for row in rows {
            let sent = format!("sent as {row:?}");
            if stacking.take_again(sent.as_bytes()).is_none() {
                parsed += 1;
                TaskSink::take(&mut stacking, row.clone(), Some(sent.as_bytes()));
            }
        }
        let shelf = stacking.done((Timestamp::UNIX_EPOCH, None), true, queue);
        (Arc::new(shelf), parsed)
    }

    #[test]
    fn rows_that_are_as_they_were_are_not_parsed_and_make_no_difference() {
        let count = 3 * TOGETHER + 7;
        let long = i64::try_from(count).unwrap();
        let first: Vec<Task> = (1..=long).map(task).collect();
        let changed = |places: &[usize]| {
            let mut rows = first.clone();
            for place in places {
                rows[*place].next_trigger_time = None;
                rows[*place].last_result = Some(row());
            }
            rows
        };
        let last = count - 1;
        let lists = [
            (first.clone(), Some(0)),
            (changed(&[0]), Some(1)),
            (changed(&[5, TOGETHER - 1]), Some(3)),
            (changed(&[5, TOGETHER, 2 * TOGETHER + 3, last]), Some(4)),
            (first[..2 * TOGETHER + 5].to_vec(), Some(3)),
            (first.clone(), Some(TOGETHER + 2)),
            (first[1..].to_vec(), None),
            (first.iter().rev().cloned().collect(), None),
            (Vec::new(), Some(0)),
        ];
        let queues = [Queue::NotAsked, Queue::Read(vec![job(5)]), Queue::Unreadable];
        let (mut before, _) = take(&first, None, Queue::NotAsked);
        for (number, (rows, parses)) in lists.iter().enumerate() {
            for queue in &queues {
                let (after, parsed) = take(rows, Some(&before), queue.clone());
                let (afresh, _) = take(rows, None, queue.clone());
                let all: Vec<i64> = (1..=long).collect();
                assert_eq!(after.open(&wanted(&all)).tasks, *rows, "list {number}");
                assert_eq!(after.running, afresh.running, "list {number}");
                assert_eq!(after.unclear, afresh.unclear, "list {number}");
                for id in all {
                    assert_eq!(
                        after.digest(TaskId(id)),
                        afresh.digest(TaskId(id)),
                        "{id} of list {number}"
                    );
                }
                if let (Queue::NotAsked, Some(parses)) = (queue, parses) {
                    assert_eq!(parsed, *parses, "list {number}");
                }
                before = after;
            }
        }
    }

    #[test]
    fn a_row_occupies_some_hundred_bytes() {
        let shelf = Shelf::of(inventory((1..1000).map(task).collect(), Queue::NotAsked));
        let mean = shelf.size() / shelf.len();
        assert!(mean < 140, "{mean} bytes");
    }
}
