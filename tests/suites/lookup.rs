//! From host and path to a pool.

use cloverleaf_tests::{Backend, Registration, Router};

/// A router with a backend for each of these routes, which answers with the route's name.
fn routes(uris: &[&str]) -> (Router, Vec<Backend>) {
    let router = Router::start();
    let backend = |uri: &&str| {
        let backend = Backend::saying(uri);
        router.register(&Registration::of(uri, &backend));
        backend
    };
    let backends = uris.iter().map(backend).collect();
    (router, backends)
}

/// The route that answers, or the status.
fn answer(router: &Router, host: &str, target: &str) -> String {
    let response = router.get(host, target);
    if response.status == 200 {
        response.text()
    } else {
        response.status.to_string()
    }
}

//
#[test]
fn an_unknown_host_is_told_so() {
    let router = Router::start();
    let response = router.get("unknown", "/");
    assert_eq!(response.status, 404);
    assert_eq!(response.header("X-Cf-RouterError"), Some("unknown_route"));
    assert_eq!(response.header("Cache-Control"), Some("no-cache, no-store"));
    assert_eq!(
        response.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        response.text(),
        "404 Not Found: Requested route ('unknown') does not exist.\n"
    );
    assert_eq!(router.access_log().line().status, "404");
}

// covers: R-076 R-080 R-081
#[test]
fn paths_match_by_whole_segments_the_longest_first() {
    let (router, _backends) = routes(&["a.test", "a.test/x", "a.test/x/y/"]);
    for (target, route) in [
        ("/", "a.test"),
        ("/xy", "a.test"),
        ("/x", "a.test/x"),
        ("/X", "a.test/x"),
        ("/x/z", "a.test/x"),
        ("/x/yy", "a.test/x"),
        ("/x/y", "a.test/x/y/"),
        ("/x/y/", "a.test/x/y/"),
        ("/x/y?z=/x", "a.test/x/y/"),
    ] {
        assert_eq!(answer(&router, "a.test", target), route, "{target}");
        assert_eq!(
            answer(&router, "a.test:1234", target),
            route,
            "{target} with a port"
        );
    }
}

// covers: R-082 R-083 R-084 R-085 R-086
#[test]
fn wildcards_match_what_no_exact_host_does() {
    let (router, _backends) = routes(&[
        "*.b.test",
        "a.b.test",
        "*.a.b.test",
        "*.p.test/p",
        "e.test/p",
        "*.test",
    ]);
    for (host, target, route) in [
        ("a.b.test", "/", "a.b.test"),
        ("c.b.test", "/", "*.b.test"),
        ("d.c.b.test", "/", "*.b.test"),
        ("x.a.b.test", "/", "*.a.b.test"),
        ("b.test", "/", "*.test"),
        ("a.p.test", "/p/q", "*.p.test/p"),
        ("a.p.test", "/", "*.test"),
        ("e.test", "/p", "e.test/p"),
        ("e.test", "/", "*.test"),
    ] {
        assert_eq!(answer(&router, host, target), route, "{host}{target}");
    }
    assert_eq!(answer(&router, "test", "/"), "404");
}

//
#[test]
fn an_escape_in_a_path_is_matched_as_it_is_written() {
    let (router, _backends) = routes(&["a.test", "a.test/b%20c", "a.test/d%2fe"]);
    assert_eq!(answer(&router, "a.test", "/b%20c/z"), "a.test/b%20c");
    assert_eq!(answer(&router, "a.test", "/d%2Fe"), "a.test/d%2fe");
    assert_eq!(answer(&router, "a.test", "/d/e"), "a.test");
}

// covers: R-077 R-078 R-079
#[test]
fn a_host_that_is_none_is_refused() {
    let router = Router::start();
    let mut client = router.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!(
        (response.status, response.header("X-Cf-RouterError")),
        (400, Some("empty_host"))
    );
    assert_eq!(response.header("Cache-Control"), Some("public,max-age=2"));
    assert_eq!(
        response.text(),
        "400 Bad Request: Request had empty Host header\n"
    );

    assert_eq!(
        router.get("127.0.0.1", "/").header("X-Cf-RouterError"),
        Some("empty_host")
    );
    for host in ["<script>", "a b", "user@a.test"] {
        assert_eq!(
            router.get(host, "/").text(),
            "400 Bad Request: malformed Host header",
            "{host}"
        );
    }
}

// covers: R-089 R-091 R-092
#[test]
fn an_emptied_route_that_is_kept_answers_503_and_hides_the_wildcard_until_its_time_is_up() {
    let router = Router::builder()
        .with("empty_pool_response_code_503", true)
        .with("empty_pool_timeout", "1s")
        .with("prune_stale_droplets_interval", "50ms")
        .start();
    let (exact, wildcard) = (Backend::saying("exact"), Backend::saying("wildcard"));
    let route = Registration::of("a.b.test", &exact);
    router.register(&Registration::of("*.b.test", &wildcard));
    router.register(&route);
    router.unregister(&route);

    let response = router.get("a.b.test", "/");
    assert_eq!(
        (response.status, response.header("X-Cf-RouterError")),
        (503, Some("no_endpoints"))
    );
    assert_eq!(response.header("Cache-Control"), Some("public,max-age=2"));
    assert_eq!(
        response.text(),
        "503 Service Unavailable: Requested route ('a.b.test') has no available endpoints.\n"
    );
    cloverleaf_tests::eventually("the kept pool to go", || {
        (answer(&router, "a.b.test", "/") == "wildcard").then_some(())
    });
}

// covers: R-088 R-090
#[test]
fn without_a_time_to_keep_it_an_emptied_route_is_gone_at_once() {
    let router = Router::builder()
        .with("empty_pool_response_code_503", true)
        .start();
    let (deep, shallow) = (Backend::saying("deep"), Backend::saying("shallow"));
    let route = Registration::of("a.test/x", &deep);
    router.register(&Registration::of("a.test", &shallow));
    router.register(&route);
    assert_eq!(answer(&router, "a.test", "/x"), "deep");
    router.unregister(&route);
    assert_eq!(answer(&router, "a.test", "/x"), "shallow");
    router.unregister(&Registration::of("a.test", &shallow));
    assert_eq!(answer(&router, "a.test", "/x"), "404");
}
