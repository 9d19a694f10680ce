//! Compare-and-swap, as cheap for both sides as the API server has it: what is to be replaced, under the version that was read,
//! and nothing else. Where the object has another version meanwhile it answers 409 and writes nothing.

use http::{HeaderValue, header::CONTENT_TYPE};
use kube::{
    Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams, Request},
    core::{NamespaceResourceScope, request},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{guard, kubernetes::MANAGER};

/// A JSON Patch that puts values in the place of the fields they belong to (RFC 6901, such as `/spec`), whatever stands there.
///
/// It writes the old `resourceVersion` into the object as well, which is what a PUT would carry: a `test` operation in its
/// place would be answered by 422, as a spoilt value is. A version that is absent is refused by the API server, which takes
/// no unconditional update of these kinds.
pub(super) fn swap(
    place: &Request,
    name: &str,
    version: Option<&str>,
    fields: &[(&str, &RawValue)],
) -> Result<http::Request<Vec<u8>>, request::Error> {
    let version = raw(&version.unwrap_or_default());
    let mut operations = vec![Operation {
        op: "replace",
        path: "/metadata/resourceVersion",
        value: &version,
    }];
    operations.extend(fields.iter().map(|(path, value)| Operation {
        op: "add",
        path,
        value,
    }));
    // Written down as they are: by way of [`Patch::Json`] a value becomes a tree three times.
    let mut request = place.patch(name, &parameters(), &Patch::Merge(operations))?;
    // What is in it is no merge patch.
    let operations = HeaderValue::from_static("application/json-patch+json");
    request.headers_mut().insert(CONTENT_TYPE, operations);
    Ok(request)
}

#[derive(Serialize)]
struct Operation<'a> {
    op: &'a str,
    path: &'a str,
    value: &'a RawValue,
}

/// A value as JSON.
///
/// # Panics
/// Never with what is an object of Kubernetes: its keys are texts.
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("a value of Kubernetes is JSON with texts as keys")
}

/// Puts a status in the place of an object's; gives the object as it is written. Network.
pub(super) async fn swap_status<K>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    let request = replace_status(object, status).map_err(kube::Error::BuildRequest)?;
    let written = client.request_text(request).await?;
    guard::read(&written).map_err(kube::Error::SerdeError)
}

/// A PUT of the status and of nothing else: the API server takes nothing else from it, and a patch costs it a text of the
/// whole object and a second reading of that.
fn replace_status<K>(object: &K, status: &impl Serialize) -> Result<http::Request<Vec<u8>>, request::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let meta = object.meta();
    let body = raw(&Put {
        api_version: &K::api_version(&()),
        kind: &K::kind(&()),
        metadata: Identity {
            name: meta.name.as_deref(),
            namespace: meta.namespace.as_deref(),
            uid: meta.uid.as_deref(),
            // Absent it would be an unconditional update, which the API server does not take of these kinds.
            resource_version: meta.resource_version.as_deref(),
        },
        status,
    });
    let params = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    let place = Request::new(K::url_path(&(), meta.namespace.as_deref()));
    place.replace_subresource("status", &object.name_any(), &params, body.get().into())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Put<'a, S> {
    api_version: &'a str,
    kind: &'a str,
    metadata: Identity<'a>,
    status: &'a S,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    name: Option<&'a str>,
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<&'a str>,
}

/// Under the operator's own name as field manager.
pub(super) fn parameters() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use serde_json::{Value, json};

    use super::*;
    use crate::api::BackupTask;

    fn request() -> Request {
        Request::new(BackupTask::url_path(&(), Some("here")))
    }

    fn sent(request: &http::Request<Vec<u8>>) -> Value {
        serde_json::from_slice(request.body()).unwrap()
    }

    #[test]
    fn the_whole_field_is_replaced_under_the_version_that_was_read() {
        let value = raw(&json!({ "holderIdentity": "me" }));
        let request = swap(&request(), "office", Some("7"), &[("/spec", &value)]).unwrap();
        assert_eq!(request.method(), http::Method::PATCH);
        assert_eq!(
            *request.uri(),
            "/apis/activebackup.dev/v1alpha1/namespaces/here/backuptasks/office?&fieldManager=abb-operator"
        );
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json-patch+json");
        assert_eq!(
            sent(&request),
            json!([
                { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
                { "op": "add", "path": "/spec", "value": { "holderIdentity": "me" } },
            ])
        );
    }

    #[test]
    fn a_status_goes_alone_under_the_version_that_was_read() {
        let spec = json!({ "serverRef": { "name": "nas" }, "task": { "id": 1 } });
        let mut task = BackupTask::new("office", serde_json::from_value(spec).unwrap());
        task.metadata.namespace = Some("here".to_owned());
        task.metadata.uid = Some("u1".to_owned());
        task.metadata.resource_version = Some("7".to_owned());
        let request = replace_status(&task, &json!({ "state": "Idle" })).unwrap();
        assert_eq!(request.method(), http::Method::PUT);
        assert_eq!(
            *request.uri(),
            "/apis/activebackup.dev/v1alpha1/namespaces/here/backuptasks/office/status?&fieldManager=abb-operator"
        );
        assert_eq!(
            sent(&request),
            json!({
                "apiVersion": "activebackup.dev/v1alpha1",
                "kind": "BackupTask",
                "metadata": { "name": "office", "namespace": "here", "uid": "u1", "resourceVersion": "7" },
                "status": { "state": "Idle" },
            })
        );
    }
}
