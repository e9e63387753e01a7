//! Values of manifests, with the line of every field.

use serde_json::{Map, Value};

use crate::role::{FieldPath, Segment};

/// A value and the line on which it begins.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Node {
    pub line: u64,
    pub(super) content: Content,
    /// What readers of the value may differ about.
    pub(super) doubt: Option<Doubt>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    /// Line of the key.
    pub line: u64,
    pub value: Node,
}

/// What readers of a value may differ about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub message: String,
    /// Nothing can be said about what others read.
    pub refused: bool,
}

impl Doubt {
    /// One that makes the manifest a problem.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            refused: true,
        }
    }

    /// One that is only said.
    pub(super) fn noted(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            refused: false,
        }
    }
}

impl Node {
    pub(super) fn new(line: u64, content: Content, doubt: Option<Doubt>) -> Self {
        Self { line, content, doubt }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.content {
            Content::Scalar(value) => value.as_str(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The line of a field, or of the nearest one above it that is there.
    pub(crate) fn line_of(&self, path: &FieldPath) -> u64 {
        self.line_below(path.segments())
    }

    fn line_below(&self, path: &[Segment]) -> u64 {
        let Some((first, rest)) = path.split_first() else {
            return self.line;
        };
        match (&self.content, first) {
            (Content::Map(entries), Segment::Key(key)) => {
                let found = entries.iter().find(|entry| entry.key == *key);
                found.map_or(self.line, |entry| match rest {
                    [] => entry.line,
                    _ => entry.line.max(entry.value.line_below(rest)),
                })
            }
            (Content::List(items), Segment::Index(index)) => {
                items.get(*index).map_or(self.line, |item| item.line_below(rest))
            }
            _ => self.line,
        }
    }

    /// How many values there are in this one, itself included.
    pub(crate) fn values(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Node::values).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.values()).sum(),
        }
    }

    /// All doubts, each with the way to its field.
    pub(super) fn doubts(&self) -> Vec<(FieldPath, &Doubt)> {
        let mut found = Vec::new();
        self.add_doubts(&FieldPath::default(), &mut found);
        found
    }

    fn add_doubts<'a>(&'a self, at: &FieldPath, found: &mut Vec<(FieldPath, &'a Doubt)>) {
        found.extend(self.doubt.iter().map(|doubt| (at.clone(), doubt)));
        match &self.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.add_doubts(&at.item(index), found);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    entry.value.add_doubts(&at.key(&entry.key), found);
                }
            }
        }
    }

    /// The value as JSON.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::value).collect(),
            Content::Map(entries) => {
                let entries = entries.iter().map(|entry| (entry.key.clone(), entry.value.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}
