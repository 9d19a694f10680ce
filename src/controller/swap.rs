//! Compare-and-swap by a JSON Patch: one field as a whole, under the version that was read. Where the object has
//! another version meanwhile the API server answers 409 and writes nothing.

use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde_json::{Value, json};

use super::kubernetes::MANAGER;

/// Puts `value` in the place of the field `pointer` (RFC 6901, such as `/status`), whatever stands there.
///
/// The patch writes the old `resourceVersion` into the object as well, which is what a PUT would carry: a `test`
/// operation in its place would be answered by 422, as a spoilt value is. A version that is absent is refused by the API
/// server, which takes no unconditional update of these kinds.
pub(super) fn swap(version: Option<&str>, pointer: &str, value: &impl Serialize) -> Patch<()> {
    swap_all(version, &[(pointer, json!(value))])
}

/// The same with several fields.
pub(super) fn swap_all(version: Option<&str>, fields: &[(&str, Value)]) -> Patch<()> {
    let version = version.unwrap_or_default();
    let mut operations =
        vec![json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version })];
    let put = |(pointer, value): &(&str, Value)| json!({ "op": "add", "path": pointer, "value": value });
    operations.extend(fields.iter().map(put));
    Patch::Json(serde_json::from_value(operations.into()).expect("operations of RFC 6902"))
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
    use super::*;

    #[test]
    fn the_whole_field_is_replaced_under_the_version_that_was_read() {
        let patch = swap(Some("7"), "/status", &json!({ "state": "Idle" }));
        let Patch::Json(operations) = patch else {
            panic!("a JSON Patch")
        };
        assert_eq!(
            serde_json::to_value(operations).unwrap(),
            json!([
                { "op": "replace", "path": "/metadata/resourceVersion", "value": "7" },
                { "op": "add", "path": "/status", "value": { "state": "Idle" } },
            ])
        );
    }
}
