//! `history`: the finished runs of a BackupTask, as its status keeps them, and the one in flight.

use jiff::{SignedDuration, Timestamp};

use super::{
    Place,
    chosen::{bare, read},
    objects::written,
    words::{NOTHING, duration, no_room, result_tone},
};
use crate::{
    api::{
        BackupTask, BackupTaskStatus, ConditionType, HistoryEntry, Origin, ResultStatus, Run, TriggerRef,
        condition,
    },
    cli::{
        Failure,
        call::print,
        screen::{Column, Screen, Tone, age, bytes, measure, safe, span},
    },
    config::Format,
};

/// Cells of the bar of sizes.
const BAR: usize = 12;
/// The same where the terminal is narrow.
const SHORT_BAR: usize = 6;
/// A terminal has to be as wide for the longer one.
const ROOMY: usize = 100;

pub(super) async fn run(place: &Place, task: &str, output: Option<Format>) -> Result<(), Failure> {
    let (name, namespace) = (bare(task), &place.namespace);
    let object = match read(place, name).await {
        Ok(Some(object)) => object,
        Ok(None) => {
            return Err(Failure::new(format!(
                "there is no BackupTask {name:?} in namespace {namespace:?}: see kubectl get backuptasks --all-namespaces"
            )));
        }
        Err(refusal) => return Err(refusal.explain(&format!("read the BackupTask {name:?}"), "get")),
    };
    let status = object.status.clone().unwrap_or_default();
    let text = match written(output, &status.history)? {
        Some(text) => text,
        None => render(
            &object,
            output == Some(Format::Wide),
            Screen::stdout(),
            Timestamp::now(),
        ),
    };
    print(&text);
    Ok(())
}

/// Draws the runs, newest first. Pure.
pub(in crate::cli) fn render(task: &BackupTask, wide: bool, screen: Screen, now: Timestamp) -> String {
    let status = task.status.clone().unwrap_or_default();
    let sizes = Sizes::of(&status, screen);
    let mut rows = Vec::new();
    if let Some(run) = &status.run {
        rows.push(running(run, &status, &sizes, wide, screen, now));
    }
    for entry in &status.history {
        rows.push(finished(entry, task, &sizes, wide, screen, now));
    }
    let mut text = String::new();
    let mut left_out = Vec::new();
    if !rows.is_empty() {
        let table = screen.columns(&columns(wide, screen), &rows);
        text.push_str(&table.text);
        text.push('\n');
        left_out = table.left_out;
    }
    if status.history.is_empty() {
        text.push_str(&screen.prose(&why_empty(task, &status)));
    } else {
        text.push_str(&screen.prose(&summary(&status.history, task, screen)));
    }
    if wide {
        text.push_str(&no_room(screen, &left_out));
    }
    text
}

fn columns(wide: bool, screen: Screen) -> Vec<Column<'static>> {
    let mut columns = vec![
        Column::whole(if is_roomy(screen) { "RESULT ID" } else { "ID" }),
        Column::whole("STARTED"),
        Column::whole("AGE").leaving(3),
        Column::whole("DURATION"),
        Column::cut("RESULT", 9),
        Column::cut("ORIGIN", 8),
        Column::whole("TRANSFERRED"),
        Column::whole("SIZE").leaving(2),
    ];
    if wide {
        columns.extend([
            Column::whole("CODE").leaving(5),
            Column::whole("OK/WARN/ERR/NONE").leaving(6),
            Column::whole("OUTCOME").leaving(4),
            Column::whole("ACTIVITY").leaving(7),
        ]);
    }
    columns
}

fn finished(
    entry: &HistoryEntry,
    task: &BackupTask,
    sizes: &Sizes,
    wide: bool,
    screen: Screen,
    now: Timestamp,
) -> Vec<String> {
    let HistoryEntry {
        result,
        triggers,
        outcome,
    } = entry;
    let nothing = || NOTHING.to_owned();
    let start = result.start_time.as_ref().map(|time| time.0);
    let tone = result_tone(result.status, task.spec.partial_is_success);
    let mut row = vec![
        result.result_id.to_string(),
        start.map_or_else(nothing, |start| start.to_string()),
        start.map_or_else(nothing, |start| age(start, now)),
        duration(result).unwrap_or_else(nothing),
        screen.paint(tone, result.status.as_str()),
        origin(result.origin, triggers),
    ];
    row.extend(sizes.cells(result.transferred_bytes, Tone::Busy, screen));
    if wide {
        let counts = [
            result.success_count,
            result.warning_count,
            result.error_count,
            result.none_count,
        ];
        let counts = counts.map(|count| count.map_or_else(nothing, |count| count.to_string()));
        row.extend([
            result.status_code.to_string(),
            counts.join("/"),
            outcome.map_or_else(nothing, |outcome| format!("{outcome:?}")),
            result
                .activity_uuid
                .as_deref()
                .map_or_else(nothing, |uuid| safe(uuid).into_owned()),
        ]);
    }
    row
}

fn running(
    run: &Run,
    status: &BackupTaskStatus,
    sizes: &Sizes,
    wide: bool,
    screen: Screen,
    now: Timestamp,
) -> Vec<String> {
    let nothing = || NOTHING.to_owned();
    let start = run.started_at.as_ref().map(|time| time.0);
    let mut row = vec![
        run.result_id.map_or_else(nothing, |id| id.to_string()),
        start.map_or_else(nothing, |start| start.to_string()),
        // Its duration says it.
        nothing(),
        start.map_or_else(nothing, |start| age(start, now)),
        screen.paint(Tone::Busy, &super::status::state_word(status)),
        origin(run.origin, &run.triggers),
    ];
    let moved = run
        .progress
        .as_ref()
        .and_then(|progress| progress.transferred_bytes);
    row.extend(sizes.cells(moved, Tone::Faint, screen));
    if wide {
        row.extend([nothing(), nothing(), nothing(), nothing()]);
    }
    row
}

/// Who asked for a run, and with what: `Schedule 2026-12-01T02:30:00Z`, `Request before-upgrade`.
fn origin(origin: Origin, triggers: &[TriggerRef]) -> String {
    let mut words = vec![format!("{origin:?}")];
    for trigger in triggers {
        words.extend(trigger.slot.as_ref().map(|slot| slot.0.to_string()));
        words.extend(trigger.token.as_deref().map(|token| safe(token).into_owned()));
    }
    words.join(" ")
}

/// Whether the terminal is wide enough for what is longer than it has to be.
fn is_roomy(screen: Screen) -> bool {
    screen.width.is_none_or(|width| width >= ROOMY)
}

/// The sizes of a column, to one scale.
struct Sizes {
    largest: i64,
    /// Columns that the longest number takes.
    digits: usize,
    bar: usize,
}

impl Sizes {
    fn of(status: &BackupTaskStatus, screen: Screen) -> Self {
        let digits = moved(status).map(|moved| measure(&bytes(moved))).max();
        Self {
            largest: moved(status).max().unwrap_or(0),
            digits: digits.unwrap_or(0),
            bar: if is_roomy(screen) { BAR } else { SHORT_BAR },
        }
    }

    /// The number, and its bar.
    fn cells(&self, moved: Option<i64>, tone: Tone, screen: Screen) -> [String; 2] {
        let Some(moved) = moved else {
            return [NOTHING.to_owned(), String::new()];
        };
        let digits = self.digits;
        let bar = screen.bar(moved, self.largest, self.bar);
        [format!("{:>digits$}", bytes(moved)), screen.paint(tone, &bar)]
    }
}

fn moved(status: &BackupTaskStatus) -> impl Iterator<Item = i64> {
    let progress = status.run.as_ref().and_then(|run| run.progress.as_ref());
    let running = progress.and_then(|progress| progress.transferred_bytes);
    let finished = status
        .history
        .iter()
        .filter_map(|entry| entry.result.transferred_bytes);
    running.into_iter().chain(finished)
}

/// How the runs ended, and what one of them is like: `10 runs: 9 Success, 1 Failed; median 8m42s, 4.4 GiB`.
fn summary(history: &[HistoryEntry], task: &BackupTask, screen: Screen) -> String {
    const ALL: [ResultStatus; 7] = [
        ResultStatus::Success,
        ResultStatus::PartialSuccess,
        ResultStatus::NoBackup,
        ResultStatus::Failed,
        ResultStatus::Canceled,
        ResultStatus::Incomplete,
        ResultStatus::Unknown,
    ];
    let count = |status| {
        history
            .iter()
            .filter(|entry| entry.result.status == status)
            .count()
    };
    let ends: Vec<String> = ALL
        .into_iter()
        .map(|status| (status, count(status)))
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| {
            let tone = result_tone(status, task.spec.partial_is_success);
            screen.paint(tone, &format!("{count} {}", status.as_str()))
        })
        .collect();
    let seconds = history.iter().filter_map(|entry| {
        let (start, end) = (entry.result.start_time.as_ref()?, entry.result.end_time.as_ref()?);
        Some(end.0.duration_since(start.0).as_secs())
    });
    let moved = history.iter().filter_map(|entry| entry.result.transferred_bytes);
    let medians = [
        median(seconds).map(|seconds| span(SignedDuration::from_secs(seconds))),
        // A line does not break between a number and its unit.
        median(moved).map(|moved| bytes(moved).replace(' ', "\u{a0}")),
    ];
    let medians: Vec<String> = medians.into_iter().flatten().collect();
    let many = if history.len() == 1 { "run" } else { "runs" };
    let mut text = format!("{} {many}: {}", history.len(), ends.join(", "));
    if !medians.is_empty() {
        text.push_str("; median ");
        text.push_str(&medians.join(", "));
    }
    text
}

/// The value in the middle, or between the two there.
fn median(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(lower.midpoint(upper))
}

/// Why there are no finished runs to show.
fn why_empty(task: &BackupTask, status: &BackupTaskStatus) -> String {
    if task.spec.history_limit == 0 {
        return "spec.historyLimit is 0: this BackupTask keeps no runs; set it to up to 50 to keep those to come".to_owned();
    }
    let ready = condition(&status.conditions, ConditionType::Ready);
    match (&status.task, ready) {
        (_, None) => format!(
            "no finished run is known: no operator has looked at this yet; see: kubectl abb doctor {}",
            task.spec.server_ref.name
        ),
        (Some(_), _) => "no finished run is known yet".to_owned(),
        (None, Some(ready)) => format!(
            "no finished run is known: {}: {}",
            ready.reason,
            safe(&ready.message)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const PLAIN: Screen = Screen {
        width: None,
        colours: false,
        unicode: true,
    };

    fn run(id: i64, status: &str, minutes: i64, moved: Option<i64>) -> Value {
        let start = Timestamp::from_second(1_800_000_000 + id * 86400).unwrap();
        json!({
            "resultId": id, "status": status, "statusCode": 2, "action": "Backup", "actionCode": 1,
            "startTime": start, "endTime": start + SignedDuration::from_mins(minutes),
            "transferredBytes": moved, "origin": "Schedule",
            "triggers": [
                { "kind": "Schedule", "slot": start },
                { "kind": "RequestAnnotation", "token": "before\u{1b}[2J-upgrade" },
            ],
        })
    }

    fn task(limit: i32, status: &Value) -> BackupTask {
        serde_json::from_value(json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
            "metadata": { "name": "laptop", "namespace": "backup" },
            "spec": { "serverRef": { "name": "nas" }, "task": { "name": "laptop" }, "historyLimit": limit },
            "status": status,
        }))
        .unwrap()
    }

    fn drawn(status: &Value, screen: Screen) -> String {
        let now = Timestamp::from_second(1_800_000_000 + 10 * 86400).unwrap();
        render(&task(10, status), false, screen, now)
    }

    #[test]
    fn runs_are_shown_with_what_asked_for_them_and_what_they_moved() {
        let mut status = json!({ "history": [
            run(3, "Success", 20, Some(4 << 30)),
            run(2, "Failed", 40, None),
            run(1, "Success", 10, Some(1 << 30)),
        ]});
        assert_eq!(
            drawn(&status, PLAIN),
            "RESULT ID   STARTED                AGE   DURATION   RESULT    ORIGIN                                                  TRANSFERRED   SIZE\n\
             3           2027-01-18T08:00:00Z   7d    20m        Success   Schedule 2027-01-18T08:00:00Z before\\u{1b}[2J-upgrade   4.00 GiB      ████████████\n\
             2           2027-01-17T08:00:00Z   8d    40m        Failed    Schedule 2027-01-17T08:00:00Z before\\u{1b}[2J-upgrade   -\n\
             1           2027-01-16T08:00:00Z   9d    10m        Success   Schedule 2027-01-16T08:00:00Z before\\u{1b}[2J-upgrade   1.00 GiB      ███\n\
             \n\
             3 runs: 2 Success, 1 Failed; median 20m, 2.50 GiB\n"
        );
        // The run in flight comes first, on the same scale.
        status["state"] = "Running".into();
        status["run"] = json!({
            "origin": "Request", "startedAt": "2027-01-25T07:58:20Z",
            "triggers": [{ "kind": "Request", "token": "now" }],
            "progress": { "percent": 45, "transferredBytes": 2_i64 << 30 },
        });
        let text = drawn(&status, PLAIN);
        let first: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            first,
            [
                "-",
                "2027-01-25T07:58:20Z",
                "-",
                "100s",
                "Running",
                "45%",
                "Request",
                "now",
                "2.00",
                "GiB",
                "██████"
            ]
        );
        for width in [40, 60, 80, 140] {
            let screen = Screen {
                width: Some(width),
                ..PLAIN
            };
            for line in drawn(&status, screen).lines() {
                assert!(measure(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn without_runs_it_says_why() {
        let now = Timestamp::UNIX_EPOCH;
        let ready = json!([{
            "type": "Ready", "status": "False", "reason": "TaskNotFound", "message": "no such task",
            "lastTransitionTime": "2027-01-25T07:58:20Z",
        }]);
        let bound = json!({ "conditions": ready, "task": { "id": 1, "name": "laptop" } });
        for (limit, status, part) in [
            (0, json!({}), "spec.historyLimit is 0"),
            (
                10,
                json!({}),
                "no operator has looked at this yet; see: kubectl abb doctor nas",
            ),
            (
                10,
                json!({ "conditions": ready }),
                "no finished run is known: TaskNotFound: no such task",
            ),
            (10, bound, "no finished run is known yet"),
        ] {
            let text = render(&task(limit, &status), true, PLAIN, now);
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, middle) in [
            (&[][..], None),
            (&[7], Some(7)),
            (&[9, 1], Some(5)),
            (&[3, 1, 2], Some(2)),
        ] {
            assert_eq!(median(values.iter().copied()), middle);
        }
    }
}
