//! Routes from the Routing API: the start, lists, events, and what happens while it is away.

use std::time::Duration;

use cloverleaf_tests::{
    Authority, Backend, Client, RefusedPort, Router, RoutingApi, base64, eventually, remains,
};
use serde_json::{Value, json};

/// A router with lists ten times a second.
fn restless() -> cloverleaf_tests::Start {
    Router::builder().with("prune_stale_droplets_interval", "200ms")
}

/// Waits until a GET for this host is answered so.
#[track_caller]
fn wait_for(router: &Router, host: &str, status: u16) {
    eventually(&format!("{status} for {host}"), || {
        (router.get(host, "/").status == status).then_some(())
    });
}

/// What the end of a start says about the Routing API.
#[track_caller]
fn refusal(mut router: Router) -> String {
    assert_eq!(router.process().wait().code(), Some(1));
    let event = router.wait_for_event("routing-api-connection-failed");
    assert_eq!(event.level(), 3);
    let error = event.data("error").as_str().expect("an error");
    error.to_owned()
}

//
#[test]
fn a_route_of_the_list_is_served_and_gone_when_the_next_list_lacks_it() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let (stays, goes) = (
        RoutingApi::entry("stays.test/path", &backend),
        RoutingApi::entry("goes.test", &backend),
    );
    api.list(&[&stays, &goes]);
    let router = api.configure(restless()).start();
    wait_for(&router, "goes.test", 200);
    assert_eq!(router.get("stays.test", "/path/x").text(), "here");
    api.list(&[&stays]);
    wait_for(&router, "goes.test", 404);
    assert_eq!(router.get("stays.test", "/path/x").text(), "here");

    let set_up = router.wait_for_event("setting-up-routing-api");
    assert_eq!((set_up.level(), set_up.source()), (1, Some("gorouter")));
    assert_eq!(router.wait_for_event("started-fetching-token").level(), 0);
    let listed = &router.routes()["stays.test/path"][0];
    assert_eq!(
        (&listed["ttl"], &listed["tls"]),
        (&json!(120), &json!(false))
    );
    assert_eq!(
        listed["server_cert_domain_san"],
        "0b8e5c0e-1111-2222-3333-444455556666"
    );
}

//
#[test]
fn an_event_brings_a_route_and_another_takes_it_without_any_list() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let router = api.configure(Router::builder()).start();
    api.wait_for_subscribers(1);
    // The one that proved the API, the first, and the one behind the subscription.
    eventually("the lists of a start", || {
        (api.lists().len() >= 2).then_some(())
    });
    let entry = RoutingApi::entry("app.test", &backend);
    api.tell("Upsert", &entry);
    wait_for(&router, "app.test", 200);
    let provenance = provenance(&router);
    assert_eq!(provenance["app.test"][0]["source"], "routing-api");
    api.tell("Delete", &entry);
    wait_for(&router, "app.test", 404);
    let lists = api.lists().len();
    assert!(lists <= 3, "{lists} lists in a moment");
}

/// `/routes` with where routes are from.
fn provenance(router: &Router) -> Value {
    let mut client = Client::connect(router.routes_port());
    client.send(format!(
        "GET /routes?provenance HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {}\r\n\r\n",
        base64("status-user:status-pass")
    ));
    serde_json::from_slice(&client.response().body).expect("routes in JSON")
}

//
#[test]
fn older_versions_of_an_entry_are_passed_over_and_one_of_another_origin_counts() {
    let api = RoutingApi::start();
    let (backend, marker) = (Backend::saying("here"), Backend::saying("marker"));
    let router = api.configure(Router::builder()).start();
    api.wait_for_subscribers(1);
    let entry = |guid: &str, index: u32, service: &str| {
        let mut entry = RoutingApi::entry("app.test", &backend);
        entry["route_service_url"] = json!(service);
        RoutingApi::tagged(&entry, guid, index)
    };
    // Each goes behind what was told before: events are handled in order.
    let settle = |round: u32| {
        let host = format!("marker-{round}.test");
        api.tell("Upsert", &RoutingApi::entry(&host, &marker));
        wait_for(&router, &host, 200);
    };
    let service = || router.routes()["app.test"][0]["route_service_url"].clone();
    api.tell("Upsert", &entry("a", 5, "https://five.test"));
    api.tell("Upsert", &entry("a", 4, "https://four.test"));
    settle(1);
    assert_eq!(service(), "https://five.test");
    api.tell("Delete", &entry("a", 4, ""));
    settle(2);
    assert_eq!(service(), "https://five.test");
    api.tell("Upsert", &entry("b", 0, "https://zero.test"));
    settle(3);
    assert_eq!(service(), "https://zero.test");
    api.tell("Delete", &entry("b", 0, ""));
    settle(4);
    assert_eq!(router.routes()["app.test"], Value::Null);
}

//
#[test]
fn what_is_refused_for_its_token_is_asked_once_more_with_a_new_one() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let router = api.configure(restless()).start();
    api.wait_for_subscribers(1);
    assert_eq!(api.token_calls().len(), 1, "a token serves many calls");
    api.forget_tokens();
    api.hang_up();
    api.list(&[&RoutingApi::entry("app.test", &backend)]);
    wait_for(&router, "app.test", 200);
    api.wait_for_subscribers(1);
    let calls = api.token_calls().len();
    assert!(
        (2..=3).contains(&calls),
        "{calls} tokens for a list and a subscription"
    );

    api.refuse_tokens(true);
    let event = eventually("a list that is refused", || {
        let mut failed = router.log().with_message("failed-to-fetch-routes");
        failed.retain(|event| event.text.contains("401"));
        failed.pop()
    });
    assert_eq!(event.source(), Some("gorouter.route-fetcher"));
    let (before, lists) = (api.token_calls().len(), api.lists().len());
    eventually("more lists", || {
        (api.lists().len() >= lists + 8).then_some(())
    });
    let (lists, tokens) = (api.lists().len() - lists, api.token_calls().len() - before);
    assert!(tokens <= lists / 2 + 1, "{tokens} tokens for {lists} lists");
    assert_eq!(router.get("app.test", "/").status, 200, "the route stays");
}

//
#[test]
fn a_routing_api_that_does_not_answer_ends_the_start() {
    let (api, nobody) = (RoutingApi::start(), RefusedPort::new());
    let router = api
        .configure(Router::builder())
        .with("routing_api.port", nobody.number());
    let error = refusal(router.launch());
    assert!(error.contains(&nobody.number().to_string()), "{error}");

    api.refuse_tokens(true);
    let error = refusal(api.configure(Router::builder()).launch());
    assert!(error.contains("401"), "{error}");
}

//
#[test]
fn a_routing_api_of_another_authority_is_not_trusted() {
    let (api, other) = (RoutingApi::start(), Authority::new("another"));
    let router = api
        .configure(Router::builder())
        .with("routing_api.ca_certs", other.certificate());
    let error = refusal(router.launch());
    assert!(error.contains("UnknownIssuer"), "{error}");
}

//
#[test]
fn a_uaa_that_does_not_answer_ends_the_start_after_all_tries() {
    let (api, nobody) = (RoutingApi::start(), RefusedPort::new());
    let router = api
        .configure(Router::builder())
        .with("oauth.port", nobody.number());
    let error = refusal(router.launch());
    assert!(error.starts_with("unable-to-fetch-token"), "{error}");

    api.fail_tokens(100);
    let error = refusal(api.configure(Router::builder()).launch());
    assert!(error.contains("500"), "{error}");
    assert_eq!(api.token_calls().len(), 3);
}

#[test]
fn a_uaa_that_fails_for_a_moment_does_not_end_the_start() {
    let api = RoutingApi::start();
    api.fail_tokens(2);
    let router = api.configure(Router::builder()).start();
    assert_eq!(api.token_calls().len(), 3);
    assert_eq!(router.metrics().sum("token_fetch_errors"), 0.0);
}

#[test]
fn the_uaa_is_asked_as_a_client_with_encoded_credentials() {
    let api = RoutingApi::start();
    let _router = api.configure(Router::builder()).start();
    let call = api.token_calls().remove(0);
    assert_eq!(call.line, "POST /oauth/token HTTP/1.1");
    let credentials = base64("gorouter:a+secret%2Fwith%3Amarks");
    assert_eq!(
        call.header("Authorization"),
        Some(format!("Basic {credentials}").as_str())
    );
    assert_eq!(call.header("X-CF-ENCODED-CREDENTIALS"), Some("true"));
    assert_eq!(
        call.text(),
        "grant_type=client_credentials&token_format=jwt"
    );
    let list = api.lists().remove(0);
    assert_eq!(list.header("Authorization"), Some("bearer token-1"));
}

//
#[test]
fn a_uaa_without_a_port_ends_the_start() {
    let api = RoutingApi::start();
    for port in [0, -1] {
        let router = api.configure(Router::builder()).with("oauth.port", port);
        let error = refusal(router.launch());
        assert!(error.contains("UAA client requires TLS enabled"), "{error}");
    }
}

//
#[test]
fn with_authentication_off_no_uaa_is_asked() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    api.list(&[&RoutingApi::entry("app.test", &backend)]);
    let router = api
        .configure(Router::builder())
        .with("routing_api.auth_disabled", true)
        .with("routing_api.uri", "http://127.0.0.1")
        .with("routing_api.port", api.plain_port())
        .with("oauth", Value::Null)
        .start();
    wait_for(&router, "app.test", 200);
    assert_eq!(router.wait_for_event("using-noop-token-fetcher").level(), 1);
    assert!(api.token_calls().is_empty());
    assert_eq!(api.lists().remove(0).header("Authorization"), None);
}

#[test]
fn behind_a_stream_that_broke_another_begins_and_a_list_tells_what_was_missed() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let router = api.configure(Router::builder()).start();
    api.wait_for_subscribers(1);
    let lists = api.lists().len();
    api.list(&[&RoutingApi::entry("missed.test", &backend)]);
    api.hang_up();
    router.wait_for_event("routing-api-event-stream-ended");
    wait_for(&router, "missed.test", 200);
    assert!(api.lists().len() > lists);
    assert_eq!(api.subscriptions().len(), 2);
    api.tell("Upsert", &RoutingApi::entry("news.test", &backend));
    wait_for(&router, "news.test", 200);
}

#[test]
fn events_that_cannot_be_read_do_not_end_the_stream() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let router = api.configure(Router::builder()).start();
    api.wait_for_subscribers(1);
    api.send(": a comment\n\nevent: Upsert\ndata: {\"port\":\n\nevent: Whatever\ndata: {}\n\n");
    api.send("event: Upsert\ndata: {\"route\":\"x.test\",\"port\":0,\"ip\":\"\"}\n\n");
    let entry = RoutingApi::entry("app.test", &backend).to_string();
    // In pieces, and with other line ends.
    api.send("event: Ups");
    api.send("ert\r\ndata: ");
    api.send(&entry);
    api.send("\r\n\r\n");
    wait_for(&router, "app.test", 200);
    assert_eq!(router.log().with_message("unusable-event").len(), 1);
    assert_eq!(router.log().with_message("unusable-route").len(), 1);
    assert_eq!(api.subscriptions().len(), 1);
}

#[test]
fn a_list_that_takes_its_time_holds_up_no_event_and_takes_nothing_back() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let router = api.configure(restless()).start();
    api.wait_for_subscribers(1);
    let gate = api.hold_lists();
    let lists = api.lists().len();
    eventually("a list that is held", || {
        (api.lists().len() > lists).then_some(())
    });
    let entry = RoutingApi::entry("app.test", &backend);
    api.tell("Upsert", &entry);
    wait_for(&router, "app.test", 200);
    api.list(&[&entry]);
    gate.open();
    let asked = api.lists().len();
    eventually("the next lists", || {
        (api.lists().len() > asked + 2).then_some(())
    });
    assert_eq!(router.get("app.test", "/").status, 200);
    // At no moment was it gone.
    let lost = router.log().with_message("route-unregistered");
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn what_is_no_list_takes_no_route_away() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    api.list(&[&RoutingApi::entry("app.test", &backend)]);
    let router = api.configure(restless()).start();
    wait_for(&router, "app.test", 200);
    let failed = || router.log().with_message("failed-to-fetch-routes");
    for (instead, told) in [
        (
            (
                "500 Internal Server Error",
                "{\"name\":\"DBCommunicationError\"}",
            ),
            "DBCommunicationError",
        ),
        (("200 OK", "[{\"route\":"), "EOF"),
        (("200 OK", "null"), "invalid type: null"),
        (("200 OK", "[{\"port\":70000}]"), "70000"),
    ] {
        api.answer_lists(Some(instead));
        eventually(told, || {
            failed()
                .iter()
                .any(|event| event.text.contains(told))
                .then_some(())
        });
    }
    assert_eq!(router.get("app.test", "/").text(), "here");
    api.answer_lists(None);
    router.wait_for_event("routing-api-is-back");
    assert_eq!(router.log().with_message("routing-api-is-away").len(), 1);
    assert!(router.log().with_message("route-unregistered").is_empty());
}

#[test]
fn trouble_with_tokens_and_with_subscriptions_is_counted() {
    let api = RoutingApi::start();
    let router = api.configure(restless()).start();
    api.wait_for_subscribers(1);
    for name in ["token_fetch_errors", "subscribe_events_errors"] {
        assert_eq!(router.metrics().sum(name), 0.0);
    }
    api.fail_tokens(usize::MAX);
    api.forget_tokens();
    api.hang_up();
    for name in ["token_fetch_errors", "subscribe_events_errors"] {
        eventually(name, || (router.metrics().sum(name) > 0.0).then_some(()));
    }
    let error = router.wait_for_event("failed-to-subscribe-to-routing-events");
    assert!(
        error.text.contains("unable-to-fetch-token"),
        "{}",
        error.text
    );
    api.fail_tokens(0);
    api.wait_for_subscribers(1);
}

#[test]
fn while_it_is_away_its_routes_do_not_grow_old_where_that_is_configured() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let mut entry = RoutingApi::entry("app.test", &backend);
    entry["ttl"] = json!(1);
    api.list(&[&entry]);
    let router = api
        .configure(restless())
        .with("suspend_pruning_if_nats_unavailable", true)
        .start();
    wait_for(&router, "app.test", 200);
    api.be_away(true);
    router.wait_for_event("routing-api-is-away");
    remains(Duration::from_secs(3), "the route is served", || {
        router.get("app.test", "/").status == 200
    });
    api.list(&[]);
    api.be_away(false);
    router.wait_for_event("routing-api-is-back");
    wait_for(&router, "app.test", 404);
    assert!(router.metrics().sum("token_fetch_errors") == 0.0);
}

#[test]
fn without_that_they_go_when_their_time_is_over() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    let mut entry = RoutingApi::entry("app.test", &backend);
    entry["ttl"] = json!(1);
    api.list(&[&entry]);
    let router = api
        .configure(restless())
        .with("suspend_pruning_if_nats_unavailable", false)
        .start();
    wait_for(&router, "app.test", 200);
    api.be_away(true);
    wait_for(&router, "app.test", 404);
    let pruned = router.wait_for_event("pruned-route");
    assert_eq!(pruned.data("uri"), "app.test");
}

#[test]
fn routes_without_a_segment_are_not_for_a_router_of_segments_alone() {
    let (api, backend) = (RoutingApi::start(), Backend::saying("here"));
    api.list(&[&RoutingApi::entry("app.test", &backend)]);
    let router = api
        .configure(restless())
        .with("isolation_segments", json!(["is1"]))
        .with("routing_table_sharding_mode", "segments")
        .start();
    let lists = api.lists().len();
    eventually("some lists", || {
        (api.lists().len() > lists + 2).then_some(())
    });
    assert_eq!(router.get("app.test", "/").status, 404);
}

#[test]
fn a_start_without_a_routing_api_says_nothing_of_one() {
    let router = Router::start();
    let log = router.log();
    for absent in ["setting-up-routing-api", "started-fetching-token"] {
        assert!(log.with_message(absent).is_empty());
    }
}
