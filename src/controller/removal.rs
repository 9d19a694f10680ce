//! The last steps before `remove`, in the order the protocol gives them: live reads of object and server, one more
//! inventory, the accepted Event, an open connection, the breaker's reservation, the call.

use std::time::Duration;

use kube::ResourceExt;

use super::{Context, cluster::Cluster};
use crate::{
    act::{self, Fence, Outcome, Peer},
    api::{BackupServer, BackupTask, Intent, Reason},
    decide::removal_clearance,
    nas::{Mutation, TaskId},
    observe::{Queue, read_inventory},
    status::Notice,
};

/// Sends the `remove` of a recorded intent if everything still holds. Network.
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
) -> (Outcome, Option<BackupServer>) {
    match clear_and_send(ctx, fence, peer, recorded, intent, request).await {
        Ok((outcome, reserved)) => (outcome, Some(reserved)),
        Err(why) => {
            tracing::warn!(task = recorded.name_any(), why, "the removal was withheld");
            (Outcome::withheld(ctx.now()), None)
        }
    }
}

async fn clear_and_send<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    peer: &Peer,
    recorded: &BackupTask,
    intent: &Intent,
    request: Duration,
) -> Result<(Outcome, BackupServer), String> {
    let namespace = recorded.namespace().unwrap_or_default();
    let gone = || "the object does not exist any more".to_owned();
    // Network: live reads.
    let task = ctx
        .cluster
        .read_task(&namespace, &recorded.name_any())
        .await
        .map_err(|e| e.to_string())?;
    let task = task.ok_or_else(gone)?;
    let name = &task.spec.server_ref.name;
    let server = ctx
        .cluster
        .read_server(&namespace, name)
        .await
        .map_err(|e| e.to_string())?
        .ok_or_else(gone)?;
    let secret = &server.spec.credentials.secret_ref.name;
    let readable = ctx
        .cluster
        .read_secret(&namespace, secret)
        .await
        .map_err(|e| e.to_string())?;
    readable.ok_or_else(|| "the Secret does not exist any more".to_owned())?;
    let inventory = read_inventory(&peer.client, true)
        .await
        .map_err(|error| error.to_string())?;
    if !matches!(inventory.queue, Queue::Read(_)) {
        return Err("the NAS's queue cannot be read".to_owned());
    }
    let listed = inventory
        .task(TaskId(intent.task_id))
        .map(|row| (row, &inventory.queue));
    let clearance = || {
        removal_clearance(&task, &intent.id, &server, listed, ctx.now())
            .map_err(|(reason, message)| format!("{}: {message}", reason.as_str()))
    };
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
        .publish_task(&task, &notice)
        .await
        .map_err(|error| format!("the Event was not accepted: {error}"))?;
    let armed = peer
        .arm(Mutation::Remove(TaskId(intent.task_id)))
        .await
        .map_err(|error| error.to_string())?;
    // Network: the last write before the call. It carries the version of the live read, so that a change of the
    // server in between stops it.
    let mut reserved = server.clone();
    reserved.status.get_or_insert_default().removals = Some(reservation);
    let reserved = ctx
        .cluster
        .write_server_status(&reserved)
        .await
        .map_err(|error| format!("no reservation: {error}"))?;
    // No network, no await: compared once more at the line of the call.
    clearance()?;
    Ok((
        act::fire(armed, fence, ctx.machine.clock, request).await,
        reserved,
    ))
}
