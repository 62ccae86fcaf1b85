//! What must not start, and how it is said.

use super::*;

#[test]
fn r_001_a_missing_file_is_a_report() {
    let report = Config::load(Some(Path::new("no/such/gorouter.yml"))).expect_err("missing");
    assert_eq!(
        report.one_line(),
        "no/such/gorouter.yml has a problem: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn r_002_a_syntax_error_names_its_line() {
    let text = report("index: 1\nport: [1");
    assert!(
        text.starts_with("gorouter.yml has a problem:\n  line 2: cannot be read as YAML: "),
        "{text}"
    );
}

#[test]
fn r_002_a_value_of_the_wrong_type_is_shown_with_what_was_expected() {
    assert_eq!(
        report("port: not a number"),
        "gorouter.yml has a problem:\n  line 1: port: \"not a number\"; expected a whole number from 0 to 65535"
    );
}

#[test]
fn all_problems_come_in_one_report_in_file_order() {
    let text = "\
port: eighty
status:
  port: 70000
  pass: [hunter2]
nats:
  hosts:
    - hostname: n1
      port: \"4222\"
endpoint_timeout: 15
drain_wait: 20 seconds
balancing_algorithm: random
extra_headers_to_log: X-One
isolation_segments: null
routing_table_sharding_mode: segments
port: 81
disable_http: true
";
    assert_eq!(
        report(text),
        "\
gorouter.yml has 10 problems:
  line 1: port: eighty; expected a whole number from 0 to 65535
  line 3: status.port: 70000; expected a whole number from 0 to 65535
  line 4: status.pass: a list of one value; expected text
  line 8: nats.hosts[0].port: \"4222\"; expected a whole number from 0 to 65535, without quotes
  line 10: drain_wait: \"20 seconds\"; expected a duration such as 500ms, 30s or 1m30s (the unit is not one of ns, us, ms, s, m, h)
  line 11: balancing_algorithm: random; expected `round-robin` or `least-connection`
  line 12: extra_headers_to_log: X-One; expected a list
  line 13: isolation_segments: not set; expected at least one segment, because routing_table_sharding_mode is segments
  line 15: port: is given twice; expected one value; the first is in line 1
  line 16: disable_http: true; expected false, or enable_ssl: true: one proxy listener is needed"
    );
}

#[test]
fn a_report_fits_on_one_line_for_the_log() {
    let report = Config::from_text("port: a\nindex: b\n", "gorouter.yml").expect_err("bad");
    assert_eq!(
        report.one_line(),
        "gorouter.yml has 2 problems: line 1: port: a; expected a whole number from 0 to 65535 \
         | line 2: index: b; expected a whole number from 0 to 4294967295"
    );
}

#[test]
fn secrets_are_never_shown() {
    let text = "nats:\n  pass: {hunter2: x}\noauth:\n  port: x\n  client_secret: [hunter2, hunter2]\n\
                backends:\n  cert_chain: hunter2\n  private_key: hunter2\nroute_services_secret: {a: hunter2}\n";
    let text = report(text);
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn r_003_without_any_listener() {
    assert!(
        report("enable_ssl: false\ndisable_http: true")
            .contains("line 2: disable_http: true; expected false")
    );
}

//
#[test]
fn r_009_hash_is_no_router_wide_algorithm() {
    for word in ["random", "hash", "Round-Robin"] {
        let text = report(&format!("balancing_algorithm: {word}"));
        assert!(
            text.contains("expected `round-robin` or `least-connection`"),
            "{text}"
        );
    }
}

#[test]
fn r_010_words_outside_the_vocabularies() {
    for (key, expected) in [
        (
            "balancing_algorithm_az_preference: foo",
            "`none` or `locally-optimistic`",
        ),
        (
            "routing_table_sharding_mode: foo",
            "`all`, `segments` or `shared-and-segments`",
        ),
        (
            "forwarded_client_cert: foo",
            "`always_forward`, `forward` or `sanitize_set`",
        ),
        (
            "logging: {redact_query_params: foo}",
            "`none`, `all` or `hash`",
        ),
    ] {
        let text = report(key);
        assert!(
            text.ends_with(&format!("foo; expected {expected}")),
            "{text}"
        );
    }
}

#[test]
fn r_011_sharding_by_segments_needs_segments() {
    assert_eq!(
        report("routing_table_sharding_mode: segments"),
        "gorouter.yml has a problem:\n  isolation_segments: not set; expected at least one segment, because routing_table_sharding_mode is segments"
    );
    load("routing_table_sharding_mode: segments\nisolation_segments: [is1]");
}

#[test]
fn r_012_one_health_listener_is_needed() {
    let text = report("status: {enable_nontls_health_checks: false}");
    assert!(
        text.contains(
            "line 1: status.enable_nontls_health_checks: false; expected true, or status.tls"
        ),
        "{text}"
    );
}

#[test]
fn a_negative_healthy_threshold_is_refused_but_other_negative_durations_are_zero() {
    assert!(
        report("load_balancer_healthy_threshold: -1s")
            .contains("-1s; expected a duration of zero or more")
    );
    let loaded = load("drain_wait: -1s");
    assert_eq!(loaded.config.drain_wait, Duration::ZERO);
    assert_eq!(
        loaded.notes[0].to_string(),
        "line 1: drain_wait: is negative, taken as 0"
    );
}

#[test]
fn a_plain_number_is_nanoseconds_and_that_is_noted() {
    let loaded = load("endpoint_timeout: 60");
    assert_eq!(loaded.config.endpoint_timeout, Duration::from_nanos(60));
    assert_eq!(
        loaded.notes[0].to_string(),
        "line 1: endpoint_timeout: a number without a unit is nanoseconds: 60ns, not 60s"
    );
}

#[test]
fn a_malformed_allowlist_entry_is_refused_when_it_counts() {
    let text = report(
        "route_services_hairpinning: true\nroute_services_hairpinning_allowlist: [good.test, \"*.*.test\"]",
    );
    assert!(
        text.contains("route_services_hairpinning_allowlist[1]: \"*.*.test\"")
            || text.contains("[1]: *.*.test"),
        "{text}"
    );
    load("route_services_hairpinning_allowlist: [\"*.*.test\"]");
    load(
        "route_services_hairpinning: true\nroute_services_hairpinning_allowlist: [\"*.route.test\", a-b.test]",
    );
}

//
#[test]
fn a_block_list_holds_networks() {
    load("route_services: {egress_blocklist: [10.0.0.0/8, \"fd00::/8\"]}");
    for entry in ["10.0.0.0", "10.0.0.0/33", "host/8", "10.0.0.0/"] {
        report(&format!("route_services: {{egress_blocklist: [{entry}]}}"));
    }
}

#[test]
fn whose_proxy_protocol_headers_count_is_said_with_networks_and_the_protocol_on() {
    load(
        "enable_proxy: true\nproxy_protocol: {required: true, trusted: [10.0.0.0/8, \"fd00::/8\"]}",
    );
    load("proxy_protocol: {required: false, trusted: []}");
    let said = report("enable_proxy: true\nproxy_protocol: {trusted: [10.0.0.0/8, 10.0.0.1]}");
    assert!(
        said.contains(
            "line 2: proxy_protocol.trusted[1]: 10.0.0.1; expected a network as address/length"
        ),
        "{said}"
    );
    for keys in ["required: true", "trusted: [10.0.0.0/8]"] {
        let said = report(&format!("enable_proxy: false\nproxy_protocol: {{{keys}}}"));
        assert!(
            said.contains("line 1: enable_proxy: false; expected true, because proxy_protocol says which headers count"),
            "{said}"
        );
    }
    let said = report("enable_proxy: true\nproxy_protocol: {required: maybe}");
    assert!(said.contains("proxy_protocol.required: maybe"), "{said}");
}

#[test]
fn r_015_r_016_r_026_check_finds_what_would_end_the_process_later() {
    let text = "\
html_error_template_file: missing.html
logging: {metron_address: \"\", syslog_network: unix}
access_log: {file: /nonexistent/folder/access.log, enable_streaming: true}
some_key: 1
send_http_start_stop_server_event: false
";
    load(text);
    assert_eq!(
        check(text),
        Check {
            text: "\
gorouter.yml has 4 problems:
  line 1: html_error_template_file: \"missing.html\": No such file or directory (os error 2); expected a file that can be opened
  line 2: logging.metron_address: not set; expected an address, because enable_envelope_v1_metrics is true
  line 2: logging.syslog_network: unix; expected a network that begins with udp or tcp
  line 3: access_log.file: \"/nonexistent/folder/access.log\": No such file or directory (os error 2); expected a file that can be opened
notes:
  line 4: some_key: unknown key, ignored
"
            .to_owned(),
            code: 1,
        }
    );
}

#[test]
fn check_does_not_create_the_access_log() {
    let folder = Folder::new();
    let log = folder.path("access.log");
    let text = format!("access_log: {{file: {:?}}}", log);
    assert_eq!(check(&text).code, 0);
    assert!(!log.exists());
}

#[test]
fn a_file_that_is_not_utf_8_is_a_report() {
    let folder = Folder::new();
    let file = folder.path("gorouter.yml");
    std::fs::write(&file, b"zone: \xff\n").expect("written");
    let report = Config::load(Some(&file)).expect_err("bad");
    assert!(
        report
            .one_line()
            .ends_with("has a problem: is not UTF-8 text")
    );
}

#[test]
fn check_of_the_defaults_is_good() {
    let check = Config::check(None, |_| Ok(()));
    assert_eq!(
        (check.text.as_str(), check.code),
        ("default configuration is valid\n", 0)
    );
}

#[test]
fn ejection_out_of_range_is_refused_and_not_cut_down() {
    assert_eq!(
        report("balancing: {ejection: {consecutive_errors: 256, most_percent: 101}}"),
        "gorouter.yml has 2 problems:\n  \
         line 1: balancing.ejection.consecutive_errors: 256; expected a whole number from 0 to 255\n  \
         line 1: balancing.ejection.most_percent: 101; expected a percentage from 0 to 100"
    );
}

#[test]
fn a_domain_that_no_host_can_have_is_shown_under_the_key_that_the_file_uses() {
    for key in ["domain", "name"] {
        let text = report(&format!("domains: [{{{key}: \"a.*.x\"}}]"));
        let expected = format!("domains[0].{key}: \"a.*.x\"; expected a host, or *. and a host");
        assert!(text.contains(&expected), "{text}");
    }
}
