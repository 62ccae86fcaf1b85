//! Sticky sessions: a client with a session goes to the instance that knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_tests::{
    Authority, Backend, Client, Gate, RefusedPort, Registration, Request, Response, Router, Start,
    TlsFront, ok,
};

const HTTP_OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";

/// An instance that says who it is, with more header lines for requests to `/login`.
fn instance(name: &'static str, on_login: &str) -> Backend {
    let on_login = on_login.to_owned();
    Backend::answering(move |request: &Request| match request.target() {
        "/login" => format!("{HTTP_OK}{on_login}\r\n{name}"),
        _ => format!("{HTTP_OK}\r\n{name}"),
    })
}

/// A router with these instances of one application, whose ids are their names `i0`, `i1`, ...
fn serving(start: Start, instances: &[&Backend]) -> Router {
    let router = start.start();
    for (number, backend) in instances.iter().enumerate() {
        router.register(&registration(number, backend.port()));
    }
    router
}

fn registration(number: usize, port: u16) -> Registration {
    Registration::at("app.test", port).with("private_instance_id", format!("i{number}"))
}

fn ask(client: &mut Client, target: &str, lines: &str) -> Response {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"
    ));
    client.response()
}

fn cookies(response: &Response) -> Vec<&str> {
    response.headers.all("Set-Cookie").collect()
}

/// What a browser without regard for attributes sends back.
fn jar(response: &Response) -> String {
    let mut jar = BTreeMap::new();
    for cookie in cookies(response) {
        let pair = cookie.split(';').next().unwrap_or_default();
        jar.extend(pair.split_once('='));
    }
    let pairs: Vec<String> = jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("Cookie: {}\r\n", pairs.join("; "))
}

//
#[test]
fn a_session_stays_with_its_instance_every_time() {
    let login = "Set-Cookie: JSESSIONID=abc; Path=/\r\n";
    let instances = [
        instance("i0", login),
        instance("i1", login),
        instance("i2", login),
    ];
    let router = serving(Router::builder(), &instances.each_ref());
    let mut client = router.client();
    for _ in 0..3 {
        let answer = ask(&mut client, "/login", "");
        let me = answer.text();
        assert_eq!(
            cookies(&answer),
            [
                "JSESSIONID=abc; Path=/".to_owned(),
                format!("__VCAP_ID__={me}; Path=/; HttpOnly"),
                "__VCAP_ID_META__=; Path=/; HttpOnly".to_owned(),
            ]
        );
        let jar = jar(&answer);
        for _ in 0..100 {
            let answer = ask(&mut client, "/", &jar);
            assert_eq!((answer.text(), cookies(&answer)), (me.clone(), vec![]));
        }
    }
    // The application sees what the client sends.
    let requests = instances[0].requests();
    let seen = requests.last().and_then(|request| request.header("Cookie"));
    assert_eq!(
        seen,
        Some("JSESSIONID=abc; __VCAP_ID_META__=; __VCAP_ID__=i0")
    );
}

//
#[test]
fn without_a_session_cookie_requests_are_balanced_and_nobody_is_named() {
    let login = "Set-Cookie: OTHER=abc\r\n";
    let instances = [instance("i0", login), instance("i1", login)];
    let router = serving(Router::builder(), &instances.each_ref());
    let mut client = router.client();
    assert_eq!(cookies(&ask(&mut client, "/login", "")), ["OTHER=abc"]);
    for _ in 0..10 {
        let answer = ask(&mut client, "/", "Cookie: __VCAP_ID__=i0\r\n");
        assert_eq!(cookies(&answer), [""; 0]);
    }
    let counts = instances.each_ref().map(|backend| backend.requests().len());
    assert!(counts.iter().all(|&count| count >= 5), "{counts:?}");
}

//
#[test]
fn a_pin_to_an_instance_that_is_gone_is_renewed_with_what_is_left_of_its_attributes() {
    let backend = instance("i0", "");
    let router = serving(Router::builder(), &[&backend]);
    let mut client = router.client();
    let renewed = |client: &mut Client, meta: &str| {
        let answer = ask(
            client,
            "/",
            &format!("Cookie: JSESSIONID=x; __VCAP_ID__=gone{meta}\r\n"),
        );
        assert_eq!(answer.text(), "i0");
        cookies(&answer).join("|")
    };
    assert_eq!(renewed(&mut client, ""), "__VCAP_ID__=i0; Path=/; HttpOnly");
    assert_eq!(
        renewed(
            &mut client,
            "; __VCAP_ID_META__=secure&expires=1924992000&maxage=-1&samesite=none"
        ),
        "__VCAP_ID__=i0; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=None"
    );
    assert_eq!(
        renewed(
            &mut client,
            "; __VCAP_ID_META__=maxage=soon&&partitioned&\"&samesite=strict"
        ),
        "__VCAP_ID__=i0; Path=/; HttpOnly; SameSite=Strict; Partitioned"
    );
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let end = now.expect("a clock").as_secs() + 600;
    let cookie = renewed(&mut client, &format!("; __VCAP_ID_META__=maxage={end}"));
    let left = cookie.strip_prefix("__VCAP_ID__=i0; Path=/; Max-Age=");
    let left = left.and_then(|rest| rest.strip_suffix("; HttpOnly"));
    let left: u64 = left.and_then(|left| left.parse().ok()).unwrap_or_default();
    assert!((500..=600).contains(&left), "{cookie}");
}

//
#[test]
fn a_pinned_instance_that_cannot_be_reached_gives_way_to_another() {
    let (alive, dead) = (instance("i0", ""), RefusedPort::new());
    let router = serving(Router::builder(), &[&alive]);
    router.register(&registration(1, dead.number()));
    let mut client = router.client();
    for _ in 0..5 {
        let answer = ask(&mut client, "/", "Cookie: JSESSIONID=x; __VCAP_ID__=i1\r\n");
        assert_eq!(answer.text(), "i0");
        assert_eq!(cookies(&answer), ["__VCAP_ID__=i0; Path=/; HttpOnly"]);
    }
}

//
#[test]
fn nobody_is_named_beside_an_applications_own_pin_or_without_an_instance_id() {
    let own = "Set-Cookie: JSESSIONID=x\r\nSet-Cookie: __VCAP_ID__=mine\r\n";
    let backend = instance("i0", own);
    let router = serving(Router::builder(), &[&backend]);
    let answer = ask(&mut router.client(), "/login", "");
    assert_eq!(cookies(&answer), ["JSESSIONID=x", "__VCAP_ID__=mine"]);

    let backend = instance("i0", "Set-Cookie: JSESSIONID=x\r\n");
    let router = Router::start();
    let nameless =
        Registration::of("app.test", &backend).with("private_instance_id", serde_json::Value::Null);
    router.register(&nameless);
    let mut client = router.client();
    assert_eq!(cookies(&ask(&mut client, "/login", "")), ["JSESSIONID=x"]);
    let stale = "Cookie: JSESSIONID=x; __VCAP_ID__=gone\r\n";
    assert_eq!(cookies(&ask(&mut client, "/", stale)), [""; 0]);
}

//
#[test]
fn the_pair_has_the_attributes_of_the_applications_cookie_and_comes_once_for_each() {
    let added = |start: Start, lines: &str| {
        let backend = instance("i0", lines);
        let router = serving(start, &[&backend]);
        let answer = ask(&mut router.client(), "/login", "");
        let ours = cookies(&answer)
            .into_iter()
            .filter(|cookie| cookie.starts_with("__VCAP"));
        ours.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = "Set-Cookie: JSESSIONID=x; Path=/x; Domain=app.test; Expires=Wed, 01 Jan 2031 00:00:00 GMT; SameSite=None; Secure; Partitioned\r\n";
    let attributes = "; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly; Secure; SameSite=None; Partitioned";
    assert_eq!(
        added(Router::builder(), lines),
        [
            format!("__VCAP_ID__=i0{attributes}"),
            format!(
                "__VCAP_ID_META__=secure&partitioned&expires=1924992000&samesite=none{attributes}"
            )
        ]
    );
    let lines = "Set-Cookie: JSESSIONID=; Max-Age=0\r\nSet-Cookie: JSESSIONID=y; Max-Age=60; SameSite=Lax\r\n";
    let pairs = added(Router::builder().with("secure_cookies", true), lines);
    assert_eq!(
        pairs[..3],
        [
            "__VCAP_ID__=i0; Path=/; Max-Age=0; HttpOnly; Secure",
            "__VCAP_ID_META__=maxage=-1; Path=/; Max-Age=0; HttpOnly; Secure",
            "__VCAP_ID__=i0; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
        ]
    );
    let meta = pairs[3].strip_prefix("__VCAP_ID_META__=maxage=");
    let (end, rest) = meta.and_then(|meta| meta.split_once('&')).expect("an end");
    assert!(
        end.parse::<u64>().is_ok_and(|end| end > 1_700_000_060),
        "{end}"
    );
    assert_eq!(
        rest,
        "samesite=lax; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
    );
}

//
#[test]
fn the_path_of_the_pair_is_the_context_path_of_the_route() {
    let backend = instance("i0", "");
    let router = Router::start();
    let registration = Registration::of("app.test/Some/ctx", &backend);
    router.register(&registration.with("private_instance_id", "i0"));
    let stale = "Cookie: JSESSIONID=x; __VCAP_ID__=gone\r\n";
    let answer = ask(&mut router.client(), "/Some/ctx/deeper", stale);
    assert_eq!(
        cookies(&answer),
        ["__VCAP_ID__=i0; Path=/Some/ctx; HttpOnly"]
    );
}

//
#[test]
fn other_names_may_be_configured_and_the_host_prefix_is_understood() {
    let instances = [
        instance("i0", "Set-Cookie: JSESSIONID=x\r\n"),
        instance("i1", "Set-Cookie: __Host-SESSION=x; Secure; Path=/\r\n"),
    ];
    let names = vec!["SESSION", "OTHER"];
    let start = Router::builder().with("sticky_session_cookie_names", names);
    let router = serving(start, &instances.each_ref());
    let mut client = router.client();
    let to = |name: &str, id: &str| format!("Cookie: {name}=x; __VCAP_ID__={id}\r\n");
    assert_eq!(
        cookies(&ask(&mut client, "/login", &to("OTHER", "i0"))).len(),
        1
    );
    assert_eq!(
        cookies(&ask(&mut client, "/login", &to("OTHER", "i1"))).len(),
        3
    );
    for name in ["SESSION", "__Host-SESSION", "__Host-OTHER"] {
        for _ in 0..4 {
            assert_eq!(ask(&mut client, "/", &to(name, "i0")).text(), "i0");
        }
    }
    for name in ["JSESSIONID", "__host-SESSION", "session"] {
        let answers = [(); 4].map(|()| ask(&mut client, "/", &to(name, "i0")).text());
        assert!(answers.contains(&"i1".to_owned()), "{name}: {answers:?}");
    }
}

/// An instance that holds requests to `/hold` until the gate is open.
fn holding(gate: &Arc<Gate>) -> Backend {
    let gate = Arc::clone(gate);
    Backend::answering(move |request: &Request| {
        if request.target() == "/hold" {
            gate.wait();
        }
        ok("i0")
    })
}

//
#[test]
fn a_pinned_instance_at_its_connection_limit_is_passed_over() {
    let gate = Arc::new(Gate::default());
    let (full, free) = (holding(&gate), instance("i1", ""));
    let router = serving(
        Router::builder().with("backends.max_conns", 1),
        &[&full, &free],
    );
    let pin = "Cookie: JSESSIONID=x; __VCAP_ID__=i0\r\n";
    let mut busy = router.client();
    busy.send(format!("GET /hold HTTP/1.1\r\nHost: app.test\r\n{pin}\r\n"));
    full.wait_for_requests(1);
    let mut client = router.client();
    let answer = ask(&mut client, "/", pin);
    assert_eq!(answer.text(), "i1");
    assert_eq!(cookies(&answer), ["__VCAP_ID__=i1; Path=/; HttpOnly"]);
    gate.open();
    assert_eq!(busy.response().text(), "i0");
    assert_eq!(ask(&mut client, "/", pin).text(), "i0");
}

//
#[test]
fn a_login_with_negotiate_stays_with_its_instance() {
    let challenge = "WWW-Authenticate: Negotiate abc\r\nSet-Cookie: JSESSIONID=x\r\n";
    let instances = [instance("i0", challenge), instance("i1", challenge)];
    let start = Router::builder().with("sticky_sessions_for_auth_negotiate", true);
    let router = serving(start, &instances.each_ref());
    let mut client = router.client();
    let answer = ask(&mut client, "/login", "");
    let me = answer.text();
    let pin = format!("__VCAP_ID__={me}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
    assert_eq!(cookies(&answer), ["JSESSIONID=x", &pin]);
    let login = format!("Authorization: negotiate xyz\r\nCookie: __VCAP_ID__={me}\r\n");
    for _ in 0..10 {
        assert_eq!(ask(&mut client, "/", &login).text(), me);
    }
    // Of another scheme the pin alone says nothing.
    let others = [(); 4].map(|()| {
        let lines = format!("Authorization: Basic xyz\r\nCookie: __VCAP_ID__={me}\r\n");
        ask(&mut client, "/", &lines).text()
    });
    assert!(others.iter().any(|other| *other != me), "{others:?}");
}

//
#[test]
fn a_login_whose_instance_is_gone_full_or_dead_fails() {
    let gate = Arc::new(Gate::default());
    let (full, free, dead) = (holding(&gate), instance("i1", ""), RefusedPort::new());
    let start = Router::builder()
        .with("sticky_sessions_for_auth_negotiate", true)
        .with("backends.max_conns", 1);
    let router = serving(start, &[&full, &free]);
    router.register(&registration(2, dead.number()));
    let mut busy = router.client();
    busy.send(
        "GET /hold HTTP/1.1\r\nHost: app.test\r\nCookie: JSESSIONID=x; __VCAP_ID__=i0\r\n\r\n",
    );
    full.wait_for_requests(1);
    let mut client = router.client();
    for (id, error) in [
        ("gone", "endpoint_failure (No endpoints available)"),
        ("i0", "endpoint_failure (No endpoints available)"),
        ("i2", "endpoint_failure (dial tcp"),
    ] {
        let lines = format!("Authorization: Negotiate xyz\r\nCookie: __VCAP_ID__={id}\r\n");
        let answer = ask(&mut client, "/", &lines);
        let said = answer.header("X-Cf-RouterError").unwrap_or_default();
        assert_eq!(answer.status, 502, "{id}");
        assert!(said.starts_with(error), "{id}: {said}");
    }
    assert_eq!(free.requests().len(), 0);
    let unselected = router.log().with_message("select-endpoint-failed");
    assert_eq!(unselected.len(), 2, "{unselected:?}");
    gate.open();
    assert_eq!(busy.response().text(), "i0");
}

#[test]
fn an_upgraded_connection_is_pinned_like_any_other() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: JSESSIONID=x\r\n\r\n")
    });
    let router = serving(Router::builder(), &[&backend]);
    let mut client = router.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let answer = client.head();
    assert_eq!(answer.status, 101);
    assert_eq!(
        cookies(&answer),
        [
            "JSESSIONID=x",
            "__VCAP_ID__=i0; Path=/; HttpOnly",
            "__VCAP_ID_META__=; Path=/; HttpOnly"
        ]
    );
}

#[test]
fn a_route_service_is_no_instance_to_stay_with() {
    let (app, service) = (
        instance("i0", ""),
        instance("rs", "Set-Cookie: JSESSIONID=x\r\n"),
    );
    let authority = Authority::new("service authority");
    let front = TlsFront::before(&service, &authority.identity(&["localhost"]));
    let router = Router::builder()
        .with("route_services_secret", "a secret")
        .with("ca_certs", serde_json::json!([authority.certificate()]))
        .start();
    let url = format!("https://localhost:{}/login", front.port());
    router.register(&Registration::of("app.test", &app).with("route_service_url", url));
    let stale = "Cookie: JSESSIONID=y; __VCAP_ID__=gone\r\n";
    let answer = ask(&mut router.client(), "/", stale);
    assert_eq!(answer.text(), "rs");
    assert_eq!(cookies(&answer), ["JSESSIONID=x"]);
}
