//! The debug listener.

use std::net::TcpListener;

use cloverleaf_tests::{Client, Port, Registration, Response, Router, Start, eventually};

fn with_debug(port: &Port) -> Start {
    Router::builder().with("debug_addr", format!("127.0.0.1:{}", port.number()))
}

#[track_caller]
fn ask(port: &Port, method: &str, path: &str, body: &str) -> Response {
    let mut client = Client::connect(port.number());
    let length = body.len();
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    client.response()
}

/// How many lines the log has about a registration, which is told at info.
#[track_caller]
fn registered(router: &Router, host: &str, port: u16) -> usize {
    router.register(&Registration::at(host, port));
    // A change of level at info is told behind it in the same log.
    let told = router.log().with_message("route-registered");
    told.iter()
        .filter(|event| event.data("uri") == host)
        .count()
}

#[test]
fn the_log_level_is_read_and_changed_while_the_router_runs() {
    let port = Port::reserve();
    let router = with_debug(&port).start();
    assert_eq!(ask(&port, "GET", "/log-level", "").text(), "debug\n");
    router.register(&Registration::at("one.test", 4001));
    router.wait_for_event("route-registered");

    let changed = ask(&port, "PUT", "/log-level", "error\n");
    assert_eq!((changed.status, changed.text().as_str()), (200, "error\n"));
    assert_eq!(ask(&port, "GET", "/log-level", "").text(), "error\n");
    assert_eq!(registered(&router, "two.test", 4002), 0);

    assert_eq!(ask(&port, "PUT", "/log-level", "i").text(), "info\n");
    router.wait_for_event("log-level-changed");
    router.register(&Registration::at("three.test", 4003));
    eventually("lines at info again", || {
        let told = router.log().with_message("route-registered");
        told.iter()
            .any(|event| event.data("uri") == "three.test")
            .then_some(())
    });
    assert!(
        router
            .log()
            .with_message("route-registered")
            .iter()
            .all(|event| event.data("uri") != "two.test")
    );

    let refused = ask(&port, "PUT", "/log-level", "loud");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("expected debug, info"),
        "{}",
        refused.text()
    );
    assert_eq!(ask(&port, "POST", "/log-level", "debug").status, 405);
    assert_eq!(ask(&port, "GET", "/log-level", "").text(), "info\n");
}

#[test]
fn a_debug_address_that_is_taken_is_told_and_nothing_more() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = taken.local_addr().expect("an address").to_string();
    let router = Router::builder().with("debug_addr", address).start();
    let event = router.wait_for_event("debug-listener-error");
    assert_eq!(event.level(), 3);
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn profiles_are_not_offered_and_that_is_said() {
    let port = Port::reserve();
    let _router = with_debug(&port).start();
    for path in ["/debug/pprof/", "/debug/pprof/heap", "/block-profile-rate"] {
        let answer = ask(&port, "GET", path, "");
        assert_eq!(answer.status, 501, "{path}");
        assert!(
            answer.text().contains("PUT /log-level"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(ask(&port, "GET", "/other", "").status, 404);
}

#[test]
fn the_workers_connections_are_told() {
    let port = Port::reserve();
    let router = with_debug(&port).start();
    let connections = || -> serde_json::Value {
        let answer = ask(&port, "GET", "/connections", "");
        serde_json::from_slice(&answer.body).expect("JSON")
    };
    let clients: Vec<Client> = (0..5)
        .map(|_| {
            let mut client = router.client();
            assert_eq!(client.get("unknown.test", "/").status, 404);
            client
        })
        .collect();
    let told = connections();
    assert_eq!(told["total"], 5);
    assert_eq!(told["workers"].as_array().map(Vec::len), Some(2), "{told}");
    drop(clients);
    eventually("no more connections", || {
        (connections()["total"] == 0).then_some(())
    });
}
