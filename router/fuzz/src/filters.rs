//! The filter chain: whatever a client sends, the head that goes on is one head, and says of the client and the router
//! what the router says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use cloverleaf_router::config::Config;
use cloverleaf_router::exchange::{Notes, RequestId};
use cloverleaf_router::filters::{Context, Filters};
use cloverleaf_router::http1::request::{Request, parse};
use cloverleaf_router::http1::{Framing, Parsed, write};
use cloverleaf_router::message::{Head, Name, View};
use cloverleaf_router::observe::record::Record;
use cloverleaf_router::policy::Policy;

use super::head::{self, Line};

const CLIENT: &str = "192.0.2.7";
const CONFIGS: [&str; 3] = [
    "{}",
    "{sanitize_forwarded_proto: true, tracing: {enable_w3c: true, w3c_tenant_id: t}, hop_by_hop_headers_to_filter: [X-Forwarded-For, traceparent]}",
    "{force_forwarded_proto_https: true, tracing: {enable_zipkin: true, enable_w3c: true}, max_request_headers: 20}",
];

/// Made once: there are many inputs.
static FILTERS: LazyLock<[Filters; 3]> = LazyLock::new(|| {
    CONFIGS.map(|text| {
        let config = Config::from_text(text, "fuzz.yml").unwrap().config;
        let policy = Policy::new(&config, IpAddr::V4(Ipv4Addr::LOCALHOST), Vec::new());
        Filters::new(&config, &policy)
    })
});

/// Any bytes that a client may send.
pub fn check(bytes: &[u8]) {
    for (number, filters) in FILTERS.iter().enumerate() {
        let mut head = Head::default();
        if let Parsed::Complete(request) = parse(bytes, &mut head) {
            through(number, filters, bytes, &mut head, &request);
        }
    }
}

fn through(number: usize, filters: &Filters, bytes: &[u8], head: &mut Head, request: &Request) {
    let (mut notes, mut record) = (Notes::default(), Record::default());
    let mut id = RequestId::new(7);
    let mut random = 1_u64;
    let mut view = View { head, bytes };
    filters.identified(&mut view, &mut id, &mut notes, &mut record, || {
        random = random.wrapping_mul(6_364_136_223_846_793_005) + 1;
        random
    });
    if filters.arrived(&view, || true).is_some() || filters.found(&view, request).is_some() {
        return;
    }
    let mut context = Context {
        request,
        client_ip: CLIENT,
        has_certificate: false,
        client_certificate: "",
        of_domain: None,
        tls: false,
        request_id: &id,
        received_unix_ms: 1_700_000_000_000,
        notes: &mut notes,
        record: &mut record,
    };
    filters.routed(&mut view, &mut context);
    let mut sent_on = Vec::new();
    write::request_line(view.method(), b"/", &mut sent_on);
    if request.framing == Framing::Chunked {
        view.head.add("Transfer-Encoding", b"chunked");
    }
    write::fields(bytes, view.head, &mut sent_on);
    sent_on.extend_from_slice(b"\r\n");

    let mut again = Head::default();
    let Parsed::Complete(next) = parse(&sent_on, &mut again) else {
        // An old client may leave Host out; the router does not send that on.
        assert!(request.host.of(bytes).is_empty() || view.head.find(Name::Host).is_none());
        return;
    };
    assert_eq!(next.head_length, sent_on.len(), "one head");
    assert_eq!(next.framing, request.framing);
    let lines = head::lines(&sent_on, &again);
    head::is_well_formed(&sent_on, &lines);
    vouched_for(&lines, &id);
    one_connection(&lines, request);
    configured(number, &lines);
}

fn values<'a>(lines: &[Line<'a>], name: &str) -> Vec<&'a [u8]> {
    let fits = |line: &&Line<'a>| line.is(name);
    lines.iter().filter(fits).map(|line| line.value).collect()
}

/// What applications may trust is the router's.
fn vouched_for(lines: &[Line<'_>], id: &RequestId) {
    assert_eq!(values(lines, "X-Vcap-Request-Id"), [id.as_bytes()]);
    let forwarded_for = values(lines, "X-Forwarded-For");
    assert!(
        forwarded_for.len() == 1 && forwarded_for[0].ends_with(CLIENT.as_bytes()),
        "{forwarded_for:?}"
    );
    for line in lines {
        let id = Name::of(line.name);
        assert!(id != Name::Lookalike, "{line:?}");
        // Set for each endpoint, behind the filters.
        let later = matches!(
            id,
            Name::CfApplicationId | Name::CfInstanceId | Name::CfInstanceIndex
        );
        assert!(!later && id != Name::CfAppInstance, "{line:?}");
    }
}

/// What concerns one connection stays there.
fn one_connection(lines: &[Line<'_>], request: &Request) {
    for name in [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Proxy-Authenticate",
    ] {
        assert!(values(lines, name).is_empty(), "{name}");
    }
    let te = values(lines, "TE");
    assert!(te.is_empty() || te == [b"trailers"], "{te:?}");
    let (connection, upgrade) = (values(lines, "Connection"), values(lines, "Upgrade"));
    if request.upgrade {
        assert_eq!((connection, upgrade.len()), (vec![&b"Upgrade"[..]], 1));
    } else {
        assert!(connection.is_empty() && upgrade.is_empty());
    }
}

/// What each of the configurations is about.
fn configured(number: usize, lines: &[Line<'_>]) {
    let protos = values(lines, "X-Forwarded-Proto");
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match number {
        // Stripped by the client and not protected it is missing, never another's.
        1 => assert!(protos.is_empty() || protos == [b"http"], "{protos:?}"),
        2 => assert!(protos.is_empty() || protos == [b"https"], "{protos:?}"),
        _ => return,
    }
    let (parents, states) = (values(lines, "traceparent"), values(lines, "tracestate"));
    assert_eq!(
        (parents.len(), states.len()),
        (1, 1),
        "{parents:?} {states:?}"
    );
    let parts: Vec<&[u8]> = parents[0].split(|&byte| byte == b'-').collect();
    assert_eq!(
        parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
        [2, 32, 16, 2],
        "{}",
        parents[0].escape_ascii()
    );
    assert!(parts.iter().all(|part| is_hex(part)));
    let key: &[u8] = if number == 1 {
        b"t@gorouter="
    } else {
        b"gorouter="
    };
    let own = [key, parts[2]].concat();
    assert!(states[0].starts_with(&own), "{}", states[0].escape_ascii());
}
