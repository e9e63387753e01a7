//! Checks of manifests, offline: what the API server would refuse by the CRD's schema, and what the controller would.

use std::collections::BTreeMap;

use kube::Resource;
use serde_json::Value;

use super::{
    manifests::{Content, Manifest, Node, Step, written},
    schema::{self, Found, keys, unknown},
};
use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{Account, DesiredRole, Guards, Owner, RolePath, Surroundings},
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

/// Checks one object. None if it can't even be read.
fn object(node: &Node, rules: &Rules, found: &mut Found) -> Option<(PinpointImportRole, DesiredRole)> {
    let value = node.value();
    names(node, found);
    found.extend(schema::problems(&value));

    // Fields that are wrong by the schema are left out of what follows, so that what else is wrong is said too.
    let mut sound = value.clone();
    let wrong: Vec<String> = found.iter().filter_map(|(path, _)| field_of_spec(path)).collect();
    if let Some(spec) = sound.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !wrong.contains(field));
    }
    let mut object: PinpointImportRole = match serde_json::from_value(sound) {
        Ok(object) => object,
        Err(why) => {
            // What the schema does not speak of: metadata.
            if found.is_empty() {
                found.push((keys(&["metadata"]), format!("can't be read: {why}")));
            }
            return None;
        }
    };
    let namespace = object
        .metadata
        .namespace
        .get_or_insert_with(|| rules.namespace.clone())
        .clone();
    let mut tell = |problems: Vec<String>| {
        for problem in problems {
            let default_name = problem.starts_with("the default role name");
            if !(default_name && wrong.iter().any(|field| field == "roleName")) {
                let way = way(node, &problem);
                let field = field_of_spec(&way)
                    .map(|field| format!("{field}: "))
                    .unwrap_or_default();
                let message = problem.strip_prefix(&field).unwrap_or(&problem).to_owned();
                found.push((way, message));
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
