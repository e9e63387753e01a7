//! IAM: strict, and late to show what was done.

use pinpoint_import_role_controller::{
    api::{INLINE_POLICY, Tag},
    role::{Change, Class, Head, ObservedRole, Step},
};
use strum::VariantArray;

use crate::sealed::Sealed;

/// The one name that all roles of this world have.
pub const NAME: &str = "n.o";

/// A role, and where it comes from, which nobody in this world sees but the laws.
#[derive(Clone, Debug)]
pub struct Role {
    /// What IAM shows of it.
    pub shown: ObservedRole,
    /// The object that a controller made it for; none: others made it.
    pub maker: Option<u8>,
    /// Whether others did something to it by which no proof of its owner is left: tags or trust while no status knew it, or the tags of
    /// another owner.
    pub spoiled: bool,
    /// Whether a controller wrote to it, or can't tell whether it did.
    pub written: bool,
    /// Whether others put it into an instance profile.
    pub in_profile: bool,
}

/// What there was from some time on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// The tick in which it came.
    pub since: u8,
    /// The role; none: there was none.
    pub role: Option<Sealed<Role>>,
    /// Whether others than controllers brought it about.
    pub by_others: bool,
}

/// IAM, with all that it may still show. The last version is the truth.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Iam {
    versions: Vec<Version>,
    made: u8,
}

impl Iam {
    /// One without the role.
    #[must_use]
    pub fn empty() -> Self {
        let nothing = Version {
            since: 0,
            role: None,
            by_others: false,
        };
        Self {
            versions: vec![nothing],
            made: 0,
        }
    }

    /// The role as it is.
    #[must_use]
    pub fn truth(&self) -> Option<&Role> {
        self.versions.last().and_then(|version| version.role.as_deref())
    }

    /// Names of the instance profiles that the role is in.
    #[must_use]
    pub fn profiles(&self) -> Vec<String> {
        let is_in = self.truth().is_some_and(|role| role.in_profile);
        is_in.then(|| "theirs".to_owned()).into_iter().collect()
    }

    /// The role as it is, without its story.
    #[must_use]
    pub fn role(&self) -> Option<&ObservedRole> {
        self.truth().map(|role| &role.shown)
    }

    /// Brings a version about.
    pub fn change(&mut self, tick: u8, role: Option<Role>, by_others: bool) {
        self.versions.push(Version {
            since: tick,
            role: role.map(Sealed::new),
            by_others,
        });
    }

    /// An id that no role had before.
    pub fn new_id(&mut self) -> String {
        self.made += 1;
        format!("AROA{}", self.made)
    }

    /// Forgets what can't be shown any more. A version is shown for less than `lag` ticks after another took its place.
    pub fn forget(&mut self, tick: u8, lag: u8) {
        let ends = self.versions.iter().skip(1).map(|version| version.since);
        let old = ends.take_while(|end| tick >= end + lag).count();
        self.versions.drain(..old);
        // When the oldest came makes no difference any more, nor who brought it about.
        self.versions[0].since = 0;
        self.versions[0].by_others = false;
    }

    /// What answers of a kind may show, the truth first, each once: how many versions ago it was, at the latest.
    pub fn answers<T: PartialEq>(&self, part: impl Fn(Option<&ObservedRole>) -> T) -> Vec<u8> {
        let mut seen: Vec<T> = Vec::new();
        let mut ages = Vec::new();
        for (age, version) in (0_u8..).zip(self.versions.iter().rev()) {
            let answer = part(version.role.as_ref().map(|role| &role.shown));
            if !seen.contains(&answer) {
                seen.push(answer);
                ages.push(age);
            }
        }
        ages
    }

    /// The version so many ago.
    #[must_use]
    pub fn shown(&self, age: u8) -> Option<&ObservedRole> {
        let version = self.versions.iter().rev().nth(age.into())?;
        version.role.as_ref().map(|role| &role.shown)
    }

    /// A write went to the role that had no effect, which nobody was told.
    pub fn written_in_vain(&mut self) {
        if let Some(last) = self.versions.last_mut()
            && let Some(role) = &last.role
        {
            last.role = Some(Sealed::new(Role {
                written: true,
                ..Role::clone(role)
            }));
        }
    }

    /// Whether a controller may have written to the role of an id that IAM may still show.
    #[must_use]
    pub fn is_written(&self, id: &str) -> bool {
        let roles = self.versions.iter().filter_map(|version| version.role.as_deref());
        roles.into_iter().any(|role| role.written && role.shown.head.id == id)
    }

    /// Whether others did something that a look at the version so many ago can't show.
    #[must_use]
    pub fn hides(&self, age: u8) -> bool {
        let newer = self.versions.iter().rev().take(age.into());
        newer.into_iter().any(|version| version.by_others)
    }

    /// Whether, where IAM judges by tags, those of the role may not have arrived yet.
    #[must_use]
    pub fn may_lack_tags(&self) -> bool {
        let ownership = |role: Option<&ObservedRole>| {
            role.map(|role| {
                Tag::VARIANTS
                    .iter()
                    .map(|tag| role.head.tag(tag.key()).map(str::to_owned))
                    .collect::<Vec<_>>()
            })
        };
        self.answers(ownership).len() > 1
    }

    /// Carries a step out for an object, or says why not. Returns the role that was made.
    ///
    /// # Errors
    /// The class of IAM's answer.
    pub fn execute(&mut self, tick: u8, step: &Step, maker: u8) -> Result<Option<Head>, Class> {
        let truth = self.truth().cloned();
        match (step, truth) {
            (Step::CreateRole(_), Some(_)) => Err(Class::Exists),
            (Step::CreateRole(_), None) => {
                let mut made = None;
                apply(&mut made, step);
                let mut shown = made.unwrap_or_default();
                shown.head.id = self.new_id();
                let head = shown.head.clone();
                let role = Role {
                    shown,
                    maker: Some(maker),
                    spoiled: false,
                    written: true,
                    in_profile: false,
                };
                self.change(tick, Some(role), false);
                Ok(Some(head))
            }
            // What is not there is gone (`aws::execute`).
            (Step::UntagRole(_) | Step::DetachPolicy(_) | Step::DeleteInlinePolicy { .. } | Step::DeleteRole, None) => {
                Ok(None)
            }
            (_, None) => Err(Class::Unseen),
            (Step::DeleteRole, Some(role))
                if role.in_profile || !role.shown.attached.is_empty() || !role.shown.inline.is_empty() =>
            {
                Err(Class::Blocked)
            }
            (Step::DeleteRole, Some(_)) => {
                self.change(tick, None, false);
                Ok(None)
            }
            (step, Some(role)) => {
                let mut shown = Some(role.shown.clone());
                apply(&mut shown, step);
                if let Some(shown) = shown.filter(|shown| *shown != role.shown) {
                    let written = true;
                    self.change(tick, Some(Role { shown, written, ..role }), false);
                }
                Ok(None)
            }
        }
    }
}

/// Carries out a step as IAM does, and not as the product believes that it does (`Step::applied`).
///
/// # Panics
/// IAM would refuse the step.
pub fn apply(role: &mut Option<ObservedRole>, step: &Step) {
    if let Step::CreateRole(new) = step {
        assert!(role.is_none(), "CreateRole on a role that exists");
        *role = Some(ObservedRole {
            head: Head {
                name: NAME.to_owned(),
                arn: format!("arn:aws:iam::123456789012:role/{NAME}"),
                id: "AROANEW".to_owned(),
                path: new.path.to_string(),
                trust: new.trust.clone(),
                description: Some(new.description.clone()),
                max_session_duration: Some(new.max_session_duration.unwrap_or(3600)),
                boundary: new.boundary.as_ref().map(ToString::to_string),
                tags: new.tags.clone(),
            },
            ..ObservedRole::default()
        });
        return;
    }
    if *step == Step::DeleteRole {
        let gone = role.take().expect("DeleteRole on a role that exists");
        assert!(gone.attached.is_empty() && gone.inline.is_empty(), "DeleteConflict");
        return;
    }
    let ObservedRole { head, attached, inline } = role.as_mut().expect("a step on a role that exists");
    match step {
        Step::CreateRole(_) | Step::DeleteRole => {}
        Step::TagRole(tags) => {
            for (key, value) in tags {
                head.tags.retain(|known, _| !known.eq_ignore_ascii_case(key));
                head.tags.insert(key.clone(), value.clone());
            }
            assert!(head.tags.len() <= 50, "LimitExceeded");
        }
        Step::UntagRole(keys) => head
            .tags
            .retain(|known, _| !keys.iter().any(|key| key.eq_ignore_ascii_case(known))),
        Step::PutBoundary(arn) => head.boundary = Some(arn.to_string()),
        Step::UpdateTrust(document) => head.trust.clone_from(document),
        Step::UpdateRole {
            description,
            max_session_duration,
        } => {
            head.description = description.clone().or(head.description.take());
            head.max_session_duration = max_session_duration.or(head.max_session_duration);
        }
        Step::DetachPolicy(arn) => drop(attached.remove(arn)),
        Step::AttachPolicy(arn) => drop(attached.insert(arn.to_string())),
        Step::DeleteInlinePolicy { name, .. } => drop(inline.remove(name)),
        Step::PutBucketPolicy(document) => drop(inline.insert(INLINE_POLICY.to_owned(), Some(document.clone()))),
    }
}

/// The role after a whole plan.
///
/// # Panics
/// IAM would refuse a step of it.
#[must_use]
pub fn after(role: Option<&ObservedRole>, plan: &[Change]) -> Option<ObservedRole> {
    let mut role = role.cloned();
    for change in plan {
        apply(&mut role, &change.step);
    }
    role
}
