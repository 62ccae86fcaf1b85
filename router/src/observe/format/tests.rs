//! Lines beside those that were recorded from GoRouter, with `<time>`, `<s>` and the ids filled in.

use super::*;
use crate::config::RedactQueryParams;
use crate::observe::record::{Attempts, Entry, Record};

const RECEIVED: u64 = 1_930_367_167_000_000_089;
const REQUEST_ID: &str = "6f0c2c1e-93b4-4f0a-a5a2-0d5a7b1f7f10";

/// Recorded lines name what differs from run to run.
fn filled_in(recorded: &str) -> String {
    let line = recorded
        .replace("<time>", "2031-03-04T05:06:07.000000089Z")
        .replace("response_time:<s>", "response_time:0.012345")
        .replace("gorouter_time:<s>", "gorouter_time:0.000321")
        .replace("<client>", "10.1.0.9:51514")
        .replace("<b1>", "10.2.0.5:61012")
        .replace("<uuid 1>", REQUEST_ID);
    line + "\n"
}

/// `GET / HTTP/1.1` answered with 200 by the backend.
fn proxied() -> Record {
    let mut record = Record::default();
    record.entry = Entry {
        received_unix_ns: RECEIVED,
        status: 200,
        response_bytes: 2,
        response_time_ns: 12_345_000,
        gorouter_time_ns: 321_000,
        peer: "10.1.0.9:51514".parse().ok(),
        ..Entry::default()
    };
    for (which, value) in [
        (Text::Host, "app.test"),
        (Text::Method, "GET"),
        (Text::Target, "/"),
        (Text::Protocol, "HTTP/1.1"),
        (Text::ForwardedFor, "127.0.0.1"),
        (Text::ForwardedProto, "http"),
        (Text::RequestId, REQUEST_ID),
        (Text::Endpoint, "10.2.0.5:61012"),
        (Text::AppId, "app-b1"),
        (Text::AppIndex, "0"),
        (Text::InstanceId, "id-b1"),
    ] {
        record.set(which, value.as_bytes());
    }
    record
}

/// A request that no route answers for.
fn rejected() -> Record {
    let mut record = proxied();
    record.entry.status = 404;
    record.entry.response_bytes = 64;
    for which in [
        Text::ForwardedFor,
        Text::ForwardedProto,
        Text::Endpoint,
        Text::AppId,
        Text::AppIndex,
        Text::InstanceId,
    ] {
        record.set(which, b"");
    }
    record.set(Text::Host, b"unknown.test");
    record.set(Text::RouterError, b"unknown_route");
    record
}

fn line(settings: &LogSettings, record: &Record) -> String {
    let mut out = Vec::new();
    Format::new(settings).push_line(&mut out, &record.view());
    String::from_utf8(out).unwrap()
}

fn plain(record: &Record) -> String {
    line(&LogSettings::default(), record)
}

/// R-280
#[test]
fn a_request_with_all_header_fields() {
    let mut record = proxied();
    record.entry.request_bytes = 5;
    record.set(Text::Host, b"app.test:8080");
    record.set(Text::Method, b"POST");
    record.set(Text::Target, b"/p?q=1");
    record.set(Text::Referer, b"http://r.test/");
    record.set(Text::UserAgent, b"curl/9");
    record.set(Text::ForwardedFor, b"1.2.3.4, 127.0.0.1");
    record.set(Text::ForwardedProto, b"https");
    assert_eq!(
        plain(&record),
        filled_in(
            r#"app.test:8080 - [<time>] "POST /p?q=1 HTTP/1.1" 200 5 2 "http://r.test/" "curl/9" "<client>" "<b1>" x_forwarded_for:"1.2.3.4, 127.0.0.1" x_forwarded_proto:"https" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"-""#
        )
    );
}

/// R-280
#[test]
fn quotes_backslashes_and_high_bytes() {
    let mut record = proxied();
    record.set(Text::UserAgent, b"a\"b\\c\xe4\ttab");
    record.set(Text::Referer, b"\xc3\xa4");
    assert_eq!(
        plain(&record),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 200 0 2 "ä" "a\"b\\c\xe4\ttab" "<client>" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"-""#
        )
    );
}

/// R-280: a request without Host, refused by the router.
#[test]
fn an_empty_host_is_shown_as_nothing() {
    let mut record = rejected();
    record.entry.status = 400;
    record.entry.response_bytes = 47;
    record.set(Text::Host, b"");
    record.set(Text::Protocol, b"HTTP/1.0");
    record.set(Text::RouterError, b"empty_host");
    assert_eq!(
        plain(&record),
        filled_in(
            r#" - [<time>] "GET / HTTP/1.0" 400 0 47 "-" "-" "<client>" "-" x_forwarded_for:"-" x_forwarded_proto:"-" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"-" app_index:"-" instance_id:"-" x_cf_routererror:"empty_host""#
        )
    );
}

/// R-158, R-280
#[test]
fn no_status_is_a_dash() {
    let mut record = rejected();
    record.entry.status = 0;
    record.entry.response_bytes = 0;
    record.set(Text::Host, b"app.test");
    record.set(Text::Protocol, b"HTTP/1.2");
    record.set(Text::RouterError, b"");
    assert_eq!(
        plain(&record),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.2" "-" 0 0 "-" "-" "<client>" "-" x_forwarded_for:"-" x_forwarded_proto:"-" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"-" app_index:"-" instance_id:"-" x_cf_routererror:"-""#
        )
    );
}

/// R-280: an upgrade and a client that left.
#[test]
fn other_statuses() {
    for (status, bytes, error) in [
        (101, 0, "-"),
        (499, 22, "endpoint_failure (context canceled)"),
        (503, 88, "Connection Limit Reached"),
    ] {
        let mut record = proxied();
        record.entry.status = status;
        record.entry.response_bytes = bytes;
        record.set(
            Text::RouterError,
            error.strip_prefix('-').unwrap_or(error).as_bytes(),
        );
        let recorded = r#"app.test - [<time>] "GET / HTTP/1.1" STATUS 0 BYTES "-" "-" "<client>" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"ERROR""#;
        let recorded = recorded
            .replace("STATUS", &status.to_string())
            .replace("BYTES", &bytes.to_string());
        assert_eq!(plain(&record), filled_in(&recorded.replace("ERROR", error)));
    }
}

/// R-281
#[test]
fn forwarded_for_and_source_ip_are_hidden_when_asked() {
    let settings = LogSettings {
        hides_forwarded_for: true,
        ..LogSettings::default()
    };
    assert_eq!(
        line(&settings, &proxied()),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 200 0 2 "-" "-" "<client>" "<b1>" x_forwarded_for:"-" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"-""#
        )
    );
    let settings = LogSettings {
        hides_source_ip: true,
        ..LogSettings::default()
    };
    assert_eq!(
        line(&settings, &proxied()),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 200 0 2 "-" "-" "-" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"-""#
        )
    );
}

/// R-282
#[test]
fn queries_are_redacted() {
    let target = |redact, method: &str, target: &str| {
        let mut record = proxied();
        record.set(Text::Method, method.as_bytes());
        record.set(Text::Target, target.as_bytes());
        let line = line(
            &LogSettings {
                redact,
                ..LogSettings::default()
            },
            &record,
        );
        line.split('"').nth(1).unwrap().to_owned()
    };
    use RedactQueryParams::{All, Hash};
    assert_eq!(target(All, "GET", "/p?query=value"), "GET /p HTTP/1.1");
    assert_eq!(
        target(All, "DELETE", "/p?query=value"),
        "DELETE /p?query=value HTTP/1.1"
    );
    assert_eq!(target(All, "GET", "/p?"), "GET /p? HTTP/1.1");
    let hash = "/p?hash=9c9042adbe045596c2299990920eaa18536d66a1";
    assert_eq!(
        target(Hash, "GET", "/p?query=value"),
        format!("GET {hash} HTTP/1.1")
    );
    assert_eq!(
        target(Hash, "POST", "/p?query=value"),
        "POST /p?query=value HTTP/1.1"
    );
    assert_eq!(target(Hash, "GET", "/p"), "GET /p HTTP/1.1");
}

/// R-283
#[test]
fn extra_headers_follow_in_configured_order() {
    let extra_headers = ["X-Second", "x-first", "Cache-Control"]
        .map(Box::from)
        .to_vec();
    let settings = LogSettings {
        extra_headers,
        ..LogSettings::default()
    };
    let mut record = proxied();
    for value in [Some(&b"two"[..]), Some(b"one"), None] {
        record.push_extra(value);
    }
    assert_eq!(
        line(&settings, &record),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 200 0 2 "-" "-" "<client>" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" x_cf_routererror:"-" x_second:"two" x_first:"one" cache_control:"-""#
        )
    );
    let mut record = rejected();
    for value in [None, Some(&b"one"[..]), None] {
        record.push_extra(value);
    }
    assert_eq!(
        line(&settings, &record),
        filled_in(
            r#"unknown.test - [<time>] "GET / HTTP/1.1" 404 0 64 "-" "-" "<client>" "-" x_forwarded_for:"-" x_forwarded_proto:"-" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"-" app_index:"-" instance_id:"-" x_cf_routererror:"unknown_route" x_second:"-" x_first:"one" cache_control:"-""#
        )
    );
}

fn with_attempts() -> LogSettings {
    let mut config = crate::config::Config::default();
    config.logging.enable_attempts_details = true;
    LogSettings::from(&config)
}

/// R-284
#[test]
fn details_of_the_attempts() {
    let mut record = proxied();
    record.entry.attempts = Attempts {
        dns_ns: Some(0),
        dial_ns: Some(1_000),
        tls_ns: Some(2_000_000),
        backend_ns: Some(3_000_000_000),
        ..Attempts::default()
    };
    assert_eq!(
        line(&with_attempts(), &record),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 200 0 2 "-" "-" "<client>" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" failed_attempts:0 failed_attempts_time:"-" dns_time:0.000000 dial_time:0.000001 tls_time:0.002000 backend_time:3.000000 x_cf_routererror:"-""#
        )
    );
}

/// R-285
#[test]
fn attempts_that_all_failed() {
    let mut record = proxied();
    record.entry.status = 502;
    record.entry.response_bytes = 67;
    record.entry.attempts = Attempts {
        failed: 2,
        failed_time_ns: Some(5_000_000),
        ..Attempts::default()
    };
    record.set(
        Text::RouterError,
        b"endpoint_failure (dial tcp 10.2.0.5:61012: connect: connection refused)",
    );
    assert_eq!(
        line(&with_attempts(), &record),
        filled_in(
            r#"app.test - [<time>] "GET / HTTP/1.1" 502 0 67 "-" "-" "<client>" "<b1>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<uuid 1>" response_time:<s> gorouter_time:<s> app_id:"app-b1" app_index:"0" instance_id:"id-b1" failed_attempts:2 failed_attempts_time:0.005000 dns_time:"-" dial_time:"-" tls_time:"-" backend_time:"-" x_cf_routererror:"endpoint_failure (dial tcp <b1>: connect: connection refused)""#
        )
    );
}

/// R-284
#[test]
fn the_local_address_is_quoted() {
    let settings = LogSettings {
        extra_fields: vec![ExtraLogField::LocalAddress],
        ..LogSettings::default()
    };
    let mut record = proxied();
    assert!(
        line(&settings, &record)
            .contains(r#" instance_id:"id-b1" local_address:"-" x_cf_routererror:"-""#)
    );
    record.set(Text::LocalAddress, b"10.0.0.1:4000");
    assert!(line(&settings, &record).contains(r#" local_address:"10.0.0.1:4000" "#));
}
