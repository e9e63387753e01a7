//! What `plan` finds, as data: the types are the JSON form, and its schema is made of them.

use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::v1alpha1::PinpointImportRole,
    role::{
        Account, Change, ObservedRole, Owner,
        decision::{Aim, Decision, End},
        desired::role_name,
        outcome::Outcome,
        widening::widens,
    },
};

/// What the controller would do.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Version of this form: 1.
    pub(super) version: u8,
    /// How many objects of each kind.
    pub summary: Summary,
    /// The objects.
    pub(super) objects: Vec<ObjectPlan>,
}

/// How many objects have which action, and how many calls widen access.
#[derive(Serialize, JsonSchema, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) create: usize,
    pub(super) adopt: usize,
    pub(super) change: usize,
    pub(super) delete: usize,
    pub(super) retain: usize,
    pub(super) nothing: usize,
    pub(super) suspended: usize,
    pub(super) reported: usize,
    pub refused: usize,
    /// Calls, not objects.
    pub widening: usize,
}

/// What would happen to an object's role.
#[derive(Serialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    /// IAM is as declared.
    Nothing,
    /// The object is suspended, so nothing.
    Suspended,
    /// The object would not be Ready: `reason` and `message` say why.
    Refused,
    /// The drift would be reported, not repaired.
    Reported,
    /// The role is made.
    Create,
    /// An existing role is taken over.
    Adopt,
    /// The role is changed.
    Change,
    /// The role goes with the object.
    Delete,
    /// The object goes, and the role stays without ownership tags.
    Retain,
}

/// An object and its role.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectPlan {
    /// Namespace of the object.
    pub(super) namespace: String,
    /// Name of the object.
    pub(super) name: String,
    /// The manifest's file, where the object comes from one.
    pub(super) file: Option<String>,
    /// Account of the role, 12 digits; none where it is not known.
    pub(super) account: Option<String>,
    /// Name of the role.
    pub(super) role: String,
    /// Whose the role is now, in words.
    pub(super) owner: String,
    /// What would happen.
    pub(super) action: Action,
    /// Reason of `Ready=False`, where the object would be refused.
    pub(super) reason: Option<String>,
    /// Message of the condition, where the object would be refused.
    pub(super) message: Option<String>,
    /// The calls to IAM, in order; for `reported`, those that would repair the drift.
    pub(super) calls: Vec<Call>,
}

/// A call to IAM.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    /// The action, such as `AttachRolePolicy`.
    pub(super) action: String,
    /// The policy that it is about.
    pub(super) subject: Option<String>,
    /// Whether somebody can do more with the role afterwards. In doubt, true.
    pub(super) widens: bool,
    /// What it mends.
    pub(super) differences: Vec<Difference>,
    /// What it overwrites or removes, where that is known.
    pub(super) before: Option<String>,
    /// What it writes.
    pub(super) after: Option<String>,
}

/// A difference between the role and its declaration.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Difference {
    /// The part of the role.
    pub(super) field: String,
    /// What IAM has, as a sentence.
    pub(super) observed: String,
    /// What is declared.
    pub(super) declared: String,
}

impl Call {
    fn new(change: &Change, observed: Option<&ObservedRole>) -> Self {
        let removes = change.step.action() == "DeleteRolePolicy";
        let content = change.step.content();
        Self {
            action: change.step.action().to_owned(),
            subject: change.step.subject().map(str::to_owned),
            widens: widens(change, observed),
            differences: change
                .differences
                .iter()
                .map(|difference| Difference {
                    field: difference.field.as_str().to_owned(),
                    observed: difference.observed.clone(),
                    declared: difference.declared.clone(),
                })
                .collect(),
            before: if removes {
                content.clone()
            } else {
                change.overwrites.clone()
            },
            after: content.filter(|_| !removes),
        }
    }
}

/// A decision as reviewers are told it, with reason and message where the object would be refused.
fn action(decision: &Decision) -> (Action, Option<(String, String)>) {
    match decision {
        Decision::Report(_) => (Action::Reported, None),
        Decision::Act(work) => match work.aim {
            _ if work.before.is_none() => (Action::Create, None),
            Aim::Create | Aim::Update | Aim::Repair => (Action::Change, None),
            Aim::Adopt => (Action::Adopt, None),
            Aim::Retain => (Action::Retain, None),
            Aim::Delete => (Action::Delete, None),
        },
        Decision::End(End::Say(outcome)) => match outcome {
            Outcome::Refused(reason, message) => (Action::Refused, Some((reason.to_string(), message.clone()))),
            Outcome::Failed(failures) => {
                let reason = failures.worst.class.reason();
                (Action::Refused, Some((reason.to_string(), failures.message())))
            }
            Outcome::Suspended | Outcome::DeletionSuspended => (Action::Suspended, None),
            _ => (Action::Nothing, None),
        },
        Decision::End(End::LetGo(_)) => (Action::Nothing, None),
    }
}

impl ObjectPlan {
    pub fn new(
        object: &PinpointImportRole,
        file: Option<String>,
        account: Option<&Account>,
        observed: Option<&ObservedRole>,
        decision: &Decision,
    ) -> Self {
        let owner = Owner {
            cluster: String::new(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: String::new(),
        };
        let (action, refusal) = action(decision);
        let whose = match (action, observed) {
            (_, None) => "there is no such role yet".to_owned(),
            (Action::Adopt, _) => "nobody's: it is taken over".to_owned(),
            (Action::Refused | Action::Suspended, Some(role)) => match Owner::of(&role.head) {
                Some(tagged) => format!(
                    "tagged for {}/{} of cluster {}",
                    tagged.namespace, tagged.name, tagged.cluster
                ),
                None => "it bears no ownership tags".to_owned(),
            },
            _ => "this object's".to_owned(),
        };
        let changes = match decision {
            Decision::End(_) => &[],
            Decision::Report(changes) => changes.as_slice(),
            Decision::Act(work) => work.changes.as_slice(),
        };
        let (reason, message) = refusal.unzip();
        Self {
            role: role_name(&object.spec, &owner)
                .map(|name| name.to_string())
                .unwrap_or_default(),
            namespace: owner.namespace,
            name: owner.name,
            file,
            account: account.map(|account| account.id.clone()),
            owner: whose,
            action,
            reason,
            message,
            calls: changes.iter().map(|change| Call::new(change, observed)).collect(),
        }
    }
}

impl Report {
    pub fn new(objects: impl Iterator<Item = ObjectPlan>) -> Self {
        let mut summary = Summary::default();
        let objects: Vec<ObjectPlan> = objects.collect();
        for object in &objects {
            let counter = match object.action {
                Action::Nothing => &mut summary.nothing,
                Action::Suspended => &mut summary.suspended,
                Action::Refused => &mut summary.refused,
                Action::Reported => &mut summary.reported,
                Action::Create => &mut summary.create,
                Action::Adopt => &mut summary.adopt,
                Action::Change => &mut summary.change,
                Action::Delete => &mut summary.delete,
                Action::Retain => &mut summary.retain,
            };
            *counter += 1;
            if object.action != Action::Reported {
                summary.widening += object.calls.iter().filter(|call| call.widens).count();
            }
        }
        Self {
            version: 1,
            summary,
            objects,
        }
    }

    /// Whether anything would be written.
    pub fn changes(&self) -> bool {
        let summary = &self.summary;
        summary.create + summary.adopt + summary.change + summary.delete + summary.retain > 0
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    /// `deploy/pipeline/plan.schema.json` is made from these types: `UPDATE=1 cargo test --lib report` renews it.
    #[test]
    fn the_schema_is_the_one_that_is_published() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pipeline/plan.schema.json");
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), schema);
    }
}
