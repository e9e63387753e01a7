//! What the papers and the comments refer to is there.

use std::{collections::BTreeSet, fs, path::Path, path::PathBuf};

use regex::Regex;

/// Papers whose names of files are checked, and the folders from which they name them.
const PAPERS: [(&str, &[&str]); 8] = [
    ("src/lib.rs", &["", "src"]),
    ("README.md", &["", "src", "deploy/samples"]),
    ("CONTRIBUTING.md", &["", "src"]),
    ("SECURITY.md", &[""]),
    ("CHANGELOG.md", &[""]),
    ("docs/contract.md", &[""]),
    ("docs/performance.md", &[""]),
    ("deploy/README.md", &["", "deploy"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn sources(at: &Path) -> Vec<PathBuf> {
    if at.is_dir() {
        let entries = fs::read_dir(at).unwrap();
        return entries.flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    let is_source = at.extension().is_some_and(|extension| extension == "rs");
    is_source.then(|| at.to_owned()).into_iter().collect()
}

/// The sections of the contract that a text names. A comment may break between the words.
fn sections_named(text: &str) -> Vec<u32> {
    let lines = text
        .lines()
        .map(|line| line.trim_start().trim_start_matches(['/', '!', ' ']));
    let joined = lines.collect::<Vec<_>>().join(" ");
    let named = Regex::new(r"contract\W+section (\d+)").unwrap();
    let numbers = named.captures_iter(&joined);
    numbers.map(|found| found[1].parse().unwrap()).collect()
}

/// The files that a text names in backticks.
fn files_named(text: &str) -> BTreeSet<String> {
    let named = Regex::new(r"`([A-Za-z0-9_./-]+\.(?:rs|md|yaml|yml|json|toml|sh|lua))`").unwrap();
    named.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The places of this repository that a text links to.
fn links(text: &str) -> BTreeSet<String> {
    let link = Regex::new(r"\]\(([^)#]+)[^)]*\)").unwrap();
    let targets = link.captures_iter(text).map(|found| found[1].to_owned());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn every_section_of_the_contract_that_is_named_exists() {
    let heading = Regex::new(r"(?m)^## (\d+)\. ").unwrap();
    let contract = read(root().join("docs/contract.md"));
    let sections: Vec<u32> = heading
        .captures_iter(&contract)
        .map(|found| found[1].parse().unwrap())
        .collect();
    assert_eq!(sections, (1..=8).collect::<Vec<_>>(), "sections keep their numbers");

    let files = ["src", "tests"].iter().flat_map(|folder| sources(&root().join(folder)));
    let mut references = 0;
    for file in files.filter(|file| !file.ends_with("papers.rs")) {
        for section in sections_named(&read(&file)) {
            assert!(
                sections.contains(&section),
                "{}: contract, section {section}",
                file.display()
            );
            references += 1;
        }
    }
    assert!(
        references >= 8,
        "{references} references: are they written otherwise now?"
    );
}

#[test]
fn every_file_that_a_paper_names_exists() {
    for (paper, folders) in PAPERS {
        let text = read(root().join(paper));
        for file in files_named(&text) {
            let found = folders.iter().any(|folder| root().join(folder).join(&file).exists());
            assert!(found, "{paper} names {file}, which is not there");
        }
        let folder = root().join(paper).parent().unwrap().to_owned();
        for target in links(&text).iter().filter(|_| !paper.starts_with("src/")) {
            assert!(
                folder.join(target).exists(),
                "{paper} links to {target}, which is not there"
            );
        }
    }
    let lines = read(root().join("src/lib.rs")).lines().count();
    assert!(
        lines <= 120,
        "src/lib.rs has {lines} lines: what is longer than two screens is not read"
    );
    assert!(
        files_named(&read(root().join("src/lib.rs"))).len() > 20,
        "lib.rs walks through the files"
    );
}

#[test]
fn the_image_says_what_the_package_says() {
    let dockerfile = read(root().join("Dockerfile"));
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ] {
        let wanted = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(dockerfile.contains(&wanted), "the Dockerfile has no {wanted}");
    }
}

/// The tests above can fail.
#[test]
fn references_are_found() {
    assert_eq!(
        sections_named("/// Whose it is (contract,\n    /// section 4), or not (contract, section 12)."),
        [4, 12]
    );
    assert_eq!(sections_named("RFC 8259, section 7"), Vec::<u32>::new());
    assert_eq!(
        Vec::from_iter(files_named("`role/plan.rs` and `deploy/x.md`, not `a.b` or role/x.rs")),
        ["deploy/x.md", "role/plan.rs"]
    );
    assert_eq!(Vec::from_iter(links("[a](b/c.md#d), [e](https://f.g)")), ["b/c.md"]);
}
