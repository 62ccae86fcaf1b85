//! Changes while the router runs: certificates from files, the configuration on SIGHUP.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cloverleaf_tests::{
    Authority, Backend, BusAccess, Folder, Http2Client, Identity, NatsServer, Port, Registration,
    Router, Start, TlsClient, TlsFront, eventually, ok, remains, request,
};
use rustix::process::Signal;
use rustls::ClientConfig;
use serde_json::json;

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// A router whose certificates lie in files beside it.
struct Edge {
    authority: Authority,
    port: Port,
    folder: Folder,
}

impl Edge {
    fn new() -> Edge {
        Edge {
            authority: Authority::new("edge authority"),
            port: Port::reserve(),
            folder: Folder::new(),
        }
    }

    fn identity(&self) -> Identity {
        self.authority.identity(&["127.0.0.1"])
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn router(&self) -> Start {
        Router::builder()
            .with("enable_ssl", true)
            .with("ssl_port", self.port.number())
            .with("client_cert_validation", "none")
            .with("max_tls_version", "TLSv1.3")
            .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
            .with(
                "tls_pem",
                json!([{ "cert_chain_file": self.path("edge.crt"), "private_key_file": self.path("edge.key") }]),
            )
    }

    fn config(&self) -> Arc<ClientConfig> {
        self.authority.anonymous_client_config(&[])
    }

    #[track_caller]
    fn client(&self) -> TlsClient {
        TlsClient::connect(self.port.number(), self.config()).expect("a TLS connection")
    }

    #[track_caller]
    fn shows(&self, identity: &Identity) {
        eventually("the new certificate", || {
            (self.client().certificate() == identity.der()).then_some(())
        });
    }
}

#[test]
fn a_certificate_that_is_replaced_is_shown_to_the_next_client_and_those_who_are_there_stay() {
    let edge = Edge::new();
    let (first, second) = (edge.identity(), edge.identity());
    first.write(&edge.folder, "edge");
    let backend = Backend::saying("hello");
    let router = edge.router().start();
    router.register(&Registration::of("app.test", &backend));
    let mut old = edge.client();
    assert_eq!(old.certificate(), first.der());
    assert_eq!(old.ask(GET).expect("an answer").1, b"hello");

    second.write(&edge.folder, "edge");
    edge.shows(&second);
    assert_eq!(old.ask(GET).expect("an answer").1, b"hello");
    router.wait_for_event("certificates-reloaded");
    let changed = router.log().with_message("config-key-changed");
    assert!(
        changed
            .iter()
            .any(|event| event.data("key") == "tls_pem[0].cert_chain")
    );
    assert!(
        !router
            .log()
            .events()
            .iter()
            .any(|event| event.text.contains("BEGIN"))
    );
    let applied = router
        .metrics()
        .labelled("certificate_reloads", "result=\"applied\"");
    assert!(applied >= 1.0, "{applied}");
}

#[test]
fn no_handshake_fails_while_the_certificate_is_replaced_again_and_again() {
    let edge = Edge::new();
    edge.identity().write(&edge.folder, "edge");
    let router = edge.router().start();
    let (over, shaken) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut client = edge.client();
                    let (head, _) = client.ask(GET).expect("an answer");
                    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
                    shaken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            let next = edge.identity();
            next.write(&edge.folder, "edge");
            edge.shows(&next);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(shaken.load(Ordering::Relaxed) > 20);
    let failed = router.log().with_message("tls-handshake-failed");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn links_that_lead_elsewhere_bring_the_certificate_that_they_lead_to() {
    let edge = Edge::new();
    let folder = |name: &str, identity: &Identity| {
        let path = edge.folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("edge.crt"), &identity.certificate).expect("written");
        fs::write(path.join("edge.key"), &identity.key).expect("written");
    };
    let (first, second) = (edge.identity(), edge.identity());
    folder("1", &first);
    folder("2", &second);
    let (current, next) = (
        edge.folder.path().join("current"),
        edge.folder.path().join("next"),
    );
    symlink("1", &current).expect("a link");
    let pem = json!([{
        "cert_chain_file": current.join("edge.crt"), "private_key_file": current.join("edge.key")
    }]);
    let _router = edge.router().with("tls_pem", pem).start();
    assert_eq!(edge.client().certificate(), first.der());
    symlink("2", &next).expect("a link");
    fs::rename(&next, &current).expect("renamed");
    edge.shows(&second);
}

#[test]
fn a_bad_certificate_is_refused_loudly_and_the_one_before_is_shown_until_a_good_one_comes() {
    let edge = Edge::new();
    let (first, second, third) = (edge.identity(), edge.identity(), edge.identity());
    first.write(&edge.folder, "edge");
    let router = edge.router().start();
    edge.folder.write("edge.crt", "no certificate");
    let refused = router.wait_for_event("certificate-refused");
    assert_eq!(refused.level(), 3);
    assert_eq!(refused.data("key"), "tls_pem[0].cert_chain_file");
    assert_eq!(edge.client().certificate(), first.der());
    // A certificate whose key does not come.
    edge.folder.write("edge.crt", &second.certificate);
    let refused = eventually("a refused key", || {
        let refused = router.log().with_message("certificate-refused");
        let about = |key: &str| refused.iter().any(|event| event.data("key") == key);
        about("tls_pem[0].private_key_file").then_some(refused.len())
    });
    assert_eq!(edge.client().certificate(), first.der());
    let metrics = router.metrics();
    let counted = metrics.labelled("certificate_reloads", "result=\"refused\"");
    assert_eq!(counted, refused as f64);

    third.write(&edge.folder, "edge");
    edge.shows(&third);
}

#[test]
fn how_long_certificates_are_good_for_is_a_metric_and_their_end_is_warned_of() {
    let edge = Edge::new();
    let soon = edge.authority.identity_until(&["127.0.0.1"], 10);
    soon.write(&edge.folder, "edge");
    let inline = edge.authority.identity_until(&["client.test"], 90);
    let router = edge
        .router()
        .with("backends.cert_chain", inline.certificate)
        .with("backends.private_key", inline.key)
        .start();
    let days = |key: &str| {
        let label = format!("key=\"{key}\"");
        router.metrics().labelled("certificate_days_left", &label)
    };
    assert!((9.9..=10.0).contains(&days("tls_pem[0].cert_chain")));
    assert!((89.9..=90.0).contains(&days("backends.cert_chain")));
    let warned = router.wait_for_event("certificate-expires-soon");
    assert_eq!(warned.data("key"), "tls_pem[0].cert_chain");

    // A certificate that is over is shown all the same: it may be all that there is.
    let over = edge.authority.identity_until(&["127.0.0.1"], -1);
    over.write(&edge.folder, "edge");
    router.wait_for_event("certificate-expired");
    assert!((-1.1..=-0.9).contains(&days("tls_pem[0].cert_chain")));
}

#[test]
fn backends_see_the_new_identity_with_the_next_request_and_no_connection_of_the_old_one_is_used() {
    let edge = Edge::new();
    let (old_clients, new_clients) = (Authority::new("old clients"), Authority::new("new clients"));
    let backend = Backend::saying("hello");
    let server = edge.authority.identity(&["app.internal"]);
    let front = TlsFront::guarded(&new_clients, &backend, &server);
    old_clients
        .identity(&["router"])
        .write(&edge.folder, "client");
    let router = Router::builder()
        .with("ca_certs", json!([edge.authority.certificate()]))
        .with("backends.cert_chain_file", edge.path("client.crt"))
        .with("backends.private_key_file", edge.path("client.key"))
        .start();
    let registration = Registration::at("app.test", front.port())
        .with("tls_port", front.port())
        .with("server_cert_domain_san", "app.internal");
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").status, 496);

    new_clients
        .identity(&["router"])
        .write(&edge.folder, "client");
    router.wait_for_event("certificates-reloaded");
    router.register(&registration);
    let mut client = router.client();
    assert_eq!(client.get("app.test", "/").text(), "hello");
    assert_eq!(client.get("app.test", "/").text(), "hello");
    let connections = front.connections();

    new_clients
        .identity(&["router"])
        .write(&edge.folder, "client");
    eventually("a second change", || {
        (router.log().with_message("certificates-reloaded").len() == 2).then_some(())
    });
    eventually("a connection under the new identity", || {
        assert_eq!(client.get("app.test", "/").text(), "hello");
        (front.connections() == connections + 1).then_some(())
    });
    assert_eq!(client.get("app.test", "/").text(), "hello");
    assert_eq!(front.connections(), connections + 1, "it is used again");
}

#[test]
fn authorities_in_a_file_decide_about_the_next_client_and_sessions_of_before_are_judged_again() {
    let edge = Edge::new();
    edge.identity().write(&edge.folder, "edge");
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    edge.folder.write("clients.pem", old.certificate());
    let router = edge
        .router()
        .with("client_cert_validation", "require")
        .with("only_trust_client_ca_certs", true)
        .with("client_ca_certs_file", edge.path("clients.pem"))
        .start();
    let config_of = |clients: &Authority| {
        let identity = clients.identity(&["client.test"]);
        edge.authority.client_config(&identity)
    };
    let (of_old, of_new) = (config_of(&old), config_of(&new));
    let asks = |config: &Arc<ClientConfig>| {
        let mut client = TlsClient::connect(edge.port.number(), Arc::clone(config))?;
        client.ask(GET)
    };
    assert!(asks(&of_old).is_ok());
    assert!(asks(&of_new).is_err());
    edge.folder.write("clients.pem", new.certificate());
    router.wait_for_event("certificates-reloaded");
    eventually("the new authority", || asks(&of_new).ok());
    // This client has a ticket of a session that was good.
    assert!(asks(&of_old).is_err());
}

#[test]
fn a_hangup_brings_what_can_change_into_force_and_says_what_needs_a_restart() {
    let router = Router::builder().with("logging.level", "info").start();
    let mut router = router;
    let backend =
        Backend::answering(|request| ok(request.header("x-forwarded-proto").unwrap_or("none")));
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    assert_eq!(client.get("app.test", "/").text(), "http");
    router.configure("force_forwarded_proto_https", true);
    router.configure("logging.level", "debug");
    router.configure("status.pass", "other");
    router.configure("go_max_procs", 1);
    router.process().signal(Signal::HUP);
    let reloaded = router.wait_for_event("config-reloaded");
    assert_eq!(reloaded.data("changed"), 2);
    assert_eq!(reloaded.data("needs_restart"), 2);
    let told = |message: &str| -> Vec<String> {
        let events = router.log().with_message(message);
        let key = |event: &cloverleaf_tests::Event| event.data("key").as_str().map(str::to_owned);
        events.iter().filter_map(key).collect()
    };
    assert_eq!(
        told("config-key-changed"),
        ["logging.level", "force_forwarded_proto_https"]
    );
    assert_eq!(
        told("config-key-needs-restart"),
        ["go_max_procs", "status.pass"]
    );
    assert!(
        !router
            .log()
            .events()
            .iter()
            .any(|event| event.text.contains("other"))
    );
    // The same connection, the next request.
    eventually("the new setting", || {
        (client.get("app.test", "/").text() == "https").then_some(())
    });
    eventually("a line at level debug", || {
        router.get("app.test", "/");
        (!router
            .log()
            .with_message("vcap-request-id-header-set")
            .is_empty())
        .then_some(())
    });
    assert_eq!(router.routes_with(None).status, 401);
    assert!(router.routes().is_object(), "the former password holds");
    let applied = router
        .metrics()
        .labelled("config_reloads", "result=\"applied\"");
    assert_eq!(applied, 1.0);
}

#[test]
fn a_bad_configuration_changes_nothing_and_all_that_is_wrong_with_it_is_named() {
    let mut router = Router::start();
    let backend =
        Backend::answering(|request| ok(request.header("x-forwarded-proto").unwrap_or("none")));
    router.register(&Registration::of("app.test", &backend));
    router.configure("force_forwarded_proto_https", true);
    router.configure("endpoint_timeout", "soon");
    router.configure("balancing_algorithm", "by-mood");
    router.process().signal(Signal::HUP);
    let refused = router.wait_for_event("config-reload-refused");
    let error = refused.data("error").as_str().expect("an error").to_owned();
    assert!(
        error.contains("endpoint_timeout") && error.contains("balancing_algorithm"),
        "{error}"
    );
    assert_eq!(router.get("app.test", "/").text(), "http");
    router.configure("endpoint_timeout", "5s");
    router.configure("balancing_algorithm", "round-robin");
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    eventually("the new setting", || {
        (router.get("app.test", "/").text() == "https").then_some(())
    });
    let refusals = router
        .metrics()
        .labelled("config_reloads", "result=\"refused\"");
    assert_eq!(refusals, 1.0);
}

#[test]
fn what_cannot_be_together_with_what_needs_a_restart_is_refused_as_a_whole() {
    let edge = Edge::new();
    edge.identity().write(&edge.folder, "edge");
    let mut router = edge.router().start();
    router.configure("enable_ssl", false);
    router.configure("tls_pem", serde_json::Value::Null);
    router.process().signal(Signal::HUP);
    let refused = router.wait_for_event("config-reload-refused");
    let error = refused.data("error").as_str().expect("an error").to_owned();
    assert!(
        error.contains("with what needs a restart as it was"),
        "{error}"
    );
    assert!(error.contains("tls_pem"), "{error}");
    assert!(edge.client().ask(GET).is_ok());
}

#[test]
fn a_change_of_times_holds_for_the_next_request_and_leaves_the_one_under_way_alone() {
    let mut router = Router::builder().with("endpoint_timeout", "15s").start();
    let backend = Backend::answering(|_| {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        ok("late")
    });
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(GET);
    backend.wait_for_requests(1);
    router.configure("endpoint_timeout", "300ms");
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    eventually("an attempt that takes too long", || {
        (router.get("app.test", "/").status == 502).then_some(())
    });
    assert_eq!(client.response().text(), "late");
}

#[test]
fn files_that_a_new_configuration_names_are_watched_from_then_on() {
    let edge = Edge::new();
    let (first, second, third) = (edge.identity(), edge.identity(), edge.identity());
    first.write(&edge.folder, "edge");
    second.write(&edge.folder, "other");
    let mut router = edge.router().start();
    let pem = json!([{ "cert_chain_file": edge.path("other.crt"), "private_key_file": edge.path("other.key") }]);
    router.configure("tls_pem", pem);
    router.process().signal(Signal::HUP);
    edge.shows(&second);
    edge.identity().write(&edge.folder, "edge");
    remains(
        std::time::Duration::from_secs(1),
        "the files of before are nothing any more",
        || edge.client().certificate() == second.der(),
    );
    third.write(&edge.folder, "other");
    edge.shows(&third);
}

#[test]
fn listeners_for_operators_show_the_new_certificate_too() {
    let edge = Edge::new();
    let (first, second) = (edge.identity(), edge.identity());
    first.write(&edge.folder, "edge");
    edge.folder.write("ca.pem", edge.authority.certificate());
    let metrics = Port::reserve();
    let router = Router::builder()
        .with(
            "status.tls",
            json!({
                "port": edge.port.number(),
                "certificate_file": edge.path("edge.crt"), "key_file": edge.path("edge.key"),
            }),
        )
        .with(
            "prometheus",
            json!({
                "port": metrics.number(), "ca_path": edge.path("ca.pem"),
                "cert_path": edge.path("edge.crt"), "key_path": edge.path("edge.key"),
            }),
        )
        .start();
    let config = edge.authority.client_config(&edge.identity());
    let scraper = || TlsClient::connect(metrics.number(), Arc::clone(&config));
    assert_eq!(edge.client().certificate(), first.der());
    assert_eq!(
        scraper().expect("a TLS connection").certificate(),
        first.der()
    );
    second.write(&edge.folder, "edge");
    edge.shows(&second);
    let scraper = scraper().expect("a TLS connection");
    assert_eq!(scraper.certificate(), second.der());
    let text = scraper.get("/metrics").expect("an answer");
    assert!(
        text.contains("certificate_reloads{result=\"applied\"} 1\n"),
        "{text}"
    );

    let scraped = || TlsClient::connect(metrics.number(), Arc::clone(&config));
    let scraped = || scraped()?.get("/metrics");
    edge.folder.write("ca.pem", "no authority");
    let refused = router.wait_for_event("certificate-refused");
    assert_eq!(refused.data("key"), "prometheus.ca_path");
    // Nothing has changed, and nothing says so.
    let text = scraped().expect("an answer");
    for (result, count) in [("applied", 1), ("refused", 1)] {
        let counted = format!("certificate_reloads{{result=\"{result}\"}} {count}\n");
        assert!(text.contains(&counted), "{text}");
    }
    assert_eq!(router.log().with_message("certificates-reloaded").len(), 1);
    let shown = "certificate_days_left{key=\"prometheus.cert_path\"";
    assert!(text.contains(shown), "{text}");

    // Half of what was to be written: it takes nobody's place.
    let more = Authority::new("more");
    let (whole, half) = (edge.authority.certificate(), more.certificate());
    let torn = format!("{half}{}", &whole[..whole.len() / 2]);
    edge.folder.write("ca.pem", &torn);
    eventually("a second refusal", || {
        (router.log().with_message("certificate-refused").len() == 2).then_some(())
    });
    assert!(scraped().is_ok());
}

#[test]
fn a_torn_bundle_of_authorities_is_refused_and_the_whole_one_before_it_counts() {
    let edge = Edge::new();
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let whole = format!("{}{}", one.certificate(), two.certificate());
    edge.folder.write("backends.pem", &whole);
    let backend = Backend::saying("hello");
    let front = TlsFront::before(&backend, &two.identity(&["app.internal"]));
    let mut router = Router::builder()
        .with("ca_certs_file", edge.path("backends.pem"))
        .with("disable_keep_alives", true)
        .start();
    let registration = Registration::at("app.test", front.port())
        .with("tls_port", front.port())
        .with("server_cert_domain_san", "app.internal");
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").text(), "hello");

    edge.folder
        .write("backends.pem", &whole[..whole.len() - 40]);
    let refused = router.wait_for_event("certificate-refused");
    assert_eq!(refused.data("key"), "ca_certs_file");
    assert_eq!(router.get("app.test", "/").text(), "hello");
    router.process().signal(Signal::HUP);
    let refused = router.wait_for_event("config-reload-refused");
    assert!(refused.text.contains("ca_certs_file"), "{refused:?}");
    assert_eq!(router.get("app.test", "/").text(), "hello");
    assert!(
        router
            .log()
            .with_message("certificates-reloaded")
            .is_empty()
    );

    edge.folder.write("backends.pem", one.certificate());
    router.wait_for_event("certificates-reloaded");
    eventually("the end of the second authority", || {
        router.register(&registration);
        (router.get("app.test", "/").status == 526).then_some(())
    });
}

#[test]
fn a_connection_with_a_certificate_names_it_once_that_is_configured() {
    let edge = Edge::new();
    edge.identity().write(&edge.folder, "edge");
    let backend = Backend::saying("hello");
    let mut router = edge
        .router()
        .with("client_cert_validation", "request")
        .with("client_ca_certs", edge.authority.certificate())
        .with("forwarded_client_cert", "forward")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let identity = edge.authority.identity(&["client.test"]);
    let config = edge.authority.client_config(&identity);
    let client = TlsClient::connect(edge.port.number(), config);
    let mut client = client.expect("a TLS connection");
    client.ask(GET).expect("an answer");
    router.configure("forwarded_client_cert", "sanitize_set");
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    let lines = identity.certificate.lines();
    let named: String = lines.filter(|line| !line.starts_with('-')).collect();
    eventually("the certificate", || {
        client.ask(GET).expect("an answer");
        let requests = backend.requests();
        let latest = requests.last().expect("a request");
        let shown = latest.header("X-Forwarded-Client-Cert");
        assert!(shown.is_none_or(|shown| shown == named), "{shown:?}");
        shown.map(drop)
    });
}

#[test]
fn requests_on_one_connection_of_http2_come_each_under_the_settings_of_its_time() {
    let edge = Edge::new();
    edge.identity().write(&edge.folder, "edge");
    let backend =
        Backend::answering(|request| ok(request.header("x-forwarded-proto").unwrap_or("none")));
    let mut router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = Http2Client::connect(router.port());
    let mut ask = || client.ask(request("GET", "app.test", "/", &[])).text();
    assert_eq!(ask(), "http");
    router.configure("force_forwarded_proto_https", true);
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    eventually("the new setting", || (ask() == "https").then_some(()));
}

#[test]
fn a_connection_of_http_2_has_the_new_idle_time_from_its_next_request_on() {
    let backend = Backend::saying("one");
    let mut router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = Http2Client::connect(router.port());
    assert_eq!(client.get("app.test", "/").status, 200);
    router.configure("frontend_idle_timeout", "300ms");
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    assert_eq!(client.get("app.test", "/").status, 200);
    assert_eq!(client.ended(), Ok(()));
}

#[test]
fn nats_is_shown_the_new_certificate_at_the_next_connection_and_judged_by_the_new_authorities() {
    let edge = Edge::new();
    let files = [
        ("ca_certs", "nats.pem"),
        ("cert_chain", "nats.crt"),
        ("private_key", "nats.key"),
    ];
    let write = |access: &BusAccess| {
        for (key, file) in files {
            let text = access.config()[key].as_str().expect("PEM text").to_owned();
            edge.folder.write(file, &text);
        }
    };
    let (first, second) = (BusAccess::mutual_tls(), BusAccess::mutual_tls());
    write(&first);
    let mut start = Router::builder().with_bus(NatsServer::start_with(first));
    for (key, file) in files {
        start = start
            .with(&format!("nats.{key}"), serde_json::Value::Null)
            .with(&format!("nats.{key}_file"), edge.path(file));
    }
    let mut router = start.start();
    write(&second);
    router.wait_for_event("certificates-reloaded");
    assert!(
        router
            .log()
            .with_message("config-key-needs-restart")
            .is_empty()
    );
    // Another authority, another server, another client: nothing of before would do.
    router.bus_mut(0).kill();
    router.bus_mut(0).require(second);
    router.bus_mut(0).resume();
    router.wait_for_event("nats-connection-reconnected");
    let backend = Backend::saying("hello");
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").text(), "hello");
}
