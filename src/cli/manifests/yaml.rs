//! YAML as kubectl reads it, with the line of every field.
//!
//! What counts is what `kubectl apply` would send: kubectl cuts a file at lines that begin with `---` (k8s.io/apimachinery, `YAMLReader`)
//! and reads each part by YAML 1.1 (sigs.k8s.io/yaml), where `yes` is true and `010` is eight. Tools that read YAML 1.2 take such words
//! for something else; where the two differ, the value bears a [`Doubt`].

use std::{borrow::Cow, collections::BTreeMap};

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    node::{Content, Doubt, Entry, Node},
    scalar::{scalar, strange},
};
use crate::role::policy::buckets::ascii;

/// Most values in one document, those that aliases repeat included: a few lines of aliases can stand for more than a machine holds.
const MOST_VALUES: usize = 200_000;

/// Deepest nesting of values: each level is a call of a function, and no object of ours has ten.
const DEEPEST: usize = 100;

/// Why a text can't be read, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub line: u64,
    pub why: String,
}

fn unreadable(line: u64, why: impl Into<String>) -> Unreadable {
    Unreadable { line, why: why.into() }
}

/// The documents of a text, without empty ones; each by itself, so that one that can't be read hides no other.
pub(super) fn documents(text: &str) -> Vec<Result<Node, Unreadable>> {
    let read = |part: Result<Part, Unreadable>| part.and_then(|part| document(&part)).transpose();
    parts(text).into_iter().filter_map(read).collect()
}

/// A part of a file that is one document, and the number of its first line.
struct Part {
    first: u64,
    text: String,
}

/// Cuts a text at lines that begin with `---`, as kubectl does: whatever such a line belongs to.
fn parts(text: &str) -> Vec<Result<Part, Unreadable>> {
    let mut parts = Vec::new();
    let new = |first| Part {
        first,
        text: String::new(),
    };
    let mut part = new(1);
    for (line, number) in text.split_terminator('\n').zip(1..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(after) = line.strip_prefix("---") {
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                let why = "kubectl takes nothing but a comment after ---: write it on the next line";
                parts.push(Err(unreadable(number, why)));
            }
            parts.push(Ok(std::mem::replace(&mut part, new(number + 1))));
            continue;
        }
        part.text.push_str(line);
        part.text.push('\n');
    }
    parts.push(Ok(part));
    parts
}

/// The one document of a part; none if it is empty.
fn document(part: &Part) -> Result<Option<Node>, Unreadable> {
    let text = part.text.strip_prefix('\u{feff}').unwrap_or(&part.text);
    let json = text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    let text: Cow<'_, str> = if json {
        // Characters that YAML forbids, JSON has in strings only, where an escape means the same.
        ascii(text).into()
    } else {
        odd_character(part.first, text)?;
        text.into()
    };
    let mut reading = Reading {
        events: Parser::new_from_str_with_options(&text, granit_parser::options! { emit_comments: false }),
        before: part.first - 1,
        anchors: BTreeMap::new(),
        values: 0,
        depth: 0,
    };
    let mut found = None;
    loop {
        let (event, line) = reading.next()?;
        match event {
            Event::StreamEnd => return Ok(found.filter(|node: &Node| node.content != Content::Scalar(Value::Null))),
            Event::DocumentStart(..) if found.is_some() => {
                let why = "kubectl reads no further than ...: begin another document with ---";
                return Err(unreadable(line, why));
            }
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => found = Some(reading.node(event, line)?),
        }
    }
}

/// Characters at which kubectl and other readers part: some end a line by YAML 1.1 alone, and control characters are refused.
fn odd_character(first: u64, text: &str) -> Result<(), Unreadable> {
    let odd = |c: &char| match *c {
        '\t' | '\n' | '\r' => false,
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        c => c.is_control(),
    };
    for (line, number) in text.split('\n').zip(first..) {
        if let Some(c) = line.chars().find(odd) {
            let code = u32::from(c);
            let why = format!(
                "has the character U+{code:04X}, which kubectl refuses or takes for the end of a line: write \\u{code:04x} in double quotes"
            );
            return Err(unreadable(number, why));
        }
    }
    Ok(())
}

/// The reading of one document.
struct Reading<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    /// Lines of the file before the document.
    before: u64,
    anchors: BTreeMap<usize, Node>,
    values: usize,
    depth: usize,
}

impl<'a> Reading<'a> {
    fn next(&mut self) -> Result<(Event<'a>, u64), Unreadable> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, self.line(&span))),
            Some(Err(why)) => {
                let line = u64::try_from(why.marker().line()).unwrap_or(1);
                Err(unreadable(self.before + line.max(1), why.info()))
            }
            None => Ok((Event::StreamEnd, self.before + 1)),
        }
    }

    fn line(&self, span: &Span) -> u64 {
        self.before + u64::try_from(span.start.line()).unwrap_or(1)
    }

    fn node(&mut self, event: Event<'a>, line: u64) -> Result<Node, Unreadable> {
        self.values += 1;
        self.depth += 1;
        if self.values > MOST_VALUES || self.depth > DEEPEST {
            let why = format!("has more than {MOST_VALUES} values or {DEEPEST} levels");
            return Err(unreadable(line, why));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => (0, self.alias(anchor, line)?),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                let (value, doubt) = scalar(&text, style, tag).map_err(|why| unreadable(line, why))?;
                (anchor, Node::new(line, Content::Scalar(value), doubt))
            }
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, line) => items.push(self.node(event, line)?),
                    }
                }
                (
                    anchor,
                    Node::new(line, Content::List(items), strange(tag.as_deref(), "seq")),
                )
            }
            Event::MappingStart(_, anchor, tag) => {
                let entries = self.entries()?;
                (
                    anchor,
                    Node::new(line, Content::Map(entries), strange(tag.as_deref(), "map")),
                )
            }
            _ => return Err(unreadable(line, "a value is missing")),
        };
        self.depth -= 1;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, line: u64) -> Result<Node, Unreadable> {
        let known = self.anchors.get(&anchor);
        let known = known.ok_or_else(|| unreadable(line, "an alias stands within what it names"))?;
        self.values += known.values();
        if self.values > MOST_VALUES {
            return Err(unreadable(
                line,
                format!("has aliases for more than {MOST_VALUES} values"),
            ));
        }
        Ok(Node { line, ..known.clone() })
    }

    fn entries(&mut self) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = Entries::default();
        loop {
            let (event, line) = self.next()?;
            let (text, style, anchor, tag) = match event {
                Event::MappingEnd => return Ok(entries.all),
                Event::Scalar(text, style, anchor, tag) => (text, style, anchor, tag),
                Event::Alias(_) => return Err(unreadable(line, "a key is an alias: write it out")),
                _ => return Err(unreadable(line, "a key is a list or a map")),
            };
            let (event, value_line) = self.next()?;
            let mut value = self.node(event, value_line)?;
            if text == "<<" && style == ScalarStyle::Plain && tag.is_none() {
                entries.merge(&value, line)?;
                continue;
            }
            let (key, doubt) = key(&text, style, tag.as_deref()).map_err(|why| unreadable(line, why))?;
            value.doubt = value.doubt.or(doubt);
            if anchor != 0 {
                let name = Content::Scalar(Value::String(key.clone()));
                self.anchors.insert(anchor, Node::new(line, name, None));
            }
            entries.add(Entry { key, line, value })?;
        }
    }
}

/// The entries of a map while it is read.
#[derive(Default)]
struct Entries {
    all: Vec<Entry>,
    /// Where each key is in `all`, and whether it came by `<<`.
    positions: BTreeMap<String, (usize, bool)>,
}

impl Entries {
    fn add(&mut self, entry: Entry) -> Result<(), Unreadable> {
        match self.positions.get_mut(&entry.key) {
            Some((position, merged)) if *merged => {
                *merged = false;
                self.all[*position] = entry;
            }
            Some((position, _)) => {
                let first = self.all[*position].line;
                let why = format!("{:?} is there twice, first on line {first}", entry.key);
                return Err(unreadable(entry.line, why));
            }
            None => {
                self.positions.insert(entry.key.clone(), (self.all.len(), false));
                self.all.push(entry);
            }
        }
        Ok(())
    }

    /// `<<`: kubectl lets what comes later win, so merged entries replace those written before; by YAML's rule they would not.
    fn merge(&mut self, value: &Node, line: u64) -> Result<(), Unreadable> {
        let sources: Vec<&Node> = match &value.content {
            Content::List(many) => many.iter().rev().collect(),
            _ => vec![value],
        };
        for source in sources {
            let Content::Map(from) = &source.content else {
                return Err(unreadable(line, "<< takes a map, or a list of maps"));
            };
            for entry in from {
                let mut entry = Entry { line, ..entry.clone() };
                match self.positions.get(&entry.key) {
                    None => {
                        self.positions.insert(entry.key.clone(), (self.all.len(), true));
                        self.all.push(entry);
                    }
                    Some((position, merged)) => {
                        if !merged {
                            let message = "is before a << that has it too: kubectl takes the later one, others this one; put << first";
                            entry.value.doubt = Some(Doubt::refused(message));
                            entry.line = self.all[*position].line;
                        }
                        self.all[*position] = entry;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A key as text.
fn key(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<(String, Option<Doubt>), String> {
    let (value, doubt) = scalar(text, style, tag)?;
    match value {
        Value::String(key) => Ok((key, doubt)),
        Value::Bool(key) => Ok((key.to_string(), doubt)),
        Value::Number(key) if key.is_i64() || key.is_u64() => Ok((key.to_string(), doubt)),
        _ => Err(format!("the key {text:?} is no text: put it in quotes")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
    };
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Node, Unreadable> {
        let mut all = documents(text);
        assert_eq!(all.len(), 1, "{text:?}");
        all.remove(0)
    }

    /// The table that `tests/cluster/validation.rs` holds against kubectl itself.
    #[test]
    fn plain_words_and_tags_are_read_as_kubectl_does() {
        let table: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/spellings.json")).unwrap();
        let mut wrong = Vec::new();
        for row in &table {
            let text = format!("x: {}\n", row["yaml"].as_str().unwrap());
            let found = documents(&text).into_iter().next().unwrap();
            let right = match (&found, row.get("read")) {
                (Ok(node), Some(read)) => {
                    let wanted = json!({"x": read});
                    let doubtful = node.doubts().iter().any(|(_, doubt)| !doubt.refused);
                    node.value() == wanted && doubtful == row.get("differs").is_some()
                }
                (Err(_), None) => true,
                _ => false,
            };
            if !right {
                wrong.push(format!("{text:?} {found:?}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{} of {}", wrong.len(), table.len());
    }

    #[test]
    fn what_readers_part_over_is_refused() {
        for text in ["x: a\u{85}b\n", "# a\u{2028}x: 1\n", "x: \"\u{2029}\"\n", "x: \u{7}\n"] {
            let why = read(text).unwrap_err();
            assert!(
                why.why.contains("which kubectl refuses or takes for the end of a line"),
                "{text:?} {why:?}"
            );
        }
        let json = read("{\"x\": \"a\u{2028}\u{7f}𝄞b\"}").unwrap();
        assert_eq!(json.value(), json!({"x": "a\u{2028}\u{7f}𝄞b"}), "JSON has no such rule");
        for text in [
            "x: !mine a\n",
            "x: !!binary YQ==\n",
            "x: !!set {a}\n",
            "b: &b {a: 1}\nx: {a: 2, <<: *b}\n",
        ] {
            let node = read(text).unwrap();
            assert!(node.doubts().iter().any(|(_, doubt)| doubt.refused), "{text}");
        }
        assert_eq!(documents("a: 1\n...\n---\nb: 1\n").len(), 2);
        let why = read("a: 1\n...\nb: 2\n").unwrap_err();
        assert!(why.line >= 2, "{why:?}");
    }

    #[test]
    fn files_are_cut_where_kubectl_cuts_them() {
        let values =
            |text: &str| -> Vec<Value> { documents(text).into_iter().map(|node| node.unwrap().value()).collect() };
        assert_eq!(
            values("\u{feff}---\r\na: 1\r\n--- # b\r\nb: 2\r\n---\r\n"),
            [json!({"a": 1}), json!({"b": 2})]
        );
        assert_eq!(
            values("{\"a\": 1}\n---\n{\"b\": [\t1]}"),
            [json!({"a": 1}), json!({"b": [1]})]
        );
        assert_eq!(values("# nothing\n---\n---\n"), Vec::<Value>::new());
        let cut = documents("a: 1\n--- {b: 2}\nc: 3\n");
        assert!(
            cut.iter().any(|part| matches!(part, Err(Unreadable { line: 2, .. }))),
            "{cut:?}"
        );
        assert!(
            documents("%YAML 1.1\n---\na: 1\n")[0].is_err(),
            "kubectl takes no directives"
        );
    }

    /// What a test makes up.
    fn any_value() -> impl Strategy<Value = Value> {
        let text = "[a-zA-Z0-9 :#'\"\\\\{}\\[\\],&*!|>%@`~<=.+_\u{7f}\u{85}\u{a0}\u{2028}\u{feff}\u{10ffff}セ𝄞-]{0,6}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(text, inner, 0..4).prop_map(|map| json!(map))
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_read_as_it_is_meant(value in any_value()) {
            let object = json!({"x": value});
            for text in [object.to_string(), serde_json::to_string_pretty(&object).unwrap()] {
                prop_assert_eq!(&read(&text).unwrap().value(), &object);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[ \n\r\t:#'\"{}\\[\\],&*!|>%@`~<=.a0_\u{feff}\u{85}-]{0,60}") {
            documents(&text);
        }
    }

    #[test]
    fn a_few_lines_of_aliases_and_deep_nests_are_no_more_work_than_others() {
        let mut lines = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()];
        for n in 1..20 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            lines.push(format!("a{n}: &a{n} [{aliases}]\n"));
        }
        let text = lines.concat();
        assert!(read(&text).unwrap_err().why.contains("values"));
        assert!(read(&"[".repeat(5000)).is_err());
        assert!(
            read(&format!("x: {}{}\n", "[".repeat(150), "]".repeat(150)))
                .unwrap_err()
                .why
                .contains("levels")
        );
        let wide: Vec<String> = (0..50_000).map(|n| format!("k{n}: v\n")).collect();
        assert!(read(&wide.concat()).is_ok());
    }
}
