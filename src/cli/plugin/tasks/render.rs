//! The table of a NAS's tasks. Pure: what is known, screen and time in, text out.

use jiff::Timestamp;

use super::inventory::{LastResult, Listed, Row};
use crate::{
    api::{JobAction, State},
    cli::{
        plugin::words::{NOTHING, no_room, result_tone},
        screen::{Column, Screen, Tone, age, bytes, safe, until},
    },
};

/// So many devices are named.
const DEVICES: usize = 3;

/// Draws the table, and below it what it may lack.
pub(super) fn render(listed: &Listed, wide: bool, screen: Screen, now: Timestamp) -> String {
    let mut text = String::new();
    let mut left_out = Vec::new();
    if !listed.tasks.is_empty() {
        let rows: Vec<Vec<String>> = listed
            .tasks
            .iter()
            .map(|row| cells(row, wide, screen, now))
            .collect();
        let table = screen.columns(&columns(wide), &rows);
        text.push_str(&table.text);
        text.push('\n');
        left_out = table.left_out;
    }
    for (mark, note) in notes(listed) {
        text.push_str(&screen.paragraph(Tone::Warn, mark, &note));
    }
    text.push_str(&screen.prose(&counts(listed)));
    if wide {
        text.push_str(&no_room(screen, &left_out));
    }
    text
}

fn columns(wide: bool) -> Vec<Column<'static>> {
    let mut columns = vec![
        Column::whole("ID"),
        Column::cut("NAME", 12),
        Column::whole("TYPE").leaving(2),
        Column::whole("STATE"),
        Column::cut("LAST RESULT", 11),
        Column::whole("ENDED"),
        Column::cut("DEVICES", 8).leaving(1),
        Column::cut("MANAGED BY", 12),
    ];
    if wide {
        columns.extend([
            Column::whole("VERSIONS").leaving(3),
            Column::whole("TRANSFERRED").leaving(5),
            Column::whole("NAS NEXT").leaving(4),
            Column::cut("SHARE", 10).leaving(6),
            Column::whole("UNIQUE KEY").leaving(7),
        ]);
    }
    columns
}

fn cells(row: &Row, wide: bool, screen: Screen, now: Timestamp) -> Vec<String> {
    let nothing = || NOTHING.to_owned();
    let last = row.last_result.as_ref();
    let managed = if row.managed_by.is_empty() {
        screen.paint(Tone::Faint, NOTHING)
    } else {
        row.managed_by.join(", ")
    };
    let mut cells = vec![
        row.id.to_string(),
        safe(&row.name).into_owned(),
        row.backup_type
            .map_or_else(nothing, |kind| kind.as_str().to_owned()),
        state(row, screen),
        last.map_or_else(nothing, |last| result(last, screen)),
        last.and_then(|last| last.end_time)
            .map_or_else(nothing, |end| age(end, now)),
        devices(row),
        managed,
    ];
    if wide {
        let moved = last.and_then(|last| last.transferred_bytes);
        cells.extend([
            row.version_count.map_or_else(nothing, |count| count.to_string()),
            moved
                .and_then(|moved| i64::try_from(moved).ok())
                .map_or_else(nothing, bytes),
            row.next_trigger_time.map_or_else(nothing, |at| until(at, now)),
            row.share
                .as_deref()
                .map_or_else(nothing, |share| safe(share).into_owned()),
            row.unique_key
                .as_deref()
                .map_or_else(nothing, |key| safe(key).into_owned()),
        ]);
    }
    cells
}

fn state(row: &Row, screen: Screen) -> String {
    let word = match (row.state, row.percent) {
        (State::Running, Some(percent)) => format!("{} {percent}%", row.state.as_str()),
        _ => row.state.as_str().to_owned(),
    };
    match row.state {
        State::Idle => word,
        State::Unknown => screen.paint(Tone::Warn, &word),
        _ => screen.paint(Tone::Busy, &word),
    }
}

/// The newest job; what it did is named where it was no backup.
fn result(last: &LastResult, screen: Screen) -> String {
    let word = screen.paint(result_tone(last.status, false), last.status.as_str());
    if last.action == JobAction::Backup {
        word
    } else {
        format!("{word} ({:?})", last.action)
    }
}

fn devices(row: &Row) -> String {
    let named: Vec<&str> = row
        .devices
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    let count = row
        .device_count
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(row.devices.len());
    let shown = named
        .iter()
        .take(DEVICES)
        .map(|name| safe(name))
        .collect::<Vec<_>>();
    match count.saturating_sub(shown.len()) {
        0 if shown.is_empty() => NOTHING.to_owned(),
        _ if shown.is_empty() => count.to_string(),
        0 => shown.join(", "),
        more => format!("{} +{more}", shown.join(", ")),
    }
}

/// What may be missing in the table, and why.
fn notes(listed: &Listed) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    if !listed.complete {
        notes.push((
            "warn",
            "the NAS listed its tasks in part: nothing follows from one that is not here".to_owned(),
        ));
    }
    if !listed.queue_readable {
        notes.push((
            "warn",
            "the queue of the NAS cannot be read with this account: a run that waits may not show".to_owned(),
        ));
    }
    if listed.versions_unread {
        notes.push((
            "warn",
            "the versions could not be read: raise timeouts.list if the NAS has many".to_owned(),
        ));
    }
    if !listed.unreadable.is_empty() {
        let names = listed.unreadable.join(", ");
        notes.push((
            "warn",
            format!("{names}: this program cannot read these BackupTasks; they may stand for one of these"),
        ));
    }
    notes
}

fn counts(listed: &Listed) -> String {
    let all = listed.tasks.len();
    let managed = listed
        .tasks
        .iter()
        .filter(|row| !row.managed_by.is_empty())
        .count();
    let many = if all == 1 { "task" } else { "tasks" };
    let server = &listed.server;
    match all - managed {
        0 => format!("{all} {many} on {server:?}: {managed} managed"),
        free => format!(
            "{all} {many} on {server:?}: {managed} managed, {free} not: kubectl abb import {server} prints BackupTasks for those"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ResultStatus;

    fn row(devices: &[&str], count: Option<i64>) -> Row {
        Row {
            id: 7,
            name: "evil\u{1b}[2J".to_owned(),
            unique_key: None,
            backup_type: None,
            backup_type_code: None,
            source_type: None,
            source_type_code: None,
            state: State::Idle,
            percent: None,
            last_result: Some(LastResult {
                result_id: 1,
                status: ResultStatus::Success,
                status_code: 2,
                action: JobAction::DeleteVersion,
                action_code: 131_072,
                start_time: None,
                end_time: None,
                transferred_bytes: None,
            }),
            devices: devices.iter().map(|&name| name.to_owned()).collect(),
            device_count: count,
            share: None,
            version_count: None,
            next_trigger_time: None,
            managed_by: Vec::new(),
        }
    }

    #[test]
    fn devices_are_named_and_counted() {
        for (names, count, shown) in [
            (&[][..], None, "-"),
            (&[], Some(4), "4"),
            (&["a"], Some(1), "a"),
            (&["a", "b", "c", "d"], None, "a, b, c +1"),
            (&["a"], Some(30), "a +29"),
            (&["x\u{1b}[31m"], None, "x\\u{1b}[31m"),
        ] {
            assert_eq!(devices(&row(names, count)), shown);
        }
    }

    #[test]
    fn what_may_be_missing_is_said() {
        let listed = Listed {
            server: "nas".to_owned(),
            serial: None,
            complete: false,
            queue_readable: false,
            clock_skew_seconds: None,
            versions_unread: true,
            unreadable: vec!["old".to_owned()],
            tasks: vec![row(&[], None)],
        };
        let plain = Screen {
            width: None,
            colours: false,
            unicode: true,
        };
        let text = render(&listed, false, plain, Timestamp::UNIX_EPOCH);
        assert_eq!(text.matches("\nwarn  ").count(), 4, "{text}");
        for part in [
            "listed its tasks in part",
            "old: this program",
            "Success (DeleteVersion)",
            "evil\\u{1b}[2J",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
