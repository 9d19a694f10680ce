//! From documents to objects: which kind a document is, what a list holds, which objects are declared twice. Documents of
//! other kinds are counted and left alone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Fault, Located, Manifests, Place, data,
    files::Text,
    item,
    kinds::{Kind, kinds},
    nearest::nearest,
    tree::{Content, Entry, Node},
    yaml::{self, Document},
};
use crate::api::GROUP;

/// Collects objects and faults over all files.
pub(super) struct Reading<'a> {
    kinds: &'static [Kind],
    default_namespace: &'a str,
    seen: HashMap<(String, String, String), Place>,
    pub(super) manifests: Manifests,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(default_namespace: &'a str) -> Self {
        Self {
            kinds: kinds(),
            default_namespace,
            seen: HashMap::new(),
            manifests: Manifests::default(),
            faults: Vec::new(),
        }
    }

    /// Takes a text's documents.
    pub(super) fn take(&mut self, text: &Text) {
        for document in yaml::read(&text.content) {
            let Document { root, flaws } = document;
            let object = root.as_ref().map(label).unwrap_or_default();
            for flaw in flaws {
                let place = Place {
                    file: text.file.clone(),
                    line: flaw.line,
                };
                let (object, field) = (object.clone(), flaw.field);
                self.faults.push(Fault {
                    place,
                    object,
                    field,
                    message: flaw.message,
                });
            }
            if let Some(root) = root {
                self.document(text, root);
            }
        }
    }

    fn document(&mut self, text: &Text, root: Node) {
        let (version, kind) = (
            root.text("apiVersion").unwrap_or(""),
            root.text("kind").unwrap_or(""),
        );
        match root.field("items").map(|items| &items.content) {
            Some(Content::List(items)) if is_list(version, kind) => {
                let item_kind = kind.strip_suffix("List").unwrap_or_default();
                for (number, item_node) in items.iter().enumerate() {
                    self.item(text, number, item_node, (version, item_kind));
                }
            }
            _ => self.object(text, root),
        }
    }

    /// What a list of one kind holds need not say its kind again.
    fn item(&mut self, text: &Text, number: usize, node: &Node, (version, kind): (&str, &str)) {
        let mut node = node.clone();
        let says_kind = node.field("kind").is_some() || node.field("apiVersion").is_some();
        match &mut node.content {
            Content::Map(entries) => {
                if !says_kind && !kind.is_empty() {
                    for (key, value) in [("kind", kind), ("apiVersion", version)] {
                        let value = Node {
                            line: node.line,
                            content: Content::Scalar(value.into()),
                        };
                        entries.push(Entry {
                            key: key.to_owned(),
                            line: node.line,
                            node: value,
                        });
                    }
                }
                self.document(text, node);
            }
            _ => self.fault(
                text,
                &node,
                "",
                &item("items", number),
                "must be an object".to_owned(),
            ),
        }
    }

    fn fault(&mut self, text: &Text, node: &Node, field: &str, shown: &str, message: String) {
        let place = Place {
            file: text.file.clone(),
            line: node.line_of(field),
        };
        let object = label(node);
        self.faults.push(Fault {
            place,
            object,
            field: shown.to_owned(),
            message,
        });
    }

    fn object(&mut self, text: &Text, node: Node) {
        let version = node.text("apiVersion").unwrap_or("").to_owned();
        let name = node.text("kind").unwrap_or("").to_owned();
        let (group, _) = version.split_once('/').unwrap_or(("", &version));
        if version.is_empty() || name.is_empty() {
            let is_half_ours = group == GROUP || self.ours().any(|kind| kind.name == name);
            if text.is_named || is_half_ours {
                let field = if version.is_empty() { "apiVersion" } else { "kind" };
                let message = format!("required value is missing: what is read here is {}", self.known());
                self.fault(text, &node, field, field, message);
            }
            return;
        }
        if let Some(kind) = self
            .kinds
            .iter()
            .find(|kind| kind.api_version == version && kind.name == name)
        {
            let located = judged(kind, text, node, self.default_namespace);
            self.keep(&version, &name, located);
        } else if group == GROUP {
            let (field, message) = self.unknown_kind(&version, &name);
            self.fault(text, &node, field, field, message);
        } else if self.ours().any(|kind| kind.name == name) && nearest(group, [GROUP]).is_some() {
            let message = format!("unknown group {group:?}: did you mean {GROUP}?");
            self.fault(text, &node, "apiVersion", "apiVersion", message);
        } else {
            self.manifests.others += 1;
        }
    }

    fn ours(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(|kind| kind.is_ours())
    }

    /// What exists in our group.
    fn known(&self) -> String {
        let names: Vec<&str> = self.ours().map(|kind| kind.name.as_str()).collect();
        let mut versions: Vec<&str> = self.ours().map(|kind| kind.api_version.as_str()).collect();
        versions.dedup();
        format!("{} of {}", names.join(" and "), versions.join(" and "))
    }

    fn unknown_kind(&self, version: &str, name: &str) -> (&'static str, String) {
        if self.ours().any(|kind| kind.api_version == version) {
            let meant = nearest(name, self.ours().map(|kind| kind.name.as_str()));
            let remedy = match meant {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("there is {}", self.known()),
            };
            return ("kind", format!("unknown kind {name:?}: {remedy}"));
        }
        (
            "apiVersion",
            format!("unknown version {version:?}: there is {}", self.known()),
        )
    }

    /// Keeps what is right and new.
    fn keep(&mut self, version: &str, name: &str, (located, faults): (Located<Value>, Vec<Fault>)) {
        let metadata = &located.object["metadata"];
        let part = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let identity = (name.to_owned(), part("namespace"), part("name"));
        if !identity.2.is_empty() {
            if let Some(first) = self.seen.get(&identity) {
                let message = format!(
                    "is declared twice in the namespace {:?}, first at {first}: keep one",
                    identity.1
                );
                self.faults.push(located.fault("metadata.name", message));
            } else {
                self.seen.insert(identity, located.place.clone());
            }
        }
        if !faults.is_empty() {
            return self.faults.extend(faults);
        }
        let Manifests {
            servers,
            tasks,
            secrets,
            config_maps,
            others: _,
        } = &mut self.manifests;
        let kept = match (version, name) {
            ("v1", "Secret") => put(located, secrets),
            ("v1", "ConfigMap") => put(located, config_maps),
            (_, "BackupServer") => put(located, servers),
            _ => put(located, tasks),
        };
        self.faults.extend(kept.err());
    }
}

fn is_list(version: &str, kind: &str) -> bool {
    kind.ends_with("List") && (version == "v1" || version.starts_with(GROUP))
}

/// `BackupTask "laptop"`, as far as it is known.
fn label(node: &Node) -> String {
    let kind = node.text("kind").unwrap_or("");
    match node.field("metadata").and_then(|metadata| metadata.text("name")) {
        Some(name) if !kind.is_empty() && !name.is_empty() => format!("{kind} {name:?}"),
        _ => kind.to_owned(),
    }
}

fn judged(kind: &Kind, text: &Text, node: Node, default_namespace: &str) -> (Located<Value>, Vec<Fault>) {
    let mut object = node.value();
    let mut findings = kind.judge(&mut object, default_namespace);
    match kind.name.as_str() {
        "Secret" => data::judge_secret(&mut object, &mut findings),
        "ConfigMap" => data::judge_config_map(&mut object, &mut findings),
        _ => {}
    }
    let place = Place {
        file: text.file.clone(),
        line: node.line,
    };
    let label = label(&node);
    let value = Arc::new(object.clone());
    let located = Located {
        object,
        place,
        label,
        tree: Arc::new(node),
        value,
    };
    let mut faults: Vec<Fault> = findings
        .into_iter()
        .map(|finding| located.fault(&finding.path, finding.message))
        .collect();
    let mut said = HashSet::new();
    faults.retain(|fault| said.insert((fault.field.clone(), fault.message.clone())));
    (located, faults)
}

/// Reads a judged object as its type.
fn put<K: DeserializeOwned>(located: Located<Value>, kept: &mut Vec<Located<K>>) -> Result<(), Fault> {
    // From the text, not from the value: the program reads these types from JSON text anyway.
    match serde_json::from_str(&located.object.to_string()) {
        Ok(object) => {
            let Located {
                place,
                label,
                tree,
                value,
                object: _,
            } = located;
            kept.push(Located {
                object,
                place,
                label,
                tree,
                value,
            });
            Ok(())
        }
        // Without the reader's words: they may quote a value of a Secret.
        Err(_) => Err(located.fault("", "is accepted by the API server, but cannot be read")),
    }
}
