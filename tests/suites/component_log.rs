//! Lines of the component log that operators alert on.

use std::sync::Arc;

use cloverleaf_tests::{Backend, Gate, RefusedPort, Registration, Router, ok};

#[test]
fn an_endpoint_that_is_passed_over_is_told_with_the_reason() {
    let (router, refused) = (Router::start(), RefusedPort::new());
    router.register(&Registration::at("app.test", refused.number()));
    assert_eq!(router.get("app.test", "/").status, 502);
    let failed = router.wait_for_event("backend-endpoint-failed");
    let marked = router.wait_for_event("endpoint-marked-as-ineligible");
    assert_eq!(
        (marked.level(), marked.source()),
        (3, Some("gorouter.registry"))
    );
    assert_eq!(marked.data("uri"), "app.test");
    assert_eq!(
        marked.data("route-endpoint")["Addr"],
        format!("127.0.0.1:{}", refused.number())
    );
    assert_eq!(marked.data("error"), failed.data("error"));
}

#[test]
fn a_request_beyond_the_connection_limit_is_told() {
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::answering(move |_| {
        shared.wait();
        ok("late")
    });
    let router = Router::builder().with("backends.max_conns", 1).start();
    router.register(&Registration::of("app.test", &backend));
    let mut waiting = router.client();
    waiting.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    backend.wait_for_requests(1);
    assert_eq!(router.get("app.test", "/").status, 503);
    let told = router.wait_for_event("connection-limit-reached");
    assert_eq!((told.level(), told.data("host")), (1, &"app.test".into()));
    let id = told.data("vcap_request_id").clone();
    gate.open();
    assert_eq!(waiting.response().text(), "late");
    let lines = router.access_log().wait_for(2);
    let refused = lines.iter().find(|line| line.status == "503");
    assert_eq!(id, refused.expect("its line").field("vcap_request_id"));
}
