//! A router with all the ways into it and one backend of each kind behind it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use cloverleaf_tests::{
    Authority, Backend, Broken, Http2Backend, Http2Settings, Port, Registration, Router, Start,
    TlsFront, TlsPassage,
};
use rustls::ClientConfig;
use serde_json::json;

use super::asked::Asked;

/// How a client speaks with the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
}

/// How the router speaks with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
}

pub const FRONTS: [Front; 4] = [Front::Http1, Front::Http1Tls, Front::Http2, Front::Http2Tls];
pub const BACKS: [Back; 4] = [Back::Http1, Back::Http1Tls, Back::Http2, Back::Http2Tls];

impl Front {
    pub fn is_http2(self) -> bool {
        matches!(self, Front::Http2 | Front::Http2Tls)
    }

    pub fn is_tls(self) -> bool {
        matches!(self, Front::Http1Tls | Front::Http2Tls)
    }
}

impl Back {
    pub fn is_http2(self) -> bool {
        matches!(self, Back::Http2 | Back::Http2Tls)
    }

    /// The host of the route to it.
    pub fn host(self) -> &'static str {
        match self {
            Back::Http1 => "h1.test",
            Back::Http1Tls => "h1s.test",
            Back::Http2 => "h2.test",
            Back::Http2Tls => "h2s.test",
        }
    }
}

/// What every backend does with a request.
pub type Script = dyn Fn(&mut Asked<'_>) -> Result<(), Broken> + Send + Sync;

/// The router and its backends.
pub struct World {
    pub router: Router,
    pub authority: Authority,
    pub tls_port: Port,
    passage: TlsPassage,
    pub http1: Backend,
    pub http2: Http2Backend,
    _http1_tls: (Backend, TlsFront),
    pub http2_tls: Http2Backend,
}

/// A router that speaks HTTP/2 on both ports and with all backends, with `authority` behind its certificates.
pub fn router(authority: &Authority, tls_port: &Port) -> Start {
    let identity = authority.identity(&["127.0.0.1"]);
    Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .with("backends.enable_http2_prior_knowledge", true)
        .with("enable_ssl", true)
        .with("ssl_port", tls_port.number())
        .with("client_cert_validation", "none")
        .with("ca_certs", json!([authority.certificate()]))
        .with(
            "cipher_suites",
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
        )
        .with(
            "tls_pem",
            json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
        )
}

/// A registration of `host` at a port that speaks TLS.
pub fn over_tls(host: &str, port: u16) -> Registration {
    Registration::at(host, port)
        .with("tls_port", port)
        .with("server_cert_domain_san", "backend.test")
}

impl World {
    pub fn new(
        script: impl Fn(&mut Asked<'_>) -> Result<(), Broken> + Send + Sync + 'static,
    ) -> World {
        World::with(|start| start, script)
    }

    /// With settings of the router's own.
    pub fn with(
        configure: impl FnOnce(Start) -> Start,
        script: impl Fn(&mut Asked<'_>) -> Result<(), Broken> + Send + Sync + 'static,
    ) -> World {
        let script: Arc<Script> = Arc::new(script);
        let authority = Authority::new("the authority");
        let identity = authority.identity(&["backend.test"]);
        let tls_port = Port::reserve();
        let router = configure(router(&authority, &tls_port)).start();
        let http1 = || {
            let script = Arc::clone(&script);
            Backend::scripted(move |peer| {
                loop {
                    Asked::http1(peer, &*script)?;
                }
            })
        };
        let http2 = |identity| {
            let script = Arc::clone(&script);
            let settings = Http2Settings {
                identity,
                tunnels: true,
                streams: None,
            };
            Http2Backend::with(settings, move |request| script(&mut Asked::http2(request)))
        };
        let behind = http1();
        let front = TlsFront::before(&behind, &identity);
        let world = World {
            passage: TlsPassage::to(
                tls_port.number(),
                authority.anonymous_client_config(&["http/1.1"]),
            ),
            router,
            tls_port,
            http1: http1(),
            http2: http2(None),
            http2_tls: http2(Some(identity)),
            _http1_tls: (behind, front),
            authority,
        };
        world.register();
        world
    }

    fn register(&self) {
        let router = &self.router;
        router.register(&Registration::of("h1.test", &self.http1));
        router.register(&over_tls("h1s.test", self._http1_tls.1.port()));
        let plain = Registration::at("h2.test", self.http2.port());
        router.register(&plain.with("protocol", "http2"));
        let secure = over_tls("h2s.test", self.http2_tls.port());
        router.register(&secure.with("protocol", "http2"));
    }

    /// Where a client of HTTP/1.1 connects to.
    pub fn http1_port(&self, front: Front) -> u16 {
        match front.is_tls() {
            true => self.passage.port(),
            false => self.router.port(),
        }
    }

    /// What a client of HTTP/2 offers.
    pub fn http2_config(&self) -> Arc<ClientConfig> {
        self.authority.anonymous_client_config(&["h2"])
    }
}

/// A port behind which both versions are spoken in plain text: the first bytes say which.
pub struct Both {
    port: u16,
}

impl Both {
    /// HTTP/1.1 goes to `http1`, HTTP/2 to another port.
    pub fn of(http1: &Backend, http2: u16) -> Both {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = listener.local_addr().expect("a bound listener").port();
        let http1 = http1.port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || carry(stream, http1, http2).ok());
            }
        });
        Both { port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

fn carry(mut client: TcpStream, http1: u16, http2: u16) -> io::Result<()> {
    let mut first = [0; 3];
    client.read_exact(&mut first)?;
    let port = if &first == b"PRI" { http2 } else { http1 };
    let mut backend = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    backend.write_all(&first)?;
    let (mut up, mut down) = (client.try_clone()?, backend.try_clone()?);
    let upwards = thread::spawn(move || {
        io::copy(&mut up, &mut backend).ok();
        backend.shutdown(Shutdown::Write)
    });
    io::copy(&mut down, &mut client)?;
    client.shutdown(Shutdown::Write)?;
    drop(upwards.join());
    Ok(())
}
