//! The two tables of `status`: which columns there are, what stands in them, and which of them leave first where room is
//! short. Pure.

use jiff::Timestamp;

use super::{
    health::Health,
    render::{Judged, Look},
    verdict::{SKEW, is_at_work},
};
use crate::{
    api::{BackupServer, BackupServerStatus, BackupTask, BackupTaskStatus, State},
    cli::{
        plugin::{
            objects::Scope,
            words::{NOTHING, duration, result_tone},
        },
        screen::{Column, Screen, Tone, age, bytes, safe, until},
    },
};

/// A table, and the heads of the columns for which there was no room.
type Drawn = (String, Vec<&'static str>);
/// A column with what stands in it for an object; an empty text is nothing to show.
type Cell<'a, K> = (Column<'static>, Box<dyn Fn(&Judged<'_, K>) -> String + 'a>);

/// The servers.
pub(super) fn server_table(rows: &[Judged<'_, BackupServer>], look: &Look, screen: Screen) -> Drawn {
    let wide = look.wide;
    let mut cells = names(look);
    cells.push(of(Column::cut("NAS", 14), move |server| Some(nas(server, wide))));
    cells.push(of(Column::whole("MODE"), |server: &BackupServer| {
        Some(format!("{:?}", server.spec.mode))
    }));
    cells.push(of_server(Column::whole("TASKS"), |status| {
        let tasks = status.tasks.as_ref()?;
        Some(format!("{}/{}", tasks.bound, tasks.total))
    }));
    cells.push(of_server(Column::whole("RUNNING"), move |status| {
        let running = status.tasks.as_ref()?.running;
        let tone = if running > 0 { Tone::Busy } else { Tone::Faint };
        Some(screen.paint(tone, &running.to_string()))
    }));
    cells.push(ready(screen));
    cells.push(why_not(screen));
    if wide {
        cells.push(of_server(Column::whole("SERIAL").leaving(13), |status| {
            Some(safe(status.dsm.as_ref()?.serial.as_deref()?).into_owned())
        }));
        cells.push(of_server(Column::whole("PACKAGE").leaving(14), |status| {
            Some(safe(status.package.as_ref()?.version.as_deref()?).into_owned())
        }));
        cells.push(of_server(Column::whole("CLOCK").leaving(15), |status| {
            let seconds = status.clock_skew_seconds?;
            let is_off = seconds.abs() > SKEW;
            Some(if is_off {
                format!("{seconds:+}s")
            } else {
                "ok".to_owned()
            })
        }));
        cells.push(of(Column::whole("URL").leaving(16), |server: &BackupServer| {
            Some(safe(&server.spec.url).into_owned())
        }));
    }
    table(cells, rows, screen)
}

/// The tasks.
pub(super) fn task_table(
    rows: &[Judged<'_, BackupTask>],
    look: &Look,
    screen: Screen,
    now: Timestamp,
) -> Drawn {
    let mut cells = names(look);
    cells.push(of(Column::cut("SERVER", 8).leaving(7), |task: &BackupTask| {
        Some(task.spec.server_ref.name.clone())
    }));
    cells.push(of(Column::cut("TASK", 10).leaving(8), |task: &BackupTask| {
        Some(task_name(task))
    }));
    cells.push(of_task(Column::whole("STATE"), move |_, status| {
        Some(state(status, screen))
    }));
    cells.push(of_task(Column::cut("LAST RESULT", 11), move |task, status| {
        let result = status.last_result.as_ref()?.status;
        let tone = result_tone(result, task.spec.partial_is_success);
        Some(screen.paint(tone, result.as_str()))
    }));
    cells.push(of_task(Column::whole("AGE"), move |_, status| {
        Some(age(status.last_success_time.as_ref()?.0, now))
    }));
    cells.push((Column::whole("NEXT"), Box::new(move |row| next(row, now))));
    cells.push(ready(screen));
    cells.push(why_not(screen));
    if look.wide {
        cells.push(of_task(Column::whole("RESULT ID").leaving(12), |_, status| {
            Some(status.last_result.as_ref()?.result_id.to_string())
        }));
        cells.push(of_task(Column::whole("TRANSFERRED").leaving(13), |_, status| {
            status.last_result.as_ref()?.transferred_bytes.map(bytes)
        }));
        cells.push(of_task(Column::whole("DURATION").leaving(14), |_, status| {
            duration(status.last_result.as_ref()?)
        }));
        cells.push(of_task(
            Column::whole("FAILURES").leaving(11),
            move |_, status| {
                let failures = status.consecutive_failures?;
                let tone = if failures > 0 { Tone::Bad } else { Tone::Faint };
                Some(screen.paint(tone, &failures.to_string()))
            },
        ));
        cells.push(of_task(Column::whole("SINCE").leaving(15), move |_, status| {
            Some(age(status.state_since.as_ref()?.0, now))
        }));
        cells.push((
            Column::cut("MESSAGE", 24).leaving(16),
            Box::new(|row| safe(&row.verdict.message).into_owned()),
        ));
    }
    table(cells, rows, screen)
}

fn table<K>(cells: Vec<Cell<'_, K>>, rows: &[Judged<'_, K>], screen: Screen) -> Drawn {
    let (columns, cells): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    let shown = |cell: String| {
        if cell.is_empty() { NOTHING.to_owned() } else { cell }
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| cells.iter().map(|cell| shown(cell(row))).collect())
        .collect();
    let table = screen.columns(&columns, &rows);
    (table.text, table.left_out)
}

/// A cell that needs a readable object.
fn of<'a, K>(column: Column<'static>, text: impl Fn(&K) -> Option<String> + 'a) -> Cell<'a, K> {
    (
        column,
        Box::new(move |row| row.object.and_then(&text).unwrap_or_default()),
    )
}

fn of_server<'a>(
    column: Column<'static>,
    text: impl Fn(&BackupServerStatus) -> Option<String> + 'a,
) -> Cell<'a, BackupServer> {
    of(column, move |server: &BackupServer| text(server.status.as_ref()?))
}

fn of_task<'a>(
    column: Column<'static>,
    text: impl Fn(&BackupTask, &BackupTaskStatus) -> Option<String> + 'a,
) -> Cell<'a, BackupTask> {
    of(column, move |task: &BackupTask| text(task, task.status.as_ref()?))
}

fn names<'a, K>(look: &Look) -> Vec<Cell<'a, K>> {
    let name: Cell<'a, K> = (Column::cut("NAME", 12), Box::new(|row| row.key.1.clone()));
    if look.scope != Scope::All {
        return vec![name];
    }
    let namespace: Cell<'a, K> = (Column::cut("NAMESPACE", 9), Box::new(|row| row.key.0.clone()));
    vec![namespace, name]
}

fn ready<'a, K>(screen: Screen) -> Cell<'a, K> {
    (
        Column::whole("READY"),
        Box::new(move |row| screen.paint(row.verdict.tone(), &row.verdict.ready)),
    )
}

/// The reason of what stands in the way; the words stand below.
fn why_not<'a, K>(screen: Screen) -> Cell<'a, K> {
    (
        Column::whole("WHY NOT").leaving(9),
        Box::new(move |row| {
            if row.verdict.is_plain() {
                return String::new();
            }
            screen.paint(row.verdict.health.tone(), &row.verdict.reason)
        }),
    )
}

/// What people call a NAS: its model and system, or where it is while that is not known.
fn nas(server: &BackupServer, wide: bool) -> String {
    let dsm = server.status.as_ref().and_then(|status| status.dsm.as_ref());
    let version = dsm.and_then(|dsm| dsm.version.as_deref()).unwrap_or_default();
    // `DSM 7.2.1-69057 Update 5`: the build is of little use here.
    let short = version.split('-').next().unwrap_or_default();
    let model = dsm.and_then(|dsm| dsm.model.as_deref()).unwrap_or_default();
    let parts = [model, if wide { version } else { short }];
    let known: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if !known.is_empty() {
        return safe(&known.join(", ")).into_owned();
    }
    let url = server.spec.url.as_str();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    safe(host.split('/').next().unwrap_or_default()).into_owned()
}

/// What the task is called on the NAS, or what it is looked for by.
fn task_name(task: &BackupTask) -> String {
    let selector = &task.spec.task;
    let bound = task.status.as_ref().and_then(|status| status.task.as_ref());
    let text = match (bound, &selector.name, &selector.unique_key, selector.id) {
        (Some(bound), ..) => bound.name.clone(),
        (None, Some(name), ..) => name.clone(),
        (None, None, Some(key), _) => key.clone(),
        (None, None, None, id) => id.map(|id| format!("id {id}")).unwrap_or_default(),
    };
    safe(&text).into_owned()
}

/// What the task is doing, with how far it is.
pub(in crate::cli::plugin) fn state_word(status: &BackupTaskStatus) -> String {
    let state = status.state.unwrap_or(State::Unknown);
    let progress = status.run.as_ref().and_then(|run| run.progress.as_ref());
    let percent = progress.and_then(|progress| progress.percent);
    match percent.filter(|_| state == State::Running) {
        Some(percent) => format!("{} {percent}%", state.as_str()),
        None => state.as_str().to_owned(),
    }
}

fn state(status: &BackupTaskStatus, screen: Screen) -> String {
    let word = state_word(status);
    match status.state.unwrap_or(State::Unknown) {
        State::Idle | State::Removed => word,
        _ if is_at_work(status) => screen.paint(Tone::Busy, &word),
        State::Missing => screen.paint(Tone::Bad, &word),
        _ => screen.paint(Tone::Warn, &word),
    }
}

/// When the task runs next by itself; of one that is held back no time is true.
fn next(row: &Judged<'_, BackupTask>, now: Timestamp) -> String {
    let status = row.object.and_then(|task| task.status.as_ref());
    let at = status.and_then(|status| {
        status
            .next_run_time
            .as_ref()
            .or(status.next_attempt_time.as_ref())
    });
    match at {
        Some(at) if row.verdict.health != Health::Held => until(at.0, now),
        _ => String::new(),
    }
}
