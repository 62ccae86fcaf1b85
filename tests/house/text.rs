//! What no file may hold, and how long it may be.

use crate::sources::{Source, all, rust};

/// Lines of a Rust file without its tests, above which it is more than one idea.
const LONGEST: usize = 450;

/// Put together here, so that this file does not hold them itself.
fn forbidden() -> Vec<(String, &'static str)> {
    let mut forbidden = Vec::new();
    for mark in [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"]] {
        forbidden.push((mark.concat(), "what is unfinished belongs into an issue"));
    }
    for top in ["work", "root", "home", "tmp", "Users"] {
        forbidden.push((format!("/{top}/"), "a path of one machine"));
    }
    for host in [
        ["crates", ".io"],
        ["pypi", ".org"],
        ["npmjs", ".com"],
        ["docker", ".io"],
    ] {
        forbidden.push((host.concat(), "the project names no registry's host"));
    }
    forbidden
}

/// Files that are not written by hand.
fn is_made(source: &Source) -> bool {
    source.path.ends_with("Cargo.lock") || source.path.ends_with(".proptest-regressions")
}

#[test]
fn no_file_holds_unfinished_marks_or_paths_and_hosts_of_one_place() {
    let forbidden = forbidden();
    let mut breaches = Vec::new();
    for source in all("").iter().filter(|source| !is_made(source)) {
        for (number, line) in source.text.lines().enumerate() {
            for (text, why) in forbidden
                .iter()
                .filter(|(text, _)| line.contains(text.as_str()))
            {
                breaches.push(format!("{}:{}: {text}: {why}", source.path, number + 1));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn every_file_is_short_enough_to_hold_in_mind() {
    let sources = all("");
    let product = sources
        .iter()
        .filter(|source| source.path.ends_with(".rs") && !source.is_test());
    let mut lengths: Vec<(usize, &str)> = product
        .map(|source| (source.product_lines().count(), source.path.as_str()))
        .collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    let longest: Vec<String> = lengths
        .iter()
        .take(10)
        .map(|(lines, path)| format!("{lines:5} {path}"))
        .collect();
    println!("the longest files, tests left out:\n{}", longest.join("\n"));
    let (lines, path) = lengths[0];
    assert!(
        lines <= LONGEST,
        "{path} has {lines} lines without its tests; split it by concern"
    );
}

#[test]
fn unsafe_code_is_in_one_module_only() {
    // Put together here for the same reason as above.
    let exception = ["unsafe", "_code,"].concat();
    let lint = ["unsafe", "_code)"].concat();
    let allowing: Vec<String> = rust("")
        .into_iter()
        .filter(|source| source.text.contains(&exception) || source.text.contains(&lint))
        .map(|source| source.path)
        .collect();
    assert_eq!(allowing, ["router/src/worker/ring/kernel.rs"]);
}

#[test]
fn names_that_say_nothing_are_not_used_for_files() {
    for source in all("") {
        let file = source.path.rsplit('/').next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        let empty = ["utils", "util", "common", "misc", "manager", "helpers"];
        assert!(!empty.contains(&stem), "{}: what is in it?", source.path);
    }
}
