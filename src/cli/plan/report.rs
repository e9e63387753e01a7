//! What `plan` finds, as data: the types are the JSON form, and its schema is made of them.

use std::collections::BTreeMap;

use kube::ResourceExt;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::{ConditionType, v1alpha1::PinpointImportRole},
    role::{
        Change, FieldPath, ObservedRole, Owner, Problem,
        decision::{Aim, Decision, End},
        desired::role_name,
        outcome::Outcome,
        review::widening::widens,
    },
};

/// What the controller would do.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Report")]
pub(super) struct PlanReport {
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
    pub(super) unwatched: usize,
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
    /// A manifest that this controller would not watch, by its namespaces and selector: nothing, and `message` says why.
    Unwatched,
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
    /// Message of the condition, where the object would be refused; why not, where it would not be watched.
    pub(super) message: Option<String>,
    /// What is allowed and should be known.
    pub(super) notes: Vec<Note>,
    /// The calls to IAM, in order; for `reported`, those that would repair the drift.
    pub(super) calls: Vec<Call>,
}

/// Something about an object that should be known, and keeps nothing from happening.
#[derive(Serialize, JsonSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// The way to the field, for its line.
    #[serde(skip)]
    pub path: FieldPath,
    /// The field that it is about.
    pub(super) field: String,
    /// What should be known.
    pub(super) message: String,
}

impl From<Problem> for Note {
    fn from(Problem { path, message }: Problem) -> Self {
        Self {
            field: path.to_string(),
            path,
            message,
        }
    }
}

/// What the controller says of an object as it is, where only people can help: what is planned for it has been tried.
fn said(object: &PinpointImportRole) -> Option<Problem> {
    let status = object.status.as_ref()?;
    let find = |kind: ConditionType| {
        let mut all = status.conditions.iter();
        all.find(|condition| {
            condition.type_ == kind.as_str() && condition.observed_generation == object.metadata.generation
        })
    };
    find(ConditionType::Stalled).filter(|condition| condition.status == "True")?;
    let ready = find(ConditionType::Ready)?;
    let message = format!(
        "the controller says of this object as it is: {}: {}",
        ready.reason, ready.message
    );
    Some(Problem::new(FieldPath::of(&["status"]), message))
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
    pub(super) differences: Vec<CallDifference>,
    /// What it overwrites or removes, where that is known.
    pub(super) before: Option<String>,
    /// What it writes.
    pub(super) after: Option<String>,
}

/// A difference between the role and its declaration.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Difference")]
pub(super) struct CallDifference {
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
                .map(|difference| CallDifference {
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
            Aim::Create | Aim::CreateAtOnce | Aim::Update | Aim::Repair => (Action::Change, None),
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
    /// What was decided about an object, of no file and no account yet.
    pub(super) fn new(
        object: &PinpointImportRole,
        observed: Option<&ObservedRole>,
        decision: &Decision,
        notes: &[Problem],
    ) -> Self {
        let owner = named(object);
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
        // What is refused says why by itself.
        let said = said(object).filter(|_| message.is_none());
        Self {
            role: role(object, &owner),
            namespace: owner.namespace,
            name: owner.name,
            file: None,
            account: None,
            owner: whose,
            action,
            reason,
            message,
            notes: notes.iter().cloned().chain(said).map(Note::from).collect(),
            calls: changes.iter().map(|change| Call::new(change, observed)).collect(),
        }
    }

    /// `namespace/name`.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// A manifest that the controller would not watch.
    pub(super) fn unwatched(object: &PinpointImportRole, file: Option<String>, why: &str) -> Self {
        let owner = named(object);
        Self {
            role: role(object, &owner),
            namespace: owner.namespace,
            name: owner.name,
            file,
            account: None,
            owner: "not looked at".to_owned(),
            action: Action::Unwatched,
            reason: None,
            message: Some(why.to_owned()),
            notes: Vec::new(),
            calls: Vec::new(),
        }
    }
}

/// An object as far as a role's default name depends on it.
fn named(object: &PinpointImportRole) -> Owner {
    Owner {
        cluster: String::new(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: String::new(),
    }
}

fn role(object: &PinpointImportRole, owner: &Owner) -> String {
    let name = role_name(&object.spec, owner);
    name.map(|name| name.to_string()).unwrap_or_default()
}

impl PlanReport {
    pub(super) fn new(objects: impl Iterator<Item = ObjectPlan>) -> Self {
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
                Action::Unwatched => &mut summary.unwatched,
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

    /// All notes, each with the objects that it is about.
    pub(super) fn notes(&self) -> BTreeMap<&Note, Vec<String>> {
        let mut all: BTreeMap<&Note, Vec<String>> = BTreeMap::new();
        for object in &self.objects {
            for note in &object.notes {
                all.entry(note).or_default().push(object.title());
            }
        }
        all
    }

    /// Whether anything would be written.
    pub(super) fn changes(&self) -> bool {
        let summary = &self.summary;
        summary.create + summary.adopt + summary.change + summary.delete + summary.retain > 0
    }
}

#[cfg(test)]
mod tests {
    use super::PlanReport;

    /// `deploy/pipeline/plan.schema.json` is made from these types: `UPDATE=1 cargo test --lib report` renews it.
    #[test]
    fn the_schema_is_the_one_that_is_published() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pipeline/plan.schema.json");
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(PlanReport)).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), schema);
    }
}
