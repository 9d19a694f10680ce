//! Documents as trees in which every field knows its line. Lists and maps keep the order of the text, so that the first
//! of two faults is named first.

use serde_json::Value;

/// A value with its line.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) content: Content,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A text, number, switch or null.
    Scalar(Value),
    /// Items.
    List(Vec<Node>),
    /// Fields, each key once.
    Map(Vec<Entry>),
}

/// A field of a map.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Line of the key.
    pub(super) line: usize,
    pub(super) node: Node,
}

impl Node {
    /// The field of a map.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The text in a field of a map.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.field(key)?.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The line of a field such as `spec.list[0].name` or `data[ca.crt]`, else of its nearest parent.
    pub(super) fn line_of(&self, path: &str) -> usize {
        let mut line = self.line;
        let mut node = self;
        for step in steps(path) {
            (line, node) = if let Some(entry) = node.entry(step) {
                (entry.line, &entry.node)
            } else if let Some(item) = node.item(step) {
                (item.line, item)
            } else {
                break;
            };
        }
        line
    }

    fn item(&self, step: &str) -> Option<&Node> {
        match &self.content {
            Content::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The same without lines.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::value).collect(),
            Content::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.value()))
                .collect(),
        }
    }

    /// How many values there are.
    pub(super) fn nodes(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Node::nodes).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.node.nodes()).sum(),
        }
    }
}

/// The names in a path; a key in brackets may contain dots.
fn steps(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        if !step.is_empty() {
            found.push(step);
        }
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    found
}
