//! From a decision to what users see: conditions and Events. Pure; the one write is the controller's.

use jiff::Timestamp;

use crate::{
    api::{
        BackupTask, BackupTaskStatus, ConditionType, Readiness, Reason, ResultStatus, State, condition,
        set_condition, take_condition,
    },
    decide::{Decision, Standing, StandingKind},
    observe::Bound,
};

/// An Event to publish after the status is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should look.
    pub warning: bool,
    /// The condition's reason.
    pub reason: Reason,
    /// What happened, for people.
    pub message: String,
}

/// The status to write: the decision's, with its conditions.
#[must_use]
pub fn next_status(
    object: &BackupTask,
    decision: &Decision,
    bound: &Bound<'_>,
    now: Timestamp,
) -> BackupTaskStatus {
    let mut status = decision.status.clone();
    let generation = object.metadata.generation;
    let mut conditions = std::mem::take(&mut status.conditions);
    let mut set = |kind, verdict, reason, message: &str| {
        set_condition(&mut conditions, kind, verdict, reason, message, generation, now);
    };

    let (bound_verdict, bound_reason, bound_message) = binding(&status, bound);
    set(ConditionType::Bound, bound_verdict, bound_reason, bound_message);
    let (last, last_reason, last_message) = last_backup(object, &status);
    set(
        ConditionType::LastBackupSucceeded,
        last,
        last_reason,
        last_message,
    );
    let fresh = freshness(&status, decision, now);
    let judged = match object.spec.readiness {
        Readiness::Fresh => (fresh.0, fresh.1, fresh.2.as_str()),
        Readiness::Reconciled | Readiness::LastBackup => (last, last_reason, last_message),
    };
    let (ready, reason, message) = ready(object, decision, judged);
    set(ConditionType::Ready, ready, reason, message);

    let mut set_while = |holds: bool, kind, verdict, reason, message: &str| {
        if holds {
            set_condition(&mut conditions, kind, verdict, reason, message, generation, now);
        } else {
            take_condition(&mut conditions, kind);
        }
    };
    let standing = &decision.standing;
    let sought = is_sought(object, decision, judged.0);
    set_while(
        sought,
        ConditionType::Reconciling,
        Some(true),
        standing.reason,
        &standing.message,
    );
    let failed = (ready == Some(false) && !sought)
        .then(|| shortfall(object, decision, &status, (last, judged), now))
        .flatten();
    let (stalled, stalled_reason, stalled_message) = match &failed {
        Some((reason, message)) => (true, *reason, message.as_str()),
        None => (
            standing.kind == StandingKind::Blocked,
            standing.reason,
            standing.message.as_str(),
        ),
    };
    set_while(
        stalled,
        ConditionType::Stalled,
        Some(true),
        stalled_reason,
        stalled_message,
    );
    let removed = status.state == Some(State::Removed);
    set_while(
        removed,
        ConditionType::Removed,
        Some(true),
        Reason::TaskRemoved,
        "the task was removed from the NAS as asked",
    );
    let aged = object.spec.triggers.max_age.is_some();
    let (fresh, fresh_reason, fresh_message) = &fresh;
    set_while(aged, ConditionType::Fresh, *fresh, *fresh_reason, fresh_message);
    status.conditions = conditions;
    status.receipts = status
        .receipts
        .filter(|receipts| *receipts != crate::api::Receipts::default());
    status
}

fn binding(status: &BackupTaskStatus, bound: &Bound<'_>) -> (Option<bool>, Reason, &'static str) {
    if status.state == Some(State::Removed) {
        return (
            Some(false),
            Reason::TaskRemoved,
            "the task was removed from the NAS as asked",
        );
    }
    match bound {
        Bound::To(_) => (Some(true), Reason::TaskFound, "bound to the task in status.task"),
        Bound::Missing => (Some(false), Reason::TaskNotFound, "the NAS lists no such task"),
        Bound::Ambiguous(_) => (Some(false), Reason::TaskAmbiguous, "several tasks match"),
        Bound::Replaced { .. } => (
            Some(false),
            Reason::TaskReplaced,
            "another task stands in its place",
        ),
        Bound::Unread => (
            None,
            Reason::ServerNotReady,
            "the NAS has not shown its whole list yet",
        ),
    }
}

fn last_backup(object: &BackupTask, status: &BackupTaskStatus) -> (Option<bool>, Reason, &'static str) {
    let partial = object.spec.partial_is_success;
    match status.last_result.as_ref().map(|result| result.status) {
        None => (None, Reason::NoResult, "the task has no backup result yet"),
        Some(ResultStatus::Success) => (Some(true), Reason::BackupSucceeded, "the newest backup succeeded"),
        Some(ResultStatus::PartialSuccess) => (
            Some(partial),
            Reason::BackupPartiallySucceeded,
            "the newest backup succeeded in part",
        ),
        Some(ResultStatus::Failed | ResultStatus::NoBackup) => {
            (Some(false), Reason::BackupFailed, "the newest backup failed")
        }
        Some(ResultStatus::Canceled) => (
            Some(false),
            Reason::BackupCanceled,
            "the newest backup was cancelled",
        ),
        Some(ResultStatus::Incomplete | ResultStatus::Unknown) => (
            Some(false),
            Reason::ResultUnknown,
            "the meaning of the newest backup's result is unknown",
        ),
    }
}

/// Whether the newest success is younger than `maxAge`. Once its time is over nobody knows while the NAS cannot be
/// read: a newer one may be there.
fn freshness(
    status: &BackupTaskStatus,
    decision: &Decision,
    now: Timestamp,
) -> (Option<bool>, Reason, String) {
    match &status.fresh_until {
        Some(until) if until.0 > now => {
            let message = format!(
                "the newest successful run is younger than maxAge until {}",
                until.0
            );
            (Some(true), Reason::WithinMaxAge, message)
        }
        _ if decision.standing.kind == StandingKind::Unknown => {
            let message = "the NAS cannot be read; a newer backup may exist";
            (None, Reason::ServerNotReady, message.to_owned())
        }
        Some(until) => {
            let message = format!("the newest successful run is older than maxAge since {}", until.0);
            (Some(false), Reason::MaxAgeExceeded, message)
        }
        None => (
            Some(false),
            Reason::MaxAgeExceeded,
            "the task has no successful run yet".to_owned(),
        ),
    }
}

/// `judged` is the verdict that `readiness` speaks of.
fn ready<'a>(
    object: &BackupTask,
    decision: &'a Decision,
    judged: (Option<bool>, Reason, &'a str),
) -> (Option<bool>, Reason, &'a str) {
    let Standing {
        kind,
        reason,
        message,
    } = &decision.standing;
    let (reason, message) = (*reason, message.as_str());
    match kind {
        StandingKind::Blocked => return (Some(false), reason, message),
        StandingKind::Unknown => return (None, reason, message),
        StandingKind::Fine | StandingKind::Waiting => {}
    }
    if is_removal(reason) {
        return (Some(reason == Reason::TaskRemoved), reason, message);
    }
    match object.spec.readiness {
        Readiness::Reconciled => (Some(true), reason, message),
        Readiness::LastBackup if decision.seeking && kind == &StandingKind::Waiting => {
            (Some(false), reason, message)
        }
        Readiness::Fresh if decision.seeking && kind == &StandingKind::Waiting && judged.0 != Some(true) => {
            (Some(false), reason, message)
        }
        Readiness::LastBackup | Readiness::Fresh => {
            // A held-back object keeps the verdict and says why it is held back.
            let (verdict, last_reason, last_message) = judged;
            let verdict = Some(verdict == Some(true));
            if is_held(reason) {
                (verdict, reason, message)
            } else {
                (verdict, last_reason, last_message)
            }
        }
    }
}

fn is_removal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RemovalInProgress | Reason::RemovalPlanned | Reason::RemovalBreakerOpen | Reason::TaskRemoved
    )
}

/// Whether what `readiness` speaks of is being sought (contract, Conditions). What is there already is not: a nightly
/// run of a task that is fresh leaves it as ready as it was.
fn is_sought(object: &BackupTask, decision: &Decision, judged: Option<bool>) -> bool {
    let standing = &decision.standing;
    let has = object.spec.readiness == Readiness::Fresh && judged == Some(true);
    match standing.kind {
        StandingKind::Unknown => decision.status.task.is_none(),
        StandingKind::Fine | StandingKind::Waiting if is_removal(standing.reason) => {
            standing.reason != Reason::TaskRemoved
        }
        StandingKind::Blocked | StandingKind::Fine => false,
        StandingKind::Waiting => object.spec.readiness != Readiness::Reconciled && decision.seeking && !has,
    }
}

/// What fell short where `readiness` speaks of backups and no further attempt is on its way: without it tools take
/// `Ready: False` for progress (kstatus) and wait for what does not come. `last` is the verdict on the newest backup,
/// `judged` the one that `readiness` speaks of. An attempt that `retries` still grants is on its way; one of many for
/// `maxAge`, which have no count, is only after a good run.
fn shortfall(
    object: &BackupTask,
    decision: &Decision,
    status: &BackupTaskStatus,
    (last, judged): (Option<bool>, (Option<bool>, Reason, &str)),
    now: Timestamp,
) -> Option<(Reason, String)> {
    let standing = &decision.standing;
    let (verdict, reason, message) = judged;
    if standing.kind == StandingKind::Blocked
        || is_removal(standing.reason)
        || object.spec.readiness == Readiness::Reconciled
        || verdict != Some(false)
    {
        return None;
    }
    if is_held(standing.reason) {
        return Some((reason, format!("{message}; {}", standing.message)));
    }
    let next = status.next_attempt_time.as_ref().filter(|next| next.0 > now);
    let is_on_its_way = status.retry_attempt.is_some() || (next.is_some() && last == Some(true));
    if is_on_its_way {
        return None;
    }
    let message = match next {
        Some(next) => format!("{message}; the next attempt is at {}", next.0),
        None => message.to_owned(),
    };
    Some((reason, message))
}

/// Whether nothing is sent for the object because its owner said so.
fn is_held(reason: Reason) -> bool {
    matches!(reason, Reason::Suspended | Reason::Planned | Reason::Observing)
}

/// The Events of a write: one for a change of state, one for a new reason somebody should see.
#[must_use]
pub fn notices(
    before: Option<&BackupTaskStatus>,
    after: &BackupTaskStatus,
    decision: &Decision,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let Some((reason, message)) = &decision.notice {
        notices.push(Notice {
            warning: is_alarming(*reason),
            reason: *reason,
            message: message.clone(),
        });
    }
    let old_state = before.and_then(|status| status.state);
    let news = result_news(before, after);
    if let Some(notice) = news {
        notices.push(notice);
    } else if old_state != after.state && (old_state.is_some() || after.state != Some(State::Idle)) {
        let Standing {
            kind,
            reason,
            message,
        } = &decision.standing;
        let warning = matches!(kind, StandingKind::Blocked | StandingKind::Unknown);
        let state = after.state.map_or("Unknown", State::as_str);
        notices.push(Notice {
            warning,
            reason: *reason,
            message: format!("{state}: {message}"),
        });
    } else {
        let reason_of = |status: &BackupTaskStatus| {
            condition(&status.conditions, ConditionType::Ready).map(|ready| ready.reason.clone())
        };
        let Standing {
            kind,
            reason,
            message,
        } = &decision.standing;
        let is_new = before.and_then(reason_of).as_deref() != Some(reason.as_str());
        let worth_it = *kind == StandingKind::Blocked
            || matches!(
                reason,
                Reason::Planned | Reason::BackupRefused | Reason::RemovalBreakerOpen
            );
        if is_new && worth_it {
            notices.push(Notice {
                warning: *reason != Reason::Planned,
                reason: *reason,
                message: message.clone(),
            });
        }
    }
    notices
}

/// A run that ended since the last write.
fn result_news(before: Option<&BackupTaskStatus>, after: &BackupTaskStatus) -> Option<Notice> {
    let before = before?;
    let result = after.last_result.as_ref()?;
    let known = before.last_result.as_ref().map_or(0, |old| old.result_id);
    if result.result_id <= known || before.state.is_none() {
        return None;
    }
    let (warning, reason) = match result.status {
        ResultStatus::Success => (false, Reason::BackupSucceeded),
        ResultStatus::PartialSuccess => (true, Reason::BackupPartiallySucceeded),
        ResultStatus::Failed | ResultStatus::NoBackup => (true, Reason::BackupFailed),
        ResultStatus::Canceled => (false, Reason::BackupCanceled),
        ResultStatus::Incomplete | ResultStatus::Unknown => (true, Reason::ResultUnknown),
    };
    let message = format!("run {} ended: {}", result.result_id, result.status.as_str());
    Some(Notice {
        warning,
        reason,
        message,
    })
}

fn is_alarming(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RemovalAbandoned
            | Reason::RequestExpired
            | Reason::RemovalPlanned
            | Reason::OutcomeUnknown
            | Reason::BackupRefused
            | Reason::CancelRefused
    )
}
