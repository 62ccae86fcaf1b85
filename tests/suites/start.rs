//! Starting, and refusing to.

use std::net::TcpListener;

use cloverleaf_tests::{Finished, Folder, NatsServer, Port, Router, Start};
use serde_json::Value;

/// The one log line of a refused configuration.
fn refusal(config: &str) -> (Finished, String) {
    let finished = Start::run(config, &[]);
    assert_eq!(
        finished.status.code(),
        Some(1),
        "{config}: {}",
        finished.output
    );
    let lines: Vec<&str> = finished.output.lines().collect();
    assert_eq!(lines.len(), 1, "{}", finished.output);
    let line: Value = serde_json::from_str(lines[0]).expect("a line of JSON");
    assert_eq!(line["message"], "Error loading config:");
    assert!(line.get("source").is_none(), "{line}");
    let error = line["data"]["error"].as_str().expect("an error").to_owned();
    (finished, error)
}

// covers: R-002 R-003 R-004 R-005 R-006 R-007 R-008 R-009 R-010 R-011 R-012 R-013
#[test]
fn a_configuration_that_cannot_be_right_ends_the_start_with_code_1_and_names_the_key() {
    let ssl = "enable_ssl: true\nclient_cert_validation: none\ncipher_suites: ECDHE-RSA-AES128-GCM-SHA256\n";
    let ssl_with = |line: &str| format!("{ssl}{line}\n");
    for (config, named) in [
        ("port: [\n".to_owned(), "line"),
        ("port: eighty\n".to_owned(), "port"),
        ("disable_http: true\n".to_owned(), "disable_http"),
        (ssl_with(""), "tls_pem"),
        (
            "enable_ssl: true\nclient_cert_validation: none\ncipher_suites: ''\n".to_owned(),
            "cipher_suites",
        ),
        (ssl.replace("ECDHE-RSA", "NONSENSE"), "NONSENSE"),
        (ssl.replace("none", "maybe"), "maybe"),
        (ssl_with("max_tls_version: TLSv1.1"), "max_tls_version"),
        (
            "balancing_algorithm: random\n".to_owned(),
            "balancing_algorithm",
        ),
        (
            "balancing_algorithm_az_preference: foo\n".to_owned(),
            "balancing_algorithm_az_preference",
        ),
        (
            "routing_table_sharding_mode: foo\n".to_owned(),
            "routing_table_sharding_mode",
        ),
        (
            "forwarded_client_cert: foo\n".to_owned(),
            "forwarded_client_cert",
        ),
        (
            "logging: {redact_query_params: foo}\n".to_owned(),
            "redact_query_params",
        ),
        (
            "routing_table_sharding_mode: segments\n".to_owned(),
            "isolation_segments",
        ),
        (
            "status: {enable_nontls_health_checks: false}\n".to_owned(),
            "enable_nontls_health_checks",
        ),
        (
            "status: {tls: {port: 8443, certificate: x}}\n".to_owned(),
            "status.tls",
        ),
    ] {
        let (_, error) = refusal(&config);
        assert!(error.contains(named), "{config}: {error}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let (_, error) = refusal("port: -1\nbalancing_algorithm: random\nendpoint_timeout: soon\n");
    for key in ["port", "balancing_algorithm", "endpoint_timeout"] {
        assert!(error.contains(key), "{error}");
    }
}

// covers: R-001
#[test]
fn a_missing_file_is_code_1() {
    let finished = Start::run_in(&Folder::new(), &["-c", "missing.yml"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.output.contains("missing.yml"),
        "{}",
        finished.output
    );
}

#[test]
fn check_prints_every_problem_with_its_line_and_starts_nothing() {
    for flag in ["-check", "--check"] {
        let finished = Start::run(
            "port: -1\nbalancing_algorithm: random\nunknown_key: 1\n",
            &[flag],
        );
        assert_eq!(finished.status.code(), Some(1));
        let output = &finished.output;
        assert!(output.contains("line 1: port: -1"), "{output}");
        assert!(output.contains("line 2: balancing_algorithm: "), "{output}");
        assert!(
            output.contains("round-robin"),
            "what was expected: {output}"
        );
        assert!(output.contains("line 3: unknown_key"), "{output}");
    }
    let empty = Start::run("# to be written\n", &["-check"]);
    assert_eq!(empty.status.code(), Some(0), "{}", empty.output);
    assert!(empty.output.contains("no key in it"), "{}", empty.output);
    let good = Start::run("port: 8080\n", &["-check"]);
    assert_eq!(good.status.code(), Some(0), "{}", good.output);
    assert!(
        good.output.starts_with("gorouter.yml is valid\n"),
        "{}",
        good.output
    );
}

#[test]
fn help_is_code_0_and_a_wrong_flag_is_code_2() {
    let folder = Folder::new();
    let help = Start::run_in(&folder, &["-h"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.output.contains("-c FILE"), "{}", help.output);
    assert_eq!(
        Start::run_in(&folder, &["-config", "x"]).status.code(),
        Some(2)
    );
}

// covers: R-017
#[test]
fn a_bus_that_nobody_serves_ends_the_start() {
    let mut router = Router::builder().with_bus(NatsServer::reserve()).launch();
    assert_eq!(
        router
            .process()
            .wait_for(std::time::Duration::from_secs(10))
            .code(),
        Some(1)
    );
    let event = router.wait_for_event("nats-connection-error");
    assert_eq!(event.level(), 3);
    assert!(
        event
            .data("error")
            .as_str()
            .is_some_and(|error| error.contains("127.0.0.1:")),
        "{}",
        event.text
    );
}

// covers: R-025
#[test]
fn a_port_that_is_taken_ends_the_start() {
    let port = Port::reserve();
    let taken = TcpListener::bind(("0.0.0.0", port.number())).expect("a free port");
    for key in ["port", "status.port"] {
        let mut router = Router::builder().with(key, port.number()).launch();
        assert_eq!(router.process().wait().code(), Some(1), "{key}");
        let log = router.log();
        let last = log.events().pop().expect("a log");
        assert!(
            last.level() == 3 && last.text.contains(&port.number().to_string()),
            "{}",
            last.text
        );
    }
    drop(taken);
}

#[test]
fn an_access_log_that_cannot_be_written_ends_the_start() {
    let mut router = Router::builder()
        .with("access_log.file", "missing-folder/access.log")
        .launch();
    assert_eq!(router.process().wait().code(), Some(1));
    let event = router.wait_for_event("error-creating-access-logger");
    assert!(
        event.text.contains("missing-folder/access.log"),
        "{}",
        event.text
    );
}

// covers: R-014
#[test]
fn the_log_of_a_start_has_its_lines_in_order() {
    let router = Router::builder()
        .with("unknown_key", 1)
        .with("isolation_segments", serde_json::json!(["is1", "is2"]))
        .with("routing_table_sharding_mode", "all")
        .start();
    let log = router.log();
    let messages: Vec<String> = log
        .events()
        .iter()
        .map(|event| event.message().to_owned())
        .collect();
    let expected = [
        "starting",
        "retrieved-isolation-segments",
        "setting-up-nats-connection",
        "Successfully-connected-to-nats",
        "subscriber-starting",
        "subscriber-started",
        "Sleeping before returning success on /health endpoint to preload routing table",
        "tcp-listener-started",
        "tls-listener-not-enabled",
        "gorouter.started",
    ];
    let mut left = messages.iter();
    for message in expected {
        assert!(
            left.any(|other| other == message),
            "{message} in its place in {messages:#?}"
        );
    }
    assert_eq!(messages[0], "starting");
    for absent in [
        "setting-up-routing-api",
        "Component Router registered successfully",
    ] {
        assert!(log.with_message(absent).is_empty());
    }

    let text = |message: &str| log.with_message(message).remove(0).text;
    let segments = text("retrieved-isolation-segments");
    assert!(
        segments.contains(
            r#""data":{"isolation_segments":["is1","is2"],"routing_table_sharding_mode":"all"}"#
        ),
        "{segments}"
    );
    let listening = text("tcp-listener-started");
    assert!(
        listening.contains(&format!(
            r#""address":{{"IP":"::","Port":{},"Zone":""}}"#,
            router.port()
        )),
        "{listening}"
    );
    let started = text("gorouter.started");
    assert!(
        started.starts_with(r#"{"log_level":1,"timestamp":"20"#),
        "{started}"
    );
    assert!(
        started.contains(r#"Z","message":"gorouter.started","source":"gorouter","data":{"#),
        "{started}"
    );
    let connected = log.with_message("Successfully-connected-to-nats").remove(0);
    assert_eq!(
        connected.data("host"),
        format!("127.0.0.1:{}", router.bus().port()).as_str()
    );
    assert_eq!(connected.source(), Some("gorouter.nats"));
}

// covers: R-016
#[test]
fn an_empty_metron_address_ends_the_start_while_version_1_metrics_are_on() {
    let mut router = Router::builder()
        .with("logging.metron_address", "")
        .launch();
    assert_eq!(router.process().wait().code(), Some(1));
    let told = router.log().with_message("dropsonde-initialize-error");
    assert_eq!((told.len(), told[0].level()), (1, 3));
    assert!(told[0].data("error").is_string());

    let off = Router::builder()
        .with("logging.metron_address", "")
        .with("enable_envelope_v1_metrics", false);
    drop(off.start());
}
