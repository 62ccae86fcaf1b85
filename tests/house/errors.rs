//! The page about errors holds the texts that the router says, all of them.

use std::fs;

use crate::sources::root;

const PAGE: &str = "docs/errors.md";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The string literals of a piece of Rust without its tests; escapes stay as they are.
fn literals(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut literals = Vec::new();
    for line in lines {
        let mut rest = line;
        while let Some((_, behind)) = rest.split_once('"') {
            let Some((literal, behind)) = behind.split_once('"') else {
                break;
            };
            literals.push(literal.to_owned());
            rest = behind;
        }
    }
    literals
}

/// The parts of a text that are the same every time: without what is filled in, and without line ends.
fn fixed_parts(text: &str) -> Vec<String> {
    let pieces = text.split(['{', '\\']).enumerate();
    let fixed = pieces.map(|(number, piece)| match piece.split_once('}') {
        Some((_, behind)) => behind,
        None if number > 0 => piece.strip_prefix('n').unwrap_or(piece),
        None => piece,
    });
    fixed
        .filter(|part| part.len() > 3)
        .map(str::to_owned)
        .collect()
}

/// Texts in the sources that are no answers: names of fields, their values, and what stands around messages.
fn is_answer(text: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "X-Cf-RouterError",
        "Cache-Control",
        "Expires",
        "Content-Type",
        "X-Content-Type-Options",
        "Content-Length",
        "Date",
        "text/plain",
        "text/html",
        "nosniff",
        "no-cache, no-store",
        "public,max-age=2",
        "private, max-age=0",
        "ok\\n",
    ];
    text.len() > 3
        && !OTHERS.contains(&text)
        && !text.starts_with("HTTP/1.")
        && !text.starts_with("Connection: ")
        && !text.contains("; charset")
        && text != " (os error"
}

#[test]
fn every_text_of_an_error_is_on_the_page_about_errors() {
    let page = read(PAGE);
    let mut missing = Vec::new();
    for path in [
        "router/src/respond/answers.rs",
        "router/src/respond/refusal.rs",
        "router/src/upstream/classify.rs",
    ] {
        for text in literals(&read(path)).iter().filter(|text| is_answer(text)) {
            for part in fixed_parts(text) {
                if !page.contains(part.trim()) {
                    missing.push(format!("{path}: {part:?} of {text:?}"));
                }
            }
        }
    }
    for path in [
        "router/src/http1/response.rs",
        "router/src/http1/chunked.rs",
    ] {
        let code = read(path);
        for piece in code.split("#[error(").skip(1) {
            let text = piece.split('"').nth(1).unwrap_or_default();
            for part in fixed_parts(text) {
                if !page.contains(part.trim()) {
                    missing.push(format!("{path}: {part:?}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in {PAGE}:\n{}", missing.join("\n"));
}

#[test]
fn every_text_that_the_page_shows_as_the_routers_is_one() {
    let sources = [
        "router/src/respond/answers.rs",
        "router/src/respond/refusal.rs",
        "router/src/upstream/classify.rs",
        "router/src/http1/response.rs",
        "router/src/http1/chunked.rs",
        "router/src/http1/status.rs",
        "router/src/serve/request.rs",
        "router/src/serve/instance.rs",
    ]
    .map(read)
    .concat();
    let page = read(PAGE);
    for quoted in page.split('`').skip(1).step_by(2) {
        let message = quoted
            .split_once(": ")
            .filter(|(status, _)| status.split(' ').next().is_some_and(is_status));
        if let Some((_, message)) = message {
            let fixed = message.split(['(', '\'']).next().unwrap_or_default().trim();
            assert!(sources.contains(fixed), "{PAGE}: {quoted:?} is not said");
        }
    }
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn fixed_parts_leave_out_what_is_filled_in() {
    assert_eq!(
        fixed_parts("dial tcp {address}: connect: {}"),
        ["dial tcp ", ": connect: "]
    );
    assert_eq!(
        fixed_parts("499 Request Cancelled\\n"),
        ["499 Request Cancelled"]
    );
    assert_eq!(
        literals("a(\"b\", \"c\"); // \"d\"\n// \"e\"\n"),
        ["b", "c", "d"]
    );
}
