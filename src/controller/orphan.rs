//! Tasks whose BackupServer does not exist: the one small case beside the server's loop. Nothing can be sent; the
//! status says so, and a held deletion is let go.

use std::time::Duration;

use kube::ResourceExt;

use super::{Context, cluster::Cluster};
use crate::{
    api::{BackupTask, ConditionType, FINALIZER, Reason, State, set_condition, status_time, take_condition},
    status::Notice,
};

/// After a failed write.
const AGAIN: Duration = Duration::from_secs(1);

/// Reports the missing server. Network: at most two writes and one Event. `None` is "nothing more to do".
pub async fn reconcile<C: Cluster>(ctx: &Context<C>, task: &BackupTask) -> Option<Duration> {
    if !ctx.fence.is_open() {
        return None;
    }
    if task.is_deleted() {
        return if task.has_finalizer() {
            let_go(ctx, task).await
        } else {
            None
        };
    }
    let mut status = task.status.clone().unwrap_or_default();
    let server = &task.spec.server_ref.name;
    let message = format!("the BackupServer {server:?} does not exist in this namespace");
    let generation = task.metadata.generation;
    let now = ctx.now();
    status.observed_generation = generation;
    if status.state != Some(State::Unknown) && status.state != Some(State::Removed) {
        status.state = Some(State::Unknown);
        status.state_since = Some(status_time(now));
    }
    let conditions = &mut status.conditions;
    let mut set = |kind, verdict| {
        set_condition(
            conditions,
            kind,
            verdict,
            Reason::ServerNotFound,
            &message,
            generation,
            now,
        );
    };
    set(ConditionType::Bound, None);
    set(ConditionType::Ready, Some(false));
    set(ConditionType::Stalled, Some(true));
    take_condition(conditions, ConditionType::Reconciling);
    if task.status.as_ref() == Some(&status) {
        return None;
    }
    let mut object = task.clone();
    object.status = Some(status);
    match ctx.cluster.write_task_status(&object).await {
        Ok(written) => {
            let notice = Notice {
                warning: true,
                reason: Reason::ServerNotFound,
                message,
            };
            if let Err(error) = ctx.cluster.publish_task(&written, &notice).await {
                tracing::debug!(%error, "failed to publish an Event");
            }
            None
        }
        Err(error) => {
            tracing::debug!(%error, task = task.name_any(), "failed to write the task");
            Some(AGAIN)
        }
    }
}

/// The BackupServer is gone, so nothing can be removed; a namespace can always be deleted.
async fn let_go<C: Cluster>(ctx: &Context<C>, task: &BackupTask) -> Option<Duration> {
    let why = if task.is_abandoned() {
        "the abandon annotation is set"
    } else {
        "the BackupServer does not exist"
    };
    let message = format!("nothing was removed from the NAS: {why}");
    let notice = Notice {
        warning: true,
        reason: Reason::RemovalAbandoned,
        message,
    };
    if let Err(error) = ctx.cluster.publish_task(task, &notice).await {
        // Events cannot be created in a namespace that is being deleted.
        tracing::warn!(%error, task = task.name_any(), "removal abandoned without an Event");
    }
    let mut object = task.clone();
    object.finalizers_mut().retain(|finalizer| finalizer != FINALIZER);
    ctx.cluster.write_finalizers(&object).await.err().map(|_| AGAIN)
}
