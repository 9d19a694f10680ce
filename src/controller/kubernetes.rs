//! The API server behind [`Cluster`]: typed reads and writes, each sent once with a deadline of its own.
//!
//! kube's client would retry 429, 503 and 504 by itself; that is switched off where the client is built, because
//! the retry of a write that was committed meets a conflict against ourselves.

use std::{collections::BTreeMap, future::Future, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::DeserializeGuard,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use super::cluster::{Cluster, Keys, ReadError, WriteError};
use crate::{
    api::{BackupServer, BackupTask},
    status::Notice,
};

/// Longest wait for one answer of the API server. Shorter than a third of the default Lease.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait for a list of a namespace: hundreds of objects with their history are some megabytes.
const LIST_DEADLINE: Duration = Duration::from_secs(15);
/// The name under which Events and field ownership appear.
pub const MANAGER: &str = "abb-operator";

/// The API server.
pub struct Kubernetes {
    client: Client,
    recorder: Recorder,
}

impl Kubernetes {
    /// Uses a client whose own retries are off.
    #[must_use]
    pub fn new(client: Client, identity: &str) -> Self {
        let reporter = Reporter {
            controller: MANAGER.to_owned(),
            instance: Some(identity.to_owned()),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
        }
    }

    fn tasks(&self, namespace: &str) -> Api<BackupTask> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn servers(&self, namespace: &str) -> Api<BackupServer> {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn publish(
        &self,
        reference: k8s_openapi::api::core::v1::ObjectReference,
        notice: &Notice,
    ) -> Result<(), WriteError> {
        let event = Event {
            type_: if notice.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: notice.reason.as_str().to_owned(),
            note: Some(notice.message.clone()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        written(self.recorder.publish(&event, &reference)).await
    }
}

impl Cluster for Kubernetes {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let api = self.tasks(&namespace(task));
        written(api.replace_status(&task.name_any(), &PostParams::default(), task)).await
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        let api = self.servers(&namespace(server));
        written(api.replace_status(&server.name_any(), &PostParams::default(), server)).await
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let patch = serde_json::json!({ "metadata": {
            "resourceVersion": task.resource_version(),
            "finalizers": task.metadata.finalizers,
        }});
        let api = self.tasks(&namespace(task));
        written(api.patch(&task.name_any(), &PatchParams::default(), &Patch::Merge(patch))).await
    }

    async fn read_task(&self, namespace: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        read("BackupTask", name, DEADLINE, self.tasks(namespace).get_opt(name)).await
    }

    async fn list_tasks(&self, namespace: &str) -> Result<Vec<BackupTask>, ReadError> {
        let api: Api<DeserializeGuard<BackupTask>> = Api::namespaced(self.client.clone(), namespace);
        // Without a resourceVersion: the API server answers with what is committed, not with what it has cached.
        let params = ListParams::default();
        let list = read("BackupTasks of", namespace, LIST_DEADLINE, api.list(&params)).await?;
        // As with the watch, one broken object stops no other.
        Ok(list.items.into_iter().filter_map(|task| task.0.ok()).collect())
    }

    async fn read_server(&self, namespace: &str, name: &str) -> Result<Option<BackupServer>, ReadError> {
        read(
            "BackupServer",
            name,
            DEADLINE,
            self.servers(namespace).get_opt(name),
        )
        .await
    }

    async fn read_secret(&self, namespace: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = read("Secret", name, DEADLINE, api.get_opt(name)).await?;
        Ok(secret.map(|secret| {
            let version = secret.resource_version().unwrap_or_default();
            let data = secret.data.unwrap_or_default();
            Keys::new(
                version,
                data.into_iter().map(|(key, value)| (key, value.0)).collect(),
            )
        }))
    }

    async fn read_config_map(&self, namespace: &str, name: &str) -> Result<Option<Keys>, ReadError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let map = read("ConfigMap", name, DEADLINE, api.get_opt(name)).await?;
        Ok(map.map(|map| {
            let version = map.resource_version().unwrap_or_default();
            let mut values: BTreeMap<String, Vec<u8>> = map
                .data
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key, value.into_bytes()))
                .collect();
            values.extend(
                map.binary_data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, value)| (key, value.0)),
            );
            Keys::new(version, values)
        }))
    }

    async fn publish_task(&self, task: &BackupTask, notice: &Notice) -> Result<(), WriteError> {
        self.publish(task.object_ref(&()), notice).await
    }

    async fn publish_server(&self, server: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        self.publish(server.object_ref(&()), notice).await
    }
}

fn namespace(object: &impl ResourceExt) -> String {
    object.namespace().unwrap_or_default()
}

async fn written<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            409 => WriteError::Conflict,
            404 => WriteError::Gone,
            // These may hide a committed write.
            500.. => WriteError::Unknown,
            _ => WriteError::Refused(status.message.clone()),
        }),
        Ok(Err(_)) | Err(_) => Err(WriteError::Unknown),
    }
}

async fn read<T>(
    kind: &str,
    name: &str,
    deadline: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ReadError> {
    let failed = |why, is_passing| ReadError {
        what: format!("{kind} {name:?}"),
        why,
        is_passing,
    };
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => {
            let is_passing = status.code == 429 || status.code >= 500;
            Err(failed(status.message.clone(), is_passing))
        }
        Ok(Err(error)) => Err(failed(error.to_string(), true)),
        Err(_) => Err(failed(format!("no answer within {deadline:?}"), true)),
    }
}
