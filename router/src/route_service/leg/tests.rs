use time::macros::datetime;

use super::*;
use crate::config::{Config, RouteServices as Keys};
use crate::http1::{Parsed, request};
use crate::message::Head;
use crate::table::tests::world::{World, plain};

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const URL: &str = "https://rs.test/check";

/// A router with the routes `app.test` and `app.test/deep`.
struct Town {
    services: RouteServices,
    world: World,
}

impl Town {
    fn with(keys: Keys) -> Town {
        let config = Config {
            route_services_secret: "compat secret".into(),
            route_services: keys,
            ..Config::default()
        };
        let mut world = World::new();
        world.register(&["app.test", "app.test/deep"], &plain(1));
        Town {
            services: RouteServices::new(&config).unwrap().unwrap(),
            world,
        }
    }

    fn new() -> Town {
        Town::with(Keys::default())
    }

    /// The header lines of a request for `target` at `app.test` on its way to the service.
    fn signed(&self, target: &str) -> String {
        on("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", |request| {
            self.services
                .sign(request, &departure(target.as_bytes()))
                .unwrap();
            String::from_utf8(request.head.added.clone()).unwrap()
        })
    }

    fn judge(&self, route: &str, service_url: Option<&str>, lines: &str) -> Verdict {
        let pool = self.world.pool(route).unwrap();
        let asked = Asked {
            pool: &pool,
            service_url,
            websocket: lines.contains("Upgrade: websocket"),
            now: NOW + time::Duration::SECOND,
        };
        let text = format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n");
        on(&text, |request| {
            self.services.judge(request, &asked, &self.world.table)
        })
    }
}

fn departure(target: &[u8]) -> Departure<'_> {
    Departure {
        host: b"app.test",
        target,
        caller: None,
        now: NOW,
    }
}

fn on<T>(text: &str, act: impl FnOnce(&mut View<'_>) -> T) -> T {
    let mut head = Head::default();
    let parsed = request::parse(text.as_bytes(), &mut head);
    assert!(
        matches!(parsed, Parsed::Complete(_)),
        "{text:?}: {parsed:?}"
    );
    act(&mut View {
        head: &mut head,
        bytes: text.as_bytes(),
    })
}

#[test]
fn a_request_goes_to_the_service_and_comes_back() {
    let town = Town::new();
    let there = town.judge("app.test", Some(URL), "X-CF-Proxy-Signature:\r\n");
    let service = Arc::new(Service::parse(URL).unwrap());
    assert_eq!(there.leg, Ok(Leg::Service(service)));
    assert!(!there.from_service);
    let back = town.judge("app.test", Some(URL), &town.signed("/p?q"));
    assert_eq!(back.leg, Ok(Leg::Returned));
    assert!(back.from_service);
}

#[test]
fn a_signature_is_good_for_its_own_route_only() {
    let town = Town::new();
    let refused = |route, target: &str| {
        let verdict = town.judge(route, Some(URL), &town.signed(target));
        match verdict.leg {
            Err(Denial::Signature(invalid)) => invalid.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused("app.test/deep", "/p"),
        "original request URL app.test/p belongs to another route"
    );
    assert_eq!(
        refused("app.test", "/deep/er?x"),
        "original request URL app.test/deep/er belongs to another route"
    );
    let on_deep = town.judge("app.test/deep", Some(URL), &town.signed("/deep/er"));
    assert_eq!(on_deep.leg, Ok(Leg::Returned));
}

#[test]
fn what_a_client_says_in_the_headers_is_replaced() {
    let town = Town::new();
    let text = "GET / HTTP/1.1\r\nHost: a\r\nX-CF-Proxy-Metadata: forged\r\nx-cf-forwarded-url: forged\r\nX: y\r\n\r\n";
    on(text, |request| {
        town.services.sign(request, &departure(b"/")).unwrap();
        let kept = request.head.fields.iter().filter(|field| field.keep);
        assert_eq!(kept.count(), 2);
        let added = String::from_utf8_lossy(&request.head.added);
        assert!(
            added.starts_with("X-CF-Forwarded-Url: http://app.test/\r\n"),
            "{added}"
        );
        assert_eq!(added.lines().count(), 3);
    });
}

#[test]
fn on_a_route_without_a_service_only_strict_mode_minds_a_signature() {
    let forged = "X-CF-Proxy-Signature: forged\r\nX-CF-Forwarded-Url: http://app.test/\r\n";
    let lax = Town::new();
    let app = Verdict {
        leg: Ok(Leg::App),
        from_service: false,
        caller: None,
    };
    assert_eq!(lax.judge("app.test", None, forged), app);
    let strict = Town::with(Keys {
        strict_signature_validation: true,
        ..Keys::default()
    });
    for lines in [forged, "X-CF-Proxy-Signature:\r\n"] {
        let verdict = strict.judge("app.test", None, lines);
        assert!(matches!(verdict.leg, Err(Denial::Strict(_))), "{verdict:?}");
    }
    assert_eq!(
        strict.judge("app.test", None, "X-CF-Forwarded-Url: x\r\n"),
        app
    );
    // A service that is itself an application.
    for town in [&lax, &strict] {
        let signed = town.signed("/else");
        let verdict = town.judge("app.test", None, &signed);
        assert_eq!(verdict.leg, Ok(Leg::App));
        assert!(verdict.from_service);
        let without_url = signed.split_once("\r\n").unwrap().1;
        assert_eq!(town.judge("app.test", None, without_url), app);
    }
}

#[test]
fn websockets_pass_unless_they_may_not() {
    let lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let verdict = Town::new().judge("app.test", Some(URL), lines);
    assert!(matches!(verdict.leg, Ok(Leg::Service(_))));
    let without = Town::with(Keys {
        enable_websockets: false,
        ..Keys::default()
    });
    let verdict = without.judge("app.test", Some(URL), lines);
    assert_eq!(verdict.leg, Err(Denial::Websocket));
    assert_eq!(without.judge("app.test", None, lines).leg, Ok(Leg::App));
}

#[test]
fn a_service_whose_url_is_none_gets_nothing() {
    let verdict = Town::new().judge("app.test", Some("https://"), "");
    assert_eq!(verdict.leg, Err(Denial::Failed));
}

//
#[test]
fn who_called_comes_back_with_the_signature_and_from_nowhere_else() {
    let town = Town::new();
    let caller = Caller {
        app: "app-1".into(),
        ..Caller::default()
    };
    let lines = on("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", |request| {
        let departure = Departure {
            caller: Some(&caller),
            ..departure(b"/")
        };
        town.services.sign(request, &departure).unwrap();
        String::from_utf8(request.head.added.clone()).unwrap()
    });
    let back = town.judge("app.test", Some(URL), &lines);
    assert_eq!(back.leg, Ok(Leg::Returned));
    assert_eq!(back.caller, Some(caller));
    // On a route without a service it is somebody else's signature.
    assert_eq!(town.judge("app.test", None, &lines).caller, None);
    assert_eq!(town.judge("app.test/deep", Some(URL), &lines).caller, None);
    let unnamed = town.signed("/");
    assert_eq!(town.judge("app.test", Some(URL), &unnamed).caller, None);
}
