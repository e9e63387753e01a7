//! Checks of manifests, offline: what the API server would refuse by the CRD's schema, and what the controller would.

use std::{collections::BTreeMap, sync::LazyLock};

use jsonschema::{
    Validator,
    error::{TypeKind, ValidationErrorKind},
};
use kube::{CustomResourceExt, Resource};
use serde_json::{Map, Value, json};

use super::manifests::{Content, Manifest, Node, Step, written};
use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{Account, DesiredRole, Guards, Owner, RolePath, Surroundings, spelling::nearest},
};

/// What the controller's settings say of every role.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub role_path: RolePath,
    pub guards: Guards,
    /// Namespace of objects that name none.
    pub namespace: String,
}

/// A problem and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub file: String,
    pub line: u64,
    pub field: String,
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.field, self.message)
    }
}

/// An object of ours, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub file: String,
    pub object: PinpointImportRole,
}

/// What came of some manifests.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Objects without a problem.
    pub sound: Vec<Declared>,
    /// How many objects are ours.
    pub ours: usize,
    /// How many are of other kinds.
    pub others: usize,
    pub problems: Vec<Problem>,
}

/// Checks manifests, each by itself and all together.
pub(super) fn check(manifests: &[Manifest], rules: &Rules) -> Checked {
    let mut checked = Checked::default();
    let (group, kind) = (PinpointImportRole::group(&()), PinpointImportRole::kind(&()));
    let mut names: BTreeMap<(Option<String>, String), String> = BTreeMap::new();
    for manifest in manifests {
        let of_group = manifest
            .node
            .text("apiVersion")
            .is_some_and(|version| version.split('/').next() == Some(&group));
        if !of_group && manifest.node.text("kind") != Some(&kind) {
            checked.others += 1;
            continue;
        }
        checked.ours += 1;
        let mut found = Vec::new();
        let object = object(&manifest.node, rules, &mut found);
        if let Some((object, desired)) = object.as_ref().filter(|_| found.is_empty()) {
            let place = format!("{}:{}", manifest.file, manifest.node.line);
            let key = (object.spec.account_id.clone(), desired.name.as_str().to_lowercase());
            if let Some(first) = names.insert(key, place) {
                let message = format!(
                    "role {} is declared at {first} too: the first object would keep it, and this one get RoleNotOwned",
                    desired.name
                );
                found.push((
                    vec![Step::Key("spec".to_owned()), Step::Key("roleName".to_owned())],
                    message,
                ));
            }
        }
        match object {
            Some((object, _)) if found.is_empty() => checked.sound.push(Declared {
                file: manifest.file.clone(),
                object,
            }),
            _ => checked
                .problems
                .extend(found.into_iter().map(|(path, message)| Problem {
                    file: manifest.file.clone(),
                    line: manifest.node.line_of(&path),
                    field: if path.is_empty() {
                        "(object)".to_owned()
                    } else {
                        written(&path)
                    },
                    message,
                })),
        }
    }
    checked.problems.sort();
    checked.problems.dedup();
    checked
}

type Found = Vec<(Vec<Step>, String)>;

fn keys(path: &[&str]) -> Vec<Step> {
    path.iter().map(|key| Step::Key((*key).to_owned())).collect()
}

/// Checks one object. None if it can't even be read.
fn object(node: &Node, rules: &Rules, found: &mut Found) -> Option<(PinpointImportRole, DesiredRole)> {
    let value = node.value();
    names(node, found);
    let errors = SCHEMA.as_ref().ok()?;
    for error in errors.validator.iter_errors(&value) {
        let pointer = error.instance_path().as_str().to_owned();
        let path = steps(&pointer, &value);
        let schema = schema_at(&errors.schema, &path);
        said(error.kind(), &path, value.pointer(&pointer), schema, found);
    }
    repeats(&errors.schema, &value, &mut Vec::new(), found);

    // Fields that are wrong by the schema are left out of what follows, so that what else is wrong is said too.
    let mut sound = value.clone();
    let wrong: Vec<String> = found.iter().filter_map(|(path, _)| field_of_spec(path)).collect();
    if let Some(spec) = sound.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !wrong.contains(field));
    }
    let mut object: PinpointImportRole = serde_json::from_value(sound).ok()?;
    let namespace = object
        .metadata
        .namespace
        .get_or_insert_with(|| rules.namespace.clone())
        .clone();
    let mut tell = |problems: Vec<String>| {
        for problem in problems {
            let default_name = problem.starts_with("the default role name");
            if !(default_name && wrong.iter().any(|field| field == "roleName")) {
                found.push((way(node, &problem), problem));
            }
        }
    };
    let owner = Owner {
        cluster: String::new(),
        name: object.metadata.name.clone().unwrap_or_default(),
        namespace,
        uid: String::new(),
    };
    let around = Surroundings {
        // Offline nobody knows it; nothing that is checked depends on which one it is.
        account: Account {
            id: object
                .spec
                .account_id
                .clone()
                .unwrap_or_else(|| "000000000000".to_owned()),
            partition: "aws".to_owned(),
        },
        role_path: rules.role_path.clone(),
    };
    let declared = DesiredRole::declare(&object.spec, owner, &around)
        .and_then(|desired| rules.guards.apply(&object.spec, desired));
    match declared {
        Ok(desired) => Some((object, desired)),
        Err(problems) => {
            tell(problems);
            None
        }
    }
}

/// The field below `spec` that a way leads to.
fn field_of_spec(path: &[Step]) -> Option<String> {
    match path {
        [Step::Key(spec), Step::Key(field), ..] if spec == "spec" => Some(field.clone()),
        _ => None,
    }
}

/// Where a problem is that the core found: it begins with the field, or names it, and quotes what is wrong.
fn way(node: &Node, problem: &str) -> Vec<Step> {
    let spec = keys(&["spec"]);
    let Some(Content::Map(fields)) = node.get("spec").map(|spec| &spec.content) else {
        return spec;
    };
    let first = problem.split([' ', ':', '.']).next().unwrap_or_default();
    let begins = fields.iter().find(|(name, ..)| name == first);
    let named = || {
        fields
            .iter()
            .find(|(name, ..)| problem.contains(&format!("spec.{name}")))
    };
    let quoted = || fields.iter().find(|(.., field)| field.way_to_quoted(problem).is_some());
    match begins.or_else(named).or_else(quoted) {
        Some((name, _, field)) => {
            let below = field.way_to_quoted(problem).unwrap_or_default();
            [spec, vec![Step::Key(name.clone())], below].concat()
        }
        None => spec,
    }
}

/// apiVersion, kind, and the parts of metadata that people write.
fn names(node: &Node, found: &mut Found) {
    let version = PinpointImportRole::api_version(&());
    for (key, wanted) in [
        ("apiVersion", version.as_ref()),
        ("kind", &PinpointImportRole::kind(&())),
    ] {
        if node.text(key) != Some(wanted) {
            found.push((keys(&[key]), format!("must be {wanted}")));
        }
    }
    let metadata = node.get("metadata");
    if let Some(Node {
        content: Content::Map(entries),
        ..
    }) = metadata
    {
        const KNOWN: [&str; 14] = [
            "name",
            "namespace",
            "labels",
            "annotations",
            "finalizers",
            "ownerReferences",
            "generateName",
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "resourceVersion",
            "uid",
        ];
        for (key, ..) in entries.iter().filter(|(key, ..)| !KNOWN.contains(&key.as_str())) {
            found.push((keys(&["metadata", key]), unknown(key, &KNOWN)));
        }
    }
    let sound = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match metadata.and_then(|metadata| metadata.text("name")) {
        Some(name) if name.len() <= 253 && name.split('.').all(sound) => {}
        Some(name) => {
            let message = format!(
                "{name:?} can't be a name: at most 253 of a-z, 0-9, - and ., each part between dots beginning and ending with a letter or digit"
            );
            found.push((keys(&["metadata", "name"]), message));
        }
        None => found.push((
            keys(&["metadata", "name"]),
            "is missing: the object needs a name".to_owned(),
        )),
    }
    if let Some(namespace) = metadata
        .and_then(|metadata| metadata.text("namespace"))
        .filter(|name| !sound(name))
    {
        let message = format!("{namespace:?} can't be a namespace: 1 to 63 of a-z, 0-9 and -");
        found.push((keys(&["metadata", "namespace"]), message));
    }
}

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

/// The schema as the API server reads it under strict field validation: what is not named is refused.
static SCHEMA: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    let crd = PinpointImportRole::crd();
    let version = crd.spec.versions.first().and_then(|version| version.schema.as_ref());
    let schema = version.and_then(|version| version.open_api_v3_schema.as_ref());
    let mut schema = serde_json::to_value(schema).map_err(|why| why.to_string())?;
    for metadata in ["apiVersion", "kind", "metadata"] {
        schema["properties"][metadata] = json!({});
    }
    close(&mut schema);
    let validator = jsonschema::validator_for(&schema).map_err(|why| why.to_string())?;
    Ok(Schema { schema, validator })
});

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

/// A JSON pointer as steps.
fn steps(pointer: &str, value: &Value) -> Vec<Step> {
    let mut at = Some(value);
    let mut steps = Vec::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let step = match (at, part.parse()) {
            (Some(Value::Array(items)), Ok(index)) => {
                at = items.get(index);
                Step::Index(index)
            }
            _ => {
                at = at.and_then(|value| value.get(&part));
                Step::Key(part)
            }
        };
        steps.push(step);
    }
    steps
}

/// The schema of a field.
fn schema_at<'a>(schema: &'a Value, path: &[Step]) -> &'a Value {
    path.iter().fold(schema, |schema, step| match step {
        Step::Key(key) => schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]),
        Step::Index(_) => &schema["items"],
    })
}

/// A violation of the schema in words that say what to write instead.
fn said(kind: &ValidationErrorKind, path: &[Step], value: Option<&Value>, schema: &Value, found: &mut Found) {
    let here = value.map_or(String::new(), Value::to_string);
    let meant = schema["description"].as_str().map(first_sentence).unwrap_or_default();
    let message = match kind {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known: Vec<&str> = schema["properties"]
                .as_object()
                .map(Map::keys)
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            for field in unexpected {
                found.push(([path, &keys(&[field])].concat(), unknown(field, &known)));
            }
            return;
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
        ValidationErrorKind::Pattern { .. } => format!("{here} does not fit. It is: {meant}"),
        ValidationErrorKind::MinLength { limit } => {
            format!("{here} is shorter than {limit} characters. It is: {meant}")
        }
        ValidationErrorKind::MaxLength { limit } => format!("is longer than {limit} characters"),
        ValidationErrorKind::Minimum { limit } => format!("{here} is less than {limit}. It is: {meant}"),
        ValidationErrorKind::Maximum { limit } => format!("{here} is more than {limit}. It is: {meant}"),
        ValidationErrorKind::MaxItems { limit } => format!("has more than {limit} items"),
        ValidationErrorKind::MaxProperties { limit } => format!("has more than {limit} entries"),
        other => format!("{here} breaks the rule {}", other.keyword()),
    };
    found.push((path.to_vec(), message));
}

fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    text.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

/// Lists that Kubernetes takes for sets and maps have no item twice.
fn repeats(schema: &Value, value: &Value, path: &mut Vec<Step>, found: &mut Found) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                path.push(Step::Key(key.clone()));
                let below = schema["properties"].get(key).unwrap_or(&Value::Null);
                repeats(below, field, path, found);
                path.pop();
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
                path.push(Step::Index(index));
                let this = identity(item);
                if let Some(first) = items[..index]
                    .iter()
                    .position(|other| this.is_some() && identity(other) == this)
                {
                    found.push((
                        path.clone(),
                        format!("is the same as item {first}, and each may be there once only"),
                    ));
                }
                repeats(&schema["items"], item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}
