//! The control plane starts, keeps its data over a restart of the API server, and leaves nothing behind.

use std::path::Path;

use test_support::control_plane::ControlPlane;

#[test]
fn it_starts_restarts_and_leaves_nothing() {
    let mut plane = ControlPlane::start().unwrap();
    assert_eq!(plane.run(&["get", "--raw", "/readyz"]).unwrap(), "ok");
    let version = plane.run(&["version"]).unwrap();
    let wanted = std::env::var("KUBERNETES").map_or_else(|_| "v1.36.3".to_owned(), |minor| format!("v{minor}."));
    assert!(version.contains(&format!("Server Version: {wanted}")), "{version}");
    plane.run(&["create", "namespace", "kept"]).unwrap();

    plane.stop_api_server();
    assert!(
        plane
            .run(&["get", "namespace", "kept", "--request-timeout=2s"])
            .is_err()
    );
    plane.start_api_server().unwrap();
    plane.run(&["get", "namespace", "kept"]).unwrap();

    let folder = plane.folder().to_owned();
    drop(plane);
    assert!(!folder.exists());
    assert!(
        !processes_name(&folder),
        "a process still works in {}",
        folder.display()
    );
}

/// Whether a process was started with a path in this folder.
fn processes_name(folder: &Path) -> bool {
    let needle = folder.display().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
            String::from_utf8_lossy(&line).contains(&needle) && entry.file_name() != *std::process::id().to_string()
        })
    })
}
