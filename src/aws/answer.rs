//! Whether an answer is whole. The SDK's reader takes XML that is cut short for all there is: a list of policies that ends after two
//! of three is a list of two, and an error cut off after its code is that error.

use aws_sdk_iam::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::AfterDeserializationInterceptorContextRef,
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::Metadata};
use xmlparser::{ElementEnd, Token, Tokenizer};

/// What came back does not end with its own closing tag, so it is no answer: what is missing may be anything.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut short, or no XML of the call")]
pub(super) struct NotWhole;

/// Lets no answer of IAM or STS through that is not a whole XML document of its call. It sees the body after the SDK has read all of
/// it, whether or not a length was announced, and before anybody sees what the SDK made of it.
#[derive(Debug)]
pub(super) struct WholeAnswersOnly;

impl Intercept for WholeAnswersOnly {
    fn name(&self) -> &'static str {
        "WholeAnswersOnly"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Where reading the body failed, the call has failed by that already.
        let Some(body) = context.response().body().bytes() else {
            return Ok(());
        };
        let action = config.load::<Metadata>().map_or("", Metadata::name);
        let sound = if context.response().status().is_success() {
            is_whole(body, &format!("{action}Response"))
        } else {
            // What front ends and proxies send (a page, nothing at all) is judged by its status alone.
            !begins_an_error(body) || is_whole(body, "ErrorResponse")
        };
        if sound { Ok(()) } else { Err(NotWhole.into()) }
    }
}

/// Whether the body is IAM's form of an error, or the beginning of one: so long as it could still become one, it counts as cut.
fn begins_an_error(body: &[u8]) -> bool {
    const ROOT: &[u8] = b"<ErrorResponse";
    const PROLOG: &[u8] = b"<?xml";
    let begins = |body: &[u8], with: &[u8]| body.iter().zip(with).all(|(a, b)| a == b);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    if body.is_empty() {
        return false;
    }
    match body.strip_prefix(PROLOG) {
        Some(prolog) => match prolog.windows(2).position(|end| end == b"?>") {
            Some(end) => begins(prolog[end + 2..].trim_ascii_start(), ROOT),
            None => true,
        },
        None => begins(body, PROLOG) || begins(body, ROOT),
    }
}

/// Whether the body is one XML document, with this root, in which every element is closed.
fn is_whole(body: &[u8], root: &str) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let mut open = Vec::new();
    let mut closed = false;
    for token in Tokenizer::from(text) {
        match token {
            Ok(Token::ElementStart { local, .. }) => {
                if open.is_empty() && (closed || local.as_str() != root) {
                    return false;
                }
                open.push(local.as_str());
            }
            Ok(Token::ElementEnd { end, .. }) => match end {
                ElementEnd::Open => {}
                ElementEnd::Empty => {
                    open.pop();
                    closed = open.is_empty();
                }
                ElementEnd::Close(_, local) => {
                    if open.pop() != Some(local.as_str()) {
                        return false;
                    }
                    closed = open.is_empty();
                }
            },
            // IAM sends no document types, which could define what the text means.
            Ok(Token::DtdStart { .. } | Token::EmptyDtd { .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use test_support::iam::{FakeIam, Fault, RoleBuilder, Rule};

    use super::*;
    use crate::{
        aws::Iam,
        role::{Change, Class, Failure, Step},
    };

    const LIST: &str = "<?xml version=\"1.0\"?>\n<ListRolePoliciesResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
        <ListRolePoliciesResult><PolicyNames><member>a&lt;b</member></PolicyNames><Marker/></ListRolePoliciesResult>\
        </ListRolePoliciesResponse>";

    #[test]
    fn no_beginning_of_an_answer_is_whole() {
        for length in 0..LIST.len() {
            assert!(
                !is_whole(&LIST.as_bytes()[..length], "ListRolePoliciesResponse"),
                "{length}"
            );
        }
        for end in ["", "\n", " \r\n\t"] {
            assert!(is_whole(format!("{LIST}{end}").as_bytes(), "ListRolePoliciesResponse"));
        }
        for more in ["x", "<a/>", "\0", LIST] {
            assert!(
                !is_whole(format!("{LIST}{more}").as_bytes(), "ListRolePoliciesResponse"),
                "{more}"
            );
        }
        assert!(!is_whole(LIST.as_bytes(), "ListRolesResponse"), "another call's");
    }

    #[test]
    fn what_is_missing_in_the_middle_is_missed() {
        let torn = LIST.replace("</member></PolicyNames>", "");
        assert!(!is_whole(torn.as_bytes(), "ListRolePoliciesResponse"));
    }

    #[test]
    fn pages_of_others_are_judged_by_their_status_alone() {
        for other in [
            "",
            "  ",
            "<html><body>no",
            "{\"message\":\"no\"}",
            "denied",
            "<?xml version=\"1.0\"?><html/>",
        ] {
            assert!(!begins_an_error(other.as_bytes()), "{other}");
        }
        for ours in [
            "<",
            "<Error",
            "<?xml",
            "<?xml version=\"1.0\"?>\n",
            "\n<ErrorResponse xmlns=\"x\"><Error>",
            "\u{feff}<Err",
        ] {
            assert!(begins_an_error(ours.as_bytes()), "{ours}");
        }
    }

    /// Cuts the answers to an action at every byte, until one is whole, and returns how many were cut.
    async fn cut_at_every_byte(action: &str, read: impl AsyncFn(&Iam) -> Result<(), Failure>) -> usize {
        let fake = FakeIam::start();
        fake.put_role(
            RoleBuilder::new("r")
                .attached("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
                .attached("arn:aws:iam::aws:policy/AdministratorAccess"),
        );
        let iam = Iam::for_test(&fake.endpoint()).await;
        for at in 0.. {
            fake.fault(Rule::new(Fault::CutShort(at)).action(action));
            match read(&iam).await {
                Ok(()) => return at,
                Err(failure) => {
                    assert_eq!(failure.class, Class::Ambiguous, "cut at {at}: {}", failure.message);
                    assert!(
                        failure.message.contains("cut short"),
                        "cut at {at}: {}",
                        failure.message
                    );
                }
            }
        }
        unreachable!("some answer is whole")
    }

    #[tokio::test]
    async fn a_list_that_is_cut_anywhere_is_no_list() {
        let cut = cut_at_every_byte("ListAttachedRolePolicies", async |iam| {
            let head = iam.head("r").await?.expect("the role");
            let role = iam.policies(head, |_| false).await?;
            assert_eq!(role.attached.len(), 2);
            Ok(())
        })
        .await;
        assert!(cut > 200, "{cut}");
    }

    #[tokio::test]
    async fn an_error_that_is_cut_is_not_that_error() {
        let cut = cut_at_every_byte("GetRole", async |iam| {
            // Nothing at all is judged by its status, and no absence either.
            match iam.head("nobody").await {
                Err(failure) if failure.class == Class::Retryable => Err(Failure {
                    class: Class::Ambiguous,
                    message: failure.message + "cut short",
                }),
                other => other.map(|head| assert_eq!(head, None)),
            }
        })
        .await;
        assert!(cut > 240, "{cut}");
    }

    #[tokio::test]
    async fn an_answer_of_sts_that_is_cut_names_nobody() {
        let cut = cut_at_every_byte("GetCallerIdentity", async |iam| iam.account().await.map(drop)).await;
        assert!(cut > 100, "{cut}");
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_cut_may_have_had_its_effect() {
        let cut = cut_at_every_byte("TagRole", async |iam| {
            let change = Change::plain(Step::TagRole([("a".to_owned(), "b".to_owned())].into()));
            iam.execute("r", &change).await.map(drop)
        })
        .await;
        assert!(cut > 100, "{cut}");
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
        sample::{Index, select},
    };
    use test_support::{
        iam::{FakeIam, Fault, RoleBuilder, Rule},
        search::search,
    };
    use tokio::runtime::Runtime;

    use super::is_whole;
    use crate::aws::Iam;

    /// What IAM takes as a description or a tag's value (IAM API reference, `Tag`): no control characters but three.
    const TEXT: &str = "[\t\n\r -~äß\u{ff}]{0,12}";

    fn client(fake: &FakeIam) -> (Runtime, Iam) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let iam = runtime.block_on(Iam::for_test(&fake.endpoint()));
        (runtime, iam)
    }

    /// What a role has comes through the wire as it is.
    #[test]
    fn a_role_is_read_as_it_is() {
        let fake = FakeIam::start();
        let (runtime, iam) = client(&fake);
        let tags = btree_map("[a-z]{1,5}", TEXT, 0..4);
        search(
            "roles on the wire",
            100,
            &(TEXT, TEXT, tags),
            |(description, trust, tags)| {
                let mut role = RoleBuilder::new("r").description(&description).trust_policy(&trust);
                for (key, value) in &tags {
                    role = role.tag(key, value);
                }
                fake.put_role(role);
                let head = runtime
                    .block_on(iam.head("r"))
                    .expect("it is whole")
                    .expect("it is there");
                fake.remove_role("r");
                prop_assert_eq!(head.description, Some(description));
                prop_assert_eq!(head.tags, tags);
                // A text that begins with a brace is one that was not encoded.
                prop_assert_eq!(head.trust, trust);
                Ok(())
            },
        );
    }

    const ANSWER: &str = "<?xml version=\"1.0\"?><GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role>\
        <Path>/</Path><RoleName>r</RoleName><RoleId>AROA1</RoleId><Arn>arn:aws:iam::123456789012:role/r</Arn>\
        <CreateDate>2026-01-01T00:00:00Z</CreateDate><MaxSessionDuration>3600</MaxSessionDuration>\
        <AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument><Tags><member><Key>a</Key><Value>b</Value></member></Tags>\
        </Role></GetRoleResult></GetRoleResponse>";

    fn torn() -> impl Strategy<Value = String> {
        let odd = vec![
            "",
            "<",
            ">",
            "/",
            "&",
            "&#xFFFFFF;",
            "&x;",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<!DOCTYPE a [",
            "<?x ?>",
            "<a/>",
            "<a>",
            "</a>",
            "xmlns:a=\"b\"",
            "%",
            "%ff",
            "9",
            "\u{0}",
            "𝄞",
        ];
        vec((any::<Index>(), select(odd), 0_usize..6), 0..4).prop_map(|tears| {
            let mut all: Vec<char> = ANSWER.chars().collect();
            for (at, into, gone) in tears {
                let at = at.index(all.len() + 1);
                all.splice(at..(at + gone).min(all.len()), into.chars());
            }
            all.into_iter().collect()
        })
    }

    /// Whatever became of an answer: the role, or a failure in words.
    #[test]
    fn no_torn_answer_makes_it_stumble() {
        let fake = FakeIam::start();
        let (runtime, iam) = client(&fake);
        search("answers", 100, &torn(), |answer| {
            fake.fault(Rule::new(Fault::Answer(answer.clone())).action("GetRole"));
            if let Err(failure) = runtime.block_on(iam.head("r")) {
                prop_assert!(failure.message.contains("reading role r"), "{}", failure.message);
            }
            Ok(())
        });
    }

    /// No beginning of a whole answer is whole.
    #[test]
    fn no_beginning_is_whole() {
        search("beginnings", 600, &(torn(), any::<Index>()), |(answer, at)| {
            let answer = answer.trim_end();
            let whole = is_whole(answer.as_bytes(), "GetRoleResponse");
            let at = at.index(answer.len().max(1));
            prop_assert!(
                !(whole && is_whole(&answer.as_bytes()[..at], "GetRoleResponse")),
                "{at}: {answer}"
            );
            Ok(())
        });
    }
}
