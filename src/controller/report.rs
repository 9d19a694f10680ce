//! What a pass tells: the BackupServer's status and Events, and one log line per change.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::{
    Context,
    cluster::{Cluster, WriteError},
    fleet::{Connection, Memory, Problem},
};
use crate::{
    act::Fence,
    api::{
        BackupServer, BackupServerStatus, BackupTask, BackupTaskStatus, ConditionType, DsmInfo, LoginStatus,
        PackageInfo, Reason, TaskCounts, UnmanagedTask, condition, set_condition, status_time,
        take_condition,
    },
    decide::{Act, Decision},
    nas::{TaskId, UniqueKey},
    observe::Shelf,
    status::Notice,
};

/// A skew is written again only when it moved by this much (contract, Status).
const SKEW_STEP: i64 = 5;
/// Unmanaged tasks listed at most; the total stands beside them.
const UNMANAGED_LISTED: usize = 50;

/// Writes the server's status if it changed. Network: at most one write and one Event. `bound` are the NAS tasks that
/// somebody means, where all were looked at.
pub async fn server<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    memory: &mut Memory,
    bound: Option<&[TaskId]>,
) {
    // A removal's reservation is newer than what the pass began with.
    let server = memory.written_server.clone().unwrap_or_else(|| server.clone());
    let status = next_status(ctx, &server, memory, bound);
    if server.status.as_ref() == Some(&status) || !fence.is_open() {
        memory.miscounted_since = None;
        return;
    }
    // Runs that come and go between two idle polls are told by their objects, which this would write about twice each.
    if is_miscounted(server.status.as_ref(), &status) {
        let now = ctx.now();
        let since = *memory.miscounted_since.get_or_insert(now);
        let idle = SignedDuration::try_from(server.spec.polling.idle.get()).unwrap_or(SignedDuration::MAX);
        if now.duration_since(since) < idle {
            return;
        }
    }
    memory.miscounted_since = None;
    let notice = notice(server.status.as_ref(), &status);
    let mut object = server.clone();
    object.status = Some(status);
    match ctx.cluster.write_server_status(&object).await {
        Ok(written) => {
            if let Some(notice) = notice {
                tracing::info!(
                    server = object.name_any(),
                    reason = notice.reason.as_str(),
                    message = notice.message
                );
                if let Err(error) = ctx.cluster.publish_server(&object, &notice).await {
                    tracing::debug!(%error, "failed to publish an Event");
                }
            }
            memory.written_server = Some(written);
        }
        Err(WriteError::Conflict | WriteError::Gone) => memory.written_server = None,
        Err(error) => {
            memory.written_server = None;
            tracing::warn!(server = object.name_any(), %error, "failed to write the server");
        }
    }
}

fn next_status<C: Cluster>(
    ctx: &Context<C>,
    server: &BackupServer,
    memory: &Memory,
    bound: Option<&[TaskId]>,
) -> BackupServerStatus {
    let mut status = server.status.clone().unwrap_or_default();
    let generation = server.metadata.generation;
    status.observed_generation = generation;
    let dsm = memory
        .connection
        .as_ref()
        .and_then(|connection| connection.dsm.clone());
    if let Some(dsm) = dsm {
        let known = DsmInfo {
            model: dsm.model,
            version: dsm.version,
            serial: dsm.serial,
        };
        status.dsm = (known != DsmInfo::default()).then_some(known).or(status.dsm);
    }
    let found = memory.connection.as_ref().and_then(Connection::capabilities);
    if let Some(found) = found {
        status.package = Some(PackageInfo {
            version: found.package_version.clone(),
            capabilities: found
                .available
                .iter()
                .map(|capability| capability.as_str().to_owned())
                .collect(),
        });
    }
    if let Some(shelf) = &memory.shelf {
        if let Some(bound) = bound {
            count(&mut status, shelf, bound);
        }
        let told = shelf.skew().map(|skew| SignedDuration::as_secs(&skew));
        let skew = told.or(memory.shown_skew.map(|(_, skew)| skew));
        status.clock_skew_seconds = match (status.clock_skew_seconds, skew) {
            (Some(old), Some(new)) if (old - new).abs() < SKEW_STEP => Some(old),
            // The header has whole seconds: below the step it says nothing.
            (None, Some(new)) if new.abs() < SKEW_STEP => Some(0),
            (old, new) => new.or(old),
        };
    }
    status.login = memory.refusal.as_ref().map(|refusal| LoginStatus {
        refused_secret_version: Some(refusal.secret_version.clone()),
        next_attempt_time: Some(status_time(refusal.next_attempt)),
    });
    let (verdict, problem) = match &memory.problem {
        Some(problem) => (Some(false), problem.clone()),
        None if memory.shelf.is_some() => (
            Some(true),
            Problem {
                reason: Reason::Connected,
                message: "the NAS answers".to_owned(),
                stalled: false,
            },
        ),
        None => (
            None,
            Problem {
                reason: Reason::Progressing,
                message: "not read yet".to_owned(),
                stalled: false,
            },
        ),
    };
    let now = ctx.now();
    let Problem {
        reason,
        message,
        stalled,
    } = problem;
    let conditions = &mut status.conditions;
    set_condition(
        conditions,
        ConditionType::Ready,
        verdict,
        reason,
        &message,
        generation,
        now,
    );
    for (kind, holds) in [
        (ConditionType::Stalled, verdict == Some(false) && stalled),
        (ConditionType::Reconciling, verdict != Some(true) && !stalled),
    ] {
        if holds {
            set_condition(conditions, kind, Some(true), reason, &message, generation, now);
        } else {
            take_condition(conditions, kind);
        }
    }
    status
}

/// Whether nothing differs but how many tasks are running.
fn is_miscounted(before: Option<&BackupServerStatus>, after: &BackupServerStatus) -> bool {
    let (Some(before), Some(counts)) = (before, &after.tasks) else {
        return false;
    };
    let mut same = before.clone();
    match &mut same.tasks {
        Some(old) => old.running = counts.running,
        None => return false,
    }
    same == *after
}

fn count(status: &mut BackupServerStatus, shelf: &Shelf, bound: &[TaskId]) {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    // By number: the NAS gives them in whatever order, which must change nothing here.
    let (unmanaged, others) = shelf.others(bound, UNMANAGED_LISTED);
    status.tasks = Some(TaskCounts {
        total: number(shelf.len()),
        bound: number(bound.len()),
        unmanaged: number(others),
        running: number(shelf.running),
    });
    status.unmanaged_tasks = unmanaged
        .into_iter()
        .map(|task| UnmanagedTask {
            id: task.id.0,
            unique_key: task.unique_key.as_ref().map(UniqueKey::as_str).map(str::to_owned),
            name: task.name,
        })
        .collect();
}

fn notice(before: Option<&BackupServerStatus>, after: &BackupServerStatus) -> Option<Notice> {
    let ready = condition(&after.conditions, ConditionType::Ready)?;
    let old = before.and_then(|status| condition(&status.conditions, ConditionType::Ready));
    if old.is_some_and(|old| old.reason == ready.reason) {
        return None;
    }
    let reason = *Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == ready.reason)?;
    Some(Notice {
        warning: ready.status == "False",
        reason,
        message: ready.message.clone(),
    })
}

/// One line per change, with what was decided and why.
pub fn log_change(object: &BackupTask, before: Option<&BackupTaskStatus>, decision: &Decision) {
    let state = decision.status.state.map_or("", crate::api::State::as_str);
    let was = before
        .and_then(|status| status.state)
        .map_or("", crate::api::State::as_str);
    let call = match &decision.act {
        Act::Call(intent) => intent.action.as_str(),
        Act::Nothing => "",
    };
    tracing::info!(
        namespace = object.namespace().unwrap_or_default(),
        task = object.name_any(),
        was,
        state,
        reason = decision.standing.reason.as_str(),
        call,
        "status written"
    );
}
