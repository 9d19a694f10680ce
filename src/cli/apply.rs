//! `apply`: manifests carried out against a NAS without a cluster. The controller's own passes over a folder; it ends when
//! every call has its evidence, or with `--wait` when every run has its result.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::{
    Failure,
    call::print,
    manifests::{self, DEFAULT_NAMESPACE},
    operate::ended,
    progress::{Board, Ended, results, standard_error},
    screen::{Screen, safe},
};
use crate::{
    api::{BackupServer, BackupTask, ConditionType, Reason, condition},
    config::ApplyArgs,
    controller::store::MemoryStore,
    standalone::{Answers, Change, Declared, Folder, Ground, Kept, Look, Standalone, declare},
    telemetry::{LogFormat, init_logs},
};

/// Between two passes while something is awaited: the pass itself says when the NAS is read again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A pass that is due sooner belongs to the same work.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Why the waiting is over.
enum End {
    Done,
    /// The NAS took a call and shows nothing of it yet, which it may do for hours.
    Unseen,
    TimedOut,
    Interrupted,
}

/// Applies.
pub(super) async fn run(args: ApplyArgs) -> Result<(), Failure> {
    init_logs(LogFormat::Text, "error");
    let now = Timestamp::now();
    let namespace = args.manifests.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let mut manifests =
        manifests::read(&args.manifests, namespace, now).map_err(|faults| manifests::refuse(&faults))?;
    let folder =
        Arc::new(Folder::take(&args.manifests.state).map_err(|error| Failure::new(error.to_string()))?);
    let failed = |error: &dyn std::error::Error| Failure::new(error.to_string());
    let before = folder.tasks().map_err(|error| failed(&error))?;
    let kept = Kept {
        servers: folder.servers().map_err(|error| failed(&error))?,
        tasks: before.clone(),
        is_cluster: false,
    };
    let declared = declare(&manifests, kept, args.prune, now).map_err(|faults| manifests::refuse(&faults))?;
    let key = folder.key().map_err(|error| failed(&error))?;
    let credentials = manifests::credentials(&args.manifests, &mut manifests, None, key)?;
    let answers = folder.answers().map_err(|error| failed(&error))?;
    let Declared {
        servers,
        tasks,
        server_origins: _,
        task_origins,
        advice,
    } = declared;
    for advice in &advice {
        let text = format!("note {}: {}: {}", advice.place, advice.object, advice.message);
        eprintln!("{}", safe(&text));
    }
    let store = MemoryStore::kept_by(Arc::clone(&folder) as Arc<_>);
    for server in servers {
        // What the manifest says now is what the next apply compares with, also where no pass changes a status.
        folder.write_server(&server).map_err(|error| failed(&error))?;
        store.restore_server(server);
    }
    let here: BTreeSet<_> = tasks
        .iter()
        .map(|task| (task.namespace(), task.name_any()))
        .collect();
    for task in tasks {
        folder.write_task(&task).map_err(|error| failed(&error))?;
        store.restore_task(task);
    }
    for task in before {
        let key = (task.namespace().unwrap_or_default(), task.name_any());
        let goes = task_origins
            .get(&key)
            .is_some_and(|(_, change)| *change == Change::Delete);
        if goes && !here.contains(&(task.namespace(), task.name_any())) {
            folder.remove_task(&task).map_err(|error| failed(&error))?;
            eprintln!("backuptask/{} deleted; the NAS keeps its task", key.1);
        }
    }
    let standalone = Standalone::new(Ground::new(store, credentials));
    let known = store_results(&standalone);
    standalone.recall(&answers).await;
    let end = Box::pin(turn_until_done(&standalone, &folder, answers, &args)).await;
    standalone.log_out().await;
    let rows = rows(&standalone, &known);
    if !rows.is_empty() {
        print(&results(Screen::stdout(), &rows));
    }
    report(&standalone, &folder, &end, args.wait)
}

/// Turns until nothing more is to be done now, or with `wait` until every result is there.
async fn turn_until_done(
    standalone: &Standalone,
    folder: &Folder,
    mut kept: Answers,
    args: &ApplyArgs,
) -> End {
    let mut board = Board::new(standard_error());
    let begun = Instant::now();
    let turning = async {
        loop {
            let look = Box::pin(standalone.turn()).await;
            keep_answers(standalone, folder, &mut kept).await;
            if folder.failure().is_some() {
                return End::Done;
            }
            for task in standalone.store().tasks() {
                board.show(&task);
            }
            if is_done(standalone, &look, args.wait) {
                return End::Done;
            }
            if !args.wait && begun.elapsed() > evidence(standalone) {
                return End::Unseen;
            }
            tokio::time::sleep(look.next.min(LONGEST_PAUSE)).await;
        }
    };
    let over = async {
        match args.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    // A pass that is cut short has kept every intent before its call, as a killed one has.
    let end = tokio::select! {
        end = turning => end,
        () = over => End::TimedOut,
        () = ended() => End::Interrupted,
    };
    board.finish();
    // A turn that was cut short may have been given one.
    keep_answers(standalone, folder, &mut kept).await;
    end
}

/// Keeps what a NAS has answered to open calls. Without it the next process waits for evidence, and asks again where none
/// comes; so a folder that cannot be written is told of.
async fn keep_answers(standalone: &Standalone, folder: &Folder, kept: &mut Answers) {
    let answers = standalone.answers().await;
    if answers == *kept {
        return;
    }
    match folder.write_answers(&answers) {
        Ok(()) => *kept = answers,
        Err(error) => eprintln!("error: {error}"),
    }
}

/// How long a call's evidence is waited for where nobody waits for results: as long as it may be missing, and some looks.
fn evidence(standalone: &Standalone) -> Duration {
    let servers = standalone.store().servers();
    let of = |server: &BackupServer| {
        let (timeouts, polling) = (&server.spec.timeouts, &server.spec.polling);
        timeouts.settle.get() + timeouts.request.get() * 2 + timeouts.list.get() + polling.active.get() * 2
    };
    servers.iter().map(of).max().unwrap_or_default()
}

/// Whether every call has its evidence, and with `wait` every run its result. What somebody has to mend first is not
/// waited for, nor without `wait` a NAS that does not answer.
fn is_done(standalone: &Standalone, look: &Look, wait: bool) -> bool {
    let store = standalone.store();
    let servers = store.servers();
    let is_over = |task: &BackupTask| {
        let of = |server: &&BackupServer| {
            server.namespace() == task.namespace() && server.name_any() == task.spec.server_ref.name
        };
        let server = servers.iter().find(of);
        let conditions = server
            .and_then(|server| server.status.as_ref())
            .map_or(&[][..], |status| &status.conditions);
        let is_broken = condition(conditions, ConditionType::Stalled).is_some();
        let is_silent = !server.is_some_and(is_ready);
        let Some(status) = task.status.as_ref().filter(|status| status.intent.is_none()) else {
            return is_broken || (is_silent && !wait);
        };
        let is_sought = task.uid().is_some_and(|uid| look.seeking.contains(&uid));
        let retries = status
            .retry_attempt
            .is_some_and(|attempt| attempt <= task.spec.retries);
        let goes_on = is_sought || retries || status.run.is_some() || task.is_deleted();
        is_broken || is_stalled(task) || held_by(task).is_some() || !(wait && goes_on)
    };
    look.next > AT_ONCE && store.tasks().iter().all(is_over)
}

/// What holds a task back until somebody does something, beside what makes it `Stalled`.
fn held_by(task: &BackupTask) -> Option<&Condition> {
    let status = task.status.as_ref().filter(|status| status.run.is_none())?;
    let ready = condition(&status.conditions, ConditionType::Ready)?;
    let holds = [
        Reason::Suspended,
        Reason::Planned,
        Reason::Observing,
        Reason::RemovalBreakerOpen,
    ];
    holds
        .iter()
        .any(|reason| reason.as_str() == ready.reason)
        .then_some(ready)
}

fn is_ready(server: &BackupServer) -> bool {
    let conditions = server
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    condition(conditions, ConditionType::Ready).is_some_and(|ready| ready.status == "True")
}

/// Whether something asks for a run that nothing answers yet.
fn is_due(task: &BackupTask) -> bool {
    task.status
        .as_ref()
        .is_some_and(|status| status.due_since.is_some())
}

fn is_stalled(task: &BackupTask) -> bool {
    let conditions = task.status.as_ref().map_or(&[][..], |status| &status.conditions);
    condition(conditions, ConditionType::Stalled).is_some()
}

/// Results that stand in the status of some task, by their numbers with their tasks.
fn store_results(standalone: &Standalone) -> BTreeSet<(String, i64)> {
    let of = |task: &BackupTask| {
        let history = task
            .status
            .as_ref()
            .map(|status| status.history.clone())
            .unwrap_or_default();
        let uid = task.uid().unwrap_or_default();
        history
            .into_iter()
            .map(move |entry| (uid.clone(), entry.result.result_id))
    };
    standalone.store().tasks().iter().flat_map(of).collect()
}

/// Runs that have ended since, and those that go on.
fn rows(standalone: &Standalone, known: &BTreeSet<(String, i64)>) -> Vec<Ended> {
    let mut rows = Vec::new();
    for task in standalone.store().tasks() {
        let Some(status) = &task.status else { continue };
        let uid = task.uid().unwrap_or_default();
        for entry in status.history.iter().rev() {
            let id = entry.result.result_id;
            let outcome = entry.outcome.filter(|_| !known.contains(&(uid.clone(), id)));
            // What somebody else ran is not what was applied.
            if let Some(outcome) = outcome.filter(|_| !entry.triggers.is_empty()) {
                rows.push(Ended::backup(&task, outcome, Some(id)));
            }
        }
        if status.run.is_some() {
            let message = "the run goes on; the next apply writes down its result";
            rows.push(Ended::otherwise(&task.name_any(), "Running", message));
        }
    }
    rows
}

/// Says what came of it; the exit code follows from it.
fn report(standalone: &Standalone, folder: &Folder, end: &End, wait: bool) -> Result<(), Failure> {
    let mut failures: Vec<String> = folder.failure().into_iter().collect();
    for server in standalone.store().servers() {
        if !is_ready(&server) {
            let conditions = server
                .status
                .as_ref()
                .map_or(&[][..], |status| &status.conditions);
            let ready = condition(conditions, ConditionType::Ready);
            let said = ready
                .map(|ready| format!("{}: {}", ready.reason, ready.message))
                .unwrap_or_default();
            failures.push(format!("BackupServer {:?}: {said}", server.name_any()));
        }
    }
    for task in standalone.store().tasks() {
        let conditions = task.status.as_ref().map_or(&[][..], |status| &status.conditions);
        if let Some(stalled) = condition(conditions, ConditionType::Stalled) {
            failures.push(format!(
                "BackupTask {:?}: {}: {}",
                task.name_any(),
                stalled.reason,
                stalled.message
            ));
            continue;
        }
        let held = held_by(&task).filter(|_| wait && (task.is_deleted() || is_due(&task)));
        if let Some(held) = held {
            let name = task.name_any();
            failures.push(format!("BackupTask {name:?}: {}: {}", held.reason, held.message));
            continue;
        }
        let last =
            condition(conditions, ConditionType::LastBackupSucceeded).filter(|last| last.status == "False");
        if let Some(last) = last.filter(|_| wait) {
            failures.push(format!(
                "BackupTask {:?}: {}: {}",
                task.name_any(),
                last.reason,
                last.message
            ));
        }
    }
    for failure in &failures {
        eprintln!("error: {}", safe(failure));
    }
    match end {
        End::Unseen if failures.is_empty() => {
            print("asked; the NAS shows nothing of it yet, and the next apply looks again\n");
            Ok(())
        }
        End::Done if failures.is_empty() => {
            print("done\n");
            Ok(())
        }
        End::Done | End::Unseen => Err(Failure::said(1)),
        End::TimedOut => Err(Failure::new(
            "the time is over; runs that were asked for go on, and the next apply takes them up",
        )),
        End::Interrupted => Err(Failure::new(
            "interrupted; runs that were asked for go on, and the next apply takes them up",
        )),
    }
}
