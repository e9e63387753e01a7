//! `validate`: what is wrong with a manifest is said with its line, and what is right passes.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

fn validate(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("validate")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const HEAD: &str = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata:\n  name: segments\n";

/// Manifests with one mistake each, on the line that ends in `# here`, and words of the message.
const WRONG: &[(&str, &str)] = &[
    ("spec:\n  rolename: a # here", "did you mean roleName?"),
    (
        "spec:\n  managedPolicyArn: [] # here",
        "did you mean managedPolicyArns?",
    ),
    ("spec:\n  nonsense: 1 # here", "unknown field"),
    (
        "spec:\n  trust:\n    application: [] # here",
        "did you mean applications?",
    ),
    (
        "spec:\n  buckets:\n  - name: my-bucket\n    prefx: a # here",
        "did you mean prefix?",
    ),
    ("spec:\n  roleName: a b # here", "Name of the role in IAM"),
    ("spec:\n  roleName: '' # here", "Name of the role in IAM"),
    ("spec:\n  roleName: 12 # here", "put it in quotes"),
    ("spec:\n  path: a/b # here", "`/` or `/…/`"),
    ("spec:\n  maxSessionDuration: 60 # here", "less than 3600"),
    ("spec:\n  maxSessionDuration: 90000 # here", "more than 43200"),
    ("spec:\n  maxSessionDuration: 1h # here", "not of the type integer"),
    ("spec:\n  permissionsBoundary: boundary # here", "does not fit"),
    (
        "spec:\n  managedPolicyArns:\n  - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\n  - AdministratorAccess # here",
        "ARNs of the managed policies",
    ),
    (
        "spec:\n  managedPolicyArns:\n  - arn:aws:iam::aws:policy/AdministratorAccess # here",
        "--allowed-policy-arns",
    ),
    (
        "spec:\n  managedPolicyArns:\n  - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\n  - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess # here",
        "the same as item 0",
    ),
    (
        "spec:\n  buckets:\n  - name: my-bucket\n  - name: My_Bucket # here",
        "Name of the S3 bucket",
    ),
    ("spec:\n  buckets:\n  - prefix: a # here", "has no name"),
    (
        "spec:\n  buckets:\n  - name: my-bucket\n    kmsKeyArn: arn:aws:kms:us-east-1:111122223333:alias/x # here",
        "not of an alias",
    ),
    ("spec:\n  buckets: my-bucket # here", "not of the type array"),
    ("spec:\n  buckets: [] # here", "buckets"),
    (
        "spec:\n  path: /aws-service-role/x/ # here",
        "which AWS keeps for its own roles",
    ),
    (
        "spec:\n  interval: 9999999999999999999999999999s # here",
        "between 30s and 24h",
    ),
    (
        "spec:\n  trust:\n    applications:\n    - region: us-east-1 # here",
        "has no id",
    ),
    (
        "spec:\n  trust:\n    applications:\n    - region: us-east-1\n      id: XYZ # here",
        "32",
    ),
    ("spec:\n  trust:\n    sourceAccount: '1' # here", "12"),
    (
        "spec:\n  trust:\n    sourceAccount: 111122223333 # here",
        "put it in quotes",
    ),
    ("spec:\n  tags:\n    aws:a: b # here", "kept for AWS"),
    (
        "spec:\n  tags:\n    pinpoint-import.dev/uid: b # here",
        "kept for AWS or for the controller",
    ),
    ("spec:\n  tags:\n    team: a # here\n    Team: b", "there twice"),
    ("spec:\n  tags:\n    team: 7 # here", "put it in quotes"),
    ("spec:\n  tags:\n    'a!': b # here", "characters that IAM refuses"),
    ("spec:\n  undeclaredPolicies: Delete # here", "is none of"),
    ("spec:\n  driftPolicy: repair # here", "\"Repair\""),
    ("spec:\n  adoptionPolicy: yes # here", "is none of"),
    ("spec:\n  deletionPolicy: Orphan # here", "\"Retain\""),
    ("spec:\n  accountId: '12' # here", "12"),
    ("spec:\n  suspend: 'no' # here", "not of the type boolean"),
    ("spec:\n  interval: 5 minutes # here", "does not fit"),
    ("spec:\n  interval: 1s # here", "between 30s and 24h"),
    ("spec:\n  interval: 25h # here", "between 30s and 24h"),
    ("spec:\n  description: \"\\u2713\" # here", "does not fit"),
    // The line is that of the field, wherever else its text stands.
    (
        "spec:\n  description: My_Bucket_Of_Segments\n  buckets:\n  - name: My_Bucket_Of_Segments # here",
        "Name of the S3 bucket",
    ),
    (
        "spec:\n  description: roleName managedPolicyArns aws:a\n  tags:\n    aws:a: b # here",
        "kept for AWS",
    ),
    (
        "spec:\n  tags:\n    note: arn:aws:iam::aws:policy/AdministratorAccess\n  managedPolicyArns:\n  - arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\n  - arn:aws:iam::aws:policy/AdministratorAccess # here",
        "--allowed-policy-arns",
    ),
    ("spec:\n  tags:\n    a: \"x\\ty\" # here", "does not fit"),
    ("spec:\n  tags:\n    \"x\\ty\": a # here", "characters that IAM refuses"),
    (
        "spec:\n  tags:\n    a: yes # here",
        "true is not of the type string: put it in quotes",
    ),
    ("spec:\n  tags:\n    a: 0o14 # here", "12 is not of the type string"),
    (
        "spec:\n  tags: &a\n    b: c\n    # below\n    e: !!binary YQ== # here",
        "means something to some readers only",
    ),
    ("spec:\n  tags:\n    a: b # here\n    <<: {a: c}", "put << first"),
    ("spec:\n  maxSessionDuration: 3600.5 # here", "not of the type integer"),
    (
        "spec:\n  maxSessionDuration: 99999999999999999999 # here",
        "more than 43200",
    ),
    (
        "spec:\n  maxSessionDuration: \"3600\" # here",
        "not of the type integer",
    ),
    ("spec:\n  maxSessionDuration: .inf # here", "no number that JSON has"),
    ("spec:\n  roleName: rôle # here", "Name of the role in IAM"),
    ("spec:\n  nothing: # here", "unknown field"),
    (
        "spec:\n  permissionsBoundary: arn:aws-cn:iam::111122223333:policy/bound\n  buckets:\n  - name: my-bucket\n    kmsKeyArn: arn:aws:kms:us-east-1:111122223333:key/a # here",
        "another partition than the rest of the spec, which is in aws-cn",
    ),
    (
        "spec:\n  buckets:\n  - name: my-bucket\n    prefix: \"a\\x85\" # here",
        "does not fit",
    ),
    ("spec: [] # here", "not of the type object"),
    ("spec:\n  trust:\n    applications: [] # here", "fewer than 1"),
    (
        "spec:\n  accountId: \"111122223333\"\n  permissionsBoundary: arn:aws:iam::444455556666:policy/bound # here",
        "belongs to account 444455556666, and the role to 111122223333",
    ),
    ("status: {}\nspec: {}\nspecs: {} # here", "did you mean spec?"),
    ("spec:\n  suspend: true\n  suspend: false # here", "is no YAML"),
];

#[test]
fn each_mistake_is_said_with_its_line() {
    let mut located = 0;
    for (body, words) in WRONG {
        let manifest = format!("{HEAD}{body}\n");
        let line = 1 + manifest.lines().position(|line| line.ends_with("# here")).unwrap();
        let output = validate(&["-f", "-"], &manifest);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{body}: {said}");
        assert!(said.contains(words), "{body}: {said}");
        assert!(said.contains(&format!("-:{line}:")), "{body}: line {line}: {said}");
        assert_eq!(said.lines().count(), 1, "one mistake is said once: {body}: {said}");
        located += 1;
    }
    println!("{located} of {} invalid manifests are located to the line", WRONG.len());
}

#[test]
fn what_is_wrong_with_names_is_said_too() {
    for (manifest, field) in [
        (HEAD.replace("segments", "Segments"), ":4: metadata.name"),
        (HEAD.replace("  name: segments", "  namespace: a"), ": metadata.name"),
        (
            HEAD.replace("name: segments", "name: a\n  namespace: a.b"),
            ":5: metadata.namespace",
        ),
        (
            HEAD.replace("name: segments", "name: a\n  lables: {}"),
            "did you mean labels?",
        ),
        (
            HEAD.replace("v1alpha1", "v1"),
            ":1: apiVersion: must be pinpoint-import.dev/v1alpha1",
        ),
        (
            HEAD.replace("PinpointImportRole", "PinpointRole"),
            ":2: kind: must be PinpointImportRole",
        ),
        (HEAD.replace("segments", &"a".repeat(70)), "spec.roleName"),
        (
            HEAD.replace("name: segments", "name: 12"),
            ":4: metadata.name: 12 is not of the type string: put it in quotes",
        ),
        (
            HEAD.replace("name: segments", "name: a\n  labels:\n    b: c d"),
            r#":6: metadata.labels.b: "c d" can't be the value of a label"#,
        ),
        (
            HEAD.replace("name: segments", "name: a\n  labels: {b: 1}"),
            ":5: metadata.labels.b: 1 is not of the type string",
        ),
        (
            HEAD.replace("name: segments", "name: a\n  annotations:\n    a/b/c: d"),
            r#":6: metadata.annotations["a/b/c"]: can't be a key"#,
        ),
    ] {
        let output = validate(&["-f", "-"], &format!("{manifest}spec: {{}}\n"));
        let said = text(&output.stdout);
        assert!(
            output.status.code() == Some(1) && said.contains(field),
            "{manifest}: {said}"
        );
    }
}

#[test]
fn all_mistakes_are_said_at_once() {
    let body =
        "spec:\n  path: a\n  interval: 1s\n  driftPolicy: x\n  nonsense: 1\n  tags: {'aws:a': b}\n  roleName: a b\n";
    let output = validate(&["-f", "-"], &format!("{HEAD}{body}---\n{HEAD}spec: {{suspend: 1}}\n"));
    let said = text(&output.stdout);
    assert_eq!(said.lines().count(), 7, "{said}");
    assert!(text(&output.stderr).contains("2 PinpointImportRoles checked, 7 problems"));
}

#[test]
fn what_is_right_passes_and_other_kinds_are_counted() {
    let output = validate(&["-f", "deploy/samples", "--namespace", "team"], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("5 PinpointImportRoles checked, 0 problems; 0 objects of other kinds"));
    let list =
        format!("apiVersion: v1\nkind: List\nitems:\n- {{kind: ConfigMap, apiVersion: v1}}\n---\n{HEAD}spec: {{}}\n");
    let output = validate(&["-f", "-"], &list);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("1 PinpointImportRoles checked, 0 problems; 1 objects of other kinds"));
    // JSON is YAML.
    let json = r#"{"apiVersion":"pinpoint-import.dev/v1alpha1","kind":"PinpointImportRole","metadata":{"name":"a"},"spec":{"path":"x"}}"#;
    assert!(text(&validate(&["-f", "-"], json).stdout).contains("-:1: spec.path"));
}

#[test]
fn guards_and_settings_files_hold_here_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "role-name-prefix: pp-\nresync-interval: 5m\n").unwrap();
    let manifest = format!("{HEAD}spec:\n  roleName: other\n");
    let output = validate(&["-f", "-", "--config", settings.to_str().unwrap()], &manifest);
    let said = text(&output.stdout);
    assert!(
        output.status.code() == Some(1) && said.contains("-:6:") && said.contains("pp-"),
        "{said}"
    );
    let output = validate(
        &["-f", "-", "--allowed-policy-arns=*"],
        &format!("{HEAD}spec:\n  managedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']\n"),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn policies_of_two_accounts_are_no_role_s() {
    let policies = |first: &str, second: &str| {
        let manifest = format!(
            "{HEAD}spec:\n  managedPolicyArns: ['arn:aws:iam::{first}:policy/a']\n  permissionsBoundary: 'arn:aws:iam::{second}:policy/b'\n"
        );
        let output = validate(&["-f", "-", "--allowed-policy-arns=*"], &manifest);
        (output.status.code(), text(&output.stdout))
    };
    let (code, said) = policies("111122223333", "444455556666");
    assert!(
        code == Some(1)
            && said.contains("-:7: spec.permissionsBoundary: belongs to another account than a policy of 111122223333"),
        "{said}"
    );
    for second in ["111122223333", "aws"] {
        assert_eq!(policies("111122223333", second).0, Some(0));
    }
}

#[test]
fn two_objects_with_one_role_are_found() {
    let second = HEAD.replace("segments", "other");
    let manifests = format!("{HEAD}spec: {{roleName: Import}}\n---\n{second}spec:\n  roleName: import\n");
    let said = text(&validate(&["-f", "-"], &manifests).stdout);
    assert!(
        said.contains("-:12: spec.roleName: role import is declared at -:1 too"),
        "{said}"
    );
}

#[test]
fn files_that_cannot_be_read_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("x.yaml"), format!("{HEAD}spec: {{path: a}}\n")).unwrap();
    std::fs::write(deep.join("broken.yml"), "a: [\n").unwrap();
    std::fs::write(deep.join("readme.md"), "a: [\n").unwrap();
    let output = validate(&["-f", folder.path().to_str().unwrap(), "/nowhere.yaml"], "");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    for words in [
        "x.yaml:5: spec.path",
        "broken.yml:",
        "is no YAML",
        "/nowhere.yaml: can't be read: No such file",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(validate(&[], "").status.code(), Some(1));
}

#[test]
fn what_iam_would_not_take_is_refused_before_it_is_sent() {
    let applications = |region: &str| -> String {
        let one = |n: u32| format!("    - {{region: {region}, id: '{n:032x}'}}\n");
        (0..20).map(one).collect()
    };
    let of = |region: &str| format!("{HEAD}spec:\n  trust:\n    applications:\n{}", applications(region));
    assert_eq!(validate(&["-f", "-"], &of("us-east-1")).status.code(), Some(0));
    for region in ["ap-southeast-1", "us-gov-west-1"] {
        let said = text(&validate(&["-f", "-"], &of(region)).stdout);
        assert!(
            said.starts_with("-:7: spec.trust.applications: the trust policy would have 2") && said.contains("2048"),
            "{said}"
        );
    }
    let buckets = |prefix: &str| -> String {
        let one = |n: u32| format!("  - {{name: bucket-{n:02}, prefix: {prefix}}}\n");
        (0..20).map(one).collect()
    };
    let of = |prefix: &str| format!("{HEAD}spec:\n  buckets:\n{}", buckets(prefix));
    assert_eq!(validate(&["-f", "-"], &of("セグ/")).status.code(), Some(0));
    let said = text(&validate(&["-f", "-"], &of(&"セグ/".repeat(20))).stdout);
    assert!(
        said.starts_with("-:6: spec.buckets: the inline policy would have ") && said.contains("10240"),
        "{said}"
    );
}

#[test]
fn a_role_that_nothing_guards_is_noted_and_not_refused() {
    for guarded in [
        "trust: {sourceAccount: '111122223333'}",
        "trust: {applications: [{region: us-east-1, id: 0123456789abcdef0123456789abcdef}]}",
    ] {
        let output = validate(&["-f", "-"], &format!("{HEAD}spec:\n  {guarded}\n"));
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
        assert!(text(&output.stderr).ends_with("; 0 notes\n"));
    }
    for (body, account) in [
        ("spec: {}", "<id of the role's account>"),
        ("spec: {trust: {}}", "<id of the role's account>"),
        ("spec: {accountId: '111122223333'}", "111122223333"),
    ] {
        let output = validate(&["-f", "-"], &format!("{HEAD}{body}\n"));
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let line = format!("`sourceAccount: \"{account}\"`\n");
        assert!(
            said.starts_with("-:5: note: spec: no condition guards this role") && said.ends_with(&line),
            "{said}"
        );
        assert!(text(&output.stderr).contains("0 problems") && text(&output.stderr).ends_with("; 1 notes\n"));
    }
}

#[test]
fn words_that_readers_differ_about_are_noted() {
    let trust = "trust: {sourceAccount: '111122223333'}";
    let body = format!("spec:\n  {trust}\n  suspend: on\n  maxSessionDuration: 07020\n  interval: 5m\n");
    let output = validate(&["-f", "-"], &format!("{HEAD}{body}"));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "-:7: note: spec.suspend: on is true to kubectl and \"on\" to tools that read YAML 1.2: write true, or put it in quotes",
        "-:8: note: spec.maxSessionDuration: 07020 is 3600 to kubectl and 7020 to tools that read YAML 1.2: write 3600, or put it in quotes",
    ] {
        assert!(said.lines().any(|found| found == line), "{said}");
    }
    let same = format!("spec:\n  {trust}\n  maxSessionDuration: 3.6e3\n  suspend: True\n  interval: ~\n");
    let output = validate(&["-f", "-"], &format!("{HEAD}{same}"));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

/// The reference is made from the same definitions as `--help`, and is the one that is committed.
#[test]
fn the_reference_is_up_to_date() {
    let print = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pinpoint-import-role-controller"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success());
        text(&output.stdout)
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/commands.md");
    let found = print(&["manual", "--markdown"]);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        found,
        "UPDATE=1 cargo test --test core reference renews it"
    );
    for words in ["--resync-interval", "--fail-on-widening", "PIR_ALLOWED_POLICY_ARNS"] {
        assert!(found.contains(words));
    }
    let page = print(&["manual"]);
    assert!(page.contains(".TH") && page.contains("validate") && page.contains("resync"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(print(&["completions", shell]).contains("fail-on-widening"), "{shell}");
    }
}

/// Problems on the lines of a pull request.
#[test]
fn sarif_has_the_lines_that_the_text_has() {
    let manifest = "apiVersion: pinpoint-import.dev/v1alpha1\nkind: PinpointImportRole\nmetadata: {name: a}\nspec:\n  pth: /\n  interval: 1s\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b.yaml");
    std::fs::write(&path, manifest).unwrap();
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "a: b\nc: [\n").unwrap();
    let unguarded = manifest
        .replace("{name: a}", "{name: b}")
        .replace("  pth: /\n  interval: 1s\n", "  path: /\n");
    std::fs::write(folder.path().join("unguarded.yaml"), unguarded).unwrap();
    let arguments = ["-f", folder.path().to_str().unwrap()];
    let lines = text(&validate(&arguments, "").stdout);
    let output = validate(&[&arguments[..], &["--output", "sarif"]].concat(), "");
    assert_eq!(output.status.code(), Some(1));
    let sarif: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), lines.lines().count());
    let place = |n: usize| {
        let place = &results[n]["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        (
            uri.rsplit('/').next().unwrap().to_owned(),
            place["region"]["startLine"].clone(),
        )
    };
    assert_eq!(place(0), ("a%20b.yaml".to_owned(), 5.into()), "{lines}");
    assert_eq!(place(1), ("a%20b.yaml".to_owned(), 6.into()));
    assert_eq!(place(2).0, "broken.yaml");
    let is = |n: usize, rule: &str, level: &str| results[n]["ruleId"] == rule && results[n]["level"] == level;
    assert!((0..3).all(|n| is(n, "invalid-manifest", "error")), "{lines}");
    assert_eq!((results.len(), place(3).0.as_str()), (4, "unguarded.yaml"), "{lines}");
    assert!(is(3, "manifest-note", "note"), "{lines}");
}

/// The examples for pipelines and for Flux are YAML of other kinds, and name what there is.
#[test]
fn the_examples_name_what_there_is() {
    let output = validate(&["-f", "deploy/gitops", "deploy/pipeline/github-actions.yaml"], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(
        text(&output.stderr).contains("4 objects of other kinds"),
        "{}",
        text(&output.stderr)
    );
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)).unwrap();
    assert!(
        read("gitops/flux.yaml").contains("wait: true"),
        "Flux waits for the roles"
    );
    assert!(read("pipeline/github-actions.yaml").contains("run: deploy/pipeline/review.sh roles comment.md"));
    assert!(read("gitops/argocd-health.lua").contains("pinpoint-import.dev_PinpointImportRole"));
    let guides = read("guides.md");
    for path in guides
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|path| !path.starts_with(['#', 'h']))
    {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path).exists(),
            "guides.md links to {path}"
        );
    }
}

/// `… | head`: a reader that goes is no error, and nothing panics.
#[test]
fn a_reader_that_goes_is_no_error() {
    let script = format!(
        "set -o pipefail; '{}' manual --markdown | head -c 1 >/dev/null",
        env!("CARGO_BIN_EXE_pinpoint-import-role-controller")
    );
    for _ in 0..5 {
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            text(&output.stderr)
        );
    }
}
