//! Manifests: YAML and JSON files, folders and standard input.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    node::{Content, Node},
    yaml,
};

/// Which manifests. A command that can't do without says so of the group that bears this name.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ManifestArgs {
    /// Manifests: files of YAML or JSON, folders with all that lies below them, or - for standard input; `plan` without any takes the
    /// cluster's objects
    #[arg(short = 'f', long = "file", env = "PIR_FILE", value_name = "PATH", num_args = 1..)]
    pub file: Vec<PathBuf>,
}

/// A Kubernetes object in a file.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Manifest {
    /// The file; `-` is standard input.
    pub file: String,
    pub node: Node,
}

/// Reads files, folders (with what lies below them) and, for `-`, standard input. Beside the objects: what could not be read, one line
/// each.
pub(in crate::cli) fn read(paths: &[PathBuf]) -> (Vec<Manifest>, Vec<String>) {
    let mut files = Files::default();
    for path in paths {
        files.add(path, true);
    }
    let (mut manifests, mut problems) = (Vec::new(), files.problems);
    for file in files.found {
        let name = file.display().to_string();
        let text = if name == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            fs::read_to_string(&file)
        };
        match text {
            Ok(text) => {
                let (found, unread) = parse(&name, &text);
                manifests.extend(found);
                problems.extend(unread);
            }
            Err(why) => problems.push(format!("{name}: can't be read: {why}")),
        }
    }
    (manifests, problems)
}

/// Files to read, each once, whatever leads to it: a mounted `ConfigMap` shows every file by two links, and a folder may hold a link to
/// itself.
#[derive(Default)]
struct Files {
    found: Vec<PathBuf>,
    /// Files and folders that have been looked at, by their real names.
    seen: BTreeSet<PathBuf>,
    problems: Vec<String>,
}

impl Files {
    /// The files below a path. A file that is named is taken whatever it is called; in folders, those of YAML and JSON.
    fn add(&mut self, path: &Path, named: bool) {
        // What has no real name, such as a pipe or a link to nothing, has its own; reading it says what is wrong.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() {
            if self.seen.insert(real) {
                self.add_folder(path);
            }
            return;
        }
        let known = path
            .extension()
            .is_some_and(|found| ["yaml", "yml", "json"].iter().any(|known| found == *known));
        if (named || known) && self.seen.insert(real) {
            self.found.push(path.to_owned());
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        let mut entries = Vec::new();
        let listed = fs::read_dir(folder).and_then(|all| {
            for entry in all {
                entries.push(entry?.path());
            }
            Ok(())
        });
        if let Err(why) = listed {
            self.problems
                .push(format!("{}: can't be read: {why}", folder.display()));
        }
        entries.sort();
        for entry in entries {
            // `..data` and `..2026_…`, by which Kubernetes changes all files of a mounted volume at once; the files have names beside them.
            let internal = entry
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
            if !internal {
                self.add(&entry, false);
            }
        }
    }
}

/// The objects of a text, those of a `List` one by one, and what of it can't be read.
pub(in crate::cli) fn parse(file: &str, text: &str) -> (Vec<Manifest>, Vec<String>) {
    let (mut manifests, mut problems) = (Vec::new(), Vec::new());
    for document in yaml::documents(text) {
        let nodes = match document {
            Ok(node) => items(node),
            Err(yaml::Unreadable { line, why }) => {
                let first = why.lines().next().unwrap_or_default();
                problems.push(format!("{file}:{line}: is no YAML: {first}"));
                continue;
            }
        };
        manifests.extend(nodes.into_iter().map(|node| Manifest {
            file: file.to_owned(),
            node,
        }));
    }
    (manifests, problems)
}

/// The items of a list of Kubernetes objects, or the object itself.
fn items(document: Node) -> Vec<Node> {
    match (document.text("kind"), document.get("items").map(|items| &items.content)) {
        (Some(kind), Some(Content::List(items))) if kind.ends_with("List") => items.clone(),
        _ => vec![document],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::FieldPath;

    fn parse(text: &str) -> Vec<Manifest> {
        let (found, unread) = super::parse("x", text);
        assert_eq!(unread, Vec::<String>::new());
        found
    }

    #[test]
    fn every_field_has_its_line() {
        let text = "# a\na: 1\nb:\n  - c: x\n  - d:\n      e: w\n---\nf: {g: z}\n";
        let found = parse(text);
        let line = |n: usize, path: &FieldPath| found[n].node.line_of(path);
        let b = FieldPath::of(&["b"]);
        assert_eq!(line(0, &FieldPath::of(&["a"])), 2);
        assert_eq!(line(0, &b.item(0).key("c")), 4);
        assert_eq!(line(0, &b.item(1).key("d").key("e")), 6);
        let missing = b.item(1).key("d").key("missing");
        assert_eq!(line(0, &missing), 6, "the nearest that is there");
        assert_eq!(line(1, &FieldPath::of(&["f", "g"])), 8);
        assert_eq!(
            found[0].node.value(),
            serde_json::json!({"a": 1, "b": [{"c": "x"}, {"d": {"e": "w"}}]})
        );
    }

    #[test]
    fn lists_are_taken_apart_and_what_is_no_yaml_has_its_line() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- {kind: A}\n- {kind: B}\n";
        assert_eq!(parse(list).len(), 2);
        assert_eq!(parse("---\n---\n").len(), 0);
        let (found, unread) = super::parse("x.yaml", "kind: A\n---\na: b\nc: [\n---\na: 1\na: 2\n---\nkind: B\n");
        assert_eq!(found.len(), 2, "one that can't be read hides no other");
        assert!(
            unread[0].starts_with("x.yaml:4: is no YAML") || unread[0].starts_with("x.yaml:5"),
            "{unread:?}"
        );
        assert!(
            unread[1].starts_with("x.yaml:7: is no YAML: \"a\" is there twice, first on line 6"),
            "{unread:?}"
        );
        assert_eq!(unread.len(), 2);
    }

    #[test]
    fn a_mounted_volume_and_a_folder_that_links_to_itself_are_read_once() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("..2026_11_25")).unwrap();
        fs::write(at("..2026_11_25/b.yaml"), "kind: B\n").unwrap();
        fs::write(at("..2026_11_25/a.yaml"), "kind: A\n").unwrap();
        symlink("..2026_11_25", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();
        symlink("..data/b.yaml", at("b.yaml")).unwrap();
        symlink(".", at("self")).unwrap();
        symlink("nowhere.yaml", at("broken.yaml")).unwrap();
        let again = at("self/a.yaml");
        let (found, unread) = read(&[folder.path().to_owned(), folder.path().to_owned(), again]);
        let files: Vec<&str> = found
            .iter()
            .map(|manifest| manifest.file.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(files, ["a.yaml", "b.yaml"]);
        assert!(found.iter().all(|manifest| !manifest.file.contains("..")), "{found:?}");
        assert_eq!(unread.len(), 1, "{unread:?}");
        assert!(
            unread[0].contains("broken.yaml: can't be read: No such file"),
            "{unread:?}"
        );
    }
}
