//! The last steps before `remove`, in the order the protocol gives them: live reads of object and server, one more
//! inventory, the accepted Event, an open connection, the breaker's reservation, the call.

use std::time::Duration;

use kube::ResourceExt;
use tokio::sync::{Mutex, MutexGuard};

use super::{Context, cluster::Cluster};
use crate::{
    act::{self, Fence, Outcome, Peer},
    api::{BackupServer, BackupTask, Intent, Reason},
    decide::{Withheld, removal_clearance, removal_reservation},
    nas::{Mutation, TaskId},
    observe::{Bound, Inventory, Queue, bind, read_inventory_then_queue},
    status::Notice,
};

/// The turn of one server's removals: one at a time from its intent to its reservation. Side by side they would outrun
/// each other's reservation and all be read anew. The server as the last one reserved it tells the others whether there is
/// anything left to reserve.
pub type Turn = Mutex<Option<BackupServer>>;

/// Whose turn it is.
pub type MyTurn<'a> = MutexGuard<'a, Option<BackupServer>>;

/// Sends the `remove` of a recorded intent if everything still holds, else says why not. Network.
///
/// A crash anywhere before the call leaves an intent that nobody sends on, and at most a reservation too many; a
/// crash after it an intent that is settled by the lists.
pub async fn send<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    peer: &Peer,
    recorded: &BackupTask,
    intent: &Intent,
    request: Duration,
    turn: MyTurn<'_>,
) -> Result<(Outcome, BackupServer), Withheld> {
    let sent = clear_and_send(ctx, fence, peer, recorded, intent, request, turn).await;
    if let Err((reason, why)) = &sent {
        let reason = reason.as_str();
        tracing::warn!(
            task = recorded.name_any(),
            reason,
            why,
            "the removal was withheld"
        );
    }
    sent
}

async fn clear_and_send<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    peer: &Peer,
    recorded: &BackupTask,
    intent: &Intent,
    request: Duration,
    mut turn: MyTurn<'_>,
) -> Result<(Outcome, BackupServer), Withheld> {
    if let Some(server) = &*turn {
        removal_reservation(server, ctx.now())?;
    }
    let namespace = recorded.namespace().unwrap_or_default();
    // Network: live reads. One of the server's tasks shows the object and whoever else means its task.
    let name = &recorded.spec.server_ref.name;
    let tasks = ctx.cluster.list_tasks(&namespace).await.map_err(passing)?;
    let tasks = tasks.iter().filter(|task| task.server.1 == *name);
    let tasks: Vec<BackupTask> = tasks.map(|task| task.open()).collect();
    let task = tasks.iter().find(|task| task.uid() == recorded.uid());
    let task = task.ok_or_else(|| gone("the object"))?;
    let server = ctx.cluster.read_server(&namespace, name).await;
    let server = server.map_err(passing)?.ok_or_else(|| gone("the BackupServer"))?;
    let secret = &server.spec.credentials.secret_ref.name;
    let secret = ctx.cluster.read_secret(&namespace, secret).await;
    secret
        .map_err(|error| {
            if error.is_passing {
                passing(error)
            } else {
                (Reason::SecretNotFound, error.to_string())
            }
        })?
        .ok_or_else(|| {
            let message = "the Secret does not exist any more".to_owned();
            (Reason::SecretNotFound, message)
        })?;
    let inventory = read_inventory_then_queue(&peer.client)
        .await
        .map_err(|error| (Reason::ServerNotReady, error.to_string()))?;
    if !matches!(inventory.queue, Queue::Read(_)) {
        let message = "the NAS's job queue cannot be read".to_owned();
        return Err((Reason::ServerNotReady, message));
    }
    if !inventory.complete {
        let message = "the NAS listed its tasks in part".to_owned();
        return Err((Reason::ServerNotReady, message));
    }
    let listed = inventory
        .task(TaskId(intent.task_id))
        .map(|row| (row, &inventory.queue));
    let clearance = || removal_clearance(task, &intent.id, &server, listed, ctx.now());
    if let Some(other) = successor(task, &tasks, intent, &inventory) {
        let message = format!("the BackupTask {other:?} declares the same NAS task");
        return Err((Reason::RemovalNotAllowed, message));
    }
    let reservation = clearance()?;
    // Network: what will die is told before it dies, or it does not die.
    let plan = task
        .status
        .as_ref()
        .and_then(|status| status.removal_plan.as_ref())
        .map_or(0, |plan| plan.versions);
    let message = format!("removing NAS task {} with its {plan} versions", intent.task_id);
    let notice = Notice {
        warning: true,
        reason: Reason::RemovalPlanned,
        message,
    };
    ctx.cluster
        .publish_task(task, &notice)
        .await
        .map_err(|error| passing(format!("the Event was not accepted: {error}")))?;
    let armed = peer
        .arm(Mutation::Remove(TaskId(intent.task_id)))
        .await
        .map_err(|error| (Reason::ServerNotReady, error.to_string()))?;
    // Network: the last write before the call. It carries the version of the live read, so that a change of the
    // server in between stops it.
    let mut reserved = server.clone();
    reserved.status.get_or_insert_default().removals = Some(reservation);
    let reserved = ctx
        .cluster
        .write_server_status(&reserved)
        .await
        .map_err(|error| passing(format!("no reservation: {error}")))?;
    *turn = Some(reserved.clone());
    drop(turn);
    // No network, no await: compared once more at the line of the call.
    clearance()?;
    Ok((
        act::fire(armed, fence, ctx.machine.clock, request).await,
        reserved,
    ))
}

/// Another living object of the server that means the NAS task. The watch may not show it yet: a rename in Git makes
/// the new object a moment before it deletes the old one.
fn successor(
    object: &BackupTask,
    tasks: &[BackupTask],
    intent: &Intent,
    inventory: &Inventory,
) -> Option<String> {
    let serial = intent.nas_serial.as_deref();
    let is_meant = |task: &&BackupTask| {
        let bound = bind(task, Some(inventory), serial);
        matches!(bound, Bound::To(found) if found.id == TaskId(intent.task_id))
    };
    tasks
        .iter()
        .filter(|task| task.uid() != object.uid() && !task.is_deleted())
        .filter(|task| task.spec.server_ref == object.spec.server_ref)
        .find(is_meant)
        .map(ResourceExt::name_any)
}

/// What the API server did not do now, and may do later.
fn passing(why: impl std::fmt::Display) -> Withheld {
    (Reason::RemovalInProgress, why.to_string())
}

fn gone(what: &str) -> Withheld {
    (
        Reason::RemovalNotAllowed,
        format!("{what} does not exist any more"),
    )
}
