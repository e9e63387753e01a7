//! Problems, widenings and findings as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), for places that show them on the
//! lines of a pull request. What is here is the part of the format that GitHub's code scanning reads ("SARIF support for code scanning").
//!
//! The types are our own: the libraries for the format bring a generator of code that is no longer kept, or a second `thiserror`.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::medium::Rendered;
use crate::plain::plain;

/// A kind of result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// What it is known by; it never changes.
    pub id: &'static str,
    /// What it means, as a sentence.
    pub means: &'static str,
    pub level: Level,
}

/// How bad a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Error,
    Warning,
    Note,
}

/// What is to be shown on a line: code scanning makes an alert of it.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub kind: Kind,
    pub message: String,
    /// The file as it was named, or what stands for one where there is none.
    pub file: String,
    /// From 1; SARIF knows no line 0, so that is shown as 1.
    pub line: u64,
    /// The object or role that it is about.
    pub about: Option<String>,
}

impl Alert {
    /// A file that can't be read, of which it is said `file: why` or `file:line: why`.
    pub(super) fn unread(kind: Kind, said: &str) -> Self {
        let (file, why) = said.split_once(':').unwrap_or(("", said));
        let line = why.split(':').next().and_then(|line| line.parse().ok());
        Self {
            kind,
            message: said.to_owned(),
            file: file.to_owned(),
            line: line.unwrap_or(1),
            about: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: Level,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    level: Level,
    message: Text,
    locations: [Location; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: String,
}

/// All that was found. `kinds` are those that there may be.
///
/// # Errors
/// It can't be written as JSON.
pub(super) fn sarif(kinds: &[Kind], found: &[Alert]) -> Result<Rendered, String> {
    let rules = kinds.iter().map(|kind| Rule {
        id: kind.id,
        short_description: text(kind.means),
        default_configuration: Configuration { level: kind.level },
    });
    let results = found.iter().map(|found| SarifResult {
        rule_id: found.kind.id,
        rule_index: kinds.iter().position(|kind| *kind == found.kind).unwrap_or_default(),
        level: found.kind.level,
        message: text(&found.message),
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact { uri: uri(&found.file) },
                region: Region {
                    start_line: found.line.max(1),
                },
            },
            logical_locations: found
                .about
                .iter()
                .map(|about| Logical {
                    fully_qualified_name: about.clone(),
                })
                .collect(),
        }],
    });
    Rendered::json(&Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    rules: rules.collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results: results.collect(),
        }],
    })
}

/// A message: brackets would make a link of it (section 3.11.6), and a viewer may take it to a terminal.
fn text(message: &str) -> Text {
    let plain = plain(message);
    Text {
        text: plain.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]"),
    }
}

/// What a segment of a path in a URI has to escape (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A file relative to the working directory, which in a pipeline is the repository's, as a URI.
fn uri(file: &str) -> String {
    let path = Path::new(file);
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    let segments = path.components().filter_map(|component| match component {
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        Component::ParentDir => Some("..".to_owned()),
        Component::Normal(name) => Some(utf8_percent_encode(&name.to_string_lossy(), SEGMENT).to_string()),
    });
    let relative = segments.collect::<Vec<_>>().join("/");
    if path.is_absolute() {
        format!("file:///{relative}")
    } else {
        relative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        for (file, wanted) in [
            ("roles/a.yaml", "roles/a.yaml".to_owned()),
            ("./roles//ü b#.yaml", "roles/%C3%BC%20b%23.yaml".to_owned()),
            ("../x?.yaml", "../x%3F.yaml".to_owned()),
            ("/else/where.yaml", "file:///else/where.yaml".to_owned()),
            ("-", "-".to_owned()),
            (here.join("roles/a.yaml").to_str().unwrap(), "roles/a.yaml".to_owned()),
        ] {
            assert_eq!(uri(file), wanted);
        }
    }

    /// The types of `serde-sarif` are made from the published schema. What they don't know, they drop; what they miss, they refuse.
    #[test]
    fn the_format_is_the_published_one() {
        let kind = |id, level| Kind {
            id,
            means: "What it means.",
            level,
        };
        let kinds = [
            kind("one", Level::Error),
            kind("two", Level::Note),
            kind("three", Level::Warning),
        ];
        let found = |kind, file: &str, line, about: Option<&str>| Alert {
            kind,
            message: "others\u{2028}[x](y) \\".to_owned(),
            file: file.to_owned(),
            line,
            about: about.map(str::to_owned),
        };
        let all = [
            found(kinds[0], "roles/a.yaml", 7, None),
            found(kinds[2], "-", 0, Some("a/b")),
            Alert::unread(kinds[1], "x.yaml:3: is no YAML"),
        ];
        let text = sarif(&kinds, &all).unwrap();
        let value: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
        let read: serde_sarif::sarif::Sarif = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), value, "nothing is unknown");
        let results = &value["runs"][0]["results"];
        assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 7);
        assert_eq!(
            (&results[1]["ruleIndex"], &results[1]["level"]),
            (&2.into(), &"warning".into())
        );
        assert_eq!(results[1]["locations"][0]["physicalLocation"]["region"]["startLine"], 1);
        assert_eq!(results[1]["message"]["text"], r"others\\u{2028}\[x\](y) \\");
        assert_eq!(results[2]["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    }
}
