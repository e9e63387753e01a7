//! What a statement says, taken apart.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
};

use wildmatch::WildMatch;

use super::budget::Heap;

/// A text that IAM compares ignoring case: an action, or the operator or key of a condition. Only the case of ASCII letters is ignored,
/// since IAM has no other letters in these; what else there may be stays different.
#[derive(Clone, Debug)]
pub struct Folded(String);

impl Folded {
    /// The text, in the case in which people read it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text in lower case.
    #[must_use]
    pub fn lower(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn letters(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl Heap for Folded {
    fn heap(&self) -> usize {
        self.0.heap()
    }
}

impl PartialEq for Folded {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Folded {}

impl PartialOrd for Folded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Folded {
    fn cmp(&self, other: &Self) -> Ordering {
        self.letters().cmp(other.letters())
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A principal: its kind (`AWS`, `Service`, `Federated`, `CanonicalUser`) and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// The key below `Principal`, as it is written.
    pub kind: String,
    /// Value. An account is always `arn:<partition>:iam::<id>:root`.
    pub value: String,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.as_str(), self.value.as_str()) {
            ("AWS", "*") => f.write_str("everybody (*)"),
            (kind, "*") => write!(f, "every {kind} principal (*)"),
            (_, value) => f.write_str(value),
        }
    }
}

impl Heap for Principal {
    fn heap(&self) -> usize {
        self.kind.heap() + self.value.heap()
    }
}

/// An element that names what it means, or what it does not mean (`NotPrincipal`, `NotAction`, `NotResource`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope<T> {
    /// This one.
    Is(T),
    /// Everything but these. They can't be split: each further one narrows.
    AllBut(BTreeSet<T>),
}

impl<T> Scope<T> {
    /// Whether something holds for any that is named.
    pub(super) fn any(&self, holds: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::Is(one) => std::iter::once(one).any(holds),
            Self::AllBut(these) => these.iter().any(holds),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Scope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(one) => write!(f, "{one}"),
            Self::AllBut(these) => write!(f, "everything but {}", list(these)),
        }
    }
}

impl<T: Heap> Heap for Scope<T> {
    fn heap(&self) -> usize {
        match self {
            Self::Is(one) => one.heap(),
            Self::AllBut(these) => these.heap(),
        }
    }
}

/// What a statement does with what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Gives what no other statement denies.
    Allow,
    /// Takes away, whatever else allows it.
    Deny,
}

/// A condition block, as IAM calls it: operator and key to values, of which there is at least one.
pub(in crate::role) type ConditionBlock = BTreeMap<(Folded, Folded), BTreeSet<String>>;

/// The smallest thing that a statement says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Whether it gives or takes away.
    pub effect: Effect,
    /// Who; none in an identity policy.
    pub principal: Option<Scope<Principal>>,
    /// To do what.
    pub action: Scope<Folded>,
    /// On what; none in a trust policy.
    pub resource: Option<Scope<String>>,
    /// What must all be true for it to count; empty: always.
    pub conditions: ConditionBlock,
}

impl Grant {
    /// `Allow`, and for nobody but this service.
    #[must_use]
    pub fn is_only_service(&self, service: &str) -> bool {
        matches!(&self.principal, Some(Scope::Is(who)) if who.kind == "Service" && who.value == service)
    }

    /// Whether there is a `${` in anything but the `Sid`, which permits nothing.
    pub(super) fn has_variables(&self) -> bool {
        let has = |text: &str| text.contains("${");
        self.principal
            .as_ref()
            .is_some_and(|who| who.any(|one| has(&one.value)))
            || self.action.any(|one| has(&one.0))
            || self.resource.as_ref().is_some_and(|what| what.any(|one| has(one)))
            || self
                .conditions
                .iter()
                .any(|((_, key), values)| has(&key.0) || values.iter().any(|value| has(value)))
    }

    /// Whether an action is among those that are meant. Matched as IAM does: whatever its case, `*` for any characters, `?` for one.
    #[must_use]
    pub fn acts(&self, action: &str) -> bool {
        let matches = |pattern: &Folded| WildMatch::new(&pattern.lower()).matches(&action.to_ascii_lowercase());
        match &self.action {
            Scope::Is(one) => matches(one),
            Scope::AllBut(these) => !these.iter().any(matches),
        }
    }

    /// The same with conditions, if `all` has it. Grants are in order, conditions last, so it comes right after this one.
    fn has_like_with_conditions(&self, all: &BTreeSet<Grant>) -> bool {
        let next = all.range((Bound::Excluded(self), Bound::Unbounded)).next();
        next.is_some_and(|other| {
            (other.effect, &other.principal, &other.action, &other.resource)
                == (self.effect, &self.principal, &self.action, &self.resource)
        })
    }

    /// The grant as words: `arn:… to sts:AssumeRole when …`. Says "without conditions" where `against` has the like with conditions.
    pub(super) fn words(&self, against: &BTreeSet<Grant>) -> String {
        let mut words = match &self.principal {
            Some(who) => format!("{who} to {}", self.action),
            None => self.action.to_string(),
        };
        if let Some(resource) = &self.resource {
            words.extend([" on ", &resource.to_string()]);
        }
        if !self.conditions.is_empty() {
            let all: Vec<String> = self
                .conditions
                .iter()
                .map(|((operator, key), values)| format!("{key} {operator} {}", list(values)))
                .collect();
            words.extend([" when ", &all.join(" and ")]);
        } else if self.has_like_with_conditions(against) {
            words.push_str(" without conditions");
        }
        words
    }
}

fn list<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(change: impl FnOnce(&mut Grant)) -> Grant {
        let mut grant = Grant {
            effect: Effect::Allow,
            principal: None,
            action: Scope::Is(Folded::new("s3:GetObject".to_owned())),
            resource: None,
            conditions: ConditionBlock::new(),
        };
        change(&mut grant);
        grant
    }

    fn principal(value: &str) -> Principal {
        Principal {
            kind: "AWS".to_owned(),
            value: value.to_owned(),
        }
    }

    fn condition(key: &str, value: &str) -> ConditionBlock {
        let folded = |text: &str| Folded::new(text.to_owned());
        [((folded("StringLike"), folded(key)), [value.to_owned()].into())].into()
    }

    #[test]
    fn case_makes_no_difference() {
        let folded = |text: &str| Folded::new(text.to_owned());
        assert_eq!(folded("s3:GetObject"), folded("S3:getobject"));
        assert!(folded("A") < folded("b") && folded("B") > folded("a"));
    }

    #[test]
    fn a_variable_is_found_wherever_it_is() {
        const VARIABLE: &str = "a${aws:username}";
        let named = |scope: fn(String) -> Scope<String>| scope(VARIABLE.to_owned());
        let with: [Grant; 8] = [
            grant(|grant| grant.principal = Some(Scope::Is(principal(VARIABLE)))),
            grant(|grant| grant.principal = Some(Scope::AllBut([principal("a"), principal(VARIABLE)].into()))),
            grant(|grant| grant.action = Scope::Is(Folded::new(VARIABLE.to_owned()))),
            grant(|grant| grant.resource = Some(named(Scope::Is))),
            grant(|grant| grant.resource = Some(named(|text| Scope::AllBut([text].into())))),
            grant(|grant| grant.conditions = condition(VARIABLE, "a")),
            grant(|grant| grant.conditions = condition("a", VARIABLE)),
            grant(|grant| {
                grant.conditions = condition("a", "b");
                grant.conditions.extend(condition("b", VARIABLE));
            }),
        ];
        for grant in with {
            assert!(grant.has_variables(), "{grant:?}");
        }
        let without = grant(|grant| {
            grant.principal = Some(Scope::Is(principal("a{b}")));
            grant.resource = Some(Scope::Is("$b".to_owned()));
            grant.conditions = condition("a", "$ {b}");
        });
        assert!(!without.has_variables());
    }

    #[test]
    fn what_a_grant_holds_is_counted_whole() {
        let text = |text: &str| text.to_owned();
        assert_eq!(Folded::new(text("ab")).heap(), text("ab").heap());
        assert_eq!(principal("ab").heap(), text("AWS").heap() + text("ab").heap());
        assert_eq!(Scope::Is(text("ab")).heap(), text("ab").heap());
        let set = BTreeSet::from([text("ab"), text("c")]);
        assert_eq!(Scope::AllBut(set.clone()).heap(), set.heap());
    }

    #[test]
    fn words_of_a_grant() {
        let words = |grant: Grant, against: &[Grant]| grant.words(&against.iter().cloned().collect());
        let on = |grant: &mut Grant| grant.resource = Some(Scope::Is("arn:aws:s3:::a".to_owned()));
        assert_eq!(words(grant(|_| {}), &[]), "s3:GetObject");
        assert_eq!(words(grant(on), &[]), "s3:GetObject on arn:aws:s3:::a");
        let everybody = grant(|grant| grant.principal = Some(Scope::Is(principal("*"))));
        assert_eq!(words(everybody, &[]), "everybody (*) to s3:GetObject");
        let but = grant(|grant| grant.principal = Some(Scope::AllBut([principal("a"), principal("b")].into())));
        assert_eq!(words(but, &[]), "everything but a or b to s3:GetObject");
        let conditional = grant(|grant| {
            grant.conditions = condition("aws:a", "b");
            grant.conditions.extend(condition("aws:c", "d"));
        });
        assert_eq!(
            words(conditional.clone(), &[]),
            "s3:GetObject when aws:a StringLike b and aws:c StringLike d"
        );
        assert_eq!(
            words(grant(|_| {}), std::slice::from_ref(&conditional)),
            "s3:GetObject without conditions"
        );
        assert_eq!(
            words(grant(on), &[conditional]),
            "s3:GetObject on arn:aws:s3:::a",
            "it is another's condition"
        );
    }
}
