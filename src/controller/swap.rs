//! Compare-and-swap by a JSON Patch: one field as a whole, under the version that was read. Where the object has
//! another version meanwhile the API server answers 409 and writes nothing.

use http::{HeaderValue, header::CONTENT_TYPE};
use kube::{
    Client, Resource, ResourceExt,
    api::{Patch, PatchParams, Request},
    core::{NamespaceResourceScope, request},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{guard, kubernetes::MANAGER};

/// A request that puts values in the place of the fields they belong to (RFC 6901, such as `/spec`), whatever stands there;
/// of the object itself, or of a part of it such as `status`.
///
/// The patch writes the old `resourceVersion` into the object as well, which is what a PUT would carry: a `test`
/// operation in its place would be answered by 422, as a spoilt value is. A version that is absent is refused by the API
/// server, which takes no unconditional update of these kinds.
pub(super) fn swap(
    place: &Request,
    (name, part): (&str, Option<&str>),
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
    // Written down as they are: by way of [`Patch::Json`] a status becomes a tree of values three times.
    let patch = Patch::Merge(operations);
    let mut request = match part {
        Some(part) => place.patch_subresource(part, name, &parameters(), &patch),
        None => place.patch(name, &parameters(), &patch),
    }?;
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
///
/// A PUT of the status alone would cost the API server less, which writes an object down for a patch and reads it again. But
/// labels and annotations that a PUT lacks stay where they are and are taken from whoever applied them (server-side apply goes
/// by what was sent): left out of the next apply they would stay for ever.
pub(super) async fn swap_status<K>(
    client: &Client,
    object: &K,
    status: &impl Serialize,
) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned,
{
    let place = Request::new(K::url_path(&(), object.namespace().as_deref()));
    let version = object.resource_version();
    let fields = [("/status", &*raw(status))];
    let request = swap(
        &place,
        (&object.name_any(), Some("status")),
        version.as_deref(),
        &fields,
    );
    let written = client
        .request_text(request.map_err(kube::Error::BuildRequest)?)
        .await?;
    guard::read(&written).map_err(kube::Error::SerdeError)
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

    #[test]
    fn the_whole_field_is_replaced_under_the_version_that_was_read() {
        let place = Request::new(BackupTask::url_path(&(), Some("here")));
        let state = raw(&json!({ "state": "Idle" }));
        let request = |part| swap(&place, ("office", part), Some("7"), &[("/status", &state)]).unwrap();
        for (request, path) in [
            (request(None), "office"),
            (request(Some("status")), "office/status"),
        ] {
            assert_eq!(request.method(), http::Method::PATCH);
            assert_eq!(
                *request.uri(),
                *format!(
                    "/apis/activebackup.dev/v1alpha1/namespaces/here/backuptasks/{path}?&fieldManager=abb-operator"
                )
            );
            assert_eq!(request.headers()[CONTENT_TYPE], "application/json-patch+json");
            let sent: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!(
                sent,
                json!([
                    { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
                    { "op": "add", "path": "/status", "value": { "state": "Idle" } },
                ])
            );
        }
    }
}
