//! Callers whose requests go through a route service.

use cloverleaf_tests::{Backend, Request, Router, TlsFront, ok};
use serde_json::json;

use super::{World, caller, guarded};

const HOST: &str = "a.apps.identity";
const HEADERS: [&str; 3] = [
    "X-CF-Forwarded-Url",
    "X-CF-Proxy-Metadata",
    "X-CF-Proxy-Signature",
];

/// An application that lets one caller in, behind a service.
struct Town {
    world: World,
    app: Backend,
    service: Backend,
    router: Router,
    _front: TlsFront,
}

impl Town {
    fn new(mode: &str) -> Town {
        let world = World::new();
        let service = Backend::answering(|_| ok("checked"));
        let front = TlsFront::before(&service, &world.edge.identity(&["localhost"]));
        let mut domain = world.domain("*.apps.identity");
        domain["forwarded_client_cert"] = mode.into();
        let router = world
            .router_with(vec![domain])
            .with("route_services_secret", "compat secret")
            .with("ca_certs", json!([world.edge.certificate()]))
            .start();
        let app = Backend::saying("app");
        let registration = guarded(HOST, &app, "any", "cf:app:friend");
        let url = format!("https://localhost:{}/check", front.port());
        router.register(&registration.with("route_service_url", url));
        Town {
            world,
            app,
            service,
            router,
            _front: front,
        }
    }

    /// Sends `lines` as the application `app`, and gives the answer's status and body.
    fn ask(&self, app: &str, lines: &str) -> (u16, String) {
        let identity = self.world.members.instance(app, "s", "o");
        let mut client = self
            .world
            .connect(HOST, self.world.showing(&identity))
            .expect("a client");
        let (head, body) = client
            .ask(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n"))
            .expect("an answer");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = String::from_utf8_lossy(&body).into_owned();
        (status.unwrap_or(0), body)
    }
}

/// What the service sends back, with another word on who the client is.
fn back(request: &Request, certificate: &str) -> String {
    let line = |name: &&str| format!("{name}: {}\r\n", request.header(name).unwrap_or_default());
    let lines: String = HEADERS.iter().map(line).collect();
    format!("{lines}X-Forwarded-Client-Cert: {certificate}\r\n")
}

//
#[test]
fn the_caller_is_who_asked_first_whatever_the_service_or_the_client_say() {
    for mode in ["sanitize_set", "forward", "always_forward"] {
        let town = Town::new(mode);
        let friend = town.world.members.instance("friend", "s", "o");
        let certificate: String = friend
            .certificate
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        // The policy is for the application: who may not reach it still reaches the service.
        for (asking, status) in [("friend", 200), ("thief", 403)] {
            let lie = format!("X-Forwarded-Client-Cert: {certificate}\r\n");
            assert_eq!(
                town.ask(asking, &lie),
                (200, "checked".to_owned()),
                "{mode}"
            );
            let there = town.service.requests().pop().expect("a request");
            let (found, _) = town.ask("service", &back(&there, &certificate));
            assert_eq!(found, status, "{mode} {asking}");
        }
        assert_eq!(town.app.requests().len(), 1, "{mode}");
        let lines = town.router.access_log().wait_for(4);
        assert_eq!(caller(&lines[0]), ["friend", "o", "s", "-"]);
        assert_eq!(
            caller(&lines[1]),
            ["friend", "o", "s", "route:cf:app:friend"]
        );
        assert_eq!(
            caller(&lines[3]),
            ["thief", "o", "s", "route:route_policies"]
        );
    }
}

/// Made by GoRouter with the secret for `http://app.test/p`: it does not name a caller.
const FOREIGN: &str = "X-CF-Proxy-Signature: uep5fbqXGQlNkl75nvs-hkk7lVAYDvcgLqz9ZBhzUVs1oFiuTl2VlYORwKEv8ihsFVuX6q6QQm1NXpWDD9ia5_w6Cj_2_zT80burJf1U5PDWozvI0nE8_fEr7qEeaNvYfVqTJufsJQ==\r\nX-CF-Proxy-Metadata: eyJub25jZSI6Ing4bXQyTzBVcUZUWkFPQkMifQ==\r\n";

//
#[test]
fn a_signature_of_another_route_lends_nobodys_name() {
    let town = Town::new("sanitize_set");
    let (status, _) = town.ask("friend", FOREIGN);
    assert_eq!(status, 502);
    assert!(town.app.requests().is_empty());
}

//
#[test]
fn a_service_that_comes_back_without_a_certificate_of_the_domain_is_turned_away() {
    let town = Town::new("sanitize_set");
    assert_eq!(town.ask("friend", "").0, 200);
    let lines = back(&town.service.request(), "");
    let mut client = town.router.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n"));
    assert_eq!(client.response().status, 421);
    assert!(town.app.requests().is_empty());
}
