//! Checks of manifests, offline: what the API server would refuse by the CRD's schema, and what the controller would.

use std::collections::BTreeMap;

use kube::Resource;
use serde_json::Value;

use super::{metadata, node::Node, read::Manifest, schema};
use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{
        Account, DesiredRole, FieldPath, Guards, Owner, Problem, RolePath, Segment, Surroundings,
        desired::{account_of, advice, in_other_partitions, of_other_accounts},
    },
};

/// What the controller's settings say of every role.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Rules {
    pub role_path: RolePath,
    pub guards: Guards,
    /// Namespace of objects that name none.
    pub namespace: String,
}

/// A problem or a note, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct LocatedProblem {
    pub file: String,
    pub line: u64,
    pub problem: Problem,
}

impl LocatedProblem {
    fn new(manifest: &Manifest, problem: Problem) -> Self {
        Self {
            file: manifest.file.clone(),
            line: manifest.node.line_of(&problem.path),
            problem,
        }
    }
}

impl std::fmt::Display for LocatedProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// An object of ours, and where it is.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Declared {
    pub file: String,
    pub node: Node,
    pub object: PinpointImportRole,
    /// What is allowed and should be known.
    pub notes: Vec<Problem>,
}

/// What came of some manifests.
#[derive(Debug, Default)]
pub(in crate::cli) struct Checked {
    /// Objects without a problem.
    pub sound: Vec<Declared>,
    /// How many objects are ours.
    pub ours: usize,
    /// How many are of other kinds.
    pub others: usize,
    pub problems: Vec<LocatedProblem>,
    /// What is allowed and should be known, of objects without a problem.
    pub notes: Vec<LocatedProblem>,
}

/// Checks manifests, each by itself and all together.
pub(in crate::cli) fn check(manifests: &[Manifest], rules: &Rules) -> Checked {
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
        if let Some((object, desired)) = &object {
            let at = format!("{}:{}", manifest.file, manifest.node.line);
            let key = (object.spec.account_id.clone(), desired.name.as_str().to_lowercase());
            if let Some(first) = names.insert(key, at) {
                let message = format!(
                    "role {} is declared at {first} too: the first object would keep it, and this one get RoleNotOwned",
                    desired.name
                );
                found.push(Problem::new(FieldPath::spec("roleName"), message));
            }
        }
        match object {
            Some((object, _)) if found.is_empty() => {
                let doubts = manifest.node.doubts();
                let doubts = doubts
                    .into_iter()
                    .map(|(path, doubt)| Problem::new(path, doubt.message.clone()));
                let notes: Vec<Problem> = doubts.chain(advice(&object.spec)).collect();
                let found = notes.iter().map(|note| LocatedProblem::new(manifest, note.clone()));
                checked.notes.extend(found);
                checked.sound.push(Declared {
                    file: manifest.file.clone(),
                    node: manifest.node.clone(),
                    object,
                    notes,
                });
            }
            _ => checked
                .problems
                .extend(found.into_iter().map(|problem| LocatedProblem::new(manifest, problem))),
        }
    }
    for findings in [&mut checked.problems, &mut checked.notes] {
        findings.sort();
        findings.dedup();
    }
    checked
}

/// Checks one object. None if it has problems.
fn object(node: &Node, rules: &Rules, found: &mut Vec<Problem>) -> Option<(PinpointImportRole, DesiredRole)> {
    let value = schema::without_nulls(node.value());
    found.extend(metadata::problems(node));
    let doubts = node.doubts().into_iter().filter(|(_, doubt)| doubt.refused);
    found.extend(doubts.map(|(path, doubt)| Problem::new(path, doubt.message.clone())));
    found.extend(schema::problems(&value));

    let mut object: PinpointImportRole = match serde_json::from_value(without(value, found)) {
        Ok(object) => object,
        Err(why) => {
            // What the schema does not speak of: metadata.
            if found.is_empty() {
                found.push(Problem::new(
                    FieldPath::of(&["metadata"]),
                    format!("can't be read: {why}"),
                ));
            }
            return None;
        }
    };
    let namespace = object
        .metadata
        .namespace
        .get_or_insert_with(|| rules.namespace.clone())
        .clone();
    let owner = Owner {
        cluster: String::new(),
        name: object.metadata.name.clone().unwrap_or_default(),
        namespace,
        uid: String::new(),
    };
    let around = Surroundings {
        account: account(&object),
        role_path: rules.role_path.clone(),
    };
    let declared = DesiredRole::declare(&object.spec, owner, &around);
    // What is refused by a guard may be no more than what is left of a spec without its wrong fields.
    let declared = match declared {
        Ok(desired) if found.is_empty() => {
            found.extend(elsewhere(&object, &around.account));
            rules.guards.apply(&object.spec, desired)
        }
        other => other,
    };
    match declared {
        Ok(desired) => Some((object, desired)).filter(|_| found.is_empty()),
        Err(problems) => {
            let said = |problem: &Problem| found.iter().any(|known| known.path.touches(&problem.path));
            let new: Vec<Problem> = problems.into_iter().filter(|problem| !said(problem)).collect();
            found.extend(new);
            None
        }
    }
}

/// An object without what is wrong with its spec by the schema, so that what else is wrong is said too.
fn without(mut object: Value, wrong: &[Problem]) -> Value {
    for problem in wrong {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
            break;
        };
        match problem.path.segments() {
            [Segment::Key(top), Segment::Key(tags), Segment::Key(key)] if top == "spec" && tags == "tags" => {
                let tags = spec.get_mut(tags).and_then(Value::as_object_mut);
                tags.and_then(|tags| tags.remove(key));
            }
            [Segment::Key(top), Segment::Key(field), ..] if top == "spec" => drop(spec.remove(field)),
            _ => {}
        }
    }
    object
}

/// The account as far as it can be told offline. An id is always as long, and the spec tells the partition, so what is said of the length
/// of documents holds.
fn account(object: &PinpointImportRole) -> Account {
    let spec = &object.spec;
    let applications = spec.trust.iter().filter_map(|trust| trust.applications.as_ref());
    let regions = applications.flatten();
    let by_region = regions.map(|application| match application.region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if application.region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    });
    let keys = spec
        .buckets
        .iter()
        .flatten()
        .filter_map(|bucket| bucket.kms_key_arn.as_deref());
    let policies = spec
        .managed_policy_arns
        .iter()
        .flatten()
        .chain(&spec.permissions_boundary);
    let customers = policies.clone().find_map(|arn| account_of(arn));
    let by_arn = policies
        .map(String::as_str)
        .chain(keys)
        .filter_map(|arn| arn.split(':').nth(1));
    Account {
        id: spec
            .account_id
            .as_deref()
            .or(customers)
            .unwrap_or("000000000000")
            .to_owned(),
        partition: by_region.chain(by_arn).next().unwrap_or("aws").to_owned(),
    }
}

/// ARNs of more than one partition or account, so that no role can have them all. Which one it will be may not be known offline.
fn elsewhere(object: &PinpointImportRole, account: &Account) -> Vec<Problem> {
    let spec = &object.spec;
    let far = in_other_partitions(spec, account);
    if !far.is_empty() {
        let message = format!(
            "lies in another partition than the rest of the spec, which is in {}",
            account.partition
        );
        return far
            .into_iter()
            .map(|problem| Problem::new(problem.path, message.clone()))
            .collect();
    }
    let others = of_other_accounts(spec, account);
    if spec.account_id.is_some() {
        return others;
    }
    let message = format!(
        "belongs to another account than a policy of {} in this spec, and IAM takes policies of AWS and of the role's own account",
        account.id
    );
    others
        .into_iter()
        .map(|problem| Problem::new(problem.path, message.clone()))
        .collect()
}
