//! The deprecated status server, and the router as a component that others discover.

use cloverleaf_tests::{
    Backend, Client, LIMIT, NatsServer, Registration, Response, Router, Start, base64, eventually,
};
use rustix::process::Signal;
use serde_json::{Value, json};

const FLAG: &str = "status.enable_deprecated_varz_healthz_endpoints";

fn deprecated() -> Start {
    Router::builder().with(FLAG, true)
}

/// The answer of the status server to someone with credentials.
#[track_caller]
fn trusted(router: &Router, path: &str) -> Response {
    let token = base64("status-user:status-pass");
    let mut client = Client::connect(router.status_port());
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {token}\r\n\r\n"
    ));
    client.response()
}

#[track_caller]
fn varz(router: &Router) -> Value {
    let response = trusted(router, "/varz");
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.header("Connection"), Some("close"));
    serde_json::from_slice(&response.body).expect("a JSON object")
}

// covers: R-272
#[test]
fn the_old_status_server_takes_the_place_of_the_health_listener_when_asked_for() {
    let router = deprecated().start();
    for path in ["/health", "/healthz"] {
        let answer = router.status(path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "ok\n"),
            "{path}"
        );
        assert_eq!(trusted(&router, path).status, 200, "{path}");
    }
    for path in ["/varz", "/routes"] {
        let refused = router.status(path);
        assert_eq!(
            (refused.status, refused.text().as_str()),
            (401, "401 Unauthorized\n"),
            "{path}"
        );
        assert_eq!(trusted(&router, path).status, 200, "{path}");
    }
    let alive = "/is-process-alive-do-not-use-for-loadbalancing";
    assert_eq!(router.status(alive).status, 404);
    assert_eq!(
        router
            .log()
            .with_message("Component Router registered successfully")
            .len(),
        1
    );
}

// covers: R-272
#[test]
fn without_the_flag_there_is_no_varz_and_nobody_is_told_of_a_component() {
    let bus = NatsServer::start();
    let mut listener = bus.client();
    listener.subscribe("vcap.component.announce");
    let router = Router::builder().with_bus(bus).start();
    for path in ["/varz", "/healthz"] {
        assert_eq!(trusted(&router, path).status, 404, "{path}");
    }
    assert!(listener.messages("vcap.component.announce").is_empty());
    assert!(
        router
            .log()
            .with_message("Component Router registered successfully")
            .is_empty()
    );
}

// covers: R-272
#[test]
fn varz_tells_what_happened() {
    let (router, backend) = (deprecated().start(), Backend::saying("here"));
    let early = varz(&router);
    assert_eq!(early["ms_since_last_registry_update"], -1);
    assert_eq!(early["tags"], json!({ "component": {} }));
    assert_eq!(early["top10_app_requests"], json!([]));

    let route = Registration::of("app.test", &backend);
    router.register(&route.clone().with("tags", json!({ "component": "web" })));
    router.register(&Registration::of("other.test", &backend).with("app", "second"));
    for host in ["app.test", "app.test", "other.test"] {
        assert_eq!(router.get(host, "/").status, 200);
    }
    assert_eq!(router.get("unknown.test", "/").status, 404);
    let told = eventually("the requests to show", || {
        let told = varz(&router);
        (told["responses_2xx"] == 3 && told["top10_app_requests"][1].is_object()).then_some(told)
    });

    for (key, value) in [
        ("type", json!("Router")),
        ("index", json!(0)),
        ("host", json!(format!("127.0.0.1:{}", router.status_port()))),
        ("credentials", json!(["status-user", "status-pass"])),
        ("log_counts", json!({})),
        ("requests", json!(3)),
        ("bad_requests", json!(1)),
        ("bad_gateways", json!(0)),
        ("urls", json!(2)),
        ("droplets", json!(1)),
        ("responses_3xx", json!(0)),
        ("responses_4xx", json!(0)),
        ("responses_5xx", json!(0)),
        ("responses_xxx", json!(0)),
        (
            "top10_app_requests",
            json!([
                { "application_id": "0b8e5c0e-1111-2222-3333-444455556666", "rps": 0, "rpm": 2 },
                { "application_id": "second", "rps": 0, "rpm": 1 },
            ]),
        ),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    let component = &told["tags"]["component"]["web"];
    assert_eq!(
        (&component["requests"], &component["responses_2xx"]),
        (&json!(2), &json!(2))
    );
    for latency in [&told["latency"], &component["latency"]] {
        let at = |share: &str| latency[share].as_f64().expect("a number");
        if latency["samples"] != 1 {
            panic!("{latency}");
        }
        assert!(at("50") <= at("75") && at("75") <= at("90"));
        assert!(at("90") <= at("95") && at("95") <= at("99"));
    }
    assert!(told["latency"]["50"].as_f64().expect("a number") > 0.0);
    assert_eq!(told["rate"].as_array().map(Vec::len), Some(3));
    for key in ["num_cores", "mem", "cpu", "requests_per_sec"] {
        assert!(told[key].is_number(), "{key}: {}", told[key]);
    }
    assert!(told["mem"].as_u64() > Some(1_000), "in KiB");
    assert!(
        told["uptime"]
            .as_str()
            .expect("a text")
            .starts_with("0d:0h:")
    );
    let since = told["ms_since_last_registry_update"].as_u64();
    assert!(since.expect("after a registration") < LIMIT.as_millis() as u64);
}

// covers: R-272 R-273
#[test]
fn both_old_health_paths_fail_as_soon_as_a_drain_begins() {
    let mut router = deprecated().with("drain_wait", "1s").start();
    router.process().signal(Signal::USR1);
    router.wait_for_event("gorouter-draining");
    for path in ["/health", "/healthz"] {
        let answer = router.status(path);
        assert_eq!((answer.status, answer.text().as_str()), (503, ""), "{path}");
    }
    assert_eq!(varz(&router)["type"], "Router");
    assert_eq!(router.process().wait().code(), Some(0));
}

#[test]
fn the_router_announces_itself_and_answers_who_asks() {
    let bus = NatsServer::start();
    let mut listener = bus.client();
    listener.subscribe("vcap.component.announce");
    listener.subscribe("inbox.test");
    let router = deprecated().with_bus(bus).start();
    let announced = eventually("an announcement", || {
        listener.messages("vcap.component.announce").pop()
    });
    assert_eq!(announced.json()["type"], "Router");

    listener.request("vcap.component.discover", "inbox.test", "");
    let answer = eventually("an answer", || listener.messages("inbox.test").pop());
    for key in ["type", "uuid", "host", "credentials", "start", "index"] {
        assert_eq!(answer.json()[key], announced.json()[key], "{key}");
    }
    assert_eq!(varz(&router)["uuid"], announced.json()["uuid"]);
}

#[test]
fn active_applications_are_published_when_an_interval_is_set() {
    let bus = NatsServer::start();
    let mut listener = bus.client();
    listener.subscribe("router.active_apps");
    let router = Router::builder()
        .with("publish_active_apps_interval", "50ms")
        .with_bus(bus)
        .start();
    let backend = Backend::saying("here");
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").status, 200);
    // The text lies between the two bytes of zlib's head, the five of a stored block's, and the check sum.
    let text =
        |payload: &[u8]| String::from_utf8_lossy(&payload[7..payload.len() - 4]).into_owned();
    let named = r#"["0b8e5c0e-1111-2222-3333-444455556666"]"#;
    let at = eventually("the application to be named", || {
        let messages = listener.messages("router.active_apps");
        messages
            .iter()
            .position(|message| text(&message.payload) == named)
    });
    let later = eventually("a message behind it", || {
        listener.messages("router.active_apps").get(at + 1).cloned()
    });
    assert_eq!(text(&later.payload), "[]", "idle since");
    assert!(later.payload.starts_with(b"\x78"));
}
