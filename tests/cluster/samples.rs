//! Every manifest of `deploy/samples/` does what its comment says.

use std::{collections::BTreeSet, fs, path::Path};

use test_support::iam::RoleBuilder;

use crate::world::{GUIDE_TRUST, S3_READ_ONLY, World};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples")
}

fn apply(world: &World, file: &str) {
    let path = folder().join(file).display().to_string();
    world.kubectl(&["apply", "-f", &path]).unwrap();
}

#[test]
fn no_sample_is_left_out_of_the_tests() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let tested = [
        "adopt.yaml",
        "applications.yaml",
        "bucket.yaml",
        "guide.yaml",
        "report.yaml",
    ];
    assert_eq!(files, tested.map(str::to_owned).into());
}

#[test]
fn each_sample_becomes_the_role_that_it_describes() {
    let world = World::new("samples");
    let by_hand = RoleBuilder::new("PinpointSegmentImport")
        .trust_policy(GUIDE_TRUST)
        .attached(S3_READ_ONLY)
        .attached("arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess");
    let by_hand = world.iam.put_role(by_hand);
    for file in [
        "guide.yaml",
        "applications.yaml",
        "bucket.yaml",
        "report.yaml",
        "adopt.yaml",
    ] {
        apply(&world, file);
    }

    world.wait_reconciled("segment-import");
    assert_eq!(world.role("segment-import").unwrap().trust_policy, GUIDE_TRUST);

    world.wait_reconciled("segment-import-hardened");
    let trust = world.role("segment-import-hardened").unwrap().trust_policy;
    for words in [
        "arn:aws:mobiletargeting:us-east-1:123456789012:apps/0123456789abcdef0123456789abcdef",
        "arn:aws:mobiletargeting:eu-west-1:123456789012:apps/fedcba9876543210fedcba9876543210",
        r#""aws:SourceAccount":"123456789012""#,
    ] {
        assert!(trust.contains(words), "{trust}");
    }

    world.wait_reconciled("segment-import-bucket");
    let role = world.role("segment-import-bucket").unwrap();
    assert_eq!(role.attached, BTreeSet::new());
    let policy = &role.inline["PinpointImportBuckets"];
    for words in [
        "arn:aws:s3:::example-segments/imports/*",
        "key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ] {
        assert!(policy.contains(words), "{policy}");
    }

    world.wait_reconciled("segment-import-report");

    world.wait_reconciled("segment-import-adopted");
    let adopted = world.iam.role("PinpointSegmentImport").unwrap();
    assert_eq!((&adopted.id, &adopted.attached), (&by_hand.id, &by_hand.attached));
    let uid = world.object("segment-import-adopted")["metadata"]["uid"].clone();
    assert_eq!(adopted.tags["pinpoint-import.dev/uid"], uid.as_str().unwrap());

    world.kubectl(&["delete", "pir", "--all", "--timeout=60s"]).unwrap();
    let left = world.iam.roles();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0], by_hand, "the adopted role is as it was before");
}
