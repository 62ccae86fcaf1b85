//! The listeners for operators that speak TLS.

use cloverleaf_tests::{Authority, Folder, Identity, Port, Router, Start, TlsClient};
use rustix::process::Signal;
use rustls::ProtocolVersion;
use serde_json::json;

struct Health {
    authority: Authority,
    port: Port,
}

impl Health {
    fn new() -> Health {
        Health {
            authority: Authority::new("health authority"),
            port: Port::reserve(),
        }
    }

    fn router(&self) -> Start {
        let identity = self.authority.identity(&["127.0.0.1"]);
        Router::builder().with(
            "status.tls",
            json!({
                "port": self.port.number(),
                "certificate": identity.certificate,
                "key": identity.key,
            }),
        )
    }

    #[track_caller]
    fn client(&self, protocols: &[&str]) -> TlsClient {
        let config = self.authority.anonymous_client_config(protocols);
        TlsClient::connect(self.port.number(), config).expect("a TLS connection")
    }
}

//
#[test]
fn health_is_told_over_tls_with_the_versions_of_the_front_end() {
    let health = Health::new();
    let _router = health.router().start();
    let client = health.client(&[]);
    // The highest version of the front end is 1.2 by default.
    assert_eq!(client.version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(client.alpn(), None);
    let answer = client.get("/health").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nCache-Control: private, max-age=0\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
    let other = health
        .client(&["http/1.1"])
        .get("/varz")
        .expect("an answer");
    assert!(other.starts_with("HTTP/1.1 404 Not Found\r\n"), "{other}");
}

#[test]
fn health_is_told_over_http_2_where_that_is_enabled() {
    let health = Health::new();
    let _router = health.router().start();
    let mut client = health.client(&["h2", "http/1.1"]);
    assert_eq!(client.alpn().as_deref(), Some("h2"));
    assert_eq!(ask_over_http_2(&mut client), (0x88, b"ok\n".to_vec()));

    let without = Health::new();
    let _router = without.router().with("enable_http2", false).start();
    assert_eq!(without.client(&["http/1.1"]).alpn(), None);
}

/// Asks for `/health` on stream 1 (RFC 9113). Gives the first byte of the answer's header block, 0x88 for a status of 200
/// (RFC 7541, static table), and the body.
fn ask_over_http_2(client: &mut TlsClient) -> (u8, Vec<u8>) {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        frame.extend_from_slice(payload);
        frame
    };
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend(frame(SETTINGS, 0, 0, &[]));
    // GET, https, the path and the authority spelt out; the stream ends with its headers.
    let block = b"\x82\x87\x04\x07/health\x01\x01x";
    request.extend(frame(HEADERS, 0x5, 1, block));
    client.send(request).expect("a request");
    let (mut status, mut body) = (0, Vec::new());
    loop {
        let head = client.exactly(9).expect("a frame");
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = client.exactly(length).expect("its payload");
        match (head[3], head[8]) {
            (HEADERS, 1) => status = payload[0],
            (DATA, 1) => body.extend(payload),
            _ => continue,
        }
        if head[4] & 1 == 1 {
            return (status, body);
        }
    }
}

#[test]
fn health_over_tls_can_be_the_only_one() {
    let health = Health::new();
    let router = health
        .router()
        .with("status.enable_nontls_health_checks", false)
        .with("start_response_delay_interval", "60s")
        .launch();
    router.wait_for_event("subscriber-started");
    let early = health.client(&[]).get("/health").expect("an answer");
    assert!(
        early.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{early}"
    );
    assert!(std::net::TcpStream::connect(("127.0.0.1", router.status_port())).is_err());
}

//
#[test]
fn health_over_tls_fails_as_soon_as_a_drain_begins_and_stays_to_tell() {
    let health = Health::new();
    let mut router = health.router().with("drain_wait", "1s").start();
    let ask = || health.client(&[]).get("/health").expect("an answer");
    assert!(ask().starts_with("HTTP/1.1 200 OK\r\n"));
    router.process().signal(Signal::USR1);
    router.wait_for_event("gorouter-draining");
    let sick = ask();
    assert!(
        sick.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{sick}"
    );
    assert!(
        sick.contains("\r\nCache-Control: private, max-age=0\r\n"),
        "{sick}"
    );
    assert_eq!(router.get("unknown.test", "/").status, 404, "serves on");
    assert_eq!(router.process().wait().code(), Some(0));
}

/// What the metrics listener is configured with.
struct Scraped {
    authority: Authority,
    folder: Folder,
    port: Port,
}

impl Scraped {
    fn new() -> Scraped {
        Scraped {
            authority: Authority::new("metrics authority"),
            folder: Folder::new(),
            port: Port::reserve(),
        }
    }

    fn router(&self) -> Start {
        let identity = self.authority.identity(&["127.0.0.1"]);
        let file = |name: &str, text: &str| json!(self.folder.write(name, text));
        Router::builder().with(
            "prometheus",
            json!({
                "enabled": true,
                "port": self.port.number(),
                "cert_path": file("metrics.crt", &identity.certificate),
                "key_path": file("metrics.key", &identity.key),
                "ca_path": file("authority.crt", self.authority.certificate()),
            }),
        )
    }

    fn scrape_as(&self, identity: &Identity) -> std::io::Result<String> {
        let config = self.authority.client_config(identity);
        TlsClient::connect(self.port.number(), config)?.get("/metrics")
    }
}

//
#[test]
fn metrics_over_tls_are_for_clients_with_a_certificate() {
    let scraped = Scraped::new();
    let router = scraped.router().start();
    let text = scraped
        .scrape_as(&scraped.authority.identity(&["scraper.test"]))
        .expect("metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    for name in [
        "promhttp_metric_handler_errors_total",
        "total_routes",
        "uptime",
    ] {
        assert!(text.contains(&format!("\n# TYPE {name} ")), "{name}");
    }

    let stranger = Authority::new("metrics authority").identity(&["scraper.test"]);
    assert!(scraped.scrape_as(&stranger).is_err());
    let nobody = scraped.authority.anonymous_client_config(&[]);
    let refused = TlsClient::connect(scraped.port.number(), nobody)
        .and_then(|client| client.get("/metrics"))
        .expect_err("no certificate, no metrics");
    assert!(
        refused.to_string().contains("CertificateRequired"),
        "{refused}"
    );
    // Unlike without TLS it is there for other machines.
    assert!(std::net::TcpStream::connect(("127.0.0.2", scraped.port.number())).is_ok());
    drop(router);
}

#[test]
fn a_metrics_certificate_that_is_not_there_ends_the_start() {
    let scraped = Scraped::new();
    let mut router = scraped
        .router()
        .with("prometheus.cert_path", "missing.crt")
        .launch();
    assert_eq!(router.process().wait().code(), Some(1));
    let event = router.log().with_message("gorouter.start-failed");
    let error = event[0].data("error").as_str().expect("a text");
    assert!(
        error.contains("prometheus.cert_path missing.crt"),
        "{error}"
    );
}
