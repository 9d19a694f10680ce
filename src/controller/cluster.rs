//! What the reconciler asks of Kubernetes, as a trait with two implementations: the API server, and a store in
//! memory for the demo. Every write is a compare-and-swap on `resourceVersion`, sent once, with a deadline.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use super::packed::Packed;
use crate::{
    api::{BackupServer, BackupTask},
    status::Notice,
};

/// Why a write did not come back with an object.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody else wrote first: what was read is stale.
    #[error("failed to write: the object has changed since it was read")]
    Conflict,
    /// The object does not exist any more.
    #[error("failed to write: the object does not exist any more")]
    Gone,
    /// No answer: the write may have been committed.
    #[error("failed to write: no answer in time, it may have been committed")]
    Unknown,
    /// Refused.
    #[error("failed to write: {0}")]
    Refused(String),
    /// Nothing is written: what would be was only wanted to be known.
    #[error("not written: this is a plan")]
    OnlyPlanned,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {what}: {why}")]
pub struct ReadError {
    /// Kind and name.
    pub what: String,
    /// The cause, without secrets.
    pub why: String,
    /// Whether there was no clear answer, so that nothing follows for the object itself.
    pub is_passing: bool,
}

/// The content of a Secret or ConfigMap. Cannot be printed.
#[derive(Clone)]
pub struct Keys {
    /// The object's version.
    pub resource_version: String,
    values: BTreeMap<String, Vec<u8>>,
}

impl Keys {
    /// Values by key.
    #[must_use]
    pub fn new(resource_version: String, values: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            resource_version,
            values,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("resource_version", &self.resource_version)
            .finish_non_exhaustive()
    }
}

/// Kubernetes as the reconciler sees it.
pub trait Cluster: Send + Sync + 'static {
    /// Replaces the task's status if the object is still at its `resourceVersion`.
    fn write_task_status(
        &self,
        task: &BackupTask,
    ) -> impl Future<Output = Result<BackupTask, WriteError>> + Send;
    /// Replaces the server's status if the object is still at its `resourceVersion`.
    fn write_server_status(
        &self,
        server: &BackupServer,
    ) -> impl Future<Output = Result<BackupServer, WriteError>> + Send;
    /// Replaces the task's finalizers if the object is still at its `resourceVersion`.
    fn write_finalizers(
        &self,
        task: &BackupTask,
    ) -> impl Future<Output = Result<BackupTask, WriteError>> + Send;
    /// A live read of a task.
    fn read_task(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<BackupTask>, ReadError>> + Send;
    /// A live, consistent read of a namespace's tasks, as far as they can be read.
    fn list_tasks(&self, namespace: &str)
    -> impl Future<Output = Result<Vec<Arc<Packed>>, ReadError>> + Send;
    /// A version of a namespace's tasks, where it is a number: whatever is written to one of them from now on has a higher one. What
    /// was written a moment ago may have a higher one, too.
    fn tasks_version(&self, namespace: &str) -> impl Future<Output = Result<Option<u64>, ReadError>> + Send;
    /// A live read of a server.
    fn read_server(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<BackupServer>, ReadError>> + Send;
    /// A Secret, by name.
    fn read_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Keys>, ReadError>> + Send;
    /// A ConfigMap, by name.
    fn read_config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<Keys>, ReadError>> + Send;
    /// Publishes an Event about a task.
    fn publish_task(
        &self,
        task: &BackupTask,
        notice: &Notice,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
    /// Publishes an Event about a server.
    fn publish_server(
        &self,
        server: &BackupServer,
        notice: &Notice,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}
