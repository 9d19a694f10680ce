//! YAML and JSON texts as trees in which every field knows its line. One walk over the parser's events makes both the
//! value and the lines, so they cannot differ. What is wrong in a document is found as far as it can be read, and the
//! documents after a broken one are read as well.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Value;

use super::scalar;

/// No manifest of ours comes near; aliases of aliases of aliases do.
const MOST_NODES: usize = 200_000;

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

/// What is wrong with the text itself.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub(super) line: usize,
    /// The field, where one is known.
    pub(super) field: String,
    pub(super) message: String,
}

/// One document of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    /// None when it cannot be read.
    pub(super) root: Option<Node>,
    pub(super) flaws: Vec<Flaw>,
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

    fn nodes(&self) -> usize {
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

/// The documents of a text; one of comments alone is none.
pub(super) fn read(text: &str) -> Vec<Document> {
    let mut options = granit_parser::options! {
        emit_unresolved_aliases: true,
        block_scalar_eof_without_line_feed: true,
    };
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((Event::DocumentEnd, _))) => documents.extend(std::mem::take(&mut builder).finish()),
            Some(Ok((event, span))) => {
                if builder.take(event, span).is_some() {
                    continue;
                }
                let message = "is too large once its aliases are replaced by what they name".to_owned();
                documents.extend(std::mem::take(&mut builder).broken(span.start.line(), message));
                if !parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
            Some(Err(error)) => {
                let column = error.marker().col() + 1;
                let line = error.marker().line();
                let message = format!("failed to read as YAML: {} (column {column}){}", error.info(), remedy(text, line));
                documents.extend(std::mem::take(&mut builder).broken(line, message));
                if !parser.proceed_next_document().unwrap_or(false) {
                    break;
                }
            }
        }
    }
    documents
}

/// A list or map that is being read.
enum Open {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// What `<<` brings in.
        merged: Vec<Node>,
        /// The key whose value comes next.
        key: Option<Key>,
    },
}

struct Key {
    line: usize,
    /// None for a key that JSON cannot have; its value is read and dropped.
    text: Option<String>,
    is_merge: bool,
}

struct Frame {
    open: Open,
    line: usize,
    anchor: usize,
    /// Whether it stands where a key should.
    is_key: bool,
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    flaws: Vec<Flaw>,
}

impl Builder {
    /// None when the document has become too large.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                if self.awaits_key() {
                    self.open_key(&text, is_plain, tag.as_deref(), line);
                } else {
                    let value = self.scalar(&text, is_plain, tag.as_deref(), line);
                    let node = Node { line, content: Content::Scalar(value) };
                    self.close(node, anchor);
                }
                self.count(1)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Open::List(Vec::new()), line, anchor);
                self.count(1)
            }
            Event::MappingStart(_, anchor, _) => {
                let open = Open::Map { entries: Vec::new(), merged: Vec::new(), key: None };
                self.open(open, line, anchor);
                self.count(1)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let frame = self.frames.pop()?;
                let content = match frame.open {
                    Open::List(items) => Content::List(items),
                    Open::Map { entries, merged, .. } => Content::Map(self.with_merged(entries, merged)),
                };
                if frame.is_key {
                    self.bad_key(frame.line);
                } else {
                    let node = Node { line: frame.line, content };
                    self.close(node, frame.anchor);
                }
                Some(())
            }
            Event::Alias(id) => {
                let node = if let Some(node) = self.anchors.get(&id) {
                    node.clone()
                } else {
                    self.flaw(line, "an alias stands inside of what it names");
                    null(line)
                };
                self.count(node.nodes())?;
                self.take_alias(node, line);
                Some(())
            }
            Event::UnresolvedAlias(name) => {
                self.flaw(line, &format!("the alias *{name} names no anchor of this document"));
                self.take_alias(null(line), line);
                Some(())
            }
            _ => Some(()),
        }
    }

    fn count(&mut self, more: usize) -> Option<()> {
        self.nodes += more;
        (self.nodes <= MOST_NODES).then_some(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }))
    }

    fn open(&mut self, open: Open, line: usize, anchor: usize) {
        let is_key = self.awaits_key();
        self.frames.push(Frame { open, line, anchor, is_key });
    }

    fn take_alias(&mut self, node: Node, line: usize) {
        if !self.awaits_key() {
            return self.close(node, 0);
        }
        match node.content {
            Content::Scalar(Value::String(text)) => self.set_key(Key { line, text: Some(text), is_merge: false }),
            _ => self.bad_key(line),
        }
    }

    fn open_key(&mut self, text: &str, is_plain: bool, tag: Option<&Tag>, line: usize) {
        let is_text = !is_plain || tag.is_some();
        let name = if is_text { Some(text.to_owned()) } else { scalar::key(text) };
        if name.is_none() {
            return self.bad_key(line);
        }
        let is_merge = !is_text && text == "<<";
        self.set_key(Key { line, text: name, is_merge });
    }

    /// The value that follows is read and dropped.
    fn bad_key(&mut self, line: usize) {
        self.flaw(line, "a key must be a text");
        self.set_key(Key { line, text: None, is_merge: false });
    }

    fn set_key(&mut self, next: Key) {
        if let Some(Frame { open: Open::Map { key, .. }, .. }) = self.frames.last_mut() {
            *key = Some(next);
        }
    }

    /// Puts a whole node where it belongs.
    fn close(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, merged, key }) => match key.take() {
                Some(Key { is_merge: true, .. }) => merged.push(node),
                Some(Key { line, text: Some(key), .. }) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let message = format!("stands twice, first in line {}: keep one", first.line);
                        let field = self.path_of(&key);
                        self.flaws.push(Flaw { line, field, message });
                    } else {
                        entries.push(Entry { key, line, node });
                    }
                }
                // The value of a key that was refused.
                Some(Key { text: None, .. }) | None => {}
            },
        }
    }

    fn with_merged(&mut self, mut entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
        let maps = merged.into_iter().flat_map(|node| match node.content {
            Content::List(items) => items,
            _ => vec![node],
        });
        for map in maps {
            let Content::Map(others) = map.content else {
                self.flaw(map.line, "<< takes a map or a list of maps");
                continue;
            };
            for other in others {
                if !entries.iter().any(|entry| entry.key == other.key) {
                    entries.push(other);
                }
            }
        }
        entries
    }

    /// A scalar with a tag that nobody knows is text; tags of lists and maps are read past.
    fn scalar(&mut self, text: &str, is_plain: bool, tag: Option<&Tag>, line: usize) -> Value {
        let known = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
        let known = known.as_deref();
        match (tag, known) {
            (None, _) if !is_plain => return text.into(),
            (None, _) | (_, Some("int" | "float" | "bool" | "null" | "timestamp")) => {}
            (_, Some("binary")) => return self.binary(text, line),
            _ => return text.into(),
        }
        let Some(value) = scalar::resolve(text) else {
            self.flaw(line, "is no number that JSON has");
            return Value::Null;
        };
        let fits = match known {
            Some("int") => value.is_i64() || value.is_u64(),
            Some("float") => value.is_number(),
            Some("bool") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => true,
        };
        if !fits {
            self.flaw(line, &format!("is no !!{}", known.unwrap_or_default()));
        }
        value
    }

    fn binary(&mut self, text: &str, line: usize) -> Value {
        let text: String = text.split_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(text).unwrap_or_else(|_| {
            self.flaw(line, "is no base64, as its tag says it is");
            Vec::new()
        });
        String::from_utf8_lossy(&bytes).into_owned().into()
    }

    fn flaw(&mut self, line: usize, message: &str) {
        let field = self.path_of("");
        self.flaws.push(Flaw { line, field, message: message.to_owned() });
    }

    /// The path of what is being read, with a last name.
    fn path_of(&self, last: &str) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.open {
                Open::List(items) => path = super::item(&path, items.len()),
                Open::Map { key: Some(Key { text: Some(key), .. }), .. } => path = super::child(&path, key),
                Open::Map { .. } => {}
            }
        }
        if last.is_empty() { path } else { super::child(&path, last) }
    }

    fn finish(self) -> Option<Document> {
        let is_empty = matches!(&self.root, None | Some(Node { content: Content::Scalar(Value::Null), .. }));
        (!is_empty || !self.flaws.is_empty()).then_some(Document { root: self.root, flaws: self.flaws })
    }

    fn broken(mut self, line: usize, message: String) -> Option<Document> {
        // Other flaws of a document that cannot be read may be its consequences.
        self.flaws = vec![Flaw { line, field: String::new(), message }];
        Some(Document { root: None, flaws: self.flaws })
    }
}

fn remedy(text: &str, line: usize) -> &'static str {
    match text.lines().nth(line.saturating_sub(1)) {
        Some(broken) if broken.contains("{{") => ": render the template first, as `helm template` does",
        _ => "",
    }
}

fn null(line: usize) -> Node {
    Node { line, content: Content::Scalar(Value::Null) }
}
