//! `apiVersion`, `kind` and the parts of `metadata` that people write, as the API server checks them (k8s.io/apimachinery,
//! `pkg/api/validation`). What types and fields metadata has, the schema says.

use kube::Resource;

use super::node::{Content, Node};
use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{FieldPath, Problem},
};

/// What is wrong with them.
pub(super) fn problems(node: &Node) -> Vec<Problem> {
    let version = PinpointImportRole::api_version(&());
    let kind = PinpointImportRole::kind(&());
    let mut found = Vec::new();
    for (key, wanted) in [("apiVersion", &version), ("kind", &kind)] {
        if node.text(key) != Some(wanted) {
            found.push(Problem::new(FieldPath::of(&[key]), format!("must be {wanted}")));
        }
    }
    let metadata = node.get("metadata");
    let at = |field: &str| FieldPath::of(&["metadata", field]);
    let field = |field: &str| metadata.and_then(|metadata| metadata.get(field));
    match metadata.and_then(|metadata| metadata.text("name")) {
        Some(name) if is_subdomain(name) => {}
        Some(name) => {
            let message = format!(
                "{name:?} can't be a name: at most 253 of a-z, 0-9, - and ., each part between dots beginning and ending with a letter or digit"
            );
            found.push(Problem::new(at("name"), message));
        }
        // Another type is wrong by the schema.
        None if field("name").is_none_or(|name| name.content == Content::Scalar(serde_json::Value::Null)) => {
            found.push(Problem::new(at("name"), "is missing: the object needs a name"));
        }
        None => {}
    }
    if let Some(namespace) = metadata
        .and_then(|metadata| metadata.text("namespace"))
        .filter(|name| !is_label(name))
    {
        let message = format!("{namespace:?} can't be a namespace: 1 to 63 of a-z, 0-9 and -");
        found.push(Problem::new(at("namespace"), message));
    }
    for map in ["labels", "annotations"] {
        let Some(Content::Map(entries)) = field(map).map(|node| &node.content) else {
            continue;
        };
        for entry in entries {
            // Keys of annotations may have upper case in their prefix.
            let key = if map == "annotations" {
                entry.key.to_lowercase()
            } else {
                entry.key.clone()
            };
            if !is_qualified(&key) {
                let message = "can't be a key: 1 to 63 of letters, digits, -, _ and ., after at most one prefix such as example.com/";
                found.push(Problem::new(at(map).key(&entry.key), message));
            } else if let Content::Scalar(serde_json::Value::String(value)) = &entry.value.content
                && map == "labels"
                && !(value.is_empty() || is_name(value))
            {
                let message =
                    format!("{value:?} can't be the value of a label: at most 63 of letters, digits, -, _ and .");
                found.push(Problem::new(at(map).key(&entry.key), message));
            }
        }
    }
    found
}

/// RFC 1123 label.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// RFC 1123 subdomain. Kubernetes bounds the whole, not its parts.
fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// The name part of a key, or the value of a label.
fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}
