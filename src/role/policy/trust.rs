//! The trust policy: who may assume the role.
//!
//! Built as the Amazon Pinpoint developer guide has it ("IAM role for importing endpoints or segments"), with the conditions against
//! a confused deputy where the spec names applications or an account.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Effect, Grant, Meaning};
use crate::{
    api::{
        bounds::{self, fits},
        v1alpha1::{Application, Trust},
    },
    role::{
        difference::{Difference, Field, cut},
        name::{Account, is_account_id},
        problem::{FieldPath, Problem},
    },
};

/// Amazon Pinpoint as a principal.
pub const PINPOINT: &str = "pinpoint.amazonaws.com";

/// What the Pinpoint user guide says on each page ("End of support notice").
pub const ENDED: &str = "AWS ended Amazon Pinpoint's support on 2026-10-30";

/// What is left to do with the roles, and where it is written.
pub const WAY_OUT: &str = "the way out (audit, export, narrow, delete) is in deploy/guides.md";

/// Longest trust policy in characters without white space. IAM user guide, "IAM and AWS STS quotas".
const LONGEST: usize = 2048;

/// A trust policy that the spec declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    document: String,
    meaning: Meaning,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    principal: Service,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    service: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    arn_like: Option<SourceArn>,
    string_equals: SourceAccount,
}

#[derive(Serialize)]
struct SourceArn {
    #[serde(rename = "aws:SourceArn")]
    arns: Vec<String>,
}

#[derive(Serialize)]
struct SourceAccount {
    #[serde(rename = "aws:SourceAccount")]
    account: String,
}

impl TrustPolicy {
    /// The trust policy of a role in `account`.
    ///
    /// # Errors
    /// Which application or account can't be one, or that the document would be longer than IAM takes.
    pub fn declare(trust: &Trust, account: &Account) -> Result<Self, Vec<Problem>> {
        let problems = problems(trust);
        if !problems.is_empty() {
            return Err(problems);
        }
        let source_account = match &trust.source_account {
            Some(declared) => Some(declared.clone()),
            None => trust.applications.as_ref().map(|_| account.id.clone()),
        };
        let arn = |application| application_arn(application, account);
        let mut arns: Vec<String> = trust.applications.iter().flatten().map(arn).collect();
        arns.sort();
        arns.dedup();
        let condition = source_account.map(|account| Condition {
            arn_like: (!arns.is_empty()).then_some(SourceArn { arns }),
            string_equals: SourceAccount { account },
        });
        let document = Document {
            version: "2012-10-17",
            statement: [Statement {
                sid: "AllowUserToImportEndpointDefinitions",
                effect: "Allow",
                principal: Service { service: PINPOINT },
                action: "sts:AssumeRole",
                condition,
            }],
        };
        let refuse = |why: String| vec![Problem::new(FieldPath::spec("trust"), why)];
        let document = serde_json::to_string(&document).map_err(|error| refuse(error.to_string()))?;
        let length = document.chars().filter(|c| !c.is_whitespace()).count();
        if length > LONGEST {
            let message = format!(
                "the trust policy would have {length} characters and IAM takes {LONGEST}: name fewer applications, or instead of them \
                 trust.sourceAccount alone, which lets in every project of that account"
            );
            return Err(vec![Problem::new(applications(), message)]);
        }
        let meaning = Meaning::parse(&document).map_err(refuse)?;
        Ok(Self { document, meaning })
    }

    /// The document as JSON.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Whether nobody loses anything when this takes the place of the trust policy in IAM. In doubt somebody does.
    #[must_use]
    pub fn only_adds_to(&self, observed: &str) -> bool {
        let allowed = |grant: &&Grant| grant.effect == Effect::Allow;
        Meaning::parse(observed).is_ok_and(|observed| {
            let mut found = observed.grants.iter().filter(allowed);
            found.all(|found| {
                self.meaning
                    .grants
                    .iter()
                    .any(|declared| permits_all_of(declared, found))
            })
        })
    }

    /// How the trust policy in IAM differs from this one; empty if both permit the same.
    #[must_use]
    pub fn differences(&self, observed: &str) -> Vec<Difference> {
        let declared = format!("trust policy {}", self.meaning.words());
        let difference =
            |words: String| Difference::new(Field::TrustPolicy, format!("trust policy {words}"), declared.as_str());
        match Meaning::parse(observed) {
            Ok(observed) => self
                .meaning
                .differences(&observed)
                .into_iter()
                .map(difference)
                .collect(),
            Err(why) => vec![difference(format!("can't be read as a policy ({why})"))],
        }
    }
}

/// Whether a declared grant permits all that one in IAM does: it has no further conditions, and takes as many values or more. What is
/// declared has no negated conditions, of which more values would permit less.
fn permits_all_of(declared: &Grant, found: &Grant) -> bool {
    let wider = |(key, values): (_, &BTreeSet<_>)| found.conditions.get(key).is_some_and(|some| some.is_subset(values));
    (declared.effect, &declared.principal, &declared.action) == (found.effect, &found.principal, &found.action)
        && declared.conditions.iter().all(wider)
}

fn applications() -> FieldPath {
    FieldPath::spec("trust").key("applications")
}

/// Region and id are checked, since they become part of a pattern (`ArnLike`), where `*` and `?` would match more.
fn problems(trust: &Trust) -> Vec<Problem> {
    let Trust {
        applications: named,
        source_account,
    } = trust;
    let mut problems = Vec::new();
    // The schema refuses an empty list, but has not always done so: one from before is not taken for one that is left out.
    if named.as_ref().is_some_and(Vec::is_empty) {
        let message = "is an empty list, which could mean every project or none: name the projects, or leave the field out, and write \
             trust.sourceAccount if any project of one account is meant";
        problems.push(Problem::new(applications(), message));
    }
    for (index, Application { region, id }) in named.iter().flatten().enumerate() {
        let at = applications().item(index);
        if !fits(region, bounds::REGION, 9..=32) {
            let message = format!("{region:?} is not an AWS region, such as us-east-1");
            problems.push(Problem::new(at.key("region"), message));
        }
        if !fits(id, bounds::APPLICATION_ID, 32..=32) {
            let message = format!("{id:?} is not the id of a Pinpoint project: 32 hexadecimal digits in lower case");
            problems.push(Problem::new(at.key("id"), message));
        }
    }
    if let Some(source) = source_account.as_deref().filter(|source| !is_account_id(source)) {
        let message = format!("{source:?} is not an account id: 12 digits");
        problems.push(Problem::new(FieldPath::spec("trust").key("sourceAccount"), message));
    }
    problems
}

fn application_arn(Application { region, id }: &Application, account: &Account) -> String {
    format!(
        "arn:{}:mobiletargeting:{region}:{}:apps/{id}",
        account.partition, account.id
    )
}

/// Longest name of a stranger in a sentence, in characters. `NotPrincipal` may name many.
const LONGEST_NAME: usize = 200;

/// Why a role with this trust policy can't be adopted: it must trust Pinpoint, and nobody else. None if it can.
#[must_use]
pub fn obstacle_to_adoption(observed: &str) -> Option<String> {
    let meaning = match Meaning::parse(observed) {
        Ok(meaning) => meaning,
        Err(why) => return Some(format!("its trust policy can't be read ({why})")),
    };
    let mut allowed = meaning.grants.iter().filter(|grant| grant.effect == Effect::Allow);
    if let Some(other) = allowed.clone().find(|grant| !grant.is_only_service(PINPOINT)) {
        return Some(match &other.principal {
            Some(who) => format!("it also trusts {}", cut(who.to_string(), LONGEST_NAME)),
            None => "its trust policy names no principal".to_owned(),
        });
    }
    let trusts = allowed.any(|grant| grant.acts("sts:AssumeRole"));
    (!trusts).then(|| "it does not trust Pinpoint".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            id: "123456789012".to_owned(),
            partition: "aws".to_owned(),
        }
    }

    fn application(region: &str, id: &str) -> Application {
        Application {
            region: region.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn without_fields_it_is_the_policy_of_the_guide() {
        let policy = TrustPolicy::declare(&Trust::default(), &account()).unwrap();
        assert_eq!(
            policy.document(),
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"AllowUserToImportEndpointDefinitions","Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
        );
    }

    #[test]
    fn applications_and_account_become_conditions() {
        let trust = Trust {
            applications: Some(vec![application("eu-west-1", &"a1".repeat(16))]),
            ..Trust::default()
        };
        let policy = TrustPolicy::declare(&trust, &account()).unwrap();
        let expected = format!(
            r#""Condition":{{"ArnLike":{{"aws:SourceArn":["arn:aws:mobiletargeting:eu-west-1:123456789012:apps/{}"]}},"StringEquals":{{"aws:SourceAccount":"123456789012"}}}}"#,
            "a1".repeat(16)
        );
        assert!(policy.document().contains(&expected), "{}", policy.document());

        let trust = Trust {
            source_account: Some("999999999999".to_owned()),
            ..Trust::default()
        };
        let policy = TrustPolicy::declare(&trust, &account()).unwrap();
        assert!(
            policy
                .document()
                .contains(r#""Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}}"#)
        );
    }

    #[test]
    fn nothing_that_could_match_more_gets_into_the_pattern() {
        for (region, id) in [
            ("us-east-*", "a1".repeat(16)),
            ("us-east-1", "*".to_owned()),
            ("us-east-1", "A1".repeat(16)),
            ("us-east-1", format!("{}*", "a".repeat(31))),
            ("", "a1".repeat(16)),
        ] {
            let trust = Trust {
                applications: Some(vec![application(region, &id)]),
                ..Trust::default()
            };
            assert!(TrustPolicy::declare(&trust, &account()).is_err(), "{region} {id}");
        }
        let trust = Trust {
            source_account: Some("12345678901*".to_owned()),
            ..Trust::default()
        };
        assert!(TrustPolicy::declare(&trust, &account()).is_err());
    }

    #[test]
    fn a_document_that_iam_would_not_take_is_refused_with_what_to_do() {
        let many = |region: &str| Trust {
            applications: Some((0..20).map(|n| application(region, &format!("{n:032x}"))).collect()),
            ..Trust::default()
        };
        let longest = TrustPolicy::declare(&many("us-east-1"), &account()).unwrap();
        assert!(longest.document().len() <= LONGEST, "{}", longest.document().len());
        let problems = TrustPolicy::declare(&many("ap-southeast-1"), &account()).unwrap_err();
        assert_eq!(problems.len(), 1);
        let said = problems[0].to_string();
        assert!(
            said.starts_with("spec.trust.applications: ")
                && said.contains("2048")
                && said.contains("trust.sourceAccount"),
            "{said}"
        );
    }

    #[test]
    fn the_longest_document_is_taken_and_one_longer_is_not() {
        let declare = |more: usize| {
            let longer = |n: usize| "x".repeat(more.saturating_sub(n * 20).min(20));
            let applications = (0..20).map(|n| application(&format!("us-east{}-1", longer(n)), &format!("{n:032x}")));
            let trust = Trust {
                applications: Some(applications.collect()),
                ..Trust::default()
            };
            TrustPolicy::declare(&trust, &account())
        };
        let room = LONGEST - declare(0).unwrap().document().len();
        assert_eq!(declare(room).unwrap().document().len(), LONGEST);
        assert!(declare(room + 1).is_err());
    }

    #[test]
    fn adoption_asks_for_trust_in_pinpoint_alone() {
        let statement = |principal: &str| {
            format!(r#"{{"Statement":{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}}}"#)
        };
        assert_eq!(
            obstacle_to_adoption(&statement(r#"{"Service":"pinpoint.amazonaws.com"}"#)),
            None
        );
        for (principal, why) in [
            (r#""*""#, "it also trusts everybody (*)"),
            (
                r#"{"Service":["pinpoint.amazonaws.com","ec2.amazonaws.com"]}"#,
                "it also trusts ec2.amazonaws.com",
            ),
            (
                r#"{"AWS":"123456789012","Service":"pinpoint.amazonaws.com"}"#,
                "it also trusts arn:aws:iam::123456789012:root",
            ),
        ] {
            assert_eq!(obstacle_to_adoption(&statement(principal)).as_deref(), Some(why));
        }
        for not in [
            "{}",
            "nonsense",
            r#"{"Statement":{"Effect":"Deny","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:TagSession"}}"#,
            r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":[]}}}]}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},"Statement":{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
        ] {
            assert!(obstacle_to_adoption(not).is_some(), "{not}");
        }
        let all_but = r#"{"Statement":{"Effect":"Allow","NotPrincipal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
        assert!(
            obstacle_to_adoption(all_but)
                .unwrap()
                .contains("everything but pinpoint.amazonaws.com")
        );
    }
}
