//! Which objects a controller watches, told from its settings without asking a cluster: manifests are in none yet.

use std::collections::BTreeSet;

use kube::{
    ResourceExt,
    core::{Expression, Selector, SelectorExt},
};

use crate::api::v1alpha1::PinpointImportRole;

/// The objects that a controller watches.
#[derive(Clone, Debug)]
pub(super) struct WatchFilter {
    /// Namespaces; none: all.
    namespaces: BTreeSet<String>,
    /// As it is written.
    written: String,
    selector: Selector,
}

impl WatchFilter {
    /// What `--namespaces` and `--selector` say.
    ///
    /// # Errors
    /// The selector is none.
    pub(super) fn new(namespaces: &[String], selector: &str) -> Result<Self, String> {
        Ok(Self {
            namespaces: namespaces.iter().filter(|name| !name.is_empty()).cloned().collect(),
            written: selector.to_owned(),
            selector: parse(selector).map_err(|why| format!("--selector {selector:?}: {why}"))?,
        })
    }

    /// Whether the controller would watch an object.
    ///
    /// # Errors
    /// Why it would not.
    pub(super) fn covers(&self, object: &PinpointImportRole) -> Result<(), String> {
        let namespace = object.namespace().unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.contains(&namespace) {
            return Err(format!("namespace {namespace} is not among --namespaces"));
        }
        if !self.selector.matches(object.labels()) {
            return Err(format!("its labels are not those of --selector {}", self.written));
        }
        Ok(())
    }
}

/// A label selector as Kubernetes writes it ("Labels and Selectors"). kube has the meaning, and no reader.
fn parse(text: &str) -> Result<Selector, String> {
    let mut selector = Selector::default();
    if !text.trim().is_empty() {
        for part in split(text) {
            selector.extend(expression(part.trim())?);
        }
    }
    Ok(selector)
}

/// The requirements: commas within parentheses belong to one.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn expression(text: &str) -> Result<Expression, String> {
    let key = |text: &str| name(text, "/").filter(|key| !key.is_empty()).ok_or(());
    let value = |text: &str| name(text, "").ok_or(());
    let set = |text: &str| -> Result<BTreeSet<String>, ()> {
        let inner = text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        inner.ok_or(())?.split(',').map(value).collect()
    };
    let found = if let Some(absent) = text.strip_prefix('!') {
        key(absent).map(Expression::DoesNotExist)
    } else if let Some((left, right)) = text.split_once("!=") {
        key(left).and_then(|key| Ok(Expression::NotEqual(key, value(right)?)))
    } else if let Some((left, right)) = text.split_once('=') {
        let right = right.strip_prefix('=').unwrap_or(right);
        key(left).and_then(|key| Ok(Expression::Equal(key, value(right)?)))
    } else if let Some((left, right)) = text.split_once(char::is_whitespace) {
        let right = right.trim_start();
        match (right.strip_prefix("notin"), right.strip_prefix("in")) {
            (Some(values), _) => key(left).and_then(|key| Ok(Expression::NotIn(key, set(values)?))),
            (None, Some(values)) => key(left).and_then(|key| Ok(Expression::In(key, set(values)?))),
            (None, None) => Err(()),
        }
    } else {
        key(text).map(Expression::Exists)
    };
    found.map_err(|()| format!("{text:?} is no condition on labels, such as shard=a, shard in (a,b), shard or !shard"))
}

/// A name or value of a label, without the spaces around it. None if it can't be one.
fn name(text: &str, also: &str) -> Option<String> {
    let text = text.trim();
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || also.contains(c);
    text.chars().all(sound).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(namespaces: &[&str], selector: &str, namespace: &str, labels: &[(&str, &str)]) -> Result<(), String> {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        let mut object = PinpointImportRole::new("r", crate::api::v1alpha1::PinpointImportRoleSpec::default());
        object.metadata.namespace = Some(namespace.to_owned());
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        object.metadata.labels = Some(labels.collect());
        WatchFilter::new(&namespaces, selector)?.covers(&object)
    }

    #[test]
    fn selectors_mean_what_they_mean_to_the_api_server() {
        let labels = [("shard", "a"), ("example.com/team", "x"), ("empty", "")];
        for (selector, watched) in [
            ("", true),
            (" ", true),
            ("shard=a", true),
            ("shard==a", true),
            ("shard = b", false),
            ("shard!=b", true),
            ("none!=b", true),
            ("shard", true),
            ("!shard", false),
            ("! none", true),
            ("empty=", true),
            ("shard in (a, b)", true),
            ("shard in (b),shard=a", false),
            ("shard notin (b,c)", true),
            ("none notin (b)", true),
            ("none in (b)", false),
            ("shard in (a,b),example.com/team=x,!none", true),
        ] {
            assert_eq!(covers(&[], selector, "n", &labels).is_ok(), watched, "{selector}");
        }
        for wrong in ["a b", "=a", "a,,b", "a in b", "a in (b", "a>1", "!", "a=b=c", "ä"] {
            let why = WatchFilter::new(&[], wrong).unwrap_err();
            assert!(why.contains("no condition on labels"), "{wrong}: {why}");
        }
    }

    #[test]
    fn namespaces_are_some_or_all() {
        for (namespaces, watched) in [(&[][..], true), (&[""], true), (&["n", "m"], true), (&["m"], false)] {
            assert_eq!(covers(namespaces, "", "n", &[]).is_ok(), watched, "{namespaces:?}");
        }
        assert!(covers(&["m"], "", "n", &[]).unwrap_err().contains("namespace n is not"));
    }
}
