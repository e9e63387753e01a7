//! What operators allow those who write objects, whatever these declare (flags of `run`).

use wildmatch::WildMatch;

use super::{
    DesiredRole, Owner, Surroundings,
    name::PolicyArn,
    problem::{FieldPath, Problem, words},
};
use crate::api::{
    Reason,
    v1alpha1::{AdoptionPolicy, PinpointImportRoleSpec},
};

/// Texts with `*` (any characters) and `?` (one).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns(Vec<WildMatch>);

impl Patterns {
    /// Patterns as they are written.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        let written = patterns.iter().filter(|pattern| !pattern.is_empty());
        Self(written.map(|pattern| WildMatch::new(pattern)).collect())
    }

    /// Whether one of them fits.
    #[must_use]
    pub fn fit(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(text))
    }

    fn words(&self) -> String {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        if all.is_empty() {
            "none".to_owned()
        } else {
            all.join(", ")
        }
    }
}

/// The guards. Those who write objects can't get around them.
#[derive(Clone, Debug)]
pub struct Guards {
    /// ARNs of managed policies that may be declared.
    pub policy_arns: Patterns,
    /// The boundary that every role gets.
    pub boundary: Option<PolicyArn>,
    /// What the name of every role begins with.
    pub name_prefix: String,
    /// Namespaces whose objects may adopt.
    pub adoption_namespaces: Patterns,
}

impl Guards {
    /// The role that a spec declares, if these guards allow it.
    ///
    /// # Errors
    /// The reason of `Ready=False`, and its message.
    pub fn declare(
        &self,
        spec: &PinpointImportRoleSpec,
        owner: Owner,
        around: &Surroundings,
    ) -> Result<DesiredRole, (Reason, String)> {
        let desired =
            DesiredRole::declare(spec, owner, around).map_err(|problems| (Reason::InvalidSpec, words(&problems)))?;
        self.apply(spec, desired)
            .map_err(|refused| (Reason::PolicyNotAllowed, words(&refused)))
    }

    /// Puts the forced boundary on, and checks the rest.
    ///
    /// # Errors
    /// What the guards forbid, and what to do.
    pub fn apply(&self, spec: &PinpointImportRoleSpec, mut desired: DesiredRole) -> Result<DesiredRole, Vec<Problem>> {
        let unlike = desired
            .attached
            .iter()
            .filter(|arn| !self.policy_arns.fit(arn.as_str()));
        let mut refused: Vec<Problem> = unlike.map(|arn| self.policy_refused(spec, arn)).collect();
        if let Some(forced) = &self.boundary {
            if desired.boundary.as_ref().is_some_and(|declared| declared != forced) {
                let message =
                    format!("this controller puts {forced} on every role: leave the field out, or declare the same");
                refused.push(Problem::new(FieldPath::spec("permissionsBoundary"), message));
            }
            desired.boundary = Some(forced.clone());
        }
        if !desired.name.as_str().starts_with(&self.name_prefix) {
            let message = format!(
                "the names of this controller's roles begin with {}, and {} does not: make the object again with such a spec.roleName",
                self.name_prefix, desired.name
            );
            refused.push(Problem::new(FieldPath::spec("roleName"), message));
        }
        if spec.adoption_policy == AdoptionPolicy::Adopt && !self.adoption_namespaces.fit(&desired.owner.namespace) {
            let message = format!(
                "this controller adopts no roles for namespace {} (it does for {}): set Never, or ask its operators \
                 (--adoption-namespaces)",
                desired.owner.namespace,
                self.adoption_namespaces.words()
            );
            refused.push(Problem::new(FieldPath::spec("adoptionPolicy"), message));
        }
        if refused.is_empty() { Ok(desired) } else { Err(refused) }
    }

    fn policy_refused(&self, spec: &PinpointImportRoleSpec, arn: &PolicyArn) -> Problem {
        let field = FieldPath::spec("managedPolicyArns");
        let declared = spec.managed_policy_arns.iter().flatten();
        let index = declared.into_iter().position(|declared| declared == arn.as_str());
        let message = format!(
            "{arn} is not among the policies that this controller may attach ({}): use spec.buckets, or ask its operators \
             (--allowed-policy-arns)",
            self.policy_arns.words()
        );
        Problem::new(index.map_or(field.clone(), |index| field.item(index)), message)
    }
}
