//! A document's tree, made from the parser's events. One walk makes both the values and their lines, so they cannot differ.
//! Anchors, merges, tags and keys mean what they mean to kubectl.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use granit_parser::{Event, ScalarStyle, Span, Tag};
use serde_json::Value;

use super::{
    scalar,
    tree::{Content, Entry, Node},
    yaml::{Document, Flaw},
};

/// No manifest of ours comes near; aliases of aliases of aliases do.
pub(super) const MOST_NODES: usize = 200_000;

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

/// A document as far as it has been read.
#[derive(Default)]
pub(super) struct Builder {
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    flaws: Vec<Flaw>,
}

impl Builder {
    /// None when the document has become too large.
    pub(super) fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                if self.awaits_key() {
                    self.open_key(&text, is_plain, tag.as_deref(), line);
                } else {
                    let value = self.scalar(&text, is_plain, tag.as_deref(), line);
                    let node = Node {
                        line,
                        content: Content::Scalar(value),
                    };
                    self.close(node, anchor);
                }
                self.count(1)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Open::List(Vec::new()), line, anchor);
                self.count(1)
            }
            Event::MappingStart(_, anchor, _) => {
                let open = Open::Map {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
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
                    let node = Node {
                        line: frame.line,
                        content,
                    };
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
                self.flaw(
                    line,
                    &format!("the alias *{name} names no anchor of this document"),
                );
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
        matches!(
            self.frames.last(),
            Some(Frame {
                open: Open::Map { key: None, .. },
                ..
            })
        )
    }

    fn open(&mut self, open: Open, line: usize, anchor: usize) {
        let is_key = self.awaits_key();
        self.frames.push(Frame {
            open,
            line,
            anchor,
            is_key,
        });
    }

    fn take_alias(&mut self, node: Node, line: usize) {
        if !self.awaits_key() {
            return self.close(node, 0);
        }
        match node.content {
            Content::Scalar(Value::String(text)) => self.set_key(Key {
                line,
                text: Some(text),
                is_merge: false,
            }),
            _ => self.bad_key(line),
        }
    }

    fn open_key(&mut self, text: &str, is_plain: bool, tag: Option<&Tag>, line: usize) {
        let is_text = !is_plain || tag.is_some();
        let name = if is_text {
            Some(text.to_owned())
        } else {
            scalar::key(text)
        };
        if name.is_none() {
            return self.bad_key(line);
        }
        let is_merge = !is_text && text == "<<";
        self.set_key(Key {
            line,
            text: name,
            is_merge,
        });
    }

    /// The value that follows is read and dropped.
    fn bad_key(&mut self, line: usize) {
        self.flaw(line, "a key must be a text");
        self.set_key(Key {
            line,
            text: None,
            is_merge: false,
        });
    }

    fn set_key(&mut self, next: Key) {
        if let Some(Frame {
            open: Open::Map { key, .. },
            ..
        }) = self.frames.last_mut()
        {
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
                Some(Key {
                    line,
                    text: Some(key),
                    ..
                }) => {
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
        self.flaws.push(Flaw {
            line,
            field,
            message: message.to_owned(),
        });
    }

    /// The path of what is being read, with a last name.
    fn path_of(&self, last: &str) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.open {
                Open::List(items) => path = super::item(&path, items.len()),
                Open::Map {
                    key: Some(Key { text: Some(key), .. }),
                    ..
                } => path = super::child(&path, key),
                Open::Map { .. } => {}
            }
        }
        if last.is_empty() {
            path
        } else {
            super::child(&path, last)
        }
    }

    /// The whole document; none when there is nothing in it.
    pub(super) fn finish(self) -> Option<Document> {
        let is_empty = matches!(
            &self.root,
            None | Some(Node {
                content: Content::Scalar(Value::Null),
                ..
            })
        );
        (!is_empty || !self.flaws.is_empty()).then_some(Document {
            root: self.root,
            flaws: self.flaws,
        })
    }
}

fn null(line: usize) -> Node {
    Node {
        line,
        content: Content::Scalar(Value::Null),
    }
}
