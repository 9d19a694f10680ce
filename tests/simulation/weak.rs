//! Two protocols that are common and weaker, in the same world: one calls first and records after, the other records
//! "failed" on any error and tries again, as operators do that reconcile a remote resource. They are here to show that
//! the judge sees duplicates.

use std::time::Duration;

use abb_operator::{
    api::{BackupTask, Receipt, ReceiptOutcome, status_time},
    controller::{Context, cluster::Cluster},
    nas::{Answer, Client, Credentials, Endpoint, Mutation, TaskId, Trust},
};
use jiff::SignedDuration;
use std::sync::Arc;

use super::api_server::ApiClient;

/// How a run is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The shipped one.
    Ours,
    /// Calls, then records that it has called.
    CallFirst,
    /// As the other, and takes any error for "it did not happen".
    ErrorMeansFailed,
}

/// Time after which a failure is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(300);

/// One pass; returns when to come again.
pub async fn pass(protocol: Protocol, context: &Context<ApiClient>, tasks: &[Arc<BackupTask>]) -> Duration {
    for task in tasks {
        if is_due(protocol, context, task) {
            ask(protocol, context, task).await;
        }
    }
    Duration::from_secs(10)
}

fn receipt_of(task: &BackupTask) -> Option<Receipt> {
    task.status.as_ref()?.receipts.as_ref()?.request.clone()
}

fn is_due(protocol: Protocol, context: &Context<ApiClient>, task: &BackupTask) -> bool {
    let Some(token) = &task.spec.triggers.request else {
        return false;
    };
    let Some(receipt) = receipt_of(task).filter(|receipt| receipt.token == *token) else {
        return true;
    };
    let failed = receipt.outcome == ReceiptOutcome::Failed && protocol == Protocol::ErrorMeansFailed;
    failed
        && receipt
            .finished_at
            .is_some_and(|time| context.now() >= time.0 + AGAIN)
}

async fn ask(protocol: Protocol, context: &Context<ApiClient>, task: &BackupTask) {
    let Some(token) = task.spec.triggers.request.clone() else {
        return;
    };
    let outcome = match call(context, task.spec.task.id.unwrap_or_default()).await {
        Some(Answer::Applied) => ReceiptOutcome::Succeeded,
        _ if protocol == Protocol::ErrorMeansFailed => ReceiptOutcome::Failed,
        _ => return,
    };
    let now = status_time(context.now());
    let mut object = BackupTask::clone(task);
    let receipts = object
        .status
        .get_or_insert_default()
        .receipts
        .get_or_insert_default();
    receipts.request = Some(Receipt {
        token,
        outcome,
        result_id: None,
        accepted_at: Some(now.clone()),
        finished_at: Some(now),
    });
    // After a conflict the next pass sees the newer object, and asks again.
    let _ = context.cluster.write_task_status(&object).await;
}

async fn call(context: &Context<ApiClient>, id: i64) -> Option<Answer> {
    let endpoint = Endpoint {
        url: "http://nas".parse().ok()?,
        trust: Trust::Plaintext,
        request_timeout: Duration::from_secs(20),
        list_timeout: Duration::from_secs(120),
    };
    let credentials = Credentials {
        username: "abb-operator".to_owned(),
        password: "simulated-password".to_owned().into(),
        otp_secret: None,
        device: None,
    };
    let client = Client::new(endpoint, credentials).ok()?;
    let client = client.on(context.machine.clock, context.machine.carrier.clone());
    let armed = client.arm(Mutation::Backup(TaskId(id))).await.ok()?;
    // The better ones of their kind do ask whether they lead.
    let allowance = context.fence_of_orphans().allowance(Duration::from_secs(20))?;
    Some(armed.send(allowance).await)
}
