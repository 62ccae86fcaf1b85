//! What the access log tells of attempts: the fields that an operator adds.

use std::sync::{Arc, Mutex};

use cloverleaf_tests::{Backend, Line, RefusedPort, Registration, Router};
use serde_json::json;

use crate::access_log::is_time;

// covers: R-284 R-285
#[test]
fn extra_fields_tell_of_attempts_in_the_configured_order() {
    let fields = json!([
        "dial_time",
        "failed_attempts",
        "backend_time",
        "failed_attempts",
        "nonsense"
    ]);
    let start = || {
        Router::builder()
            .with("logging.extra_access_log_fields", fields.clone())
            .with("backends.max_attempts", 4)
            .start()
    };
    let dead = [(); 3].map(|()| RefusedPort::new());
    let router = start();
    dead.iter()
        .for_each(|port| router.register(&Registration::at("app.test", port.number())));
    assert_eq!(router.get("app.test", "/").status, 502);
    let failed = router.access_log().line();
    assert_eq!(
        failed.names()[8..11],
        ["dial_time", "failed_attempts", "backend_time"]
    );
    assert_eq!(failed.names().last(), Some(&"x_cf_routererror"));
    assert_eq!(
        (
            failed.field("failed_attempts"),
            failed.field("backend_time")
        ),
        ("3", "-")
    );

    let (router, alive) = (start(), Backend::saying("alive"));
    router.register(&Registration::of("app.test", &alive));
    assert_eq!(router.get("app.test", "/").text(), "alive");
    let line = router.access_log().line();
    assert_eq!(line.field("failed_attempts"), "0");
    assert!(
        is_time(line.field("backend_time")) && is_time(line.field("dial_time")),
        "{}",
        line.text
    );
}

//
#[test]
fn all_extra_fields_are_those_of_the_attempt_that_succeeded() {
    let fields = [
        "tls_time",
        "local_address",
        "failed_attempts_time",
        "failed_attempts",
        "dns_time",
        "dial_time",
        "backend_time",
    ];
    let router = Router::builder()
        .with("logging.extra_access_log_fields", json!(fields))
        .with("backends.max_attempts", 4)
        .with("go_max_procs", 1)
        .start();
    let ports = Arc::new(Mutex::new(Vec::new()));
    let backend = {
        let ports = Arc::clone(&ports);
        Backend::scripted(move |peer| {
            let port = peer.wire().peer_address().port();
            ports.lock().expect("the ports").push(port);
            loop {
                peer.request()?;
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")?;
                // Nothing comes from the router: this is a wait.
                peer.wire()
                    .more_within(std::time::Duration::from_millis(150))
                    .ok();
                peer.send("lf")?;
            }
        })
    };
    let dead = [(); 3].map(|()| RefusedPort::new());
    router.register(&Registration::of("app.test", &backend));
    dead.iter()
        .for_each(|port| router.register(&Registration::at("app.test", port.number())));
    let mut client = router.client();
    // Round robin begins anywhere; the marks of the first round let the second go straight to the one that lives.
    for _ in 0..2 {
        assert_eq!(client.get("app.test", "/").text(), "half");
    }
    let lines = router.access_log().wait_for(2);
    let port = ports.lock().expect("the ports")[0];
    let seconds = |line: &Line, name: &str| line.field(name).parse::<f64>();
    for line in &lines {
        assert_eq!(line.names()[8..15], fields);
        assert_eq!(line.field("local_address"), format!("127.0.0.1:{port}"));
        for time in ["tls_time", "dns_time", "dial_time", "backend_time"] {
            assert!(is_time(line.field(time)), "{time} in {}", line.text);
        }
        let whole = seconds(line, "backend_time").expect("a time");
        assert!(whole >= 0.15, "with its body: {}", line.text);
    }
    let tried: u32 = lines[0].field("failed_attempts").parse().expect("a number");
    assert_eq!(
        is_time(lines[0].field("failed_attempts_time")),
        tried > 0,
        "{}",
        lines[0].text
    );
    assert_eq!(
        seconds(&lines[1], "dial_time"),
        Ok(0.0),
        "the connection was there"
    );
}

//
#[test]
fn three_failures_before_a_success_are_counted() {
    let router = Router::builder()
        .with("logging.enable_attempts_details", true)
        .with("backends.max_attempts", 4)
        .with("go_max_procs", 1)
        .start();
    let (first, dead) = (
        Backend::saying("alive"),
        [(); 3].map(|()| RefusedPort::new()),
    );
    dead.iter()
        .for_each(|port| router.register(&Registration::at("app.test", port.number())));
    router.register(&Registration::of("app.test", &first));
    let mut client = router.client();
    // Wherever round robin begins, the first request leaves marks on all dead endpoints that it meets; those that it did
    // not meet are met by the next. Together that is three.
    let mut failed = 0;
    for _ in 0..4 {
        assert_eq!(client.get("app.test", "/").text(), "alive");
    }
    for line in router.access_log().wait_for(4) {
        assert_eq!(
            line.names()[8..14],
            [
                "failed_attempts",
                "failed_attempts_time",
                "dns_time",
                "dial_time",
                "tls_time",
                "backend_time"
            ]
        );
        let here: u32 = line.field("failed_attempts").parse().expect("a number");
        assert_eq!(is_time(line.field("failed_attempts_time")), here > 0);
        failed += here;
    }
    assert_eq!(failed, 3);
}
