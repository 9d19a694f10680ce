//! Compare-and-swap by a JSON Patch: one field as a whole, under the version that was read. Where the object has
//! another version meanwhile the API server answers 409 and writes nothing.

use http::{HeaderValue, header::CONTENT_TYPE};
use kube::{
    Client, Resource, ResourceExt,
    api::{Patch, PatchParams, Request},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::kubernetes::MANAGER;

/// Puts values in the place of the fields they belong to (RFC 6901, such as `/spec`), whatever stands there.
///
/// The patch writes the old `resourceVersion` into the object as well, which is what a PUT would carry: a `test`
/// operation in its place would be answered by 422, as a spoilt value is. A version that is absent is refused by the API
/// server, which takes no unconditional update of these kinds.
pub(super) fn swap_all(version: Option<&str>, fields: &[(&str, Value)]) -> Patch<()> {
    let version = version.unwrap_or_default();
    let mut operations =
        vec![json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version })];
    let put = |(pointer, value): &(&str, Value)| json!({ "op": "add", "path": pointer, "value": value });
    operations.extend(fields.iter().map(put));
    Patch::Json(serde_json::from_value(operations.into()).expect("operations of RFC 6902"))
}

/// Does the same with the status of an object; gives the object as it is written. Network.
pub(super) async fn swap_status<K>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    let request = request(object, status).map_err(kube::Error::BuildRequest)?;
    client.request(request).await
}

#[derive(Serialize)]
struct Operation<'a, V> {
    op: &'a str,
    path: &'a str,
    value: V,
}

/// The operations are written down as they are: by way of [`Patch::Json`] a status becomes a tree of values three times.
fn request<K>(
    object: &K,
    status: &impl Serialize,
) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let version = Operation {
        op: "replace",
        path: "/metadata/resourceVersion",
        value: object.resource_version().unwrap_or_default(),
    };
    let status = Operation {
        op: "add",
        path: "/status",
        value: status,
    };
    let place = Request::new(K::url_path(&(), object.namespace().as_deref()));
    let patch = Patch::Merge((version, status));
    let mut request = place.patch_subresource("status", &object.name_any(), &parameters(), &patch)?;
    // What is in it is no merge patch.
    let operations = HeaderValue::from_static("application/json-patch+json");
    request.headers_mut().insert(CONTENT_TYPE, operations);
    request.extensions_mut().insert("patch_status");
    Ok(request)
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

    use super::*;
    use crate::api::BackupTask;

    #[test]
    fn the_whole_field_is_replaced_under_the_version_that_was_read() {
        let spec = json!({ "serverRef": { "name": "nas" }, "task": { "id": 1 } });
        let mut task = BackupTask::new("office", serde_json::from_value(spec).unwrap());
        task.metadata.namespace = Some("here".to_owned());
        task.metadata.resource_version = Some("7".to_owned());
        let request = request(&task, &json!({ "state": "Idle" })).unwrap();
        assert_eq!(request.method(), http::Method::PATCH);
        assert_eq!(
            request.uri(),
            "/apis/activebackup.dev/v1alpha1/namespaces/here/backuptasks/office/status?&fieldManager=abb-operator"
        );
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json-patch+json");
        let expected = json!([
            { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
            { "op": "add", "path": "/status", "value": { "state": "Idle" } },
        ]);
        let sent: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(sent, expected);
        let patch = swap_all(Some("7"), &[("/status", json!({ "state": "Idle" }))]);
        let Patch::Json(operations) = patch else {
            panic!("a JSON Patch")
        };
        assert_eq!(serde_json::to_value(operations).unwrap(), expected);
    }
}
