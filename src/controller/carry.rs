//! The acting part of a pass: writes what was decided and sends what was recorded, the objects side by side.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::SignedDuration;
use kube::ResourceExt;

use super::{
    Context,
    awake::Awake,
    cluster::{Cluster, WriteError},
    fleet::Memory,
    judge::{Decided, Judged},
    packed::{Packed, Uid, version},
    pass::AT_ONCE,
    removal::{self, Turn},
    report,
};
use crate::{
    act::{self, Fence, Peer},
    api::{BackupServer, BackupTask, Intent, IntentAction, Reason},
    decide::Act,
    observe::Answered,
    status::{Notice, notices},
};

/// After a conflict: the watch brings the newer object, this is for the case that it does not.
const AGAIN: Duration = Duration::from_millis(500);

/// News gives way to what somebody waits for, but not for longer.
const GIVES_WAY: SignedDuration = SignedDuration::from_secs(2);

/// Writes what was decided and sends what was recorded, side by side. What is only news is left to the next pass when somebody
/// edits a task meanwhile. Network.
pub(super) async fn carry_out<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    memory: &mut Memory,
    awake: &Awake<'_>,
    judged: &Judged,
    is_awaited: &(dyn Fn() -> bool + Sync),
) -> Duration {
    let now = ctx.now();
    let is_patient = memory
        .giving_way
        .is_none_or(|since| now.duration_since(since) < GIVES_WAY);
    let peer = memory.connection.as_ref().map(|connection| Peer {
        client: connection.client.clone(),
        login: connection.login,
    });
    // Calls first: whoever waits for one should not wait for news of the others.
    let turn = Turn::default();
    let (mut calls, mut others, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (task, decided)) in awake.objects.iter().zip(&judged.decided).enumerate() {
        let (decision, status) = decided;
        if task.status.as_ref() == Some(status) && decision.finalizer == task.has_finalizer() {
            continue;
        }
        let uid = awake.packed(index).uid;
        let is_call = decision.act != Act::Nothing;
        let jobs = match &decision.act {
            // They wait for each other, and nobody else should wait for them.
            Act::Call(intent) if intent.action == IntentAction::Remove => &mut removals,
            Act::Call(_) => &mut calls,
            Act::Nothing => &mut others,
        };
        // What was read for it would have to be read once more.
        let is_news = !is_call && !judged.asked.contains(&index);
        let (peer, turn) = (peer.as_ref(), &turn);
        jobs.push(async move {
            if is_news && is_patient && is_awaited() {
                return None;
            }
            Some(carry_out_one(ctx, fence, server, peer, (uid, task), decided, turn).await)
        });
    }
    calls.append(&mut others);
    calls.append(&mut removals);
    let done: Vec<Option<Done>> = stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;
    let is_left = done.iter().any(Option::is_none);
    memory.giving_way = is_left.then(|| memory.giving_way.unwrap_or(now));
    let mut next = if is_left { Duration::ZERO } else { Duration::MAX };
    for Done {
        uid,
        written,
        sent,
        again,
        unwritten,
        server_written,
    } in done.into_iter().flatten()
    {
        if unwritten {
            // What was read for that status is in no status: it has to be read again.
            memory.knowledge.entry(uid).or_default().history_read_behind = None;
        }
        if let Some(task) = written {
            memory.written.insert(uid, Arc::new(Packed::alone(&task)));
        }
        if let Some(server) = server_written {
            // Reservations are written one after the other, but not answered for in that order.
            let known = memory.written_server.take();
            let is_newer = |known: &BackupServer| version(known) > version(&server);
            memory.written_server = Some(known.filter(is_newer).unwrap_or(server));
        }
        if let Some(Sent {
            intent,
            outcome,
            withheld,
        }) = sent
        {
            let call = crate::observe::Call {
                intent,
                answered: Some(outcome.answered),
                sent: outcome.sent,
                settles_from: outcome.deadline,
                first_absence: None,
                unreadable_since: None,
            };
            let knowledge = memory.knowledge.entry(uid).or_default();
            knowledge.call = Some(call);
            knowledge.withheld = withheld;
            // What the answer itself settles needs no poll.
            if matches!(
                outcome.answered,
                Answered::NotDispatched | Answered::Refused(_) | Answered::Withheld
            ) {
                next = Duration::ZERO;
            }
        }
        if again {
            next = next.min(AGAIN);
        }
    }
    next
}

/// What came of one task's part of a pass.
struct Done {
    uid: Uid,
    written: Option<BackupTask>,
    server_written: Option<BackupServer>,
    sent: Option<Sent>,
    again: bool,
    /// The status was to change and could not be written.
    unwritten: bool,
}

/// What came of a recorded call.
struct Sent {
    intent: String,
    outcome: act::Outcome,
    /// Why the last check held it back, where one did.
    withheld: Option<(Reason, String)>,
}

/// One task: finalizer, status with its intent, the call. Network.
async fn carry_out_one<C: Cluster>(
    ctx: &Context<C>,
    fence: &Fence,
    server: &BackupServer,
    peer: Option<&Peer>,
    (uid, task): (Uid, &BackupTask),
    (decision, status): &Decided,
    turn: &Turn,
) -> Done {
    let mut done = Done {
        uid,
        written: None,
        server_written: None,
        sent: None,
        again: false,
        unwritten: false,
    };
    let mut turn = match &decision.act {
        Act::Call(intent) if intent.action == IntentAction::Remove => Some(turn.lock().await),
        Act::Call(_) | Act::Nothing => None,
    };
    // What has not begun when the server is given away is left to whoever has it next.
    if !fence.is_open() || fence.is_closing() {
        done.unwritten = true;
        return done;
    }
    let mut object = task.clone();
    if decision.finalizer && !object.has_finalizer() {
        object.finalizers_mut().push(crate::api::FINALIZER.to_owned());
        match ctx.cluster.write_finalizers(&object).await {
            Ok(written) => object = written,
            Err(error) => return not_written(done, task, &error, None),
        }
        done.written = Some(object.clone());
    }
    let before = object.status.take();
    if before.as_ref() != Some(status) {
        object.status = Some(status.clone());
        // The connection for the call is opened while the intent is being written. Nothing of the call is on it yet.
        let opening = async {
            match (&decision.act, peer) {
                (Act::Call(intent), Some(peer)) if intent.action != IntentAction::Remove => {
                    Some(act::arm(peer, intent).await)
                }
                (Act::Call(_) | Act::Nothing, _) => None,
            }
        };
        let (recorded, armed) = tokio::join!(record(ctx, &object, &decision.act), opening);
        match recorded {
            Ok(written) => object = written,
            Err((error, read)) => return not_written(done, task, &error, read),
        }
        done.written = Some(object.clone());
        if let (Act::Call(intent), Some(peer)) = (&decision.act, peer) {
            let request = server.spec.timeouts.request.get();
            let (outcome, withheld) = if let Some(turn) = turn.take() {
                match removal::send(ctx, fence, peer, &object, intent, request, turn).await {
                    Ok((outcome, reserved)) => {
                        done.server_written = Some(reserved);
                        (outcome, None)
                    }
                    Err(why) => (act::Outcome::withheld(ctx.now()), Some(why)),
                }
            } else {
                let outcome = match armed {
                    Some(Ok(armed)) => act::fire(armed, fence, ctx.machine.clock, request).await,
                    Some(Err(error)) => {
                        tracing::warn!(%error, intent = intent.id, "nothing was sent");
                        act::Outcome::not_sent(ctx.now())
                    }
                    None => act::Outcome::not_sent(ctx.now()),
                };
                (outcome, None)
            };
            ctx.metrics.mutation(intent.action, outcome.answered);
            done.sent = Some(Sent {
                intent: intent.id.clone(),
                outcome,
                withheld,
            });
        }
        // Nobody waits for news while a call is to be sent.
        tell(ctx, &object, notices(before.as_ref(), status, decision)).await;
        report::log_change(&object, before.as_ref(), decision);
    }
    if !decision.finalizer && object.has_finalizer() {
        if before.as_ref() == Some(status) {
            object.status = before;
            tell(ctx, &object, notices(Some(status), status, decision)).await;
        }
        object
            .finalizers_mut()
            .retain(|finalizer| finalizer != crate::api::FINALIZER);
        match ctx.cluster.write_finalizers(&object).await {
            Ok(written) => done.written = Some(written),
            Err(error) => return not_written(done, task, &error, None),
        }
    }
    done
}

/// Publishes Events. A removal publishes its own before the call; the rest is news that must not hold anything up.
async fn tell<C: Cluster>(ctx: &Context<C>, object: &BackupTask, notices: Vec<Notice>) {
    for notice in notices {
        if notice.reason == Reason::RemovalPlanned {
            continue;
        }
        if let Err(error) = ctx.cluster.publish_task(object, &notice).await {
            tracing::debug!(%error, "failed to publish an Event");
        }
    }
}

/// Writes the status once. After a conflict, and after an unknown answer of an intent's write, the object is read
/// back: only if *this* intent stands in it was the write ours, and it has not been sent on yet. Else what was read
/// comes with the error: the watch may take its time to bring it, and each pass on the old one would end the same way.
async fn record<C: Cluster>(
    ctx: &Context<C>,
    object: &BackupTask,
    act: &Act,
) -> Result<BackupTask, (WriteError, Option<BackupTask>)> {
    let error = match ctx.cluster.write_task_status(object).await {
        Ok(written) => return Ok(written),
        Err(error) => error,
    };
    let ours = match act {
        Act::Call(intent) => Some(&intent.id),
        Act::Nothing => None,
    };
    let is_worth_a_look = match error {
        WriteError::Conflict => true,
        WriteError::Unknown => ours.is_some(),
        WriteError::Gone | WriteError::Refused(_) | WriteError::OnlyPlanned => false,
    };
    if !is_worth_a_look {
        return Err((error, None));
    }
    let namespace = object.namespace().unwrap_or_default();
    let read = ctx.cluster.read_task(&namespace, &object.name_any()).await;
    match read.ok().flatten().filter(|read| read.uid() == object.uid()) {
        Some(read) if intent_of(&read).is_some_and(|recorded| Some(&recorded.id) == ours) => Ok(read),
        read => Err((error, read)),
    }
}

fn intent_of(task: &BackupTask) -> Option<&Intent> {
    task.status.as_ref().and_then(|status| status.intent.as_ref())
}

fn not_written(mut done: Done, task: &BackupTask, error: &WriteError, read: Option<BackupTask>) -> Done {
    done.written = read.or(done.written);
    match error {
        WriteError::Gone | WriteError::OnlyPlanned => {}
        WriteError::Conflict => tracing::debug!(task = task.name_any(), "the object changed; looking again"),
        WriteError::Unknown | WriteError::Refused(_) => {
            tracing::warn!(task = task.name_any(), %error, "failed to write the task");
        }
    }
    // What was refused (a quota, a rule, a right) is refused again in a moment; the next poll is soon enough.
    done.again = matches!(error, WriteError::Conflict | WriteError::Unknown);
    done.unwritten = true;
    done
}
