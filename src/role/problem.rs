//! What is wrong with a declaration, and where.

use std::fmt;

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a map.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

/// The way to a field from the top of an object, written `spec.trust.applications[1].region`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// A way of these segments.
    #[must_use]
    pub fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// The way of some keys.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Segment::Key((*key).to_owned())).collect())
    }

    /// A field of the spec.
    #[must_use]
    pub fn spec(field: &str) -> Self {
        Self::of(&["spec", field])
    }

    /// A field below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Segment::Key(key.to_owned()))
    }

    /// An item of this list.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    fn then(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }

    /// The way step by step.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether one of the two fields lies in the other, or both are the same.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if self.0.is_empty() {
            return f.write_str("(object)");
        }
        for (n, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if plain(key) && n == 0 => f.write_str(key)?,
                Segment::Key(key) if plain(key) => write!(f, ".{key}")?,
                // What people write, such as the key of a tag, may be anything: in quotes and escaped.
                Segment::Key(key) => write!(f, "[{key:?}]")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Something that is wrong: where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it, without its name.
    pub message: String,
}

impl Problem {
    /// A problem of a field.
    #[must_use]
    pub fn new(path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            path,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Problems as one text.
#[must_use]
pub fn words(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_written_as_people_do_and_what_others_wrote_is_escaped() {
        let applications = FieldPath::of(&["spec", "trust", "applications"]);
        let path = applications.item(1).key("region");
        assert_eq!(path.to_string(), "spec.trust.applications[1].region");
        assert_eq!(
            FieldPath::spec("tags").key("a\u{1b}/\u{2028}").to_string(),
            r#"spec.tags["a\u{1b}/\u{2028}"]"#
        );
        assert_eq!(FieldPath::spec("tags").key("a-b_c").to_string(), "spec.tags.a-b_c");
        assert_eq!(FieldPath::default().to_string(), "(object)");
        let [spec, tags, item] = FieldPath::spec("tags")
            .item(1)
            .segments()
            .to_owned()
            .try_into()
            .expect("three");
        assert_eq!(
            (spec, tags),
            (Segment::Key("spec".to_owned()), Segment::Key("tags".to_owned()))
        );
        assert_eq!(item, Segment::Index(1));
        assert!(path.touches(&applications) && applications.touches(&path));
        assert!(!applications.item(1).touches(&applications.item(0)));
    }
}
