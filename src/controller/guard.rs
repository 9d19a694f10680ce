//! An object as the API server sends it, or why it cannot be read: one that is broken must not stop the others of its list.
//!
//! [`kube::core::DeserializeGuard`] does the same by a tree of values that it copies before it looks at it, which takes five
//! times as long and is felt, since an object comes again with every write. Here its text is put aside and read once; only
//! where that fails, once more for its metadata.

use std::borrow::Cow;

use kube::{
    Resource,
    core::{ObjectMeta, error_boundary::InvalidObject},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::value::RawValue;

/// An object, or what could be read of it. It comes from JSON only, and in an event behind the event's type, as API servers
/// write it.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<K, InvalidObject>);

/// What every object has.
#[derive(Deserialize)]
struct Named {
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let error = match read(text.get()) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let Named { metadata } = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        Ok(Self(Err(InvalidObject { error, metadata })))
    }
}

/// Reads an object without its managed fields, which nobody here looks at: as a tree of values they take longer to read than
/// all the rest.
pub(super) fn read<K: DeserializeOwned>(text: &str) -> serde_json::Result<K> {
    serde_json::from_str(&without_managed_fields(text))
}

/// The text of an object without `metadata.managedFields`. The first such key in front of a list is that one:
/// within a text its quotes would be escaped, and the keys that people choose stand in front of texts.
fn without_managed_fields(text: &str) -> Cow<'_, str> {
    const KEY: &str = "\"managedFields\":";
    for (place, _) in text.match_indices(KEY) {
        let rest = &text[place + KEY.len()..];
        if rest.trim_start().starts_with('[') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
            return match values.next() {
                Some(Ok(_)) => {
                    let end = &rest[values.byte_offset()..];
                    Cow::Owned([&text[..place + KEY.len()], "null", end].concat())
                }
                // Whoever reads it says what is wrong with it.
                Some(Err(_)) | None => Cow::Borrowed(text),
            };
        }
    }
    Cow::Borrowed(text)
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(object) => object.meta(),
            Err(invalid) => &invalid.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => object.meta_mut(),
            Err(invalid) => &mut invalid.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use kube::{ResourceExt, core::WatchEvent};
    use serde_json::json;

    use super::*;
    use crate::api::BackupTask;

    fn text(id: &str) -> String {
        format!(
            r#"{{"apiVersion":"activebackup.dev/v1alpha1","kind":"BackupTask","metadata":{{"name":"a","namespace":"b"}},
            "spec":{{"serverRef":{{"name":"nas"}},"task":{{"id":{id}}}}}}}"#
        )
    }

    #[test]
    fn a_broken_object_is_known_by_its_name_in_lists_and_in_events() {
        for (id, is_readable) in [("1", true), ("{}", false)] {
            let event = format!(r#"{{"type":"ADDED","object":{}}}"#, text(id));
            let WatchEvent::Added(task) =
                serde_json::from_str::<WatchEvent<Guarded<BackupTask>>>(&event).unwrap()
            else {
                panic!("as it says")
            };
            let list = format!("[{},{}]", text(id), text("2"));
            let tasks: Vec<Guarded<BackupTask>> = serde_json::from_str(&list).unwrap();
            assert!(tasks[1].0.is_ok());
            for task in [&task, &tasks[0]] {
                assert_eq!(task.0.is_ok(), is_readable);
                assert_eq!(
                    (task.name_any(), task.namespace().unwrap()),
                    ("a".into(), "b".into())
                );
            }
            if let Err(invalid) = task.0 {
                assert!(invalid.error.contains("invalid type: map"), "{}", invalid.error);
            }
        }
    }

    #[test]
    fn managed_fields_are_left_out_and_nothing_else() {
        let object = json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
            "metadata": {
                "name": "a",
                "annotations": { "managedFields": "[1]", "b": "\"managedFields\":[1]" },
                "managedFields": [
                    { "manager": "kubectl", "operation": "Apply", "fieldsV1": { "f:managedFields": { "k:{\"]\"}": {} } } },
                ],
                "resourceVersion": "7",
            },
            "spec": { "serverRef": { "name": "nas" }, "task": { "id": 1 } },
        });
        for text in [object.to_string(), serde_json::to_string_pretty(&object).unwrap()] {
            let mut expected: BackupTask = serde_json::from_str(&text).unwrap();
            let slim: BackupTask = read(&text).unwrap();
            assert_eq!(
                expected.metadata.managed_fields.take().map(|fields| fields.len()),
                Some(1)
            );
            assert_eq!(slim.metadata, expected.metadata);
            assert_eq!(slim.spec, expected.spec);
        }
        let broken = "{\"metadata\":{\"managedFields\":[{]}}";
        assert!(matches!(without_managed_fields(broken), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [r#"{"spec":{}}"#, "7", "{"] {
            serde_json::from_str::<Guarded<BackupTask>>(text).unwrap_err();
        }
    }
}
