//! The fake and moto, which others wrote, answer the same to the same calls of the AWS SDK. Where moto is known to differ from AWS, the
//! table below says so, and fails once it no longer differs.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::{
    Client,
    config::Credentials,
    error::{ProvideErrorMetadata, SdkError},
    types::Tag,
};
use test_support::{iam::FakeIam, moto::Moto};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pinpoint.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const OTHER_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const INLINE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a b/ü+%/*"}]}"#;
const S3: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const EC2: &str = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";

/// Steps of the scenario in which moto does not do as AWS does, with the source of what AWS does.
const MOTO_DEVIATES: &[(&str, &str)] = &[
    ("create with a trust policy that is no JSON", MALFORMED),
    ("create without a principal", MALFORMED),
    ("create with an unknown version", MALFORMED),
    (
        "create under a name too long",
        "IAM API reference, CreateRole: RoleName has at most 64 characters",
    ),
    (
        "create again in another case",
        "IAM API reference, CreateRole: names are not distinguished by case",
    ),
    (
        "a session too short",
        "IAM API reference, UpdateRole: MaxSessionDuration is at least 3600",
    ),
    (
        "attach what is no ARN",
        "IAM API reference, AttachRolePolicy: InvalidInput",
    ),
];

/// moto checks trust policies in `UpdateAssumeRolePolicy` only.
const MALFORMED: &str = "IAM API reference, CreateRole: MalformedPolicyDocument";

type Answers = Vec<(&'static str, String)>;

fn said<T, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>, show: impl FnOnce(T) -> String) -> String {
    match answer {
        Ok(answer) => show(answer),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

fn ok<T, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>) -> String {
    said(answer, |_| "ok".to_owned())
}

fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document)
        .decode_utf8_lossy()
        .into_owned()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}

async fn client(endpoint: &str) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .load()
        .await;
    Client::new(&config)
}

async fn show(iam: &Client) -> String {
    said(iam.get_role().role_name("Role").send().await, |answer| {
        let role = answer.role.expect("a role");
        let mut tags: Vec<String> = role
            .tags()
            .iter()
            .map(|tag| format!("{}={}", tag.key(), tag.value()))
            .collect();
        tags.sort();
        format!(
            "{} {} {} {} {:?} {:?} {:?} {tags:?}",
            role.role_name(),
            role.path(),
            role.arn(),
            decoded(role.assume_role_policy_document().unwrap_or_default()),
            role.description(),
            role.max_session_duration(),
            role.permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn()),
        )
    })
}

async fn roles_life(iam: &Client) -> Answers {
    let role = "Role";
    let create = |name: &str, trust: &str| {
        iam.create_role()
            .role_name(name)
            .path("/p/")
            .assume_role_policy_document(trust)
            .tags(tag("k", "v"))
            .send()
    };
    let mut answers = vec![("a role that is not there", show(iam).await)];
    answers.push((
        "create with a trust policy that is no JSON",
        ok(create("NoJson", "{").await),
    ));
    answers.push((
        "create without a principal",
        ok(create("NoPrincipal", &TRUST.replace("Principal", "Principle")).await),
    ));
    answers.push((
        "create with an unknown version",
        ok(create("NoVersion", &TRUST.replace("2012", "2013")).await),
    ));
    answers.push(("create under a name too long", ok(create(&"x".repeat(65), TRUST).await)));
    answers.push(("create", ok(create(role, TRUST).await)));
    answers.push(("create again", ok(create(role, TRUST).await)));
    answers.push(("create again in another case", ok(create("rOLE", TRUST).await)));
    answers.push(("read", show(iam).await));

    let trust = |document: &str| {
        iam.update_assume_role_policy()
            .role_name(role)
            .policy_document(document)
            .send()
    };
    answers.push(("a trust policy that is no JSON", ok(trust("nonsense").await)));
    answers.push((
        "a trust policy without statements",
        ok(trust(r#"{"Version":"2012-10-17"}"#).await),
    ));
    answers.push(("another trust policy", ok(trust(OTHER_TRUST).await)));

    let update = |seconds: i32| {
        iam.update_role()
            .role_name(role)
            .description("words")
            .max_session_duration(seconds)
            .send()
    };
    answers.push(("description and session length", ok(update(7200).await)));
    answers.push(("a session too short", ok(update(100).await)));
    answers.push(("a session long enough", ok(update(7200).await)));
    let boundary = iam
        .put_role_permissions_boundary()
        .role_name(role)
        .permissions_boundary(S3)
        .send()
        .await;
    answers.push(("boundary", ok(boundary)));
    answers.push((
        "tag",
        ok(iam
            .tag_role()
            .role_name(role)
            .tags(tag("k", "w"))
            .tags(tag("l", ""))
            .send()
            .await),
    ));
    answers.push(("read what was changed", show(iam).await));
    answers.push((
        "untag",
        ok(iam
            .untag_role()
            .role_name(role)
            .tag_keys("k")
            .tag_keys("none")
            .send()
            .await),
    ));
    answers.push((
        "boundary off",
        ok(iam.delete_role_permissions_boundary().role_name(role).send().await),
    ));
    answers.push(("read what was taken off", show(iam).await));
    answers
}

async fn policies_life(iam: &Client) -> Answers {
    let role = "Role";
    let mut answers = Vec::new();
    let attach = |arn: &str| iam.attach_role_policy().role_name(role).policy_arn(arn).send();
    answers.push(("attach", ok(attach(S3).await)));
    answers.push(("attach again", ok(attach(S3).await)));
    answers.push(("attach a second", ok(attach(EC2).await)));
    answers.push((
        "attach what does not exist",
        ok(attach("arn:aws:iam::aws:policy/NoSuchPolicy").await),
    ));
    answers.push((
        "attach what is no ARN",
        ok(attach("AmazonS3ReadOnlyAccess-which-is-no-arn").await),
    ));
    let list = iam.list_attached_role_policies().role_name(role).send().await;
    answers.push((
        "attached",
        said(list, |page| {
            let mut arns: Vec<_> = page
                .attached_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn())
                .collect();
            arns.sort_unstable();
            format!("{arns:?} {}", page.is_truncated())
        }),
    ));
    let page = iam
        .list_attached_role_policies()
        .role_name(role)
        .max_items(1)
        .send()
        .await;
    answers.push((
        "first page of two",
        said(page, |page| {
            format!(
                "{} {} {}",
                page.attached_policies().len(),
                page.is_truncated(),
                page.marker().is_some()
            )
        }),
    ));

    let put = |name: &str, document: &str| {
        iam.put_role_policy()
            .role_name(role)
            .policy_name(name)
            .policy_document(document)
            .send()
    };
    answers.push(("inline", ok(put("inline", INLINE).await)));
    answers.push(("inline that is no policy", ok(put("bad", "[]").await)));
    let get = iam.get_role_policy().role_name(role).policy_name("inline").send().await;
    answers.push(("read inline", said(get, |answer| decoded(answer.policy_document()))));
    let names = iam.list_role_policies().role_name(role).send().await;
    answers.push((
        "names of inline",
        said(names, |page| format!("{:?}", page.policy_names())),
    ));
    answers
}

async fn end_of_life(iam: &Client) -> Answers {
    let role = "Role";
    let mut answers = Vec::new();
    let delete = || iam.delete_role().role_name(role).send();
    answers.push(("delete with policies", ok(delete().await)));
    for (step, arn) in [("detach", S3), ("detach the second", EC2), ("detach again", S3)] {
        answers.push((
            step,
            ok(iam.detach_role_policy().role_name(role).policy_arn(arn).send().await),
        ));
    }
    answers.push(("delete with an inline policy", ok(delete().await)));
    for step in ["delete inline", "delete inline again"] {
        answers.push((
            step,
            ok(iam
                .delete_role_policy()
                .role_name(role)
                .policy_name("inline")
                .send()
                .await),
        ));
    }
    iam.create_instance_profile()
        .instance_profile_name("web")
        .send()
        .await
        .expect("an instance profile");
    let add = iam
        .add_role_to_instance_profile()
        .instance_profile_name("web")
        .role_name(role)
        .send()
        .await;
    answers.push(("into an instance profile", ok(add)));
    let list = iam.list_instance_profiles_for_role().role_name(role).send().await;
    answers.push((
        "instance profiles",
        said(list, |page| {
            page.instance_profiles()
                .iter()
                .map(|profile| profile.instance_profile_name().to_owned())
                .collect()
        }),
    ));
    answers.push(("delete in an instance profile", ok(delete().await)));
    let remove = iam
        .remove_role_from_instance_profile()
        .instance_profile_name("web")
        .role_name(role)
        .send()
        .await;
    answers.push(("out of the instance profile", ok(remove)));
    answers.push(("delete", ok(delete().await)));
    answers.push(("delete again", ok(delete().await)));
    answers.push(("gone", show(iam).await));
    answers.push((
        "policies of none",
        ok(iam.list_role_policies().role_name(role).send().await),
    ));
    answers
}

async fn scenario(endpoint: &str) -> Answers {
    let iam = client(endpoint).await;
    let mut answers = roles_life(&iam).await;
    answers.extend(policies_life(&iam).await);
    answers.extend(end_of_life(&iam).await);
    answers
}

#[tokio::test]
async fn the_fake_and_moto_agree_but_where_moto_is_known_to_differ() {
    let fake = FakeIam::start();
    let moto = Moto::start().expect("moto starts");
    let (ours, theirs) = (scenario(&fake.endpoint()).await, scenario(&moto.endpoint()).await);
    let mut wrong = Vec::new();
    for ((step, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        match (ours == theirs, MOTO_DEVIATES.iter().find(|(known, _)| known == step)) {
            (true, None) => {}
            (false, Some((_, why))) => println!("{step}: moto says {theirs}, AWS {ours} ({why})"),
            (false, None) => wrong.push(format!("{step}\n   fake: {ours}\n   moto: {theirs}")),
            (true, Some(_)) => wrong.push(format!("{step}: moto no longer differs; take it off the list")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
