//! BackupTasks as a process keeps them: what every pass asks of each of them in the open, the rest put away small. A watch
//! of ten thousand objects is the largest thing in this process, and nearly all of them rest at any time.
//!
//! Put away is the object as JSON, compressed against the words that all of them have in common; one with an open call or run,
//! which every pass looks at, stays as it is. What nobody here reads is left out: managed fields, labels, and annotations of
//! others, of which `kubectl apply` writes the largest.

use std::{
    cmp,
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use foldhash::quality::RandomState;
use kube::{ResourceExt, api::ObjectMeta};
use sha2::{Digest, Sha256};

use super::{ServerKey, read::is_open, server_of};
use crate::api::{ANNOTATION_BACKUP, ANNOTATION_CANCEL, BackupTask, GROUP, Receipt};

/// The words that the objects have in common: a whole one, and messages that stand in many.
const WORDS: &[u8] = include_bytes!("packed.json");

/// The identity of an object, which is a UUID wherever an API server gave it; the digest of any other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u64; 2]);

/// Something of many objects. Who chooses identities is the API server, so nobody can make them collide.
pub type ByUid<T> = HashMap<Uid, T, RandomState>;

impl Uid {
    /// The identity with that text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::of_uuid(text).unwrap_or_else(|| {
            let digest = Sha256::digest(text);
            let (parts, _) = digest.as_slice().as_chunks();
            Self([parts[0], parts[1]].map(u64::from_be_bytes))
        })
    }

    /// The halves of a UUID in its usual form. Other spellings of it are other texts.
    fn of_uuid(text: &str) -> Option<Self> {
        let uuid = uuid::Uuid::try_parse(text).ok()?;
        let is_usual = uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) == text;
        is_usual.then(|| Self(uuid.as_u64_pair().into()))
    }

    /// The identity of a task, its name where it has none.
    #[must_use]
    pub fn of_task(task: &BackupTask) -> Self {
        match task.metadata.uid.as_deref() {
            Some(uid) => Self::of(uid),
            None => Self::of(&task.name_any()),
        }
    }

    /// A number that tells most identities apart.
    #[must_use]
    pub fn digest(self) -> u64 {
        let Self([high, low]) = self;
        high.rotate_left(32) ^ low
    }

    /// The usual form of a UUID.
    fn text(self) -> String {
        let Self([high, low]) = self;
        uuid::Uuid::from_u64_pair(high, low).hyphenated().to_string()
    }
}

/// A task as the process keeps it.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its server, shared by all tasks of it.
    pub server: Arc<ServerKey>,
    /// The identity, made of the name where there is none.
    pub uid: Uid,
    /// Its `resourceVersion` as a number: versions of one resource are ordered (Kubernetes 1.35, KEP-5504).
    pub version: u64,
    /// Whether a call or a run of it is open, or it is being deleted.
    pub is_open: bool,
    /// When something of it is due by its status, seconds since 1970: [`EDITED`] where it was edited since.
    pub hint: i64,
    /// Whether the identity in the open says it all.
    has_uuid: bool,
    /// Length of the name, in bytes.
    named: u32,
    /// The list that has shown it last, in a store that counts them.
    pub(super) shown: Shown,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// As it is.
    Whole(Box<BackupTask>),
    /// The name, and the compressed JSON behind its length.
    Away(Box<[u8]>),
}

/// A number that changes while the object is shared.
#[derive(Debug, Default)]
pub(super) struct Shown(pub AtomicU16);

impl Clone for Shown {
    fn clone(&self) -> Self {
        Self(AtomicU16::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Packed {
    /// Puts an object away that shares nothing.
    #[must_use]
    pub fn alone(task: &BackupTask) -> Self {
        Self::of(task.clone(), Arc::new(server_of(task)))
    }

    /// Puts an object of that server away.
    ///
    /// # Panics
    /// Never: an object that was read from JSON of some megabytes is such JSON.
    #[must_use]
    pub fn of(mut task: BackupTask, server: Arc<ServerKey>) -> Self {
        slim(&mut task.metadata);
        let uuid = task.metadata.uid.as_deref().and_then(Uid::of_uuid);
        let name = task.metadata.name.as_deref().unwrap_or_default();
        let mut packed = Self {
            server,
            uid: uuid.unwrap_or_else(|| Uid::of_task(&task)),
            version: version(&task),
            is_open: is_open(&task, task.status.as_ref()),
            hint: hint(&task),
            has_uuid: uuid.is_some(),
            named: u32::try_from(name.len()).expect("an object is some megabytes at most"),
            shown: Shown::default(),
            body: Body::Away(Box::default()),
        };
        packed.body = if packed.is_open {
            Body::Whole(Box::new(task))
        } else {
            let name = bare(&mut task, packed.has_uuid);
            let text = serde_json::to_vec(&task).expect("a task is JSON with texts as keys");
            let text = lz4_flex::block::compress_prepend_size_with_dict(&text, WORDS);
            Body::Away([name.as_bytes(), &text].concat().into())
        };
        packed
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.body {
            Body::Whole(task) => task.metadata.name.as_deref().unwrap_or_default(),
            Body::Away(text) => std::str::from_utf8(&text[..self.named as usize]).unwrap_or_default(),
        }
    }

    /// The object, without what was left out.
    ///
    /// # Panics
    /// Never: what is unpacked was packed here.
    #[must_use]
    pub fn open(&self) -> BackupTask {
        let text = match &self.body {
            Body::Whole(task) => return BackupTask::clone(task),
            Body::Away(text) => &text[self.named as usize..],
        };
        let text = lz4_flex::block::decompress_size_prepended_with_dict(text, WORDS);
        let text = text.expect("what was compressed here comes out as it went in");
        let mut task: BackupTask = serde_json::from_slice(&text).expect("what was a task is one");
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        task.metadata.name = some(self.name());
        task.metadata.namespace = some(&self.server.0);
        if task.metadata.resource_version.is_none() && self.version > 0 {
            task.metadata.resource_version = Some(self.version.to_string());
        }
        if self.has_uuid {
            task.metadata.uid = Some(self.uid.text());
        }
        task.spec.server_ref.name.clone_from(&self.server.1);
        task
    }

    /// Whether something stands in it that its status does not answer yet.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.hint == EDITED
    }

    /// Bytes that it occupies at rest, without the overhead of the allocator.
    #[must_use]
    pub fn size(&self) -> usize {
        let body = match &self.body {
            Body::Whole(_) => size_of::<BackupTask>(),
            Body::Away(text) => text.len(),
        };
        size_of::<Self>() + body
    }
}

/// Before all times.
const EDITED: i64 = 0;

fn hint(task: &BackupTask) -> i64 {
    let Some(status) = &task.status else {
        return EDITED;
    };
    let receipts = status.receipts.as_ref();
    let asks = |key: &str, receipt: Option<&Receipt>| {
        let token = task.annotations().get(key);
        token.is_some_and(|token| receipt.is_none_or(|receipt| receipt.token != *token))
    };
    let backup = receipts.and_then(|receipts| receipts.request_annotation.as_ref());
    let cancel = receipts.and_then(|receipts| receipts.cancel_annotation.as_ref());
    let is_edited = status.observed_generation != task.metadata.generation
        || asks(ANNOTATION_BACKUP, backup)
        || asks(ANNOTATION_CANCEL, cancel);
    if is_edited {
        return EDITED;
    }
    let times = [
        &status.due_since,
        &status.next_run_time,
        &status.next_attempt_time,
    ];
    let next = times.into_iter().flatten().map(|time| time.0.as_second()).min();
    next.unwrap_or(i64::MAX)
}

/// Resource versions of one resource are ordered numbers (Kubernetes 1.35, KEP-5504).
pub(super) fn version(object: &impl ResourceExt) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Leaves out what nobody here reads.
fn slim(metadata: &mut ObjectMeta) {
    let is_ours = |key: &str| key.split_once('/').is_some_and(|(group, _)| group == GROUP);
    let mut annotations: BTreeMap<String, String> = metadata.annotations.take().unwrap_or_default();
    annotations.retain(|key, _| is_ours(key));
    *metadata = ObjectMeta {
        annotations: (!annotations.is_empty()).then_some(annotations),
        creation_timestamp: metadata.creation_timestamp.take(),
        deletion_timestamp: metadata.deletion_timestamp.take(),
        finalizers: metadata.finalizers.take(),
        generation: metadata.generation,
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        resource_version: metadata.resource_version.take(),
        uid: metadata.uid.take(),
        ..ObjectMeta::default()
    };
}

/// Leaves out what stands beside the text in the open. Gives the name.
fn bare(task: &mut BackupTask, has_uuid: bool) -> String {
    let number = version(task);
    let metadata = &mut task.metadata;
    metadata.namespace = None;
    metadata
        .resource_version
        .take_if(|text| number > 0 && *text == number.to_string());
    metadata.uid.take_if(|_| has_uuid);
    task.spec.server_ref.name.clear();
    task.metadata.name.take().unwrap_or_default()
}

/// In the order of names, for a set of one server's tasks.
#[derive(Clone, Debug)]
pub(super) struct ByName(pub Arc<Packed>);

impl std::borrow::Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        self.0.name()
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for ByName {}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    /// Every recorded state of a task, as the API server holds it.
    fn states() -> Vec<BackupTask> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/states");
        let files = std::fs::read_dir(folder).unwrap();
        let texts = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let states = texts.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
        states
            .filter(|state| state["kind"] == "BackupTask")
            .map(|state| serde_json::from_value(state).unwrap())
            .collect()
    }

    #[test]
    fn what_is_put_away_comes_out_as_it_was() {
        let states = states();
        assert!(states.len() > 30, "{}", states.len());
        for mut task in states {
            task.metadata.annotations = None;
            let opened = Packed::alone(&task).open();
            assert_eq!(opened.spec, task.spec);
            assert_eq!(opened.status, task.status);
            slim(&mut task.metadata);
            assert_eq!(opened.metadata, task.metadata);
            assert_eq!(opened.metadata.finalizers, task.metadata.finalizers);
        }
    }

    /// `UPDATE_WORDS=1` writes the words anew, which changes nothing but sizes. The commonest come last, which is nearest.
    #[test]
    fn the_words_are_those_of_recorded_states() {
        let names = ["fresh-good", "reconciled-idle"];
        let states = states();
        let words = names.iter().map(|name| {
            let is_it = |task: &&BackupTask| task.metadata.name.as_deref() == Some(name);
            let mut task = states.iter().find(is_it).unwrap().clone();
            slim(&mut task.metadata);
            bare(&mut task, true);
            serde_json::to_string(&task).unwrap()
        });
        let words: String = words.collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/packed.json");
        if std::env::var_os("UPDATE_WORDS").is_some() {
            std::fs::write(path, &words).unwrap();
        }
        assert!(words.as_bytes() == WORDS, "run again with UPDATE_WORDS=1");
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        let mut task = states().remove(0);
        let theirs = ("kubectl.kubernetes.io/last-applied-configuration", "{}");
        let ours = (ANNOTATION_BACKUP, "now");
        let both = [theirs, ours].map(|(key, value)| (key.to_owned(), value.to_owned()));
        task.metadata.annotations = Some(both.into());
        task.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        task.metadata.managed_fields = Some(vec![
            serde_json::from_value(json!({ "manager": "kubectl" })).unwrap(),
        ]);
        let opened = Packed::alone(&task).open().metadata;
        assert_eq!(
            opened.annotations.unwrap().into_keys().collect::<Vec<_>>(),
            [ANNOTATION_BACKUP]
        );
        assert_eq!((opened.labels, opened.managed_fields), (None, None));
    }

    /// A settled task with names, keys and times of its own and no history, as most are.
    fn settled(number: u64) -> BackupTask {
        let key = |seed: u64| {
            uuid::Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), seed).to_string()
        };
        let time = |second: u64| {
            let second = 1_800_000_000 + i64::try_from(number * 61 + second).unwrap();
            Timestamp::from_second(second).unwrap().to_string()
        };
        let mut task = states()
            .into_iter()
            .find(|task| task.metadata.name.as_deref() == Some("reconciled-idle"))
            .unwrap();
        task.status.as_mut().unwrap().history.clear();
        let text = serde_json::to_string(&task).unwrap();
        let text = text
            .replace("reconciled-idle", &format!("backup-of-host-{number:05}"))
            .replace(&format!("key-backup-of-host-{number:05}"), &key(1))
            .replacen("2026-01-02T03:04:05Z", &time(1), 2)
            .replacen("2026-01-02T03:04:05Z", &time(40), 3)
            .replace("2026-01-02T03:04:05Z", &time(600))
            .replace("00000000-0000-0000-0000-000000000000", &key(3));
        let mut task: BackupTask = serde_json::from_str(&text).unwrap();
        task.metadata.uid = Some(key(2));
        task.metadata.resource_version = Some((number * 7 + 100_000).to_string());
        task
    }

    #[test]
    fn a_settled_task_occupies_a_few_hundred_bytes() {
        let sizes: Vec<usize> = (1..200)
            .map(|number| Packed::alone(&settled(number)).size())
            .collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!(mean < 560, "{mean} bytes on average");
    }

    #[test]
    fn another_spelling_of_a_uuid_is_another_identity() {
        let text = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(Uid::of_uuid(text), Some(Uid::of(text)));
        assert_eq!(Uid::of(text).text(), text);
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            "u1".to_owned(),
            String::new(),
        ] {
            assert_eq!(Uid::of_uuid(&other), None);
            assert_ne!(Uid::of(&other), Uid::of(text));
            let mut task = states().remove(0);
            task.metadata.uid = Some(other.clone());
            assert_eq!(Packed::alone(&task).open().metadata.uid, Some(other));
        }
    }
}
