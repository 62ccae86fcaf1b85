//! Hosts with client authorities of their own, and what routes let their callers do.

mod callers;
mod forwarded;
mod handshakes;
mod hosts;
mod http2;
mod refusals;
mod reloads;
mod route_services;
mod sessions;

use std::io;
use std::sync::Arc;

use cloverleaf_tests::{
    Authority, Backend, Identity, Line, Port, Registration, Router, Start, TlsClient,
};
use rustls::ClientConfig;
use serde_json::{Value, json};

/// The certificates of a platform: one authority for the edge, and one for the instances of applications.
struct World {
    edge: Authority,
    members: Authority,
    port: Port,
}

/// Names that the edge's certificate proves.
const NAMES: [&str; 6] = [
    "127.0.0.1",
    "*.apps.identity",
    "*.in.apps.identity",
    "apps.identity",
    "*.other.identity",
    "plain.test",
];

impl World {
    fn new() -> World {
        World {
            edge: Authority::new("edge authority"),
            members: Authority::new("instance authority"),
            port: Port::reserve(),
        }
    }

    /// A router with these domains, each verified against the authority of instances.
    fn router(&self, names: &[&str]) -> Start {
        let domain = |name: &&str| self.domain(name);
        self.router_with(names.iter().map(domain).collect())
    }

    fn router_with(&self, domains: Vec<Value>) -> Start {
        let identity = self.edge.identity(&NAMES);
        let fields = [
            "caller_cf_app",
            "caller_cf_org",
            "caller_cf_space",
            "route_policy",
            "tls_sni",
        ];
        Router::builder()
            // Log lines of several workers come in no certain order.
            .with("go_max_procs", 1)
            .with("enable_ssl", true)
            .with("ssl_port", self.port.number())
            .with("client_cert_validation", "none")
            .with("max_tls_version", "TLSv1.3")
            .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
            .with(
                "tls_pem",
                json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
            )
            .with("logging.extra_access_log_fields", json!(fields))
            .with("domains", Value::Array(domains))
    }

    fn domain(&self, name: &str) -> Value {
        json!({ "domain": name, "ca_certs": self.members.certificate() })
    }

    fn showing(&self, identity: &Identity) -> Arc<ClientConfig> {
        self.edge.client_config(identity)
    }

    fn anonymous(&self) -> Arc<ClientConfig> {
        self.edge.anonymous_client_config(&[])
    }

    /// A client that has asked for `name` in its handshake, whose end with TLS 1.3 shows only later.
    fn connect(&self, name: &str, config: Arc<ClientConfig>) -> io::Result<TlsClient> {
        match name {
            "" => TlsClient::connect(self.port.number(), config),
            name => TlsClient::connect_to(name, self.port.number(), config),
        }
    }

    /// What a client gets that has asked for `name` in its handshake and asks for `host` then.
    fn ask(&self, name: &str, host: &str, config: Arc<ClientConfig>) -> io::Result<Answer> {
        self.connect(name, config)
            .and_then(|mut client| ask(&mut client, host))
    }

    /// As [`World::ask`], on a domain.
    #[track_caller]
    fn get(&self, host: &str, identity: &Identity) -> Answer {
        self.ask(host, host, self.showing(identity))
            .expect("an answer")
    }
}

/// Status, head and body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn ask(client: &mut TlsClient, host: &str) -> io::Result<Answer> {
    let (head, body) = client.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.unwrap_or(0),
        body: String::from_utf8_lossy(&body).into_owned(),
        head,
    })
}

/// `host` at a backend, with a policy.
fn guarded(host: &str, backend: &Backend, scope: &str, sources: &str) -> Registration {
    Registration::of(host, backend).with(
        "options",
        json!({ "route_policy_scope": scope, "route_policy_sources": sources }),
    )
}

/// App, organization, space and rule as the log shows them.
fn caller(line: &Line) -> [&str; 4] {
    [
        "caller_cf_app",
        "caller_cf_org",
        "caller_cf_space",
        "route_policy",
    ]
    .map(|name| line.field(name))
}
