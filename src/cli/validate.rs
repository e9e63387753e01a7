//! `validate`: checks manifests offline, as API server and controller would.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{
    ending::refuse,
    manifests::{self, Checked, ManifestArgs, check},
    medium::{Rendered, Terminal, print, say},
    rules::RuleArgs,
};
use crate::config::File;

/// Flags of `validate`.
#[derive(Args, Clone, Debug)]
#[command(mut_group("ManifestArgs", |group| group.required(true)))]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    manifests: ManifestArgs,

    /// Form of the output
    #[arg(short, long, env = "PIR_VALIDATE_OUTPUT", value_enum, default_value_t = ValidateOutput::Text)]
    output: ValidateOutput,

    #[command(flatten)]
    pub(super) rules: RuleArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ValidateOutput {
    /// For people: a problem or a note a line
    Text,
    /// SARIF 2.1.0, for places that show problems on the lines of a pull request
    Sarif,
}

/// Prints every problem, one a line: file, line, field and what to write instead; and then notes, which are no problems.
pub(super) fn validate(args: &ValidateArgs, file: File) -> ExitCode {
    let rules = match args.rules.check(file) {
        Ok(rules) => rules,
        Err(problems) => return refuse(&problems),
    };
    let (found, unread) = manifests::read(&args.manifests.file);
    let checked = check(&found, &rules);
    let output = match args.output {
        ValidateOutput::Text => Ok(text(&checked, &unread)),
        ValidateOutput::Sarif => manifests::sarif(&checked, &unread),
    };
    if let Err(why) = output.and_then(|output| print(&output)) {
        return refuse(&[why]);
    }
    let problems = checked.problems.len() + unread.len();
    say(format_args!(
        "{} PinpointImportRoles checked, {problems} problems; {} objects of other kinds passed over; {} notes",
        checked.ours,
        checked.others,
        checked.notes.len()
    ));
    if problems == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn text(checked: &Checked, unread: &[String]) -> Rendered {
    let mut text = Terminal::default();
    for problem in &checked.problems {
        text.line(problem);
    }
    for why in unread {
        text.line(why);
    }
    for note in &checked.notes {
        text.line(format_args!("{}:{}: note: {}", note.file, note.line, note.problem));
    }
    text.rendered()
}

#[cfg(test)]
mod fuzz {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
        sample::{Index, select},
    };
    use serde_json::{Value, json};
    use test_support::search::search;

    use super::*;
    use crate::{
        cli::manifests::{Rules, sarif},
        plain::is_hidden,
        role::{Guards, Patterns, RolePath},
    };

    const SAMPLES: [&str; 5] = [
        include_str!("../../deploy/samples/adopt.yaml"),
        include_str!("../../deploy/samples/applications.yaml"),
        include_str!("../../deploy/samples/bucket.yaml"),
        include_str!("../../deploy/samples/guide.yaml"),
        include_str!("../../deploy/samples/report.yaml"),
    ];

    fn rules() -> Rules {
        Rules {
            role_path: RolePath::default(),
            guards: Guards {
                policy_arns: Patterns::new(&["*".to_owned()]),
                boundary: None,
                name_prefix: String::new(),
                adoption_namespaces: Patterns::new(&["*".to_owned()]),
            },
            namespace: "default".to_owned(),
        }
    }

    /// Checks a text, and what is said of it: in plain characters, of lines that it has.
    fn checked(file: &str) -> Result<Checked, TestCaseError> {
        let (found, unread) = manifests::parse("f", file);
        let checked = check(&found, &rules());
        let said = text(&checked, &unread);
        prop_assert!(
            !said.as_str().contains(|c| c != '\n' && is_hidden(c)),
            "{:?}",
            said.as_str()
        );
        prop_assert!(sarif(&checked, &unread).is_ok());
        let lines = u64::try_from(file.split('\n').count()).expect("few");
        let all = checked.problems.iter().chain(&checked.notes);
        for finding in all {
            prop_assert!((1..=lines).contains(&finding.line), "{finding} of {lines} lines");
        }
        for manifest in &found {
            let (again, unread) = manifests::parse("g", &manifest.node.value().to_string());
            let values: Vec<Value> = again.iter().map(|manifest| manifest.node.value()).collect();
            prop_assert_eq!(
                (values, unread),
                (vec![manifest.node.value()], vec![]),
                "printed and read again"
            );
        }
        Ok(checked)
    }

    /// Whatever became of a manifest.
    #[test]
    fn no_torn_manifest_makes_it_stumble() {
        let odd: Vec<&str> = "\t|\n|---\n|  |- |: |{|}|[|]|&a |*a|!!str |!x |'|\"|#|>-\n|%|\u{0}|\u{85}|\u{feff}|\u{202e}|𝄞|~|0o7|1e3|.inf|<<: "
            .split('|')
            .collect();
        let tear = (any::<Index>(), prop_oneof![select(odd), Just("")], 0_usize..4);
        let of = (vec(select(SAMPLES.to_vec()), 1..3), vec(tear, 0..5));
        search("torn manifests", 400, &of, |(samples, tears)| {
            let mut all: Vec<char> = samples.join("---\n").chars().collect();
            for (at, into, gone) in tears {
                let at = at.index(all.len() + 1);
                all.splice(at..(at + gone).min(all.len()), into.chars());
            }
            checked(&all.into_iter().collect::<String>()).map(drop)
        });
    }

    /// Whatever a spec says: what is taken is said to be one of ours, and what is not has a problem.
    #[test]
    fn no_spec_makes_it_stumble() {
        let text = prop_oneof![
            select(vec![
                "",
                "arn:aws:iam::aws:policy/x",
                "us-east-1",
                "Adopt",
                "Keep",
                "30s",
                "123456789012",
                "/a/",
                "${x}"
            ])
            .prop_map(str::to_owned),
            "[a-zßK\u{0}\u{202e}🙂:/*-]{0,12}",
        ];
        let leaf = prop_oneof![
            4 => text.prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<f64>().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
        ];
        let names = vec![
            "roleName",
            "path",
            "description",
            "maxSessionDuration",
            "permissionsBoundary",
            "tags",
            "trust",
            "applications",
            "region",
            "id",
            "sourceAccount",
            "managedPolicyArns",
            "buckets",
            "name",
            "prefix",
            "kmsKeyArn",
            "undeclaredPolicies",
            "driftPolicy",
            "adoptionPolicy",
            "deletionPolicy",
            "accountId",
            "suspend",
            "interval",
            "rolename",
            "\u{202e}",
        ];
        let name = select(names);
        let value = leaf.prop_recursive(3, 16, 3, {
            let name = name.clone();
            move |inner| {
                prop_oneof![
                    vec(inner.clone(), 0..3).prop_map(Value::from),
                    btree_map(name.clone(), inner, 0..3).prop_map(|map| json!(map)),
                ]
            }
        });
        let of = btree_map(name, value, 0..5);
        search("specs", 400, &of, |spec| {
            let object = json!({
                "apiVersion": "pinpoint-import.dev/v1alpha1", "kind": "PinpointImportRole", "metadata": {"name": "a"}, "spec": spec,
            });
            let checked = checked(&object.to_string())?;
            prop_assert_eq!(checked.ours, 1);
            prop_assert_eq!(checked.sound.len() == 1, checked.problems.is_empty());
            Ok(())
        });
    }
}
