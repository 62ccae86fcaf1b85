//! Configuration files.

use cloverleaf_router::config::Config;

/// Any text in a file.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Config::from_text(text, "fuzz.yml") {
        Ok(loaded) => {
            for notice in loaded.notes.iter().chain(&loaded.not_yet) {
                is_one_line(&notice.to_string());
            }
        }
        Err(report) => {
            assert!(!report.problems().is_empty(), "refused without a reason");
            report
                .problems()
                .iter()
                .for_each(|problem| is_one_line(&problem.to_string()));
            is_one_line(&report.one_line());
        }
    }
}

/// What a file holds cannot draw lines of its own on a terminal or in a log.
fn is_one_line(text: &str) {
    assert!(
        !text.contains(|character: char| character.is_control()),
        "{text:?}"
    );
}
