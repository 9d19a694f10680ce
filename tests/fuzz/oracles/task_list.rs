//! The list of tasks says what a second reader finds in it; the order of keys and fields that nobody knows change
//! nothing; a list that is not there is an error; it is complete only if every row was read.

use abb_operator::nas::{
    ResultRow, Task, TaskList,
    wire::{Fault, TaskStream, task_list},
};
use serde_json::{Map, Value};

use super::reference::{self, Said, canonical, flag, int, object, rows, said, seconds, shuffled, text, uint};

/// What both readers tell of one task.
#[derive(Debug, PartialEq)]
pub struct Seen {
    id: i64,
    name: String,
    key: Option<String>,
    texts: [Option<String>; 3],
    numbers: [Option<i64>; 4],
    manual: Option<bool>,
    devices: Vec<(Option<i64>, String)>,
    result: Option<SeenResult>,
    runs: bool,
}

pub type SeenResult = (i64, i64, i64, Option<i64>, Option<i64>, Option<u64>);

pub fn of_model(task: &Task) -> Seen {
    Seen {
        id: task.id.0,
        name: task.name.clone(),
        key: task.unique_key.as_ref().map(|key| key.as_str().to_owned()),
        texts: [
            task.status.clone(),
            task.target_status.clone(),
            task.share_name.clone(),
        ],
        numbers: [
            task.backup_type,
            task.source_type,
            task.device_count,
            task.next_trigger_time,
        ],
        manual: task.allow_manual_backup,
        devices: task
            .devices
            .iter()
            .map(|device| (device.id, device.host_name.clone()))
            .collect(),
        result: task.last_result.as_ref().map(result_of_model),
        runs: task.progress.is_some(),
    }
}

pub fn result_of_model(row: &ResultRow) -> SeenResult {
    (
        row.result_id.0,
        row.job_action,
        row.status,
        row.time_start,
        row.time_end,
        row.transferred_bytes,
    )
}

pub fn of_tree(row: &Map<String, Value>) -> Option<Seen> {
    let device = |fields: Map<String, Value>| {
        (
            int(fields.get("device_id")),
            text(fields.get("host_name")).unwrap_or_default(),
        )
    };
    let listed = row.get("devices").and_then(Value::as_array).into_iter().flatten();
    let mut devices: Vec<_> = listed
        .filter_map(|value| object(Some(value)))
        .map(device)
        .collect();
    devices.extend(object(row.get("device_info")).map(device));
    Some(Seen {
        id: int(row.get("task_id"))?,
        name: text(row.get("task_name")).unwrap_or_default(),
        key: text(row.get("unikey")).filter(|key| !key.trim().is_empty()),
        texts: [
            text(row.get("status")),
            text(row.get("target_status")),
            text(row.get("share_name")),
        ],
        numbers: [
            int(row.get("backup_type")),
            int(row.get("source_type")),
            int(row.get("device_count")),
            seconds(row.get("next_trigger_time")),
        ],
        manual: flag(row.get("allow_manual_backup")),
        devices,
        result: object(row.get("last_result")).and_then(|fields| result_of_tree(&fields)),
        runs: object(row.get("progress")).is_some_and(|fields| runs(&fields)),
    })
}

pub fn result_of_tree(row: &Map<String, Value>) -> Option<SeenResult> {
    Some((
        int(row.get("result_id"))?,
        int(row.get("job_action"))?,
        int(row.get("status"))?,
        seconds(row.get("time_start")),
        seconds(row.get("time_end")),
        uint(row.get("transfered_bytes")).or(uint(row.get("transferred_bytes"))),
    ))
}

fn runs(progress: &Map<String, Value>) -> bool {
    let percentage = match progress.get("percentage") {
        Some(Value::Number(number)) if number.is_f64() => true,
        Some(Value::Number(number)) => number
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        Some(Value::String(text)) => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    };
    percentage
        || int(progress.get("running_task_status")).is_some()
        || ["transfered_bytes", "transferred_bytes", "total_bytes"]
            .iter()
            .any(|name| uint(progress.get(*name)).is_some())
        || int(progress.get("pid")).is_some_and(|pid| pid != 0)
}

/// Rows, total, unreadable rows, and whether that is everything; or the code.
pub type List<T> = Result<(Vec<T>, Option<u64>, usize, bool), Option<i64>>;

/// What a second reader finds.
pub fn list_of_tree<T>(
    tree: &Value,
    names: (&str, &str),
    read: impl Fn(&Map<String, Value>) -> Option<T>,
) -> List<T> {
    let data = match said(tree) {
        Said::Success(Some(data)) => data,
        Said::Code(code) => return Err(Some(code)),
        Said::Success(None) | Said::Nothing => return Err(None),
    };
    let total = uint(data.get(names.1));
    let (objects, unreadable) = rows(&data, names.0, total).ok_or(None)?;
    let read: Vec<T> = objects.iter().filter_map(read).collect();
    let unreadable = unreadable + objects.len() - read.len();
    let complete = unreadable == 0 && total.is_none_or(|total| read.len() as u64 >= total);
    Ok((read, total, unreadable, complete))
}

/// Compares a parser with the second reader, on the document as it is, in another order and with more fields.
pub fn compare<T: std::fmt::Debug + PartialEq, L: std::fmt::Debug + PartialEq>(
    body: &[u8],
    parse: fn(&[u8]) -> Result<L, Fault>,
    of_list: impl Fn(&L) -> (Vec<T>, Option<u64>, usize, bool),
    of_tree: impl Fn(&Value) -> List<T>,
) {
    let got = parse(body);
    let tree = match serde_json::from_slice::<Value>(body) {
        Ok(tree) => tree,
        Err(error) => {
            assert!(
                matches!(got, Err(Fault::Unexpected(_))) || reference::is_grammar(&error),
                "{got:?}: {error}"
            );
            return;
        }
    };
    let tree = canonical(tree);
    let plain = parse(tree.to_string().as_bytes());
    let seen = match &plain {
        Ok(list) => Ok(of_list(list)),
        Err(Fault::Code(code)) => Err(Some(*code)),
        Err(Fault::Unexpected(_)) => Err(None),
    };
    assert_eq!(seen, of_tree(&tree), "{tree}");
    assert_eq!(
        parse(shuffled(&tree).as_bytes()),
        plain,
        "another order and more fields: {tree}"
    );
}

/// The same list, read in pieces whose lengths are given again and again.
pub fn in_pieces(body: &[u8], lengths: &[u8]) -> Result<TaskList, Fault> {
    let mut tasks = Vec::new();
    let mut stream = TaskStream::new(&mut tasks);
    let mut rest = body;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*length).max(1)));
        stream.push(piece)?;
        rest = behind;
    }
    let end = stream.finish()?;
    Ok(TaskList {
        tasks,
        total: end.total,
        unreadable_rows: end.unreadable_rows,
    })
}

pub fn check(body: &[u8]) {
    let lengths: Vec<u8> = body.iter().copied().take(5).chain([1, 255]).collect();
    for lengths in [&[1][..], &lengths] {
        assert_eq!(
            in_pieces(body, lengths),
            task_list(body),
            "in pieces of {lengths:?}"
        );
    }
    compare(
        body,
        task_list,
        |list| {
            let tasks = list.tasks.iter().map(of_model).collect();
            (tasks, list.total, list.unreadable_rows, list.is_complete())
        },
        |tree| list_of_tree(tree, ("tasks", "total"), of_tree),
    );
}
