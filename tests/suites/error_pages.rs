//! The router's own errors in the operator's HTML.

use cloverleaf_tests::{Backend, Finished, Folder, RefusedPort, Registration, Router, Start};

const TEMPLATE: &str = "<p title=\"{{.Message}}\">{{.Status}}|{{.StatusText}}|{{.Message}}|{{.Header.Get \"x-cf-routererror\"}}</p>\n";

fn router(folder: &Folder, template: &str) -> Start {
    let file = folder.write("template.html", template);
    Router::builder().with("html_error_template_file", file.to_string_lossy().as_ref())
}

// covers: R-208
#[test]
fn the_routers_own_errors_are_shown_in_the_template() {
    let folder = Folder::new();
    let router = router(&folder, TEMPLATE).start();
    let answer = router.get("a&b.test", "/");
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(answer.header("Cache-Control"), Some("no-cache, no-store"));
    let message = "Requested route (&#39;a&amp;b.test&#39;) does not exist.";
    assert_eq!(
        answer.text(),
        format!("<p title=\"{message}\">404|Not Found|{message}|unknown_route</p>\n")
    );
    let line = router.access_log().line();
    assert_eq!(line.response_bytes, answer.body.len().to_string());

    let mut client = router.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("|empty_host</p>"),
        "{}",
        answer.text()
    );
    let mut client = router.client();
    client.send("HEAD / HTTP/1.1\r\nHost: unknown.test\r\n\r\n");
    let answer = client.response_to("HEAD");
    let length = router.get("unknown.test", "/").body.len().to_string();
    assert_eq!(answer.header("Content-Length"), Some(length.as_str()));
}

// covers: R-208
#[test]
fn failures_of_endpoints_and_answers_of_applications_are_not() {
    let folder = Folder::new();
    let router = router(&folder, TEMPLATE).start();
    let (dead, alive) = (
        RefusedPort::new(),
        Backend::answering(
            |_| "HTTP/1.1 404 Not Found\r\nX-Cf-RouterError: mine\r\nContent-Length: 4\r\n\r\nmine",
        ),
    );
    router.register(&Registration::at("dead.test", dead.number()));
    router.register(&Registration::of("app.test", &alive));
    let answer = router.get("dead.test", "/");
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        answer.text(),
        "502 Bad Gateway: Registered endpoint failed to handle the request.\n"
    );
    assert_eq!(router.get("app.test", "/").text(), "mine");
}

// covers: R-015
#[test]
fn a_template_that_cannot_be_shown_ends_the_start() {
    let folder = Folder::new();
    let ended = |start: Start| -> Finished {
        let mut router = start.launch();
        let status = router.process().wait();
        let output = router.process().output();
        Finished { status, output }
    };
    for (template, cause) in [
        ("<p>\n{{range .X}}{{end}}", "line 2: `range`: not supported"),
        (
            "<a href=\"{{.Message}}\">",
            "line 1: an action: not supported in an attribute with an address",
        ),
        ("{{if .Status}}", "line 1: {{if}}: has no {{end}}"),
    ] {
        let finished = ended(router(&folder, template));
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.output.contains(cause), "{}", finished.output);
    }
    let missing = Router::builder().with("html_error_template_file", "missing.html");
    let finished = ended(missing);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished
            .output
            .contains("html_error_template_file missing.html: "),
        "{}",
        finished.output
    );
}

// covers: R-015
#[test]
fn a_check_finds_what_is_wrong_with_a_template() {
    let folder = Folder::new();
    folder.write("gorouter.yml", "html_error_template_file: page.html\n");
    let check = || Start::run_in(&folder, &["-check", "-c", "gorouter.yml"]);
    folder.write("page.html", "<p>\n{{range .X}}{{end}}");
    let finished = check();
    assert_eq!(finished.status.code(), Some(1));
    let found = "line 1: html_error_template_file: the file, line 2: `range`: not supported";
    assert!(finished.output.contains(found), "{}", finished.output);
    folder.write("page.html", TEMPLATE);
    assert_eq!(check().status.code(), Some(0));
}

/// What the operator's guide shows is what works.
// covers: R-208
#[test]
fn the_example_of_the_guide_is_taken() {
    let guide = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/error-pages.md"
    ))
    .expect("the guide");
    let (_, behind) = guide.split_once("```html\n").expect("an example");
    let (example, _) = behind.split_once("```").expect("its end");
    let folder = Folder::new();
    let router = router(&folder, example).start();
    let text = router.get("unknown.test", "/").text();
    for part in [
        "<title>404 Not Found</title>",
        "<body class=\"yours\">",
        "Has the application been started?",
        "<small>Requested route (&#39;unknown.test&#39;) does not exist.</small>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
