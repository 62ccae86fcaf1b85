//! What applications are told of the certificates of their callers.

use cloverleaf_tests::{Backend, Identity, Registration, Request};
use serde_json::{Value, json};

use super::World;

const LIE: &str = "X-Forwarded-Client-Cert: lie\r\n";
const LIES: &str = "X-Forwarded-Client-Cert: lie\r\nX_Forwarded_Client_Cert: lie\r\n\
    Connection: X-Forwarded-Client-Cert\r\n";

/// What the application sees of a caller that lies about itself.
fn seen(keys: &[(&str, &str)], identity: impl Fn(&World) -> Identity) -> (Request, Identity) {
    told(LIES, keys, identity)
}

/// As [`seen`], with these header lines.
fn told(
    lines: &str,
    keys: &[(&str, &str)],
    identity: impl Fn(&World) -> Identity,
) -> (Request, Identity) {
    let world = World::new();
    let backend = Backend::saying("hello");
    let mut domain = world.domain("*.apps.identity");
    for (key, value) in keys {
        domain[*key] = Value::from(*value);
    }
    let router = world
        .router_with(vec![domain])
        .with("forwarded_client_cert", "forward")
        .start();
    router.register(&Registration::of("a.apps.identity", &backend));
    let identity = identity(&world);
    let mut client = world
        .connect("a.apps.identity", world.showing(&identity))
        .expect("a client");
    let request = format!("GET / HTTP/1.1\r\nHost: a.apps.identity:443\r\n{lines}\r\n");
    let (head, _) = client.ask(request).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    (backend.request(), identity)
}

fn member(world: &World) -> Identity {
    world.members.instance("app-1", "space-1", "org-1")
}

fn header(request: &Request) -> Option<&str> {
    assert_eq!(request.header("x_forwarded_client_cert"), None);
    request.header("x-forwarded-client-cert")
}

// covers: R-324
#[test]
fn the_envoy_form_has_hash_and_subject_and_nothing_that_the_client_said() {
    let (request, _) = seen(&[("xfcc_format", "envoy")], member);
    let value = header(&request).expect("a header");
    let (hash, subject) = value.split_once(';').expect("two parts");
    let digits = hash.strip_prefix("Hash=").expect("a hash");
    assert_eq!(digits.len(), 64);
    assert!(
        digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "{digits}"
    );
    assert_eq!(
        subject,
        r#"Subject="CN=instance-1,OU=app:app-1,OU=space:space-1,OU=organization:org-1""#
    );
}

// covers: R-324
#[test]
fn a_name_cannot_pretend_to_be_two_in_the_envoy_form() {
    let named = |world: &World| {
        world.members.named(&[
            ("C", "DE"),
            ("O", "org \"x\""),
            ("CN", "a,OU=app:victim\r\nX-Evil: 1"),
            ("OU", "app:app-1"),
        ])
    };
    let (request, _) = seen(&[("xfcc_format", "envoy")], named);
    let value = header(&request).expect("a header");
    assert!(
        value.ends_with(r#";Subject="CN=a\,OU=app:victimX-Evil: 1,OU=app:app-1,O=org \"x\",C=DE""#),
        "{value}"
    );
    assert_eq!(request.header("x-evil"), None);
}

#[test]
fn without_more_words_a_domain_shows_the_whole_certificate() {
    let (request, identity) = seen(&[], member);
    let pem: String = identity
        .certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    assert_eq!(header(&request), Some(pem.as_str()));
}

#[test]
fn a_domain_that_forwards_passes_on_what_its_clients_say() {
    for mode in ["forward", "always_forward"] {
        let (request, _) = told(LIE, &[("forwarded_client_cert", mode)], member);
        assert_eq!(request.header("x-forwarded-client-cert"), Some("lie"));
    }
}

#[test]
fn other_hosts_keep_the_mode_of_the_listener() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let domain = json!({
        "domain": "*.apps.identity",
        "ca_certs": world.members.certificate(),
        "xfcc_format": "envoy",
    });
    let router = world
        .router_with(vec![domain])
        .with("client_cert_validation", "request")
        .with("client_ca_certs", world.edge.certificate())
        .with("forwarded_client_cert", "sanitize_set")
        .start();
    router.register(&Registration::of("plain.test", &backend));
    let identity = world.edge.identity(&["client.test"]);
    let answer = world.ask("plain.test", "plain.test", world.showing(&identity));
    assert_eq!(answer.expect("an answer").status, 200);
    let pem: String = identity
        .certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    assert_eq!(header(&backend.request()), Some(pem.as_str()));
}
