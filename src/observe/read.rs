//! Reads a NAS for the inventory and what single tasks need beside it. Every function here is a network call.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{Inventory, Queue, Shelf, Stacking};
use crate::nas::{
    Client, Error, ListResults, ListTasks, LogRow, Read, ResultRow, Task, TaskId, TaskSink, Version,
    job_action, status,
};

/// Rows asked for on a further page, where the first answer held fewer tasks than the NAS counts.
const PAGE: u64 = 500;
/// Further pages at most: 100,000 tasks are beyond any NAS, and a server that counts wrongly must not be asked for ever.
const PAGES: u32 = 200;
/// Rows of history read for one task: enough to find the newest good one behind a row of failures.
const HISTORY: u64 = 50;

/// Reads all tasks of the NAS, and beside them its job queue if asked. Network: one call, one more for the queue, and one
/// per further page where the NAS answers in pages.
///
/// List and queue are read at once, so either may be the older one. Both are true at `begun` or later, which is all that
/// evidence goes by: absence takes two such reads, half a settling time apart. Jobs move from the queue into the list, never
/// back, so only a run that passes wholly between an older list and a newer queue is in neither; the second read shows it.
pub async fn read_inventory(client: &Client, with_queue: bool) -> Result<Inventory, Error> {
    let mut tasks = Vec::new();
    let (listed, queue) = read_both(client, &mut tasks, with_queue).await?;
    Ok(listed.with(tasks, queue))
}

/// As [`read_inventory`], put away row by row as the answer arrives. Rows that are as they were in `before` are not parsed.
pub async fn read_shelf(
    client: &Client,
    with_queue: bool,
    before: Option<&Arc<Shelf>>,
) -> Result<Shelf, Error> {
    let mut rows = Stacking::after(before);
    let (listed, queue) = read_both(client, &mut rows, with_queue).await?;
    let (times, queue) = listed.over(queue);
    Ok(rows.done(times, listed.complete, queue))
}

/// As [`read_inventory`], with the queue read when the list is there: for the last look before a `remove`. It shows whatever
/// runs at its end, however long the list took.
pub async fn read_inventory_then_queue(client: &Client) -> Result<Inventory, Error> {
    let mut tasks = Vec::new();
    let listed = read_tasks(client, &mut tasks).await?;
    Ok(listed.with(tasks, Some(read_queue(client).await)))
}

async fn read_both(
    client: &Client,
    sink: &mut dyn TaskSink,
    with_queue: bool,
) -> Result<(Listed, Option<Read<Queue>>), Error> {
    let queue = async {
        if with_queue {
            Some(read_queue(client).await)
        } else {
            None
        }
    };
    // Both to their ends: a login that nobody waits for any more could be refused without anybody knowing.
    let (listed, queue) = tokio::join!(read_tasks(client, sink), queue);
    Ok((listed?, queue))
}

/// How the tasks were read.
struct Listed {
    complete: bool,
    begun: Timestamp,
    /// The NAS's clock minus ours as it answered: a list that took a minute is no skew.
    skew: Option<SignedDuration>,
}

impl Listed {
    /// When list and queue were read, on both clocks, and what the queue shows.
    fn over(&self, queue: Option<Read<Queue>>) -> ((Timestamp, Option<Timestamp>), Queue) {
        // The older of the two: what was read before a session was over, and then beside the next one, still counts from
        // when it was asked.
        let begun = queue
            .as_ref()
            .map_or(self.begun, |read| read.begun.min(self.begun));
        let queue = queue.map_or(Queue::NotAsked, |read| read.value);
        ((begun, self.skew.map(|skew| begun + skew)), queue)
    }

    fn with(&self, tasks: Vec<Task>, queue: Option<Read<Queue>>) -> Inventory {
        let ((begun, nas_time), queue) = self.over(queue);
        Inventory {
            begun,
            nas_time,
            complete: self.complete,
            tasks,
            queue,
        }
    }
}

/// The pages of a list as one: what a further page repeats is left out.
struct Pages<'a> {
    sink: &'a mut dyn TaskSink,
    is_first: bool,
    seen: BTreeSet<TaskId>,
    rows: usize,
}

impl TaskSink for Pages<'_> {
    fn begin(&mut self) {
        if self.is_first {
            self.sink.begin();
            self.seen.clear();
            self.rows = 0;
        }
    }

    fn take(&mut self, task: Task, row: Option<&[u8]>) {
        if self.seen.insert(task.id) || self.is_first {
            self.rows += 1;
            self.sink.take(task, row);
        }
    }

    fn take_again(&mut self, row: &[u8]) -> Option<TaskId> {
        if !self.is_first {
            return None;
        }
        let id = self.sink.take_again(row)?;
        self.seen.insert(id);
        self.rows += 1;
        Some(id)
    }
}

async fn read_tasks(client: &Client, sink: &mut dyn TaskSink) -> Result<Listed, Error> {
    let query = ListTasks {
        load_result: true,
        load_devices: true,
        load_status: true,
        ..ListTasks::default()
    };
    let mut pages = Pages {
        sink,
        is_first: true,
        seen: BTreeSet::new(),
        rows: 0,
    };
    let first = client.list_tasks_into(&query, &mut pages).await?;
    pages.is_first = false;
    let begun = first.begun;
    let answered = client.clock().now();
    let skew = first.nas_date.map(|date| date.duration_since(answered));
    let end = first.value;
    let is_complete =
        |rows: usize| end.unreadable_rows == 0 && end.total.is_none_or(|total| rows as u64 >= total);
    for _ in 0..PAGES {
        if is_complete(pages.rows) || end.unreadable_rows > 0 || pages.rows == 0 {
            break;
        }
        let page = ListTasks {
            offset: Some(pages.rows as u64),
            limit: Some(PAGE),
            ..query.clone()
        };
        let before = pages.rows;
        client.list_tasks_into(&page, &mut pages).await?;
        if pages.rows == before {
            break;
        }
    }
    Ok(Listed {
        complete: is_complete(pages.rows),
        begun,
        skew,
    })
}

/// A queue that cannot be read is an observation: absence then proves nothing.
async fn read_queue(client: &Client) -> Read<Queue> {
    let asked = client.clock().now();
    let unreadable = Read {
        value: Queue::Unreadable,
        begun: asked,
        nas_date: None,
    };
    match client.list_activity().await {
        Ok(read) if read.value.is_complete() => Read {
            value: Queue::Read(read.value.activities),
            begun: read.begun,
            nas_date: read.nas_date,
        },
        Ok(_) | Err(_) => unreadable,
    }
}

/// Reads the newest backup results of one task, newest first, and the newest good ones where these hold none.
pub async fn read_results(client: &Client, task: TaskId) -> Result<Vec<ResultRow>, Error> {
    let query = ListResults {
        task_id: Some(task),
        job_action: vec![job_action::BACKUP],
        limit: Some(HISTORY),
        ..ListResults::default()
    };
    let (mut rows, is_all) = read_both_ends(client, &query).await?;
    if !is_all && rows.iter().all(|row| row.status != status::SUCCESS) {
        let good = ListResults {
            status: Some(status::SUCCESS),
            ..query
        };
        rows.extend(read_both_ends(client, &good).await?.0);
    }
    rows.retain(ResultRow::is_backup);
    rows.sort_by_key(|row| std::cmp::Reverse(row.result_id));
    rows.dedup_by_key(|row| row.result_id);
    Ok(rows)
}

/// The first and the last page of a list, and whether that is all: in which order a NAS lists results is not to be
/// relied on (dsm-api-facts 4).
async fn read_both_ends(client: &Client, query: &ListResults) -> Result<(Vec<ResultRow>, bool), Error> {
    let first = client.list_results(query).await?.value;
    let beyond = first
        .count
        .map_or(0, |count| count.saturating_sub(first.rows.len() as u64));
    let mut rows = first.rows;
    if beyond > 0 {
        let last = ListResults {
            offset: first.count.map(|count| count.saturating_sub(HISTORY)),
            ..query.clone()
        };
        rows.extend(client.list_results(&last).await?.value.rows);
    }
    Ok((rows, beyond == 0))
}

/// Reads what the log of one task says since a second of the NAS's clock.
pub async fn read_log(client: &Client, task: TaskId, since: i64) -> Result<Vec<LogRow>, Error> {
    let mut rows = client.list_log(task, since, HISTORY).await?.value.rows;
    // Neither filter is to be relied on.
    rows.retain(|row| row.log_time.is_some_and(|time| time >= since) && row.task_id == Some(task));
    Ok(rows)
}

/// Reads the versions of one task; `None` where one of them cannot be read. The list of one task is no list of all: it has
/// the time of a request.
pub async fn read_versions(client: &Client, task: TaskId) -> Result<Option<Vec<Version>>, Error> {
    let client = client.clone().with_list_as_request();
    let query = ListTasks {
        load_versions: true,
        task_id: Some(task),
        ..ListTasks::default()
    };
    let list = client.list_tasks(&query).await?.value;
    let row = list.tasks.into_iter().find(|row| row.id == task);
    if let Some(versions) = row.and_then(|row| row.versions) {
        return Ok(Some(versions));
    }
    let list = client.list_versions(task).await?.value;
    Ok((list.unreadable_rows == 0).then_some(list.versions))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has to panic")]

    use std::time::Duration;

    use super::*;
    use crate::{
        clock::Clock,
        nas::tests::client_of,
        simulator::{DirectNas, Fault, FaultKind, Nas, Scenario},
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn late(api: &str, method: &str, seconds: u64) -> Fault {
        let kind = FaultKind::Delay {
            milliseconds: seconds * 1000,
            before_effect: false,
        };
        Fault::new(kind).on(api, method).times(0)
    }

    /// A client that is logged in at a NAS with faults.
    async fn client(faults: Vec<Fault>) -> Client {
        client_at(Scenario::seed(), faults).await
    }

    async fn client_at(scenario: Scenario, faults: Vec<Fault>) -> Client {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let clock = Clock::starting_at(begin);
        let nas = DirectNas::new(Nas::new(scenario, 1.0, begin).unwrap(), clock);
        let client = client_of(&nas, clock).await;
        for fault in faults {
            nas.lock().add_fault(fault);
        }
        client
    }

    #[tokio::test(start_paused = true)]
    async fn list_and_queue_are_read_at_once_and_before_a_removal_in_turn() {
        let client = client(vec![
            late("SYNO.ActiveBackup.Task", "list", 5),
            late("SYNO.ActiveBackup.Overview", "list_activity", 3),
        ])
        .await;
        let started = tokio::time::Instant::now();
        let begun = client.clock().now();
        let read = read_inventory(&client, true).await.unwrap();
        assert_eq!(started.elapsed(), 5 * SECOND);
        assert!(matches!(read.queue, Queue::Read(_)) && read.complete);
        assert_eq!((read.begun, read.skew()), (begun, Some(SignedDuration::ZERO)));
        let started = tokio::time::Instant::now();
        let read = read_inventory_then_queue(&client).await.unwrap();
        assert_eq!(started.elapsed(), 8 * SECOND);
        assert!(matches!(read.queue, Queue::Read(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shelf_holds_what_the_inventory_does_page_by_page() {
        let scenario = serde_json::json!({ "generateTasks": 7 });
        let scenario: Scenario = serde_json::from_value(scenario).unwrap();
        for page in [8, 3, 0] {
            let short = FaultKind::ShortPage { rows: page };
            let short = Fault::new(short).on("SYNO.ActiveBackup.Task", "list");
            // The first page of each of the two reads is short; the further ones are not.
            let again = Fault {
                after: u32::from(page == 3),
                ..short.clone()
            };
            let client = client_at(scenario.clone(), vec![short, again]).await;
            let whole = read_inventory(&client, true).await.unwrap();
            let shelf = read_shelf(&client, true, None).await.unwrap();
            let mut wanted = crate::observe::Wanted::default();
            whole.tasks.iter().for_each(|task| wanted.id(task.id));
            assert_eq!(shelf.open(&wanted).tasks, whole.tasks, "{page}");
            assert_eq!((shelf.len(), shelf.complete), (whole.tasks.len(), whole.complete));
            assert_eq!(whole.complete, page > 0, "no row at all is asked for once");
            assert_eq!(whole.tasks.len(), if page == 0 { 0 } else { 8 });
        }
    }

    #[test]
    fn what_was_read_apart_counts_from_the_older_part() {
        let at = |second| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let skew = SignedDuration::from_secs(7);
        let inventory = |listed: i64, queued: Option<i64>| {
            let listed = Listed {
                complete: true,
                begun: at(listed),
                skew: Some(skew),
            };
            listed.with(
                Vec::new(),
                queued.map(|second| Read {
                    value: Queue::Read(Vec::new()),
                    begun: at(second),
                    nas_date: None,
                }),
            )
        };
        for (listed, queued, begun) in [(5, Some(1), 1), (1, Some(5), 1), (5, None, 5)] {
            let read = inventory(listed, queued);
            assert_eq!((read.begun, read.skew()), (at(begun), Some(skew)));
            assert_eq!(matches!(read.queue, Queue::NotAsked), queued.is_none());
        }
    }
}
