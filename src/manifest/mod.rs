//! Manifests in files, judged as the API server judges them, with file and line of everything that is wrong. Reads YAML
//! and JSON, single files, folders and standard input, and reports the faults of all documents at once. Nothing here
//! knows a cluster or a NAS: `plan` and `apply` decide what follows from the objects, and show what only the decision can
//! say, such as a day that no month has.

mod builder;
mod data;
mod documents;
mod files;
mod kinds;
mod metadata;
mod nearest;
mod scalar;
mod schema;
mod tree;
mod yaml;

#[cfg(test)]
mod tests;

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde::Serialize;
use serde_json::Value;

use crate::api::{BackupServer, BackupTask};

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// A line of a file; line 0 is the file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The path as it was given or found; `-` is standard input.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.file == STANDARD_INPUT {
            "<stdin>"
        } else {
            &self.file
        };
        match self.line {
            0 => f.write_str(file),
            line => write!(f, "{file}:{line}"),
        }
    }
}

/// Something wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The field's line, else its nearest parent's.
    pub place: Place,
    /// Kind and name, such as `BackupTask "laptop"`; empty when there is no object.
    pub object: String,
    /// Path of the field, such as `spec.triggers.schedule`; empty when it is about the whole.
    pub field: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}: ", self.place);
        for part in [&self.object, &self.field] {
            if !part.is_empty() {
                line.extend([part, ": "]);
            }
        }
        line.push_str(&self.message);
        // Names of files and fields are anybody's: one line stays one, and no terminal is told anything.
        line.chars().try_for_each(|letter| match letter {
            letter if letter.is_control() => write!(f, "{}", letter.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

/// An object with the place it was read from.
#[derive(Clone)]
pub struct Located<K> {
    /// As the API server would keep it: defaults filled in, no status.
    pub object: K,
    /// Where its document begins.
    pub place: Place,
    label: String,
    tree: Arc<tree::Node>,
    value: Arc<Value>,
}

/// Never what the object holds: it may be a Secret.
impl<K> fmt::Debug for Located<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.label, self.place)
    }
}

impl<K> Located<K> {
    /// The place of a field such as `spec.triggers.schedule`; of its nearest parent when the manifest does not have it.
    #[must_use]
    pub fn at(&self, field: &str) -> Place {
        Place {
            file: self.place.file.clone(),
            line: self.tree.line_of(field),
        }
    }

    /// A fault at a field of this object.
    #[must_use]
    pub fn fault(&self, field: &str, message: impl Into<String>) -> Fault {
        Fault {
            place: self.at(field),
            object: self.label.clone(),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    /// Kind and name, such as `BackupTask "laptop"`.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The object as JSON, each value as it was written.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.value
    }
}

/// What the files declare.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The NASes.
    pub servers: Vec<Located<BackupServer>>,
    /// The tasks.
    pub tasks: Vec<Located<BackupTask>>,
    /// The Secrets; what `stringData` says stands in `data`.
    pub secrets: Vec<Located<Secret>>,
    /// Each ConfigMap.
    pub config_maps: Vec<Located<ConfigMap>>,
    /// How many documents are of kinds that are not read here.
    pub others: usize,
}

/// Reads files, folders (all below them) and standard input (`-`).
///
/// # Errors
/// Everything that is wrong with any of them, ordered by place.
pub fn load(paths: &[PathBuf], default_namespace: &str) -> Result<Manifests, Vec<Fault>> {
    let (texts, mut faults) = files::texts(paths);
    let mut reading = documents::Reading::new(default_namespace);
    for text in &texts {
        reading.take(text);
    }
    faults.append(&mut reading.faults);
    if faults.is_empty() {
        return Ok(reading.manifests);
    }
    faults.sort();
    Err(faults)
}

/// What a change from one object to another may not do, such as naming another server. What is wrong with the new object
/// by itself is not repeated.
#[must_use]
pub fn changes<K: Serialize>(before: &K, after: &Located<K>) -> Vec<Fault> {
    let Some(kind) = kinds::of(after.document()) else {
        return Vec::new();
    };
    let text = serde_json::to_string(before).unwrap_or_default();
    let mut before: Value = serde_json::from_str(&text).unwrap_or_default();
    let findings = kind.judge_change(&mut before, after.document());
    findings
        .into_iter()
        .map(|finding| after.fault(&finding.path, finding.message))
        .collect()
}

/// The path of a field, a key with other signs in brackets.
fn child(path: &str, name: &str) -> String {
    if name.is_empty() || name.contains(['.', '/', '[', ' ']) {
        format!("{path}[{name}]")
    } else if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The path of an item of a list.
fn item(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}
