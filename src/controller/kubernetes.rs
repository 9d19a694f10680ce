//! The API server behind [`Cluster`]: typed reads and writes, each sent once with a deadline of its own.
//!
//! kube's client would retry 429, 503 and 504 by itself; that is switched off where the client is built, because
//! the retry of a write that was committed meets a conflict against ourselves.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::{ConfigMap, ObjectReference, Secret},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, ObjectMeta, Patch, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use super::{
    cluster::{Cluster, Keys, ReadError, WriteError},
    guard::Guarded,
    news::Desk,
    packed::Packed,
    swap::{parameters, swap_status},
};
use crate::{
    api::{BackupServer, BackupTask, Reason},
    status::Notice,
};

/// Longest wait for one answer of the API server. Shorter than a third of the default Lease.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait for a list of a namespace: hundreds of objects with their history are some megabytes.
const LIST_DEADLINE: Duration = Duration::from_secs(15);
/// Tasks on one page of a list: some megabytes while they are read.
const PAGE: u32 = 250;
/// The name under which Events and field ownership appear.
pub const MANAGER: &str = "abb-operator";

/// What Events say was being done.
const ACTION: &str = "Reconcile";

/// The API server.
pub struct Kubernetes {
    client: Client,
    desk: Desk,
    identity: String,
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
            desk: Desk::new(Recorder::new(client.clone(), reporter)),
            client,
            identity: identity.to_owned(),
        }
    }

    fn tasks(&self, namespace: &str) -> Api<BackupTask> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn servers(&self, namespace: &str) -> Api<BackupServer> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates an Event of its own. The recorder makes one that resembles an earlier one of the last minutes a mere
    /// count under the earlier text, and what will die has to stand in an Event before it dies.
    async fn publish_alone(&self, reference: ObjectReference, notice: &Notice) -> Result<(), WriteError> {
        let namespace = reference.namespace.clone().unwrap_or_default();
        let events: Api<k8s_openapi::api::events::v1::Event> =
            Api::namespaced(self.client.clone(), &namespace);
        let event = lone_event(reference, notice, &self.identity);
        written(events.create(&PostParams::default(), &event))
            .await
            .map(drop)
    }

    async fn publish(&self, reference: ObjectReference, notice: &Notice) -> Result<(), WriteError> {
        let event = Event {
            type_: if notice.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: notice.reason.as_str().to_owned(),
            note: Some(notice.message.clone()),
            action: ACTION.to_owned(),
            secondary: None,
        };
        if matches!(notice.reason, Reason::RemovalAbandoned) {
            // Its object goes next, and with it whoever could tell later.
            return written(self.desk.recorder().publish(&event, &reference)).await;
        }
        if !self.desk.take((reference, event)) {
            tracing::debug!(reason = notice.reason.as_str(), "an Event was left out");
        }
        Ok(())
    }

    /// Tells what still waits to be told.
    pub async fn close(&self) {
        self.desk.close().await;
    }
}

impl Cluster for Kubernetes {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        written(swap_status(&self.client, task, &task.status)).await
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        written(swap_status(&self.client, server, &server.status)).await
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        let patch = serde_json::json!({ "metadata": {
            "resourceVersion": task.resource_version(),
            "finalizers": task.metadata.finalizers,
        }});
        let api = self.tasks(&namespace(task));
        written(api.patch(&task.name_any(), &parameters(), &Patch::Merge(patch))).await
    }

    async fn read_task(&self, namespace: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        read("BackupTask", name, DEADLINE, self.tasks(namespace).get_opt(name)).await
    }

    async fn list_tasks(&self, namespace: &str) -> Result<Vec<Arc<Packed>>, ReadError> {
        let api: Api<Guarded<BackupTask>> = Api::namespaced(self.client.clone(), namespace);
        let pages = async {
            let mut tasks = Vec::new();
            // Without a resourceVersion: the API server answers with what is committed, not with what it has cached. All
            // pages show that one state.
            let mut params = ListParams::default().limit(PAGE);
            loop {
                let page = api.list(&params).await?;
                // As with the watch, one broken object stops no other.
                let readable = page.items.iter().filter_map(|task| task.0.as_ref().ok());
                tasks.extend(readable.map(|task| Arc::new(Packed::alone(task))));
                params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
                if params.continue_token.is_none() {
                    return Ok(tasks);
                }
            }
        };
        read("BackupTasks of", namespace, LIST_DEADLINE, pages).await
    }

    async fn tasks_version(&self, namespace: &str) -> Result<Option<u64>, ReadError> {
        // From the API server's cache: the newest version would be there when etcd has told of its progress, which it is asked
        // for ten times a second at most. Of one name, as kube leaves the version 0 out where there is a limit.
        let params = ListParams::default().match_any().fields("metadata.name=none");
        let api = self.tasks(namespace);
        let list = read("BackupTasks of", namespace, DEADLINE, api.list_metadata(&params)).await?;
        let version = list.metadata.resource_version;
        Ok(version.and_then(|version| version.parse().ok()))
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
        if notice.reason == Reason::RemovalPlanned {
            return self.publish_alone(task.object_ref(&()), notice).await;
        }
        self.publish(task.object_ref(&()), notice).await
    }

    async fn publish_server(&self, server: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        self.publish(server.object_ref(&()), notice).await
    }
}

/// The Event as the recorder would make it, under a name that no other has.
fn lone_event(
    reference: ObjectReference,
    notice: &Notice,
    identity: &str,
) -> k8s_openapi::api::events::v1::Event {
    let kind = if notice.warning { "Warning" } else { "Normal" };
    // The name of an Event is bounded as its object's is, and has to hold more.
    let name: String = reference
        .name
        .iter()
        .flat_map(|name| name.chars())
        .take(200)
        .collect();
    k8s_openapi::api::events::v1::Event {
        metadata: ObjectMeta {
            namespace: reference.namespace.clone(),
            name: Some(format!("{name}.{}", uuid::Uuid::new_v4().simple())),
            ..ObjectMeta::default()
        },
        action: Some(ACTION.to_owned()),
        reason: Some(notice.reason.as_str().to_owned()),
        note: Some(notice.message.clone()),
        event_time: Some(MicroTime(jiff::Timestamp::now())),
        regarding: Some(reference),
        reporting_controller: Some(MANAGER.to_owned()),
        reporting_instance: Some(identity.to_owned()),
        type_: Some(kind.to_owned()),
        ..k8s_openapi::api::events::v1::Event::default()
    }
}

fn namespace(object: &impl ResourceExt) -> String {
    object.namespace().unwrap_or_default()
}

pub(super) async fn written<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use http_body_util::{BodyExt, Full};
    use hyper::{Request, Response, body::Incoming, service::service_fn};
    use hyper_util::rt::TokioIo;
    use kube::Config;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    type Calls = Arc<Mutex<Vec<(String, String, Value)>>>;

    /// An API server that gives back what it is sent, and lists two tasks, one of them broken.
    async fn api_server() -> (Kubernetes, Calls) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Calls::default();
        let seen = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let answer = service_fn(move |request: Request<Incoming>| answer(request, Arc::clone(&seen)));
                let serve = hyper::server::conn::http1::Builder::new();
                tokio::spawn(serve.serve_connection(TokioIo::new(stream), answer));
            }
        });
        let config = Config::new(format!("http://{address}").parse().unwrap());
        (Kubernetes::new(Client::try_from(config).unwrap(), "me"), calls)
    }

    async fn answer(
        request: Request<Incoming>,
        calls: Calls,
    ) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
        let shown = if method == "GET" { list() } else { sent.clone() };
        calls.lock().unwrap().push((method, uri, sent));
        Ok(Response::new(Full::new(shown.to_string().into())))
    }

    fn list() -> Value {
        let task = |name: &str, id: Value| {
            json!({
                "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
                "metadata": { "name": name, "namespace": "here" },
                "spec": { "serverRef": { "name": "nas" }, "task": { "id": id } },
            })
        };
        let items = [task("whole", json!(1)), task("broken", json!({ "a": 1 }))];
        json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTaskList",
            "metadata": { "resourceVersion": "7" }, "items": items,
        })
    }

    fn task() -> BackupTask {
        let spec = json!({ "serverRef": { "name": "nas" }, "task": { "id": 1 } });
        let mut task = BackupTask::new("office", serde_json::from_value(spec).unwrap());
        task.metadata.namespace = Some("here".to_owned());
        task.metadata.uid = Some("u1".to_owned());
        task
    }

    #[tokio::test]
    async fn each_planned_removal_stands_in_an_event_of_its_own() {
        let (cluster, calls) = api_server().await;
        for message in ["3 versions", "4 versions"] {
            let notice = Notice {
                warning: true,
                reason: Reason::RemovalPlanned,
                message: message.to_owned(),
            };
            cluster.publish_task(&task(), &notice).await.unwrap();
        }
        let calls = calls.lock().unwrap();
        let told: Vec<(&str, &Value)> = calls
            .iter()
            .map(|(method, _, event)| (method.as_str(), &event["note"]))
            .collect();
        assert_eq!(
            told,
            [("POST", &json!("3 versions")), ("POST", &json!("4 versions"))]
        );
        let [first, second] = [&calls[0].2, &calls[1].2];
        assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
        assert_eq!(first["regarding"]["uid"], "u1");
        assert_eq!(
            (&first["type"], &first["reason"]),
            (&json!("Warning"), &json!("RemovalPlanned"))
        );
    }

    #[tokio::test]
    async fn a_list_is_consistent_and_no_broken_object_breaks_it() {
        let (cluster, calls) = api_server().await;
        let tasks = cluster.list_tasks("here").await.unwrap();
        assert_eq!(
            tasks.iter().map(|task| task.name()).collect::<Vec<_>>(),
            ["whole"]
        );
        let (_, uri, _) = &calls.lock().unwrap()[0];
        assert!(!uri.contains("resourceVersion"), "{uri}");
    }

    #[tokio::test]
    async fn the_version_of_the_tasks_is_what_a_cache_knows() {
        let (cluster, calls) = api_server().await;
        assert_eq!(cluster.tasks_version("here").await.unwrap(), Some(7));
        let (_, uri, _) = &calls.lock().unwrap()[0];
        for part in [
            "resourceVersion=0&",
            "resourceVersionMatch=NotOlderThan",
            "fieldSelector=",
        ] {
            assert!(uri.contains(part), "{uri}");
        }
    }
}
