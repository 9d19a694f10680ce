//! The API server's audit log, read as it grows. Each answered request is one entry; what a section counts, it counts
//! between two marks.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::PathBuf,
};

use jiff::Timestamp;
use serde::Deserialize;

use crate::harness::{Cluster, rights};

/// One answered request to an object or a list.
#[derive(Clone, Debug)]
pub struct Entry {
    pub verb: String,
    /// With its subresource, such as `backuptasks/status`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub user: String,
    /// Which token of the user, where the API server tells.
    pub credential: String,
    pub code: u16,
    /// When it was answered, microseconds since 1970.
    pub answered: i64,
}

impl Entry {
    pub fn is_operator_of(&self, namespace: &str) -> bool {
        self.user == rights::operator_user(namespace)
    }

    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Code,
    stage_timestamp: Timestamp,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    extra: std::collections::BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct ObjectRef {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Code {
    #[serde(default)]
    code: u16,
}

/// The log from its beginning, read up to some point.
pub struct Audit {
    path: PathBuf,
    read: u64,
    pub entries: Vec<Entry>,
}

impl Audit {
    pub fn of(cluster: &Cluster) -> Self {
        // A start that met a taken port leaves a folder behind: the newest is the one that runs.
        let folders = std::fs::read_dir(cluster.directory()).unwrap().flatten();
        let logs = folders.map(|folder| folder.path().join("audit.log"));
        let path = logs
            .filter(|log| log.is_file())
            .max_by_key(|log| log.metadata().and_then(|file| file.modified()).ok())
            .expect("the API server writes an audit log");
        Self {
            path,
            read: 0,
            entries: Vec::new(),
        }
    }

    /// Forgets what came before now.
    pub fn skip(&mut self) {
        self.read = std::fs::metadata(&self.path).unwrap().len();
        self.entries.clear();
        // In the middle of a line: the rest of it does not parse and is passed over.
    }

    /// Takes in what was written since.
    pub fn read(&mut self) -> &[Entry] {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut lines = BufReader::new(file);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            self.read += line.len() as u64;
            if let Ok(parsed) = serde_json::from_str::<Line>(&line) {
                self.entries.extend(entry(parsed));
            }
            line.clear();
        }
        &self.entries
    }

    /// How many requests so far the filter keeps.
    pub fn count(&mut self, keep: impl Fn(&Entry) -> bool) -> usize {
        self.read().iter().filter(|entry| keep(entry)).count()
    }
}

fn entry(line: Line) -> Option<Entry> {
    let object = line.object_ref?;
    // A watch counts when it begins; everything else when it is answered.
    let counts = if line.verb == "watch" {
        line.stage == "ResponseStarted"
    } else {
        line.stage == "ResponseComplete" || line.stage == "Panic"
    };
    if !counts {
        return None;
    }
    let resource = if object.subresource.is_empty() {
        object.resource
    } else {
        format!("{}/{}", object.resource, object.subresource)
    };
    let credential = line.user.extra.get("authentication.kubernetes.io/credential-id");
    Some(Entry {
        verb: line.verb,
        resource,
        namespace: object.namespace,
        name: object.name,
        credential: credential
            .and_then(|ids| ids.first().cloned())
            .unwrap_or_default(),
        user: line.user.username,
        code: line.response_status.code,
        answered: line.stage_timestamp.as_microsecond(),
    })
}
