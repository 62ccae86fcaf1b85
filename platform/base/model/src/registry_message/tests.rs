use super::*;
use proptest::option;
use proptest::prelude::*;

fn parse(json: &str) -> Result<RegistryMessage<'_>, MessageError> {
    RegistryMessage::parse(json.as_bytes())
}

/// The key that the refusal of `json` names.
fn refused_key(json: &str) -> Option<&'static str> {
    match parse(json).unwrap_err() {
        MessageError::Value { key, .. } => Some(key),
        MessageError::Json(_) => None,
    }
}

#[test]
fn a_full_message_is_read() {
    let message = parse(
        r#"{
            "host": "10.0.1.5", "port": 61001, "tls_port": 61443, "protocol": "http2",
            "uris": ["a.example.com", "b.example.com/path"], "app": "app-guid",
            "private_instance_id": "instance-guid", "private_instance_index": "3",
            "server_cert_domain_san": "instance-guid", "stale_threshold_in_seconds": 90,
            "route_service_url": "https://rs.example.com", "isolation_segment": "is1",
            "availability_zone": "z1", "endpoint_updated_at_ns": 1700000000000000042,
            "tags": {"component": "route-emitter", "source_id": "app-guid"},
            "options": {"loadbalancing": "hash", "hash_header": "X-Tenant", "hash_balance": "1.25",
                        "route_policy_scope": "org", "route_policy_sources": "cf:any"},
            "unknown": [{"deep": null}]
        }"#,
    )
    .unwrap();
    let tag = |name: &'static str, value: &'static str| (name.into(), value.into());
    assert_eq!(
        message,
        RegistryMessage {
            host: "10.0.1.5".into(),
            port: 61001,
            tls_port: 61443,
            protocol: "http2".into(),
            uris: vec!["a.example.com".into(), "b.example.com/path".into()],
            app: "app-guid".into(),
            private_instance_id: "instance-guid".into(),
            private_instance_index: "3".into(),
            server_cert_domain_san: "instance-guid".into(),
            stale_threshold_in_seconds: 90,
            route_service_url: "https://rs.example.com".into(),
            isolation_segment: "is1".into(),
            availability_zone: "z1".into(),
            tags: Some(BTreeMap::from([
                tag("component", "route-emitter"),
                tag("source_id", "app-guid")
            ])),
            endpoint_updated_at_ns: 1_700_000_000_000_000_042,
            options: RouteOptions {
                loadbalancing: "hash".into(),
                hash_header: "X-Tenant".into(),
                hash_balance: 1.25,
                route_policy_scope: "org".into(),
                route_policy_sources: "cf:any".into(),
                ..RouteOptions::default()
            },
        }
    );
}

#[test]
fn plain_text_is_borrowed_and_escaped_text_is_not() {
    let message = parse(r#"{"host":"10.0.0.1","app":"a\u0062c"}"#).unwrap();
    assert!(matches!(message.host, Cow::Borrowed("10.0.0.1")));
    assert_eq!(message.app, "abc");
    assert!(matches!(message.app, Cow::Owned(_)));
}

#[test]
fn keys_match_in_any_letter_case() {
    let message = parse(
        r#"{"HOST":"h","Port":1,"Tls_Port":2,"URIs":["u"],"Options":{"LoadBalancing":"x"},"Tags":{"Aa":"b"}}"#,
    )
    .unwrap();
    assert_eq!(message.host, "h");
    assert_eq!((message.port, message.tls_port), (1, 2));
    assert_eq!(message.uris, ["u"]);
    assert_eq!(message.options.loadbalancing, "x");
    assert_eq!(message.tags.unwrap().get("Aa").unwrap(), "b");
}

#[test]
fn null_is_the_same_as_absent() {
    let message = parse(
        r#"{"host":null,"port":null,"tls_port":null,"uris":null,"app":null,"tags":null,
            "private_instance_index":null,"stale_threshold_in_seconds":null,
            "endpoint_updated_at_ns":null,"options":null,"unknown":null}"#,
    )
    .unwrap();
    assert_eq!(message, RegistryMessage::default());
}

#[test]
fn absent_tags_are_told_from_empty_ones() {
    assert_eq!(parse("{}").unwrap().tags, None);
    assert_eq!(parse(r#"{"tags":{}}"#).unwrap().tags, Some(BTreeMap::new()));
}

#[test]
fn null_within_lists_and_maps_is_an_empty_text() {
    let message = parse(r#"{"uris":["a",null],"tags":{"t":null}}"#).unwrap();
    assert_eq!(message.uris, ["a", ""]);
    assert_eq!(message.tags.unwrap().get("t").unwrap(), "");
}

#[test]
fn the_last_of_equal_keys_counts() {
    let message = parse(
        r#"{"host":"a","port":1,"HOST":"b","Port":2,"uris":["x","y"],"uris":["z"],
            "tags":{"t":"1","t":"2"}}"#,
    )
    .unwrap();
    assert_eq!(message.host, "b");
    assert_eq!(message.port, 2);
    assert_eq!(message.uris, ["z"]);
    assert_eq!(message.tags.unwrap().get("t").unwrap(), "2");
}

#[test]
fn null_or_nothing_but_blanks_around_it_is_an_empty_message() {
    assert_eq!(parse(" null\n").unwrap(), RegistryMessage::default());
    assert_eq!(parse(" {} \r\n").unwrap(), RegistryMessage::default());
}

#[test]
fn what_is_not_one_object_is_refused() {
    for json in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "1",
        "\"x\"",
        "{}{}",
        "{} x",
        "nul",
        "{\"host\":\"a\",}",
        "{'host':'a'}",
        "\u{feff}{}",
    ] {
        let error = parse(json).unwrap_err();
        assert!(matches!(error, MessageError::Json(_)), "{json}: {error}");
    }
}

#[test]
fn r_043_a_port_out_of_range_is_refused_by_name() {
    assert_eq!(refused_key(r#"{"port":70000}"#), Some("port"));
    assert_eq!(refused_key(r#"{"port":-1}"#), Some("port"));
    assert_eq!(refused_key(r#"{"tls_port":65536}"#), Some("tls_port"));
    assert_eq!(parse(r#"{"port":65535}"#).unwrap().port, 65535);
}

#[test]
fn r_044_a_value_of_a_wrong_type_is_refused_by_name() {
    for (json, key) in [
        (r#"{"private_instance_index":1}"#, "private_instance_index"),
        (r#"{"port":"80"}"#, "port"),
        (r#"{"port":80.0}"#, "port"),
        (r#"{"port":true}"#, "port"),
        (r#"{"host":1}"#, "host"),
        (r#"{"host":["a"]}"#, "host"),
        (r#"{"uris":"a"}"#, "uris"),
        (r#"{"uris":[1]}"#, "uris"),
        (r#"{"tags":["a"]}"#, "tags"),
        (r#"{"tags":{"a":1}}"#, "tags"),
        (r#"{"options":"hash"}"#, "options"),
        (
            r#"{"options":{"loadbalancing":1}}"#,
            "options.loadbalancing",
        ),
        (
            r#"{"stale_threshold_in_seconds":"9"}"#,
            "stale_threshold_in_seconds",
        ),
        (
            r#"{"endpoint_updated_at_ns":9223372036854775808}"#,
            "endpoint_updated_at_ns",
        ),
    ] {
        assert_eq!(refused_key(json), Some(key), "{json}");
    }
}

#[test]
fn a_refusal_says_what_was_found_and_expected() {
    let error = parse(r#"{"app":"a","private_instance_index":1}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "private_instance_index: invalid type: integer `1`, expected a string at line 1 column 37"
    );
}

#[test]
fn a_fault_beside_the_known_keys_names_none() {
    assert_eq!(refused_key(r#"{"port":1,"other":nope}"#), None);
    assert_eq!(refused_key(r#"{"port":1 "host":"a"}"#), None);
}

#[test]
fn r_045_a_route_service_that_is_not_https_is_refused() {
    assert_eq!(
        refused_key(r#"{"route_service_url":"http://x"}"#),
        Some("route_service_url")
    );
    for accepted in ["", "https://x", "https"] {
        let json = format!(r#"{{"route_service_url":"{accepted}"}}"#);
        assert_eq!(parse(&json).unwrap().route_service_url, accepted);
    }
}

#[test]
fn r_046_the_tls_port_takes_the_place_of_the_plain_one() {
    let plain = parse(r#"{"port":80,"tls_port":0}"#).unwrap();
    assert_eq!((plain.backend_port(), plain.uses_tls()), (80, false));
    let tls = parse(r#"{"port":80,"tls_port":443}"#).unwrap();
    assert_eq!((tls.backend_port(), tls.uses_tls()), (443, true));
}

#[test]
fn the_hash_balance_is_a_number_or_holds_one_and_never_costs_the_message() {
    for (value, read, is_ignored) in [
        ("1.25", 1.25, false),
        ("\"1.25\"", 1.25, false),
        ("2", 2.0, false),
        ("\"2\"", 2.0, false),
        ("\"\"", 0.0, false),
        ("null", 0.0, false),
        ("\"much\"", 0.0, true),
        ("\"inf\"", 0.0, true),
        ("{}", 0.0, true),
        ("true", 0.0, true),
    ] {
        let json = format!(r#"{{"options":{{"hash_balance":{value}}},"host":"h"}}"#);
        let message = parse(&json).unwrap();
        assert_eq!(message.options.hash_balance, read, "{value}");
        assert_eq!(message.host, "h");
        let ignored: &[&str] = if is_ignored { &["hash_balance"] } else { &[] };
        assert_eq!(message.options.ignored, ignored, "{value}");
    }
}

#[test]
fn a_limit_is_a_text_or_a_number_and_never_costs_the_message() {
    for (value, read) in [
        ("30", "30"),
        ("\"30s\"", "30s"),
        ("1.5", "1.5"),
        ("null", ""),
        ("\"\"", ""),
    ] {
        let json = format!(r#"{{"options":{{"request_timeout":{value}}},"host":"h"}}"#);
        let message = parse(&json).unwrap();
        assert_eq!(message.options.request_timeout, read, "{value}");
        assert_eq!((&*message.host, message.options.ignored.len()), ("h", 0));
    }
    for value in ["{}", "[1]", "true"] {
        let json = format!(r#"{{"options":{{"request_timeout":{value}}},"host":"h"}}"#);
        let options = parse(&json).unwrap().into_owned().options;
        assert_eq!(options.request_timeout, "", "{value}");
        assert_eq!(options.ignored, ["request_timeout"], "{value}");
    }
}

#[test]
fn every_limit_is_read_and_others_are_told() {
    let message = parse(
        r#"{"options":{"request_timeout":"1s","first_byte_timeout":"2s","idle_timeout":"3s","Max_Body_Size":4,
            "max_concurrent_requests":5,"rate_limit":"6/s","client_rate_limit":"7/m","max_attempts":8,
            "retry_budget":9,"unheard_of":{"a":[1]},"loadbalancing":"hash","allowed_sources":"x"}}"#,
    )
    .unwrap();
    let o = &message.options;
    assert_eq!(
        [
            &*o.request_timeout,
            &*o.first_byte_timeout,
            &*o.idle_timeout
        ],
        ["1s", "2s", "3s"]
    );
    assert_eq!([&*o.max_body_size, &*o.max_concurrent_requests], ["4", "5"]);
    assert_eq!([&*o.rate_limit, &*o.client_rate_limit], ["6/s", "7/m"]);
    assert_eq!([&*o.max_attempts, &*o.retry_budget], ["8", "9"]);
    assert_eq!(o.ignored, ["unheard_of", "allowed_sources"]);
    assert_eq!(o.loadbalancing, "hash");
}

#[test]
fn text_that_is_not_utf_8_is_mended() {
    let message = RegistryMessage::parse(b"{\"app\":\"a\xffb\",\"host\":\"h\"}").unwrap();
    assert_eq!(message.app, "a\u{fffd}b");
    assert_eq!(message.host, "h");
    assert_eq!(parse(r#"{"app":"\ud800x"}"#).unwrap().app, "\u{fffd}x");
}

#[test]
fn bytes_that_are_not_utf_8_outside_of_texts_are_refused() {
    let error = RegistryMessage::parse(b"{\"app\":\xff}").unwrap_err();
    assert!(
        matches!(error, MessageError::Value { key: "app", .. }),
        "{error}"
    );
    assert!(matches!(
        RegistryMessage::parse(b"\xff{}").unwrap_err(),
        MessageError::Json(_)
    ));
}

#[test]
fn empty_members_are_left_out_when_written() {
    let message = RegistryMessage {
        host: "h".into(),
        ..RegistryMessage::default()
    };
    assert_eq!(
        serde_json::to_string(&message).unwrap(),
        r#"{"host":"h","port":0,"uris":[]}"#
    );
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        Just(Cow::Borrowed("")),
        "[a-z0-9./-]{1,12}".prop_map(Cow::Owned),
        any::<String>().prop_map(Cow::Owned),
    ]
}

fn any_options() -> impl Strategy<Value = RouteOptions<'static>> {
    (text(), text(), -100.0..100.0, text(), text()).prop_map(
        |(loadbalancing, hash_header, hash_balance, scope, sources)| RouteOptions {
            loadbalancing,
            hash_header,
            hash_balance,
            idle_timeout: scope.clone(),
            rate_limit: sources.clone(),
            route_policy_scope: scope,
            route_policy_sources: sources,
            ..RouteOptions::default()
        },
    )
}

fn any_message() -> impl Strategy<Value = RegistryMessage<'static>> {
    let who = (text(), text(), text(), text(), text(), text(), text());
    let how = (
        any::<u16>(),
        any::<u16>(),
        text(),
        any::<i64>(),
        any::<i64>(),
    );
    let what = (
        proptest::collection::vec(text(), 0..4),
        option::of(proptest::collection::btree_map(text(), text(), 0..4)),
        prop_oneof![Just(""), Just("https://rs.example.com")],
        prop_oneof![Just(RouteOptions::default()), any_options()],
    );
    (who, how, what).prop_map(|(who, how, what)| RegistryMessage {
        host: who.0,
        app: who.1,
        private_instance_id: who.2,
        private_instance_index: who.3,
        server_cert_domain_san: who.4,
        isolation_segment: who.5,
        availability_zone: who.6,
        port: how.0,
        tls_port: how.1,
        protocol: how.2,
        stale_threshold_in_seconds: how.3,
        endpoint_updated_at_ns: how.4,
        uris: what.0,
        tags: what.1,
        route_service_url: what.2.into(),
        options: what.3,
    })
}

proptest! {
    #[test]
    fn a_written_message_is_read_back_the_same(message in any_message()) {
        let json = serde_json::to_vec(&message).unwrap();
        let read = RegistryMessage::parse(&json).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(read.into_owned(), message);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        RegistryMessage::parse(&bytes).ok();
    }

    #[test]
    fn no_damaged_message_makes_it_panic(
        message in any_message(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut json = serde_json::to_vec(&message).unwrap();
        let at = at.index(json.len());
        json[at] = byte;
        RegistryMessage::parse(&json).ok();
    }
}
