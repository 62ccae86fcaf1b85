//! Every input that the fuzz targets have found worth keeping, played through the same functions once more;
//! `fuzz/README.md` says how to look for more.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

fn replay(target: &str) {
    let (_, check) = fuzz::TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut total = 0;
    for file in &files {
        let bytes = fs::read(file).unwrap();
        total += bytes.len();
        // Shown when the check fails.
        println!("{}: {}", file.display(), bytes.escape_ascii());
        check(&bytes);
    }
    assert!((10..=200).contains(&files.len()), "{} files", files.len());
    assert!(
        total <= 300 * 1024,
        "{total} bytes: too much for every run of the tests"
    );
}

#[test]
fn chunked_bodies_are_read_as_a_plain_reader_reads_them() {
    replay("chunked_body");
}

#[test]
fn configuration_files_are_loaded_or_refused_with_reasons() {
    replay("config_text");
}

#[test]
fn error_pages_show_nothing_unescaped() {
    replay("error_page");
}

#[test]
fn filtered_heads_are_one_head_and_say_what_the_router_says() {
    replay("filters");
}

#[test]
fn durations_are_printed_as_they_are_read() {
    replay("go_duration");
}

#[test]
fn heads_of_http_2_are_read_back_as_the_same_request_or_refused() {
    replay("http2_text");
}

#[test]
fn proxy_headers_are_judged_alike_however_they_arrive() {
    replay("proxy_protocol");
}

#[test]
fn registrations_are_written_as_they_are_read() {
    replay("registry_message");
}

#[test]
fn request_heads_are_refused_or_read_in_one_way_only() {
    replay("request_head");
}

#[test]
fn response_heads_are_refused_or_read_in_one_way_only() {
    replay("response_head");
}

#[test]
fn session_cookies_are_whole_lines_that_are_understood_when_they_come_back() {
    replay("session_cookies");
}
