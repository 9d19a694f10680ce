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
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
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
        let error = match serde_json::from_str(text.get()) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let Named { metadata } = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        Ok(Self(Err(InvalidObject { error, metadata })))
    }
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
    fn what_is_no_object_is_refused() {
        for text in [r#"{"spec":{}}"#, "7", "{"] {
            serde_json::from_str::<Guarded<BackupTask>>(text).unwrap_err();
        }
    }
}
