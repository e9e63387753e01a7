//! Which room may use what (the picture is in `src/lib.rs`).

use std::{fs, path::Path};

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
        may_use: &["plain", "backoff", "api", "role"],
        without: &["kube::", "k8s_openapi"],
    },
    Room {
        at: "cluster.rs",
        may_use: &[],
        without: &[AWS],
    },
    Room {
        at: "controller",
        may_use: &["plain", "backoff", "api", "role", "aws", "cluster", "metrics"],
        without: &[AWS],
    },
    Room {
        at: "metrics.rs",
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

/// What a text of a room uses though it must not.
fn trespasses(room: &Room, text: &str) -> Vec<String> {
    let name = room.at.trim_end_matches(".rs");
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut found = Vec::new();
    // How far the lines of a `use crate::{` are indented.
    let mut in_braces = None;
    for line in code {
        let indent = line.len() - line.trim_start().len();
        found.extend(
            room.without
                .iter()
                .filter(|word| line.contains(**word))
                .map(|word| format!("uses {word}: {}", line.trim())),
        );
        // `crate::x::…`, and the lines of `use crate::{ x::…, … };`.
        let mut used: Vec<&str> = line
            .split("crate::")
            .skip(1)
            .filter(|rest| !rest.starts_with('{'))
            .collect();
        if in_braces == Some(indent) {
            used.push(line.trim());
        }
        if line.contains("crate::{") {
            in_braces = (!line.contains("};")).then_some(indent + 4);
            used.extend(line.split("crate::{").nth(1).filter(|rest| !rest.is_empty()));
        } else if line.trim_start().starts_with("};") {
            in_braces = None;
        }
        for rest in used {
            let room_used: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !room_used.is_empty() && room_used != name && !room.may_use.contains(&room_used.as_str()) {
                found.push(format!("uses the room {room_used}: {}", line.trim()));
            }
        }
    }
    found
}

fn files(at: &Path) -> Vec<std::path::PathBuf> {
    if at.is_file() {
        return vec![at.to_owned()];
    }
    let entries = fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

fn source() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn every_room_uses_only_what_it_may() {
    let mut found = Vec::new();
    for room in ROOMS {
        for file in files(&source().join(room.at)) {
            let text = fs::read_to_string(&file).unwrap();
            found.extend(
                trespasses(room, &text)
                    .into_iter()
                    .map(|what| format!("{}: {what}", file.display())),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_belongs_to_a_room() {
    for entry in fs::read_dir(source()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            ROOMS.iter().any(|room| room.at == name),
            "src/{name} belongs to no room: add it to ROOMS"
        );
    }
}

#[test]
fn files_stay_short_enough_to_be_read() {
    for file in files(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(
            lines <= 400,
            "{} has {lines} lines without its tests; 400 are enough",
            file.display()
        );
    }
}

/// The test above can fail.
#[test]
fn trespasses_are_found() {
    let core = ROOMS.iter().find(|room| room.at == "role").unwrap();
    for bad in [
        "use tokio::time::sleep;",
        "use crate::aws::Iam;",
        "use crate::{\n    api::Reason,\n    controller::Context,\n};",
        "use crate::{controller::Context, api::Reason};",
        "    let now = std::time::Instant::now();",
        "pub async fn observe() {}",
    ] {
        assert!(!trespasses(core, bad).is_empty(), "{bad}");
    }
    for good in [
        "use crate::{\n    api::{\n        Reason,\n    },\n};",
        "// what tokio would do",
        "use crate::role::Plan;",
    ] {
        assert_eq!(trespasses(core, good), Vec::<String>::new(), "{good}");
    }
}
