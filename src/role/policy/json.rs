//! JSON in which no object has a key twice.
//!
//! `serde_json` takes the last of two equal keys and says nothing of the first. IAM's grammar allows neither ("Individual elements must
//! not contain multiple instances of the same key", IAM user guide, "Grammar of the IAM JSON policy language"). Keys that differ by
//! case alone are refused too, at every level: names of condition keys are not case-sensitive ("IAM JSON policy elements: Condition"),
//! duplicates with different case are an error of IAM Access Analyzer ("Duplicate keys with different case"), and what AWS does not say,
//! as of operators, we need not guess. No crate does this: `serde_with` knows typed maps only, and compares keys as they are.

use std::{collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use super::budget::{Budget, Heap, nodes};

/// Reads a text, and pays for what comes of it.
///
/// # Errors
/// Says why the text is not JSON, which key is given twice, or that the budget is spent.
pub(super) fn read(text: &str, budget: &mut Budget) -> Result<Value, String> {
    budget.spend(text.len())?;
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Element(budget).deserialize(&mut source);
    value
        .and_then(|value| source.end().map(|()| value))
        .map_err(|error| match error.classify() {
            Category::Data => error.to_string(),
            Category::Io | Category::Syntax | Category::Eof => format!("not JSON: {error}"),
        })
}

/// A value of any kind.
struct Element<'a>(&'a mut Budget);

impl Element<'_> {
    fn pay<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.0.spend(bytes).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // Beyond 2^53 two numbers that differ would be read as one.
        if value.abs() < 9_007_199_254_740_992.0 {
            Ok(value.into())
        } else {
            Err(E::custom("a number too large to be read exactly"))
        }
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Value, E> {
        self.pay(value.heap())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(Element(self.0))? {
            // A list that grows has room for twice as many, and for four at least.
            self.pay(size_of::<Value>() * if all.is_empty() { 4 } else { 2 })?;
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.pay(nodes::<(String, Value)>(1) + 4 * key.heap())?;
            if !seen.insert(folded(&key)) {
                return Err(A::Error::custom(format!("the key {key:?} is given twice")));
            }
            all.insert(key, entries.next_value_seed(Element(self.0))?);
        }
        Ok(Value::Object(all))
    }
}

/// A key without its case, in the widest sense that some language has for it.
fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        super::read(text, &mut Budget::of_document())
    }

    #[test]
    fn what_is_given_once_is_read_as_it_is() {
        let text = r#"{"a":[1,-1,0.5,true,null,"\u0061ä",[],{}],"b":{"a":{"a":1}},"B ":2}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_given_twice_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"A":1}"#,
            r#"{"a":1,"\u0041":1}"#,
            r#"[{"x":{"k":1,"b":2,"K":3}}]"#,
            "{\"k\":1,\"\u{212a}\":1}",
            "{\"s\":1,\"\u{17f}\":1}",
        ] {
            assert!(read(text).unwrap_err().contains("twice"), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_says_so() {
        for text in ["", "{", "{} {}", r#"{"a":1,}"#, "1e400", &"[".repeat(100_000)] {
            assert!(read(text).unwrap_err().starts_with("not JSON"), "{text:.20}");
        }
        for beyond in ["18446744073709551616", "9007199254740992.0", "-9007199254740992.0"] {
            assert!(read(beyond).unwrap_err().contains("exactly"), "{beyond}");
        }
        assert!(read("[9007199254740991.0, -9007199254740991.0]").is_ok());
    }

    #[test]
    fn a_text_that_is_dear_to_read_is_refused() {
        let objects = format!("[{}{{}}]", r#"{"":1},"#.repeat(131_072 / 7));
        assert!(read(&objects).unwrap_err().contains("too large"));
        assert!(read(&" ".repeat(5 << 20)).unwrap_err().contains("too large"));
        let list = |length: usize| format!("[{}0]", "0,".repeat(length - 1));
        assert!(read(&list(60_000)).is_ok());
        assert!(read(&list(70_000)).unwrap_err().contains("too large"));
        let key = |length: usize| format!("{{{:?}:1}}", "k".repeat(length));
        assert!(read(&key(700_000)).is_ok());
        assert!(read(&key(900_000)).unwrap_err().contains("too large"));
    }
}
