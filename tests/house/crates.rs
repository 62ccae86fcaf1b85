//! Who may depend on whom among the crates.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::sources::{all, root};

/// What a member of the workspace is, by where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `platform/base/*`: what services stand on.
    Base,
    /// A service: the router, the Cloud Controller, ...
    Service,
    /// `platform/all-in-one`: the services in one process.
    AllInOne,
    /// `tests` and `benches`.
    Proof,
}

/// Base crates that others of them may stand on.
const GROUND: [&str; 2] = ["cloverleaf-model", "cloverleaf-config"];

/// Libraries outside the workspace that some crates may not have, with the reason.
const BANNED: &[(&str, Kind, &[&str], &str)] = &[
    (
        "router",
        Kind::Service,
        &["sqlx", "sea-query", "rusqlite", "reqwest"],
        "it shares nothing but the bus",
    ),
    (
        "platform/base/model",
        Kind::Base,
        &["tokio", "axum", "hyper", "async-nats", "rustls", "tracing"],
        "data types and wire forms do no I/O",
    ),
    (
        "platform/base/config",
        Kind::Base,
        &["tokio", "axum", "hyper", "async-nats", "tracing"],
        "it reads text and says what is wrong",
    ),
];

struct Member {
    name: String,
    folder: String,
    kind: Kind,
    /// Names of all dependencies, those of tests and builds too.
    dependencies: Vec<String>,
}

fn members() -> Vec<Member> {
    let root = root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
        "--manifest-path",
    ]);
    let output = command
        .arg(root.join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata in JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let folder = std::path::Path::new(&manifest)
                .parent()
                .and_then(|folder| folder.strip_prefix(&root).ok());
            let folder = folder
                .expect("a member lies in the workspace")
                .to_string_lossy()
                .into_owned();
            let kind = match folder.as_str() {
                "tests" | "benches" => Kind::Proof,
                "platform/all-in-one" => Kind::AllInOne,
                folder if folder.starts_with("platform/base/") => Kind::Base,
                _ => Kind::Service,
            };
            let dependencies = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let dependencies = dependencies
                .map(|dependency| text(&dependency["name"]))
                .collect();
            Member {
                name: text(&package["name"]),
                folder,
                kind,
                dependencies,
            }
        })
        .collect()
}

/// Whether a crate of the first kind may depend on one of the second.
fn may_depend(member: &Member, on: &Member) -> bool {
    match (member.kind, on.kind) {
        (_, Kind::Proof) => false,
        (Kind::Proof, _) => true,
        (Kind::AllInOne, Kind::Base | Kind::Service) => true,
        (Kind::Service, Kind::Base) => true,
        (Kind::Base, Kind::Base) => {
            GROUND.contains(&on.name.as_str()) && !GROUND.contains(&member.name.as_str())
        }
        (Kind::Base | Kind::Service, Kind::Service) | (_, Kind::AllInOne) => false,
    }
}

#[test]
fn crates_depend_only_on_what_lies_below_them() {
    let members = members();
    assert!(members.len() > 5, "the workspace has members");
    let by_name: BTreeMap<&str, &Member> = members
        .iter()
        .map(|member| (member.name.as_str(), member))
        .collect();
    let mut breaches = Vec::new();
    for member in &members {
        let inside = member
            .dependencies
            .iter()
            .filter_map(|name| by_name.get(name.as_str()));
        for on in inside.filter(|on| !may_depend(member, on)) {
            breaches.push(format!(
                "{} ({:?}) depends on {} ({:?})",
                member.name, member.kind, on.name, on.kind
            ));
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn crates_leave_the_libraries_alone_that_are_not_for_them() {
    let members = members();
    for (folder, kind, banned, why) in BANNED {
        let member = members
            .iter()
            .find(|member| member.folder == *folder)
            .expect("a rule is about a member");
        assert_eq!(member.kind, *kind, "{folder}");
        let found: Vec<_> = member
            .dependencies
            .iter()
            .filter(|name| banned.contains(&name.as_str()))
            .collect();
        assert!(found.is_empty(), "{folder} has {found:?}: {why}");
    }
}

#[test]
fn versions_and_lints_are_in_the_root_manifest_only() {
    let manifests = all("")
        .into_iter()
        .filter(|source| source.path.ends_with("/Cargo.toml"));
    let mut breaches = Vec::new();
    for manifest in manifests.filter(|manifest| !manifest.path.contains("/fuzz/")) {
        if !manifest.text.contains("[lints]\nworkspace = true") {
            breaches.push(format!(
                "{}: the workspace's lints do not apply",
                manifest.path
            ));
        }
        let mut in_dependencies = false;
        for line in manifest.text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
                breaches.push(format!("{}: {line}", manifest.path));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}
