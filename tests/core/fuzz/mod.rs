//! What is said of documents is true: an evaluator that shares no code with the controller (`tests/support/src/policy.rs`) looks for a
//! request that proves it wrong. `make fuzz` looks for longer.

mod documents;

use std::cell::Cell;

use pinpoint_import_role_controller::role::{
    Change, DesiredRole, Head, ObservedRole, Step, SweptRole,
    observed::Sweep,
    plan::plan,
    policy::{
        Effect, Grant, Meaning, Principal, Scope,
        trust::{PINPOINT, obstacle_to_adoption},
    },
    review::{
        exposure::{Exposure, Guarded, Power, exposure},
        widening::widens,
    },
};
use proof::iam::after;
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::Index,
};
use serde_json::{Map, Value, json};
use test_support::{
    policy::{Caller, Decision, Policy, Request},
    search::search,
};
use wildmatch::WildMatch;

use self::documents::{
    OWN, assuming, changed, changes, document, identity_statement, rewrites, rewritten, trust_statement, using,
};
use crate::generated::{owner, remembered, role, spec};

type Call = (documents::Caller, Request);

fn allows(policy: &Policy, ((kind, name), request): &Call) -> bool {
    policy.decide_for(Caller { kind, name }, request) == Decision::Allowed
}

fn declared(spec: &pinpoint_import_role_controller::api::v1alpha1::PinpointImportRoleSpec) -> DesiredRole {
    crate::generated::declare(spec)
}

fn with_trust(trust: &str) -> SweptRole {
    SweptRole {
        role: ObservedRole {
            head: Head {
                arn: format!("arn:aws:iam::{OWN}:role/x"),
                trust: trust.to_owned(),
                ..Head::default()
            },
            ..ObservedRole::default()
        },
        ..SweptRole::default()
    }
}

/// The same in other words is no difference, in either direction.
#[test]
fn rewritten_is_as_declared() {
    let trust = document(trust_statement());
    let identity = document(identity_statement());
    let of = (prop_oneof![trust, identity], rewrites());
    search("rewritten is as declared", 600, &of, |(one, edits)| {
        let other = rewritten(&one, edits);
        let Ok(meaning) = Meaning::parse(&one.to_string()) else {
            return Ok(());
        };
        let found = match Meaning::parse(&other.to_string()) {
            Ok(other) => [meaning.differences(&other), other.differences(&meaning)].concat(),
            Err(why) => vec![why],
        };
        prop_assert!(found.is_empty(), "{one}\n{other}\n{found:?}");
        Ok(())
    });
}

/// Trust policies in which no difference is found decide alike on every call.
#[test]
fn trust_policies_without_a_difference_decide_alike() {
    let of = (
        document(trust_statement()),
        rewrites(),
        changes(trust_statement()),
        vec(assuming(), 24),
    );
    let (alike, all) = (Cell::new(0), Cell::new(0));
    search(
        "trust policies without a difference",
        600,
        &of,
        |(one, same, other, calls)| {
            let (one, other) = (one.to_string(), changed(&rewritten(&one, same), other).to_string());
            all.set(all.get() + 1);
            if let (Ok(first), Ok(second)) = (Meaning::parse(&one), Meaning::parse(&other))
                && first.differences(&second).is_empty()
            {
                alike.set(alike.get() + 1);
                let (first, second) = (Policy::parse(&one), Policy::parse(&other));
                for call in &calls {
                    prop_assert_eq!(
                        allows(&first, call),
                        allows(&second, call),
                        "{:?}\n{}\n{}",
                        call,
                        one,
                        other
                    );
                }
            }
            Ok(())
        },
    );
    assert!(alike.get() > all.get() / 10, "{} of {} pairs", alike.get(), all.get());
}

/// The same for what a role may do.
#[test]
fn policies_without_a_difference_decide_alike() {
    let of = (
        document(identity_statement()),
        rewrites(),
        changes(identity_statement()),
        vec(using(), 24),
    );
    let (alike, all) = (Cell::new(0), Cell::new(0));
    search(
        "policies without a difference",
        600,
        &of,
        |(one, same, other, calls)| {
            let (one, other) = (one.to_string(), changed(&rewritten(&one, same), other).to_string());
            all.set(all.get() + 1);
            if let (Ok(first), Ok(second)) = (Meaning::parse(&one), Meaning::parse(&other))
                && first.differences(&second).is_empty()
            {
                alike.set(alike.get() + 1);
                let (first, second) = (Policy::parse(&one), Policy::parse(&other));
                for call in &calls {
                    prop_assert_eq!(
                        first.decide(call),
                        second.decide(call),
                        "{:?}\n{}\n{}",
                        call,
                        one,
                        other
                    );
                }
            }
            Ok(())
        },
    );
    assert!(alike.get() > all.get() / 10, "{} of {} pairs", alike.get(), all.get());
}

/// What is said of a trust policy beside the declared one: as declared, only widened by it, not widened by it.
#[test]
fn a_declared_trust_policy_is_judged_soundly() {
    let of = (spec(), rewrites(), changes(trust_statement()), vec(assuming(), 24));
    search("declared trust policies", 600, &of, |(spec, same, other, calls)| {
        let desired = declared(&spec);
        let own: Value = serde_json::from_str(desired.trust.document()).expect("ours");
        let found = changed(&rewritten(&own, same), other).to_string();
        let role = with_trust(&found).role;
        let equal = desired.trust.differences(&found).is_empty();
        let only_adds = desired.trust.only_adds_to(&found);
        let change = Change::plain(Step::UpdateTrust(desired.trust.document().to_owned()));
        let widens = widens(&change, Some(&role));
        let (now, then) = (Policy::parse(&found), Policy::parse(desired.trust.document()));
        for call in &calls {
            let (before, after) = (allows(&now, call), allows(&then, call));
            prop_assert!(!equal || before == after, "as declared: {call:?}\n{found}");
            prop_assert!(
                !only_adds || !before || after,
                "somebody loses something: {call:?}\n{found}"
            );
            prop_assert!(
                widens || before || !after,
                "somebody gains something: {call:?}\n{found}"
            );
        }
        Ok(())
    });
}

/// The same for the policy of buckets.
#[test]
fn a_declared_bucket_policy_is_judged_soundly() {
    let of = (spec(), rewrites(), changes(identity_statement()), vec(using(), 24));
    search("declared bucket policies", 600, &of, |(spec, same, other, calls)| {
        let Some(buckets) = declared(&spec).buckets else {
            return Ok(());
        };
        let own: Value = serde_json::from_str(buckets.document()).expect("ours");
        let found = changed(&rewritten(&own, same), other).to_string();
        let equal = buckets.differences(Some(&found)).is_empty();
        let mut role = with_trust("{}").role;
        let name = pinpoint_import_role_controller::api::INLINE_POLICY.to_owned();
        role.inline.insert(name, Some(found.clone()));
        let change = Change::plain(Step::PutBucketPolicy(buckets.document().to_owned()));
        let widens = widens(&change, Some(&role));
        let (now, then) = (Policy::parse(&found), Policy::parse(buckets.document()));
        for call in &calls {
            let allowed = |policy: &Policy| policy.decide(call) == Decision::Allowed;
            let (before, after) = (allowed(&now), allowed(&then));
            prop_assert!(!equal || before == after, "as declared: {call:?}\n{found}");
            prop_assert!(widens || before || !after, "it gains something: {call:?}\n{found}");
        }
        Ok(())
    });
}

/// A role that may be adopted lets nobody but Pinpoint in.
#[test]
fn what_may_be_adopted_trusts_pinpoint_alone() {
    let of = (document(trust_statement()), vec(assuming(), 24));
    search("adoption", 600, &of, |(document, calls)| {
        let text = document.to_string();
        if obstacle_to_adoption(&text).is_none() {
            let policy = Policy::parse(&text);
            for call in &calls {
                prop_assert!(
                    !allows(&policy, call) || call.0 == ("Service", PINPOINT),
                    "{call:?}\n{text}"
                );
            }
        }
        Ok(())
    });
}

/// What `audit` says of who may assume a role holds for every call.
#[test]
fn audit_overlooks_nobody() {
    let of = (document(trust_statement()), vec(assuming(), 24));
    search("audit, who", 800, &of, |(document, calls)| {
        let text = document.to_string();
        if Meaning::parse(&text).is_err() {
            return Ok(());
        }
        let found = exposure(&with_trust(&text), &Sweep::default());
        let policy = Policy::parse(&text);
        for call in calls.iter().filter(|call| allows(&policy, call)) {
            overlooked(found.as_ref(), call).map_or(Ok(()), |what| {
                Err(TestCaseError::fail(format!("{what}: {call:?}\n{text}\n{found:?}")))
            })?;
        }
        Ok(())
    });
}

/// What is not said of a call that is allowed, and should be.
fn overlooked(found: Option<&Exposure>, ((kind, name), request): &Call) -> Option<&'static str> {
    let pinpoint = *kind == "Service" && *name == PINPOINT && request.action == "sts:AssumeRole";
    let Some(found) = found else {
        return pinpoint.then_some("Pinpoint may use it");
    };
    let assumes = request.action.starts_with("sts:AssumeRole");
    let named = *kind == "Service" && name.to_lowercase().starts_with("pinpoint.");
    if assumes && !named && found.others.is_empty() {
        return Some("somebody else may assume it");
    }
    let sent = |key: &str| request.context.get(key).map(|values| values[0].as_str());
    let for_ours = sent("aws:sourceaccount") == Some(OWN)
        || sent("aws:sourcearn").and_then(|arn| arn.split(':').nth(4)) == Some(OWN)
        || sent("aws:sourceorgid").is_some();
    let guarded = found.guarded == Guarded::Yes && found.strangers.is_empty();
    (pinpoint && guarded && !for_ours).then_some("Pinpoint may use it for anybody")
}

/// What `audit` says of what a role may do holds for every call.
#[test]
fn audit_overlooks_no_right() {
    let of = (document(identity_statement()), vec(using(), 24));
    search("audit, what", 800, &of, |(document, calls)| {
        let text = document.to_string();
        if Meaning::parse(&text).is_err() {
            return Ok(());
        }
        let guide = json!({"Statement": {
            "Effect": "Allow", "Principal": {"Service": PINPOINT}, "Action": "sts:AssumeRole",
        }});
        let mut swept = with_trust(&guide.to_string());
        swept.role.inline.insert("x".to_owned(), Some(text.clone()));
        let found = exposure(&swept, &Sweep::default()).expect("it trusts Pinpoint");
        let policy = Policy::parse(&text);
        for call in calls.iter().filter(|call| policy.decide(call) == Decision::Allowed) {
            let known = match call.action.as_str() {
                "s3:GetObject" => found.reach.every_bucket || reaches(&found, &call.resource),
                "s3:PutObject" => found
                    .beyond
                    .as_ref()
                    .is_some_and(|beyond| beyond.power >= Power::WriteS3),
                _ => true,
            };
            prop_assert!(known, "{call:?}\n{text}\n{found:?}");
        }
        Ok(())
    });
}

/// Whether an object is among those that an exposure names: by bucket, or by the whole pattern.
fn reaches(found: &Exposure, object: &str) -> bool {
    let Some(bucket) = object
        .strip_prefix("arn:aws:s3:::")
        .and_then(|rest| rest.split_once('/'))
    else {
        return true;
    };
    found.reach.buckets.iter().any(|named| {
        let named = ["${aws:PrincipalAccount}", "${aws:PrincipalTag/x}"]
            .iter()
            .fold(named.clone(), |named, variable| named.replace(variable, "*"));
        let pattern = WildMatch::new(&named);
        let whole = format!("{}/{}", bucket.0, bucket.1);
        [bucket.0, &whole, object].iter().any(|text| pattern.matches(text))
    })
}

/// A document of what a meaning has: one statement for each grant.
fn print(meaning: &Meaning) -> String {
    fn put<T>(statement: &mut Map<String, Value>, scope: &Scope<T>, name: &str, json: impl Fn(&[&T]) -> Value) {
        match scope {
            Scope::Is(one) => statement.insert(name.to_owned(), json(&[one])),
            Scope::AllBut(these) => statement.insert(format!("Not{name}"), json(&Vec::from_iter(these))),
        };
    }
    fn principals(all: &[&Principal]) -> Value {
        let mut by_kind = Map::new();
        for one in all {
            let names = by_kind.entry(one.kind.clone()).or_insert_with(|| json!([]));
            names.as_array_mut().expect("a list").push(one.value.clone().into());
        }
        by_kind.into()
    }
    let statement = |grant: &Grant| {
        let mut statement = Map::new();
        let effect = if grant.effect == Effect::Allow { "Allow" } else { "Deny" };
        statement.insert("Effect".to_owned(), effect.into());
        if let Some(who) = &grant.principal {
            put(&mut statement, who, "Principal", principals);
        }
        let texts = |all: &[&_]| all.iter().map(ToString::to_string).collect();
        put(&mut statement, &grant.action, "Action", texts);
        if let Some(what) = &grant.resource {
            put(&mut statement, what, "Resource", |all| {
                all.iter().map(ToString::to_string).collect()
            });
        }
        let mut condition = Map::new();
        for ((operator, key), values) in &grant.conditions {
            let keys = condition.entry(operator.to_string()).or_insert_with(|| json!({}));
            keys[key.to_string()] = json!(values);
        }
        statement.insert("Condition".to_owned(), condition.into());
        Value::from(statement)
    };
    let statements: Vec<Value> = meaning.grants.iter().map(statement).collect();
    let version = if meaning.has_variables() {
        "2012-10-17"
    } else {
        "2008-10-17"
    };
    json!({"Version": version, "Statement": statements}).to_string()
}

/// A text after some of its characters became others, went, or came.
fn torn(text: &str, tears: Vec<(Index, Option<char>, bool)>) -> String {
    let mut all: Vec<char> = text.chars().collect();
    for (at, into, keep) in tears {
        let at = at.index(all.len() + 1);
        let end = (at + usize::from(!keep)).min(all.len());
        all.splice(at..end, into);
    }
    all.into_iter().collect()
}

/// Whatever a text is: it is read or refused, as JSON is by others, and what was read is the same when it is printed and read again.
#[test]
fn no_text_makes_it_stumble() {
    let odd = proptest::sample::select("{}[]\",:\\*?$e0-1 \u{0}\u{212a}İ\u{202e}𝄞".chars().collect::<Vec<_>>());
    let tears = vec((any::<Index>(), prop::option::of(odd), any::<bool>()), 0..4);
    let sound = prop_oneof![document(trust_statement()), document(identity_statement())];
    let text = prop_oneof![
        6 => (sound, tears).prop_map(|(document, tears)| torn(&document.to_string(), tears)),
        1 => ".{0,80}",
        1 => "[\\[{}\\]\",:a0 \\\\]{0,80}",
        1 => vec(any::<u8>(), 0..80).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    search("texts", 600, &text, |text| {
        let swept = with_trust(&text);
        let (_, obstacle) = (exposure(&swept, &Sweep::default()), obstacle_to_adoption(&text));
        prop_assert!(obstacle.is_none_or(|why| why.chars().count() < 500));
        if let Ok(meaning) = Meaning::parse(&text) {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
            prop_assert_eq!(Meaning::parse(&print(&meaning)), Ok(meaning), "{}", text);
        }
        Ok(())
    });
}

/// Whatever tags there are and are declared, in whatever case: a plan comes to rest, and tags of others stay.
#[test]
fn tags_come_to_rest() {
    let key = "[aAbBäÄßſKK .:/=+@_-]{1,3}";
    let tags = || btree_map(key, "[aA\u{0}é🙂 ]{0,3}", 0..5);
    let of = (spec(), tags(), role(), tags(), remembered());
    search("tags", 400, &of, |(mut spec, ours, mut role, theirs, remembered)| {
        spec.tags = ours;
        let around = pinpoint_import_role_controller::role::Surroundings {
            account: pinpoint_import_role_controller::role::Account {
                id: OWN.to_owned(),
                partition: "aws".to_owned(),
            },
            role_path: pinpoint_import_role_controller::role::RolePath::default(),
        };
        let Ok(desired) = DesiredRole::declare(&spec, owner(), &around) else {
            return Ok(());
        };
        // A role has no two keys that differ in case alone.
        for (key, value) in theirs {
            role.head.set_tag(&key, Some(value));
        }
        let end = after(Some(&role), &plan(&desired, Some(&role), &remembered)).expect("a role");
        prop_assert_eq!(plan(&desired, Some(&end), &remembered), vec![]);
        for (key, value) in &role.head.tags {
            let declared = spec.tags.keys().any(|known| known.eq_ignore_ascii_case(key));
            let ours = declared
                || remembered.iter().any(|known| known.eq_ignore_ascii_case(key))
                || key.starts_with("pinpoint-import.dev/");
            prop_assert!(ours || end.head.tags.get(key) == Some(value), "{key}");
        }
        Ok(())
    });
}
