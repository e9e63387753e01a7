//! A JSON Schema of manifests, for editors (`yaml-language-server`) and for `kubeconform`: what the API server says by the CRD's schema, in
//! the words of JSON Schema, draft 7, which both know.

use kube::Resource;
use serde_json::{Value, json};
use strum::VariantArray;

use super::schema::strict;
use crate::api::{Tag, bounds, v1alpha1::PinpointImportRole};

/// The draft that is spoken.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of a manifest. What the API server takes, it takes; what only rules (CEL) refuse, it may take.
///
/// # Errors
/// The CRD's schema has not the form that is known here.
pub(in crate::cli) fn json_schema() -> Result<Value, String> {
    let mut schema = strict()?;
    translate(&mut schema);
    let fields = schema.as_object_mut().ok_or("the CRD has no schema")?;
    fields.insert("$schema".to_owned(), DRAFT.into());
    fields.insert("required".to_owned(), json!(["apiVersion", "kind", "metadata", "spec"]));
    let (version, kind) = (PinpointImportRole::api_version(&()), PinpointImportRole::kind(&()));
    for (field, value) in [("apiVersion", version), ("kind", kind)] {
        schema["properties"][field] = json!({ "type": "string", "const": value });
    }
    let tags = schema
        .pointer_mut("/properties/spec/properties/tags")
        .ok_or("the spec has no tags")?;
    tags["propertyNames"] = tag_key();
    Ok(schema)
}

/// What a key of a tag is, which the CRD says by rules: structural schemas have no word for keys.
fn tag_key() -> Value {
    let ownership: Vec<&str> = Tag::VARIANTS.iter().map(|tag| tag.key()).collect();
    json!({
        "minLength": 1,
        "maxLength": 128,
        "pattern": bounds::TAG,
        "not": {"anyOf": [{"pattern": "^[aA][wW][sS]:"}, {"enum": ownership}]},
    })
}

/// Says in the words of JSON Schema what `OpenAPI` and Kubernetes have words of their own for.
fn translate(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    if fields.get("x-kubernetes-list-type").is_some_and(|kind| kind == "set") {
        fields.insert("uniqueItems".to_owned(), true.into());
    }
    // The metadata name a draft of their own.
    let foreign = |word: &str| ["$schema", "nullable"].contains(&word) || word.starts_with("x-kubernetes-");
    fields.retain(|word, _| !foreign(word));
    let required: Vec<Value> = fields
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        translate(property);
        if !required.contains(&Value::from(name.as_str())) {
            take_null(property);
        }
    }
    if let Some(items) = fields.get_mut("items") {
        translate(items);
    }
    if let Some(values) = fields.get_mut("additionalProperties") {
        translate(values);
        take_null(values);
    }
}

/// A null is a field left out: the API server drops it before it looks any further.
fn take_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    if let Some(kind) = fields.get_mut("type").filter(|kind| kind.is_string()) {
        *kind = json!([kind.take(), "null"]);
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.push(Value::Null);
    }
}
