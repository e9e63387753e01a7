//! What the API server would refuse by the CRD's schema under strict field validation, in words that say what to write instead.

use std::sync::LazyLock;

use jsonschema::{
    Validator,
    error::{TypeKind, ValidationErrorKind},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResourceExt;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{FieldPath, Problem, Segment, spelling::nearest},
};

/// What is wrong with an object.
pub(super) fn problems(object: &Value) -> Vec<Problem> {
    let Schema { schema, validator } = match SCHEMA.as_ref() {
        Ok(schema) => schema,
        Err(why) => {
            let message = format!("the CRD's schema can't be used: {why}");
            return vec![Problem::new(FieldPath::default(), message)];
        }
    };
    let mut found: Vec<Problem> = Vec::new();
    for error in validator.iter_errors(object) {
        let pointer = error.instance_path().as_str();
        let (path, value) = (steps(pointer, object), object.pointer(pointer));
        let before = found.iter().position(|other| other.path == path);
        let mut these = said(error.kind(), &path, value, schema);
        match before.filter(|_| value.is_some_and(|value| !value.is_object() && !value.is_array())) {
            // A value that does not fit may also be too short, or of the wrong type: what says what to write is enough.
            Some(before)
                if matches!(
                    error.kind(),
                    ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Enum { .. }
                ) =>
            {
                found[before] = these.remove(0);
            }
            Some(_) => {}
            None => found.extend(these),
        }
    }
    repeats(schema, object, &FieldPath::default(), &mut found);
    found
}

/// An object without the nulls of fields that the schema knows, as the API server drops them before it looks any further.
pub(super) fn without_nulls(mut object: Value) -> Value {
    if let Ok(Schema { schema, .. }) = SCHEMA.as_ref() {
        drop_nulls(schema, &mut object);
    }
    object
}

fn drop_nulls(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let of = |key: &str| schema["properties"].get(key).or(schema.get("additionalProperties"));
            fields.retain(|key, field| !(field.is_null() && of(key).is_some_and(Value::is_object)));
            for (key, field) in fields {
                drop_nulls(of(key).unwrap_or(&Value::Null), field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_nulls(&schema["items"], item)),
        _ => {}
    }
}

/// An unknown field, with the known one that it may have been.
fn unknown(field: &str, known: &[&str]) -> String {
    match nearest(field, known) {
        Some(near) => format!("unknown field; did you mean {near}?"),
        None => format!("unknown field; there are {}", known.join(", ")),
    }
}

/// The CRD's schema, and what checks values by it.
struct Schema {
    schema: Value,
    validator: Validator,
}

static SCHEMA: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let schema = strict()?;
    let validator = jsonschema::validator_for(&schema).map_err(|why| why.to_string())?;
    Ok(Schema { schema, validator })
});

/// The schema as the API server reads it under strict field validation: what is not named is refused.
///
/// # Errors
/// The CRD's schema is not JSON.
pub(super) fn strict() -> Result<Value, String> {
    let crd = PinpointImportRole::crd();
    let version = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
    let schema = version.and_then(|version| version.open_api_v3_schema.as_ref());
    let mut schema = serde_json::to_value(schema).map_err(|why| why.to_string())?;
    for said_elsewhere in ["apiVersion", "kind"] {
        schema["properties"][said_elsewhere] = json!({});
    }
    schema["properties"]["metadata"] = metadata();
    close(&mut schema);
    Ok(schema)
}

/// The metadata of every object.
fn metadata() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<ObjectMeta>()
        .to_value()
}

/// Objects take no field but those that they name.
fn close(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        if schema.contains_key("properties") && !schema.contains_key("additionalProperties") {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        schema.values_mut().for_each(close);
    } else if let Some(many) = schema.as_array_mut() {
        many.iter_mut().for_each(close);
    }
}

/// A JSON pointer as a way.
fn steps(pointer: &str, value: &Value) -> FieldPath {
    let mut at = Some(value);
    let mut steps = Vec::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let step = if let (Some(Value::Array(items)), Ok(index)) = (at, part.parse()) {
            at = items.get(index);
            Segment::Index(index)
        } else {
            at = at.and_then(|value| value.get(&part));
            Segment::Key(part)
        };
        steps.push(step);
    }
    FieldPath::new(steps)
}

/// The schema of a field.
fn schema_at<'a>(schema: &'a Value, path: &[Segment]) -> &'a Value {
    path.iter().fold(schema, |schema, step| match step {
        Segment::Key(key) => schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]),
        Segment::Index(_) => &schema["items"],
    })
}

/// A violation of the schema in words that say what to write instead.
fn said(kind: &ValidationErrorKind, path: &FieldPath, value: Option<&Value>, schema: &Value) -> Vec<Problem> {
    let here = value.map_or(String::new(), Value::to_string);
    // An item has no description of its own, but its list has.
    let way = path.segments();
    let ways = (0..=way.len())
        .rev()
        .map(|length| &schema_at(schema, &way[..length])["description"]);
    let meant = ways
        .into_iter()
        .find_map(Value::as_str)
        .map(first_sentence)
        .unwrap_or_default();
    let schema = schema_at(schema, way);
    let message = match kind {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> = schema["properties"]
                .as_object()
                .map(Map::keys)
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            let of = |field: &String| Problem::new(path.key(field), unknown(field, &known));
            return unexpected.iter().map(of).collect();
        }
        ValidationErrorKind::Required { property } => format!("has no {}", property.as_str().unwrap_or_default()),
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().map(Value::to_string);
            format!("{here} is none of {}", options.collect::<Vec<_>>().join(", "))
        }
        ValidationErrorKind::Type {
            kind: TypeKind::Single(wanted),
        } => {
            let quotes = if wanted.to_string() == "string"
                && value.is_some_and(|value| !value.is_object() && !value.is_array())
            {
                ": put it in quotes"
            } else {
                ""
            };
            format!("{here} is not of the type {wanted}{quotes}")
        }
        ValidationErrorKind::Pattern { pattern } => format!("{here} does not fit {pattern}. It is: {meant}"),
        ValidationErrorKind::MinLength { limit } => {
            format!("{here} is shorter than {limit} characters. It is: {meant}")
        }
        ValidationErrorKind::MaxLength { limit } => format!("is longer than {limit} characters"),
        ValidationErrorKind::Minimum { limit } => format!("{here} is less than {}. It is: {meant}", whole(limit)),
        ValidationErrorKind::Maximum { limit } => format!("{here} is more than {}. It is: {meant}", whole(limit)),
        ValidationErrorKind::MinItems { limit } => {
            format!("has fewer than {limit} items: leave the field out, or fill it")
        }
        ValidationErrorKind::MaxItems { limit } => format!("has more than {limit} items"),
        ValidationErrorKind::MaxProperties { limit } => format!("has more than {limit} entries"),
        other => format!("{here} breaks the rule {}", other.keyword()),
    };
    vec![Problem::new(path.clone(), message)]
}

/// A limit as people write it: the CRD has `43200.0`.
fn whole(limit: &Value) -> String {
    let text = limit.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    text.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

/// Lists that Kubernetes takes for sets and maps have no item twice.
fn repeats(schema: &Value, value: &Value, path: &FieldPath, found: &mut Vec<Problem>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let below = schema["properties"].get(key).unwrap_or(&Value::Null);
                repeats(below, field, &path.key(key), found);
            }
        }
        Value::Array(items) => {
            let identity = |item: &Value| match (
                schema["x-kubernetes-list-type"].as_str(),
                &schema["x-kubernetes-list-map-keys"],
            ) {
                (Some("set"), _) => Some(item.clone()),
                (Some("map"), Value::Array(keys)) => {
                    let key = |key: &Value| item.get(key.as_str()?).cloned();
                    Some(keys.iter().map(|name| key(name).unwrap_or_default()).collect())
                }
                _ => None,
            };
            for (index, item) in items.iter().enumerate() {
                let this = identity(item);
                if let Some(first) = items[..index]
                    .iter()
                    .position(|other| this.is_some() && identity(other) == this)
                {
                    let message = format!("is the same as item {first}, and each may be there once only");
                    found.push(Problem::new(path.item(index), message));
                }
                repeats(&schema["items"], item, &path.item(index), found);
            }
        }
        _ => {}
    }
}
