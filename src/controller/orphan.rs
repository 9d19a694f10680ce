//! Tasks whose BackupServer does not exist: the one small case beside the server's loop. Nothing can be sent; the
//! status says so, and a held deletion is let go.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Context, Scope, ServerKey, cluster::Cluster, pass::AT_ONCE};
use crate::{
    api::{
        ANNOTATION_CANCEL, BackupTask, BackupTaskStatus, ConditionType, FINALIZER, Reason, Receipt,
        ReceiptOutcome, Receipts, State, set_condition, status_time, take_condition,
    },
    status::Notice,
};

/// After a failed write.
const AGAIN: Duration = Duration::from_secs(1);

/// Deleted servers are looked for at least this often, for a pass that was under way when one went.
const LOOK: Duration = Duration::from_secs(60);

/// Looks after the tasks without a server, and ends the sessions of servers that are gone: whenever `woken` ticks, and when
/// something of theirs is due.
pub(super) async fn follow<C: Cluster>(
    context: Arc<Context<C>>,
    scope: Scope,
    woken: impl Stream<Item = ()> + Send,
    mut stop: tokio::sync::watch::Receiver<bool>,
) {
    let mut woken = std::pin::pin!(woken);
    let work = async {
        scope.ready().await;
        loop {
            context.fleet.forget_if(|key| scope.misses(key)).await;
            context.fleet.lists.forget();
            let next = look(&context, &scope).await;
            let again = tokio::time::sleep(next.map_or(LOOK, |next| next.min(LOOK)));
            tokio::select! {
                _ = woken.next() => {}
                () = again => {}
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// One look at all of them. Network. Comes back with the time until something is due.
async fn look<C: Cluster>(context: &Context<C>, scope: &Scope) -> Option<Duration> {
    if !context.fence_of_orphans().is_open() {
        return None;
    }
    let mut next: Option<Duration> = None;
    for key in scope.tasks.servers().into_iter().filter(|key| scope.misses(key)) {
        let again = look_at(context, scope, &key).await;
        next = next.into_iter().chain(again).min();
    }
    next
}

async fn look_at<C: Cluster>(context: &Context<C>, scope: &Scope, key: &ServerKey) -> Option<Duration> {
    // The watch may lag behind a server that was created in the same breath.
    match context.cluster.read_server(&key.0, &key.1).await {
        Ok(Some(_)) | Err(_) => return Some(AGAIN),
        Ok(None) => {}
    }
    let reconcile_one = |task: Arc<super::packed::Packed>| async move {
        let timer = context.metrics.reconcile("BackupTask");
        let next = reconcile(context, &task.open()).await;
        timer.done("ok");
        next
    };
    let all: Vec<Option<Duration>> = stream::iter(scope.tasks.of(key))
        .map(reconcile_one)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    all.into_iter().flatten().min()
}

/// Reports the missing server. Network: at most two writes and one Event. `None` is "nothing more to do".
pub async fn reconcile<C: Cluster>(ctx: &Context<C>, task: &BackupTask) -> Option<Duration> {
    if !ctx.fence_of_orphans().is_open() {
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
    if status.observed_generation.is_none_or(|generation| generation < 0) {
        find_nothing_to_cancel(task, &mut status, &status_time(now));
    }
    status.observed_generation = generation;
    if status.state != Some(State::Unknown) && status.state != Some(State::Removed) {
        status.state = Some(State::Unknown);
        status.state_since = Some(status_time(now));
    }
    let set = |status: &mut BackupTaskStatus, kind, verdict| {
        let conditions = &mut status.conditions;
        let reason = Reason::ServerNotFound;
        set_condition(conditions, kind, verdict, reason, &message, generation, now);
    };
    set(&mut status, ConditionType::Bound, None);
    set(&mut status, ConditionType::Ready, Some(false));
    set(&mut status, ConditionType::Stalled, Some(true));
    take_condition(&mut status.conditions, ConditionType::Reconciling);
    let stale = status.fresh_until.as_ref().map(|until| until.0);
    if task.spec.triggers.max_age.is_some() && stale.is_none_or(|until| until <= now) {
        set(&mut status, ConditionType::Fresh, None);
    }
    // What nobody looks at any more grows old all the same.
    let next = stale
        .filter(|until| *until > now)
        .and_then(|until| Duration::try_from(until.duration_since(now)).ok());
    if task.status.as_ref() == Some(&status) {
        return next;
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
            next
        }
        Err(error) => {
            tracing::debug!(%error, task = task.name_any(), "failed to write the task");
            Some(AGAIN)
        }
    }
}

/// A cancel token that is there when the object is first seen is for no run of its life.
fn find_nothing_to_cancel(task: &BackupTask, status: &mut BackupTaskStatus, now: &Time) {
    let receipts = status.receipts.get_or_insert_default();
    let spec = task.spec.cancel.as_ref().map(|cancel| &cancel.request);
    let annotation = task.annotations().get(ANNOTATION_CANCEL);
    for (token, receipt) in [
        (spec, &mut receipts.cancel),
        (annotation, &mut receipts.cancel_annotation),
    ] {
        *receipt = token.filter(|token| !token.is_empty()).map(|token| Receipt {
            token: token.clone(),
            outcome: ReceiptOutcome::NothingToCancel,
            result_id: None,
            accepted_at: Some(now.clone()),
            finished_at: Some(now.clone()),
        });
    }
    status.receipts = status.receipts.take().filter(|all| *all != Receipts::default());
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
