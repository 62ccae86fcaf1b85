//! Route services: requests that go to a service first, and come back with its signature.

mod connections;
mod inside;
mod signatures;
mod there_and_back;

use cloverleaf_tests::{
    Authority, Backend, Client, Registration, Request, Response, Router, Start, TlsFront, ok,
};
use serde_json::json;

const SECRET: &str = "compat secret";

/// Made by GoRouter with this secret, for `http://app.test/p`, valid until 2099.
const GOOD: &str = "X-CF-Proxy-Signature: uep5fbqXGQlNkl75nvs-hkk7lVAYDvcgLqz9ZBhzUVs1oFiuTl2VlYORwKEv8ihsFVuX6q6QQm1NXpWDD9ia5_w6Cj_2_zT80burJf1U5PDWozvI0nE8_fEr7qEeaNvYfVqTJufsJQ==\r\nX-CF-Proxy-Metadata: eyJub25jZSI6Ing4bXQyTzBVcUZUWkFPQkMifQ==\r\n";
/// The same for 2020.
const EXPIRED: &str = "X-CF-Proxy-Signature: q8ykUwLzC28DbhkwtbF0TMSfIo2ZI9KeVvHL-xU0ev6lPKK-mJNOFBbFNv4SACQTZuv4Cgq602h26A5NnyTbIYi7Joaftchczj9jjolMGwI6GulRxvyH1QGwcJeJ\r\nX-CF-Proxy-Metadata: eyJub25jZSI6InJMUmNWWGhTblk4eWFMbnEifQ==\r\n";
/// With `previous secret`.
const FORMER: &str = "X-CF-Proxy-Signature: wcllVdn-3vS2f41DQ5am-VGGBNRqtkItiAXb5K8aK1bqP2K49QlIfcFpfdJ3SpAHswcUHARqQ5i96uwWpVpTBC9O4V3U-Wjhy9l57DpxvARmh-LJ4C9U591de1md\r\nX-CF-Proxy-Metadata: eyJub25jZSI6Im5UVE1tVkU0NnBaMXZ5UVkifQ==\r\n";

const HEADERS: [&str; 3] = [
    "X-CF-Forwarded-Url",
    "X-CF-Proxy-Metadata",
    "X-CF-Proxy-Signature",
];

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An application, the service before it, and who vouches for the service.
struct Town {
    authority: Authority,
    app: Backend,
    service: Backend,
    front: TlsFront,
}

impl Town {
    fn new() -> Town {
        Town::with(Backend::answering(|_| ok("checked")))
    }

    fn with(service: Backend) -> Town {
        let authority = Authority::new("service authority");
        let identity = authority.identity(&["localhost", "127.0.0.1"]);
        Town {
            app: Backend::saying("app"),
            front: TlsFront::before(&service, &identity),
            service,
            authority,
        }
    }

    /// Settings of a router that knows the secret and trusts the authority.
    fn router(&self) -> Start {
        Router::builder()
            .with("route_services_secret", SECRET)
            .with("ca_certs", json!([self.authority.certificate()]))
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/check?by=rs", self.front.port())
    }

    /// Starts the router with the route.
    fn open(&self, start: Start) -> Router {
        let router = start.start();
        let registration = Registration::of("app.test", &self.app);
        router.register(&registration.with("route_service_url", self.url()));
        router
    }
}

fn ask(client: &mut Client, target: &str, lines: &str) -> Response {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"
    ));
    client.response()
}

/// The header lines with which a service sends a request back.
fn headers_of(request: &Request) -> String {
    let line = |name: &&str| format!("{name}: {}\r\n", request.header(name).unwrap_or_default());
    HEADERS.iter().map(line).collect()
}

fn sees_none(request: &Request) -> bool {
    HEADERS.iter().all(|name| request.header(name).is_none())
}
