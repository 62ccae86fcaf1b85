//! Requests for one instance of an application or a process.

use std::collections::BTreeSet;

use cloverleaf_tests::{Backend, Client, RefusedPort, Registration, Response, Router};
use serde_json::json;

const GUID: &str = "0b8e5c0e-1111-2222-3333-444455556666";

fn ask(client: &mut Client, host: &str, lines: &str) -> Response {
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"));
    client.response()
}

/// Three instances with the indexes 0 to 2, of which the last belongs to another process.
fn instances(router: &Router) -> [Backend; 3] {
    let backends = ["zero", "one", "two"].map(Backend::saying);
    for (index, backend) in backends.iter().enumerate() {
        let process = if index == 2 { "other" } else { GUID };
        let registration = Registration::of("app.test", backend)
            .with("private_instance_index", index.to_string())
            .with("tags", json!({ "process_id": process }));
        router.register(&registration);
    }
    backends
}

//
#[test]
fn an_application_and_an_index_name_one_instance() {
    let router = Router::start();
    let backends = instances(&router);
    let mut client = router.client();
    for _ in 0..6 {
        let answer = ask(
            &mut client,
            "app.test",
            &format!("X-Cf-App-Instance: {GUID}:1\r\nX-Cf-Process-Instance: other\r\n"),
        );
        assert_eq!((answer.status, answer.text().as_str()), (200, "one"));
    }
    let request = &backends[1].requests()[0];
    assert_eq!(request.header("X-Cf-App-Instance"), None);
    assert_eq!(request.header("X-Cf-Process-Instance"), Some("other"));

    let answers: BTreeSet<String> = (0..6)
        .map(|_| ask(&mut client, "app.test", "X-Cf-App-Instance: \r\n").text())
        .collect();
    assert_eq!(answers.len(), 3, "an empty value asks for nothing");
}

//
#[test]
fn a_process_names_its_instances_and_with_an_index_one_of_them() {
    let router = Router::start();
    let _backends = instances(&router);
    let mut client = router.client();
    // Where each begins is left to chance: forty do not all begin alike.
    let mut answers = |value: &str| -> BTreeSet<String> {
        (0..40)
            .map(|_| {
                let line = format!("X-Cf-Process-Instance: {value}\r\n");
                ask(&mut client, "app.test", &line).text()
            })
            .collect()
    };
    assert_eq!(answers(GUID), ["one", "zero"].map(String::from).into());
    assert_eq!(
        answers(&format!("{GUID}:0")),
        ["zero"].map(String::from).into()
    );
    assert_eq!(
        answers(&format!("{GUID}:2")),
        [format!(
            "400 Bad Request: Requested instance ('2') with process guid ('{GUID}') does not exist for route ('app.test')\n"
        )]
        .into()
    );
}

//
#[test]
fn what_has_not_the_form_is_refused_before_the_look_up() {
    let router = Router::start();
    let mut client = router.client();
    for (header, error, wrong) in [
        (
            "X-CF-App-Instance",
            "invalid_cf_app_instance_header",
            GUID.to_owned(),
        ),
        (
            "X-CF-App-Instance",
            "invalid_cf_app_instance_header",
            format!("{}:1", GUID.to_uppercase()),
        ),
        (
            "X-CF-Process-Instance",
            "invalid_cf_process_instance_header",
            format!("{GUID}:x"),
        ),
    ] {
        let answer = ask(
            &mut client,
            "unknown.test",
            &format!("{header}: {wrong}\r\n"),
        );
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(answer.header("X-Cf-RouterError"), Some(error));
        assert_eq!(answer.header("Cache-Control"), Some("no-cache, no-store"));
        assert_eq!(
            answer.text(),
            format!("400 Bad Request: Invalid {header} Header\n")
        );
    }
    let lines = router.access_log().wait_for(3);
    assert_eq!(
        lines[0].field("x_cf_routererror"),
        "invalid_cf_app_instance_header"
    );
    assert_eq!(router.metrics().sum("rejected_requests"), 3.0);
}

//
#[test]
fn an_instance_that_is_not_there_is_400_whether_or_not_the_route_is() {
    let router = Router::start();
    let _backends = instances(&router);
    let mut client = router.client();
    for host in ["app.test:80", "unknown.test"] {
        let answer = ask(
            &mut client,
            host,
            &format!("X-Cf-App-Instance: {GUID}:9\r\n"),
        );
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("X-Cf-RouterError"), Some("unknown_route"));
        assert_eq!(
            answer.text(),
            format!(
                "400 Bad Request: Requested instance ('9') with guid ('{GUID}') does not exist for route ('{host}')\n"
            )
        );
    }
}

//
#[test]
fn a_failure_of_the_named_instance_does_not_send_others_elsewhere() {
    let (router, alive) = (Router::start(), Backend::saying("alive"));
    let dead = RefusedPort::new();
    router.register(&Registration::of("app.test", &alive));
    let registration =
        Registration::at("app.test", dead.number()).with("private_instance_index", "1");
    router.register(&registration);
    let mut client = router.client();
    let answer = ask(
        &mut client,
        "app.test",
        &format!("X-Cf-App-Instance: {GUID}:1\r\n"),
    );
    assert_eq!(answer.status, 502);
    router.wait_for_event("backend-endpoint-failed");
    // A mark would have the next requests pass the dead one over: one of two meets it still.
    let before = router.log().with_message("backend-endpoint-failed").len();
    for _ in 0..2 {
        assert_eq!(ask(&mut client, "app.test", "").text(), "alive");
    }
    cloverleaf_tests::eventually("an attempt at the dead endpoint", || {
        (router.log().with_message("backend-endpoint-failed").len() > before).then_some(())
    });
}
