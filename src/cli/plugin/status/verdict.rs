//! What is to be said of a server and of a task: whether it is fine, what stands in its way or what it waits for, and what
//! a person can do. Pure. The operator's words count as long as they speak of the newest spec and their time is not over;
//! an operator that is gone leaves words that look fine.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::health::{Health, NOT_SEEN, Remedy, Verdict};
use crate::{
    api::{
        ANNOTATION_SUSPENDED, BackupServer, BackupTask, BackupTaskStatus, ConditionType, Readiness, Reason,
        State, condition,
    },
    cli::screen::span,
};

/// A clock that is off by more makes results hard to place in time (contract, Rules).
pub(super) const SKEW: i64 = 5;
/// An operator that lives acts on a time that has come within moments; the clocks of two machines may differ, too.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// What is said of a server.
pub(super) fn of_server(server: &BackupServer, now: Timestamp) -> Verdict {
    let Some(status) = &server.status else {
        return nobody(&server.name_any());
    };
    let doctor = || Remedy::Doctor(server.name_any());
    if let Some(verdict) = unseen(
        status.observed_generation,
        server.metadata.generation,
        &status.conditions,
        &server.name_any(),
    ) {
        return verdict;
    }
    let Some(ready) = condition(&status.conditions, ConditionType::Ready) else {
        return nobody(&server.name_any());
    };
    let said = condition(&status.conditions, ConditionType::Stalled).unwrap_or(ready);
    let login = status.login.as_ref();
    let overdue = login
        .and_then(|login| login.next_attempt_time.as_ref())
        .filter(|at| is_over(at, now));
    if let Some(at) = overdue {
        return silent("the next login", at, now, doctor());
    }
    let health = match ready.status.as_str() {
        "True" => {
            let skewed = skewed(status.clock_skew_seconds);
            return skewed
                .or_else(|| leaving(server, ready))
                .unwrap_or_else(|| Verdict::fine(ready));
        }
        "False" => Health::Stalled,
        _ => Health::Unknown,
    };
    Verdict::new(
        health,
        &ready.status,
        &said.reason,
        said.message.clone(),
        doctor(),
    )
}

fn skewed(seconds: Option<i64>) -> Option<Verdict> {
    let seconds = seconds.filter(|seconds| seconds.abs() > SKEW)?;
    let (size, way) = (seconds.abs(), if seconds > 0 { "ahead" } else { "behind" });
    let message = format!("the clock of the NAS is {size}s {way}");
    let remedy = Remedy::Do("set NTP on the NAS and on the nodes");
    Some(Verdict::new(
        Health::Unknown,
        "True",
        "ClockSkew",
        message,
        remedy,
    ))
}

/// What is said of a task.
pub(super) fn of_task(task: &BackupTask, now: Timestamp) -> Verdict {
    let server = &task.spec.server_ref.name;
    let Some(status) = &task.status else {
        return nobody(server);
    };
    if let Some(verdict) = unseen(
        status.observed_generation,
        task.metadata.generation,
        &status.conditions,
        server,
    ) {
        return verdict;
    }
    let of = |kind| condition(&status.conditions, kind);
    let Some(ready) = of(ConditionType::Ready) else {
        return nobody(server);
    };
    let say = |health, said: &Condition| {
        let remedy = remedy(task, &said.reason);
        Verdict::new(health, &ready.status, &said.reason, said.message.clone(), remedy)
    };
    if let Some(verdict) = outlived(task, status, ready, now) {
        return verdict;
    }
    if let Some(stalled) = of(ConditionType::Stalled) {
        let last = of(ConditionType::LastBackupSucceeded);
        // What fell short may be no more than that the newest backup failed.
        let is_result = last.is_some_and(|last| last.reason == stalled.reason);
        return say(
            if is_result {
                of_result(&stalled.reason)
            } else {
                Health::Stalled
            },
            stalled,
        );
    }
    if is_at_work(status) {
        return say(Health::Running, ready);
    }
    if ready.status == "Unknown" {
        return say(Health::Unknown, ready);
    }
    let reason = reason_of(&ready.reason);
    if is_held(reason) {
        return say(Health::Held, ready);
    }
    if is_awaited(reason) {
        return say(Health::Waiting, ready);
    }
    let of_results = [
        of(ConditionType::LastBackupSucceeded).filter(|last| last.status == "False"),
        of(ConditionType::Fresh).filter(|fresh| fresh.status == "False"),
    ];
    if let Some(short) = of_results.into_iter().flatten().next() {
        return say(of_result(&short.reason), short);
    }
    if ready.status == "False" {
        // Nothing is wrong with a task that never ran, and nothing will make it so.
        let is_new = reason == Some(Reason::NoResult);
        return say(if is_new { Health::Unknown } else { Health::Stalled }, ready);
    }
    leaving(task, ready).unwrap_or_else(|| Verdict::fine(ready))
}

/// An object that is to go and is held.
fn leaving(object: &impl ResourceExt, ready: &Condition) -> Option<Verdict> {
    object.meta().deletion_timestamp.as_ref()?;
    let message = format!(
        "it is being deleted, and held by {}",
        object.finalizers().join(", ")
    );
    Some(Verdict::new(
        Health::Waiting,
        &ready.status,
        "Deleting",
        message,
        Remedy::Said,
    ))
}

/// Nobody has looked at the object, or not since it was edited.
fn unseen(
    observed: Option<i64>,
    written: Option<i64>,
    conditions: &[Condition],
    server: &str,
) -> Option<Verdict> {
    let observed = observed.unwrap_or(-1);
    let written = written.unwrap_or(0);
    if observed < 0 || conditions.is_empty() {
        return Some(nobody(server));
    }
    (observed < written).then(|| {
        let message = format!(
            "no operator has looked at the newest edit yet: it is generation {written}, the status speaks of {observed}"
        );
        let doctor = Remedy::Doctor(server.to_owned());
        Verdict::new(Health::Unknown, NOT_SEEN, "EditNotSeen", message, doctor)
    })
}

fn nobody(server: &str) -> Verdict {
    let doctor = Remedy::Doctor(server.to_owned());
    let message = "no operator has looked at this yet";
    Verdict::new(Health::Unknown, NOT_SEEN, "NeverSeen", message, doctor)
}

/// A verdict whose time is over: an operator that lives would have replaced it.
fn outlived(
    task: &BackupTask,
    status: &BackupTaskStatus,
    ready: &Condition,
    now: Timestamp,
) -> Option<Verdict> {
    let doctor = || Remedy::Doctor(task.spec.server_ref.name.clone());
    let fresh = condition(&status.conditions, ConditionType::Fresh);
    let claims_fresh = fresh.is_some_and(|fresh| fresh.status == "True");
    if let Some(until) = status
        .fresh_until
        .as_ref()
        .filter(|until| claims_fresh && is_over(until, now))
    {
        let is_it = task.spec.readiness == Readiness::Fresh;
        let message = format!(
            "not fresh any more: maxAge lapsed {} ago, at {}, and no operator has said so",
            span(now.duration_since(until.0)),
            until.0
        );
        let word = if is_it { "Unknown" } else { &ready.status };
        return Some(Verdict::new(Health::Unknown, word, "Outdated", message, doctor()));
    }
    let awaits = status
        .next_attempt_time
        .as_ref()
        .or(status.next_run_time.as_ref());
    let reason = reason_of(&ready.reason);
    let stalled = condition(&status.conditions, ConditionType::Stalled);
    // What waits or is held back may be due for as long as it likes.
    let is_quiet = stalled.is_none() && !is_at_work(status) && !is_awaited(reason) && !is_held(reason);
    let at = awaits.filter(|at| is_quiet && is_over(at, now))?;
    Some(silent("its next run", at, now, doctor()))
}

fn silent(what: &str, at: &Time, now: Timestamp, remedy: Remedy) -> Verdict {
    let message = format!(
        "{what} was due {} ago, at {}, and nothing has happened since",
        span(now.duration_since(at.0)),
        at.0
    );
    Verdict::new(Health::Unknown, "Unknown", "Outdated", message, remedy)
}

fn is_over(at: &Time, now: Timestamp) -> bool {
    now.duration_since(at.0) > PATIENCE
}

/// Whether something of the task is under way on the NAS.
pub(super) fn is_at_work(status: &BackupTaskStatus) -> bool {
    matches!(
        status.state,
        Some(State::Running | State::Waiting | State::Canceling | State::Deleting)
    )
}

fn of_result(reason: &str) -> Health {
    match reason_of(reason) {
        Some(Reason::BackupCanceled) => Health::Canceled,
        Some(Reason::ResultUnknown | Reason::NoResult | Reason::ServerNotReady) => Health::Unknown,
        _ => Health::Failed,
    }
}

/// Whether a reason of `Ready` says that nothing is sent because somebody wants it so.
fn is_held(reason: Option<Reason>) -> bool {
    matches!(
        reason,
        Some(Reason::Suspended | Reason::Planned | Reason::Observing)
    )
}

/// Whether a reason of `Ready` says what is waited for.
fn is_awaited(reason: Option<Reason>) -> bool {
    matches!(
        reason,
        Some(
            Reason::Progressing
                | Reason::ServerNotReady
                | Reason::WaitingForRun
                | Reason::Queued
                | Reason::BackupRequested
                | Reason::BackupRunning
                | Reason::BackupRefused
                | Reason::CancelRequested
                | Reason::CancelRefused
                | Reason::RemovalPlanned
                | Reason::RemovalInProgress
                | Reason::RemovalBreakerOpen
        )
    )
}

/// The reason of that name, if it is one of ours.
fn reason_of(name: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == name)
}

/// What a person can do, where the message does not say it.
fn remedy(task: &BackupTask, reason: &str) -> Remedy {
    let server = || task.spec.server_ref.name.clone();
    match reason_of(reason) {
        Some(Reason::TaskNotFound | Reason::TaskAmbiguous | Reason::TaskReplaced) => Remedy::Tasks(server()),
        Some(Reason::TaskClaimed) => Remedy::Do("delete one of the two"),
        Some(Reason::ServerNotFound) => {
            Remedy::Do("create it, or delete this BackupTask: its serverRef cannot be changed")
        }
        Some(Reason::ServerNotReady) => Remedy::Doctor(server()),
        Some(Reason::Suspended) if task.spec.suspend => Remedy::Do("set spec.suspend to false"),
        Some(Reason::Suspended) if task.annotations().contains_key(ANNOTATION_SUSPENDED) => Remedy::Resume,
        Some(Reason::Planned | Reason::Observing) => {
            Remedy::Do("set the BackupServer's mode to Enforce to let things happen")
        }
        Some(
            Reason::BackupFailed
            | Reason::BackupPartiallySucceeded
            | Reason::ResultUnknown
            | Reason::MaxAgeExceeded
            | Reason::DeadlineExceeded,
        ) => Remedy::History,
        Some(Reason::OutcomeUnknown) => {
            Remedy::Do("look at the task in the console of the NAS; a new token asks for a run again")
        }
        Some(Reason::BackupCanceled | Reason::NoResult) => Remedy::Backup,
        Some(Reason::InvalidSchedule) => Remedy::Do("correct spec.triggers; other triggers go on"),
        _ => Remedy::Said,
    }
}
