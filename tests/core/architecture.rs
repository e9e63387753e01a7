//! Which room may use what (the picture is in `src/lib.rs`), and how large things are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use crate::source::{Source, circles, files};

/// A room and what it must not use.
struct Room {
    /// Folder or file below `src`.
    at: &'static str,
    /// Rooms of this crate that it may use beside itself.
    may_use: &'static [&'static str],
    /// Texts that must not occur in its code.
    without: &'static [&'static str],
}

const AWS: &str = "aws_";
const TOKIO: &str = "tokio";

/// The sources of this workspace's crates.
const CRATES: [&str; 3] = ["src", "tests/support/src", "tests/proof/src"];

/// The pure core has no clock, no chance, no input or output, nothing asynchronous, no AWS SDK and no kube client.
const IMPURE: &[&str] = &[
    AWS,
    TOKIO,
    "kube::",
    "futures",
    "async ",
    ".await",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "fastrand",
    "tracing",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::sync",
    "std::thread",
    "println!",
];

const ROOMS: &[Room] = &[
    Room {
        at: "plain.rs",
        may_use: &[],
        without: IMPURE,
    },
    Room {
        at: "backoff.rs",
        may_use: &[],
        without: &[AWS, TOKIO, "kube::"],
    },
    Room {
        at: "rate.rs",
        may_use: &[],
        without: &[AWS, "kube::"],
    },
    Room {
        at: "api",
        may_use: &[],
        without: &[AWS, TOKIO, "Client"],
    },
    Room {
        at: "role",
        may_use: &["plain", "api"],
        without: IMPURE,
    },
    Room {
        at: "aws",
        may_use: &["plain", "backoff", "rate", "api", "role"],
        without: &["kube::", "k8s_openapi"],
    },
    Room {
        at: "cluster.rs",
        may_use: &[],
        without: &[AWS],
    },
    Room {
        at: "controller",
        may_use: &["plain", "backoff", "rate", "api", "role", "aws", "cluster", "metrics"],
        without: &[AWS],
    },
    Room {
        at: "metrics",
        may_use: &["api", "role", "aws"],
        without: &[AWS, TOKIO, "kube::"],
    },
    Room {
        at: "config",
        may_use: &["api", "role", "aws"],
        without: &[AWS, TOKIO],
    },
    Room {
        at: "telemetry.rs",
        may_use: &["plain", "config"],
        without: &[AWS, TOKIO],
    },
    Room {
        at: "admin.rs",
        may_use: &["aws", "metrics"],
        without: &[AWS],
    },
    Room {
        at: "cli",
        may_use: &[
            "plain",
            "backoff",
            "api",
            "role",
            "aws",
            "cluster",
            "controller",
            "config",
            "telemetry",
            "admin",
            "metrics",
        ],
        without: &[AWS],
    },
    Room {
        at: "main.rs",
        may_use: &[],
        without: &[AWS, TOKIO],
    },
    Room {
        at: "lib.rs",
        may_use: &[],
        without: &[AWS, TOKIO],
    },
];

/// Lines of a file of a room that have what must not be there.
fn trespasses(room: &Room, text: &str) -> Vec<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let found = code.flat_map(|line| {
        let words = room.without.iter().filter(move |word| line.contains(**word));
        words.map(move |word| format!("uses {word}: {}", line.trim()))
    });
    found.collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn src() -> PathBuf {
    root().join("src")
}

/// The room of a file.
fn room(file: &str) -> &'static Room {
    let name = file.split('/').next().unwrap_or_default();
    let found = ROOMS.iter().find(|room| room.at == name);
    found.unwrap_or_else(|| panic!("src/{file} belongs to no room: add it to ROOMS"))
}

#[test]
fn no_room_has_what_it_must_not() {
    let mut found = Vec::new();
    for file in files(&src()) {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(src()).unwrap().display().to_string();
        found.extend(
            trespasses(room(&name), &text)
                .iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_uses_only_what_it_may() {
    let source = Source::read(&src());
    for (file, used) in source.uses() {
        let own = room(file);
        for other in used {
            let theirs = room(other).at;
            let may = own.at == theirs || own.may_use.contains(&theirs.trim_end_matches(".rs"));
            assert!(may, "{file} uses {other}, which its room may not");
        }
    }
}

/// A file that is read may be understood with what it uses, and nothing of what uses it.
#[test]
fn nothing_goes_in_circles_and_nothing_goes_back_up() {
    for src in CRATES {
        let source = Source::read(&root().join(src));
        let uses = source.uses();
        assert_eq!(circles(&uses), BTreeSet::new(), "{src}: these files use each other");
        assert_eq!(upwards(&uses), Vec::<String>::new(), "{src}");
    }
}

/// Files that use something of the file of a room that they are in, which is there to say what the room has.
fn upwards(uses: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let is_above = |above: &str, file: &str| {
        let folder = above.strip_suffix("mod.rs").or(above.strip_suffix(".rs"));
        folder.is_some_and(|folder| file.starts_with(&format!("{}/", folder.trim_end_matches('/'))))
    };
    let all = uses
        .iter()
        .flat_map(|(file, used)| used.iter().map(move |above| (file, above)));
    let up = all.filter(|(file, above)| is_above(above, file));
    up.map(|(file, above)| format!("{file} uses {above}, of which it is a part"))
        .collect()
}

/// What reviewers are told is for the commands: no pass depends on it.
#[test]
fn no_pass_uses_the_review() {
    let source = Source::read(&src());
    for (file, used) in source.uses() {
        let is_review = |file: &str| file.starts_with("role/review/");
        if is_review(file) || file.starts_with("cli/") {
            continue;
        }
        assert!(!used.iter().any(|used| is_review(used)), "{file} uses role/review");
    }
}

#[test]
fn files_stay_short_enough_to_be_read() {
    for file in files(&src()) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(
            lines <= 400,
            "{} has {lines} lines without its tests; 400 are enough",
            file.display()
        );
    }
}

/// A word that means one thing here and another there is looked up twice, and mistaken once.
#[test]
fn no_two_types_share_a_name() {
    let types = Source::read(&src()).types;
    let shared: Vec<_> = types.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(shared.is_empty(), "these names mean several things: {shared:?}");
}

/// Functions that may be longer, since they are one list of all that there is.
const LISTS: &[&str] = &["aws/execute.rs: execute"];

#[test]
fn functions_stay_small_enough_to_be_read() {
    let mut found = Vec::new();
    for src in CRATES {
        for function in Source::read(&root().join(src)).functions {
            let long = function.lines > 60 && !LISTS.contains(&function.at.as_str());
            if long || function.parameters > 5 {
                found.push(format!("{src}: {function:?}"));
            }
        }
    }
    assert!(
        found.is_empty(),
        "60 lines and 5 parameters are enough:\n{}",
        found.join("\n")
    );
}

/// The tests above can fail.
#[test]
fn trespasses_are_found() {
    let core = room("role/plan.rs");
    for bad in [
        "use tokio::time::sleep;",
        "    let now = std::time::Instant::now();",
        "pub async fn observe() {}",
    ] {
        assert!(!trespasses(core, bad).is_empty(), "{bad}");
    }
    assert_eq!(trespasses(core, "// what tokio would do"), Vec::<String>::new());
}

/// A small crate of files and their text.
fn made(files: &[(&str, &str)]) -> Source {
    let mut source = Source::default();
    for (file, text) in files {
        source.add(file, text);
    }
    source
}

#[test]
fn every_way_to_use_a_file_is_found() {
    let room = [
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a/mod.rs", "mod x; mod y; pub use x::X; use y::Y;"),
        ("a/x.rs", "pub struct X; pub fn x() {}"),
        ("a/y.rs", "pub struct Y;"),
    ];
    for (text, used) in [
        ("use crate::a::X;", "a/x.rs"),
        ("use super::a::{self, X as Z};", "a/x.rs"),
        ("use crate::a; fn f(_: a::X) {}", "a/x.rs"),
        ("use crate::{a::{Y}};", "a/y.rs"),
        ("fn f() { crate::a::x::x() }", "a/x.rs"),
        ("fn f() { super::a::x::x() }", "a/x.rs"),
        ("use crate::a; fn f() { println!(\"{:?}\", a::X); }", "a/x.rs"),
        ("mod deep { use super::super::a::X; }", "a/x.rs"),
        ("use crate::a::Other;", "a/mod.rs"),
    ] {
        let source = made(&[&room[..], &[("b.rs", text)]].concat());
        assert_eq!(source.uses()["b.rs"], BTreeSet::from([used]), "{text}");
    }
    for text in [
        "#[cfg(test)] mod tests { use crate::a::X; }",
        "pub use crate::a::X;",
        "use crate::a; fn f(a: u8) -> u8 { a }",
        "use std::fmt; fn f(_: fmt::Error) {}",
        "pub(in crate::a) fn f() {}",
    ] {
        let source = made(&[&room[..], &[("b.rs", text)]].concat());
        assert_eq!(source.uses()["b.rs"], BTreeSet::new(), "{text}");
    }
}

#[test]
fn circles_and_ways_up_are_found() {
    let source = made(&[
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::d; fn f() { d::back() }"),
        ("d/mod.rs", "mod e; pub use e::back; pub struct D;"),
        ("d/e.rs", "use super::D; use crate::b; pub fn back(_: b::B) {}"),
    ]);
    let uses = source.uses();
    assert_eq!(
        circles(&uses),
        BTreeSet::from([BTreeSet::from(["b.rs", "c.rs", "d/e.rs"])])
    );
    assert_eq!(upwards(&uses), ["d/e.rs uses d/mod.rs, of which it is a part"]);
}

#[test]
fn types_are_found_wherever_they_are_defined() {
    let source = made(&[
        ("a.rs", "struct A; mod deep { pub enum B {} } fn f() { type C = u8; }"),
        (
            "b.rs",
            "pub(crate) struct A<T>(T); trait B {} impl D for A<u8> { type C = u8; }",
        ),
        (
            "c.rs",
            "#[cfg(test)] mod tests { struct A; } #[test] fn t() { struct C; }",
        ),
    ]);
    let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let both = files(&["a.rs", "b.rs"]);
    let wanted = [("A", both.clone()), ("B", both), ("C", files(&["a.rs"]))];
    assert_eq!(
        source.types,
        wanted.map(|(name, files)| (name.to_owned(), files)).into()
    );
}

#[test]
fn functions_are_measured() {
    let text = "impl A {\n    /// A.\n    #[must_use]\n    pub fn f(&self, a: u8,\n        b: u8) {\n    }\n}\n#[test]\nfn t() {}\n";
    let functions = made(&[("a.rs", text)]).functions;
    assert_eq!(functions.len(), 1);
    assert_eq!(functions[0].at, "a.rs: f");
    assert_eq!((functions[0].lines, functions[0].parameters), (3, 2));
}
