//! Reads a NAS for the inventory and what single tasks need beside it. Every function here is a network call.

use std::collections::BTreeSet;

use super::{Inventory, Queue};
use crate::nas::{
    Client, Error, ListResults, ListTasks, LogRow, ResultRow, TaskId, Version, job_action, status,
};

/// Rows asked for on a further page, where the first answer held fewer tasks than the NAS counts.
const PAGE: u64 = 500;
/// Further pages at most: 100,000 tasks are beyond any NAS, and a server that counts wrongly must not be asked for ever.
const PAGES: u32 = 200;
/// Rows of history read for one task: enough to find the newest good one behind a row of failures.
const HISTORY: u64 = 50;

/// Reads all tasks of the NAS, and its job queue if asked. Network: one call, one more for the queue, and one
/// per further page where the NAS answers in pages.
pub async fn read_inventory(client: &Client, with_queue: bool) -> Result<Inventory, Error> {
    let query = ListTasks {
        load_result: true,
        load_devices: true,
        load_status: true,
        ..ListTasks::default()
    };
    let first = client.list_tasks(&query).await?;
    let begun = first.begun;
    // The clock is the answer's, the inventory the question's: a list that took a minute is no skew.
    let answered = client.clock().now();
    let mut list = first.value;
    let nas_time = first.nas_date.map(|date| date - answered.duration_since(begun));
    let mut seen: BTreeSet<TaskId> = list.tasks.iter().map(|task| task.id).collect();
    for _ in 0..PAGES {
        if list.is_complete() || list.unreadable_rows > 0 || list.tasks.is_empty() {
            break;
        }
        let page = ListTasks {
            offset: Some(list.tasks.len() as u64),
            limit: Some(PAGE),
            ..query.clone()
        };
        let next = client.list_tasks(&page).await?.value;
        let before = list.tasks.len();
        list.tasks
            .extend(next.tasks.into_iter().filter(|task| seen.insert(task.id)));
        if list.tasks.len() == before {
            break;
        }
    }
    let queue = if with_queue {
        read_queue(client).await
    } else {
        Queue::NotAsked
    };
    Ok(Inventory {
        begun,
        nas_time,
        complete: list.is_complete(),
        tasks: list.tasks,
        queue,
    })
}

/// A queue that cannot be read is an observation: absence then proves nothing.
async fn read_queue(client: &Client) -> Queue {
    match client.list_activity().await {
        Ok(read) if read.value.is_complete() => Queue::Read(read.value.activities),
        Ok(_) | Err(_) => Queue::Unreadable,
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
