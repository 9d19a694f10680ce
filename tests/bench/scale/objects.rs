//! Objects as plain JSON over one client, many at once: the bench makes ten thousand of them and must not itself be
//! what is slow.

use futures::StreamExt;
use kube::Client;
use serde_json::{Value, json};

/// Requests under way at once: the writers of the figures.
pub const WRITERS: usize = 64;

pub const GROUP: &str = "activebackup.dev/v1alpha1";

/// The objects of one namespace.
#[derive(Clone)]
pub struct Objects {
    pub client: Client,
    pub namespace: String,
}

impl Objects {
    fn path(&self, resource: &str) -> String {
        let api = match resource {
            "secrets" => "api/v1".to_owned(),
            "leases" => "apis/coordination.k8s.io/v1".to_owned(),
            _ => format!("apis/{GROUP}"),
        };
        format!("/{api}/namespaces/{}/{resource}", self.namespace)
    }

    pub async fn create(&self, resource: &str, object: &Value) {
        self.send("POST", &self.path(resource), "application/json", Some(object))
            .await
            .unwrap_or_else(|error| panic!("failed to create {object}: {error}"));
    }

    /// A merge patch; `part` is empty or a subresource with its slash.
    pub async fn patch(&self, resource: &str, name: &str, part: &str, change: &Value) {
        self.try_patch(resource, name, part, change)
            .await
            .unwrap_or_else(|error| panic!("failed to patch {resource}/{name}: {error}"));
    }

    pub async fn try_patch(
        &self,
        resource: &str,
        name: &str,
        part: &str,
        change: &Value,
    ) -> Result<String, kube::Error> {
        let path = format!("{}/{name}{part}", self.path(resource));
        self.send("PATCH", &path, "application/merge-patch+json", Some(change))
            .await
    }

    pub async fn delete(&self, resource: &str, name: &str) {
        let path = format!("{}/{name}", self.path(resource));
        self.send("DELETE", &path, "application/json", None)
            .await
            .unwrap();
    }

    pub async fn get(&self, resource: &str, name: &str) -> Value {
        let path = format!("{}/{name}", self.path(resource));
        let text = self.send("GET", &path, "application/json", None).await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<String, kube::Error> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content)
            .body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default())
            .unwrap();
        self.client.request_text(request).await
    }
}

/// Does something to each, so many at once.
pub async fn for_each<T, F: Future<Output = ()>>(
    items: impl IntoIterator<Item = T>,
    at_once: usize,
    act: impl Fn(T) -> F,
) {
    futures::stream::iter(items)
        .for_each_concurrent(at_once, act)
        .await;
}

/// A token in the spec: what asks for one run.
pub fn request(token: &str) -> Value {
    json!({ "spec": { "triggers": { "request": token } } })
}
