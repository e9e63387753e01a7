//! Manifests: YAML and JSON files, folders and standard input, with the line of every field.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A value and the line on which it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub line: u64,
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    /// Keys with their lines.
    Map(Vec<(String, u64, Node)>),
}

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A way to a field, as people write it: `spec.buckets[0].name`.
pub(super) fn written(path: &[Step]) -> String {
    let words = path.iter().enumerate().map(|(n, step)| match step {
        Step::Key(key) if n == 0 => key.clone(),
        Step::Key(key) => format!(".{key}"),
        Step::Index(index) => format!("[{index}]"),
    });
    words.collect()
}

impl Node {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(name, ..)| name == key).map(|(.., node)| node),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.content {
            Content::Scalar(value) => value.as_str(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The line of a field, or of the nearest one above it that is there.
    pub fn line_of(&self, path: &[Step]) -> u64 {
        let Some((first, rest)) = path.split_first() else {
            return self.line;
        };
        match (&self.content, first) {
            (Content::Map(entries), Step::Key(key)) => {
                let found = entries.iter().find(|(name, ..)| name == key);
                found.map_or(self.line, |(_, line, node)| {
                    if rest.is_empty() {
                        *line
                    } else {
                        (*line).max(node.line_of(rest))
                    }
                })
            }
            (Content::List(items), Step::Index(index)) => {
                items.get(*index).map_or(self.line, |item| item.line_of(rest))
            }
            _ => self.line,
        }
    }

    /// The way to a scalar or key whose text occurs in a message, in quotes or at length.
    pub fn way_to_quoted(&self, message: &str) -> Option<Vec<Step>> {
        // What is long is no word of the message by chance.
        let quoted = |text: &str| {
            !text.is_empty() && (message.contains(&format!("{text:?}")) || text.len() > 12 && message.contains(text))
        };
        let below = |step: Step, node: &Node| {
            let way = node.way_to_quoted(message)?;
            Some([vec![step], way].concat())
        };
        match &self.content {
            Content::Scalar(value) => value.as_str().is_some_and(quoted).then(Vec::new),
            Content::List(items) => items
                .iter()
                .enumerate()
                .find_map(|(index, item)| below(Step::Index(index), item)),
            Content::Map(entries) => entries.iter().find_map(|(key, _, node)| {
                let step = Step::Key(key.clone());
                if quoted(key) {
                    Some(vec![step])
                } else {
                    below(step, node)
                }
            }),
        }
    }

    /// The value as JSON, without nulls, which the API server drops where a field may not be null.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::value).collect(),
            Content::Map(entries) => {
                let entries = entries.iter().map(|(key, _, node)| (key.clone(), node.value()));
                Value::Object(entries.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
                Ok(Content::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
                Ok(Content::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
                Ok(Content::Scalar(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
                Ok(Content::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Content, E> {
                Ok(Content::Scalar(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Content, E> {
                Ok(Content::Scalar(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Content::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
                let mut all = Vec::new();
                while let Some((key, node)) = entries.next_entry::<Spanned<String>, Node>()? {
                    all.push((key.value, key.referenced.line(), node));
                }
                Ok(Content::Map(all))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A Kubernetes object in a file.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// The file; `-` is standard input.
    pub file: String,
    pub node: Node,
}

/// Reads files, folders (with what lies below them) and, for `-`, standard input. Beside the objects: what could not be read, one line
/// each.
pub(super) fn read(paths: &[PathBuf]) -> (Vec<Manifest>, Vec<String>) {
    let (mut manifests, mut problems) = (Vec::new(), Vec::new());
    let mut files = Vec::new();
    for path in paths {
        if let Err(why) = list(path, true, &mut files) {
            problems.push(why);
        }
    }
    for file in files {
        let name = file.display().to_string();
        let text = if name == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            fs::read_to_string(&file)
        };
        match text
            .map_err(|why| format!("{name}: can't be read: {why}"))
            .and_then(|text| parse(&name, &text))
        {
            Ok(found) => manifests.extend(found),
            Err(why) => problems.push(why),
        }
    }
    (manifests, problems)
}

/// The files below a path. A file that is named is taken whatever it is called; in folders, those of YAML and JSON.
fn list(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        let known = ["yaml", "yml", "json"]
            .iter()
            .any(|known| path.extension().is_some_and(|found| found == *known));
        if named || known {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    let refuse = |why: std::io::Error| format!("{}: can't be read: {why}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(refuse)? {
        entries.push(entry.map_err(refuse)?.path());
    }
    entries.sort();
    entries.iter().try_for_each(|entry| list(entry, false, files))
}

/// The objects of a text; those of a `List` are taken one by one.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Manifest>, String> {
    let documents: Vec<Node> = serde_saphyr::from_multiple(text).map_err(|why| {
        let line = why.location().map_or(1, |location| location.line());
        let words = why.without_snippet().to_string();
        format!(
            "{file}:{line}: is no YAML: {}",
            words.lines().next().unwrap_or_default()
        )
    })?;
    let mut nodes = Vec::new();
    for document in documents {
        match (document.text("kind"), document.get("items")) {
            (
                Some(kind),
                Some(Node {
                    content: Content::List(items),
                    ..
                }),
            ) if kind.ends_with("List") => nodes.extend(items.clone()),
            _ => nodes.push(document),
        }
    }
    Ok(nodes
        .into_iter()
        .map(|node| Manifest {
            file: file.to_owned(),
            node,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_line() {
        let text = "# a\na: 1\nb:\n  - c: x\n  - d:\n      e: w\n---\nf: {g: z}\n";
        let found = parse("x", text).unwrap();
        let line = |n: usize, path: &[Step]| found[n].node.line_of(path);
        let key = |key: &str| Step::Key(key.to_owned());
        assert_eq!(line(0, &[key("a")]), 2);
        assert_eq!(line(0, &[key("b"), Step::Index(0), key("c")]), 4);
        assert_eq!(line(0, &[key("b"), Step::Index(1), key("d"), key("e")]), 6);
        assert_eq!(
            line(0, &[key("b"), Step::Index(1), key("d"), key("missing")]),
            6,
            "the nearest that is there"
        );
        assert_eq!(line(1, &[key("f"), key("g")]), 8);
        assert_eq!(written(&[key("b"), Step::Index(1), key("d")]), "b[1].d");
        assert_eq!(
            found[0].node.value(),
            serde_json::json!({"a": 1, "b": [{"c": "x"}, {"d": {"e": "w"}}]})
        );
    }

    #[test]
    fn lists_are_taken_apart_and_what_is_no_yaml_has_its_line() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- {kind: A}\n- {kind: B}\n";
        assert_eq!(parse("x", list).unwrap().len(), 2);
        assert_eq!(parse("x", "---\n---\n").unwrap().len(), 0);
        let why = parse("x.yaml", "a: b\nc: [\n").unwrap_err();
        assert!(why.starts_with("x.yaml:"), "{why}");
        assert!(parse("x", "a: 1\na: 2\n").unwrap_err().starts_with("x:2:"));
    }
}
