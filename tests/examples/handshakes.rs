//! Load for `benches/run hands`: TLS 1.3 connections to a port of this machine that shake hands and end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, NamedGroup,
    SignatureScheme,
};

const USAGE: &str = "usage: handshakes PORT SECONDS full|resumed

Shakes hands with a TLS 1.3 server on 127.0.0.1:PORT as often as it can for SECONDS, four connections at a time, and
prints {\"requests\", \"failed\", \"seconds\"}. With `resumed` each connection goes on with the session of another one; a
handshake of the other kind counts as failed.";

/// Connections at a time.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, seconds, kind] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let (Ok(port), Ok(seconds), "full" | "resumed") =
        (port.parse(), seconds.parse(), kind.as_str())
    else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let expected = match kind.as_str() {
        "full" => HandshakeKind::Full,
        _ => HandshakeKind::Resumed,
    };
    let done = Arc::new(Done::default());
    let began = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let done = Arc::clone(&done);
            thread::spawn(move || shake(port, expected, &done))
        })
        .collect();
    thread::sleep(Duration::from_secs(seconds));
    done.over.store(true, Ordering::Relaxed);
    for thread in threads {
        if thread.join().is_err() {
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{{\"requests\": {}, \"failed\": {}, \"seconds\": {}}}",
        done.good.load(Ordering::Relaxed),
        done.failed.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Done {
    over: AtomicBool,
    good: AtomicU64,
    failed: AtomicU64,
}

fn shake(port: u16, expected: HandshakeKind, done: &Done) {
    let config = config(expected == HandshakeKind::Resumed);
    if expected == HandshakeKind::Resumed {
        // The first one has no session to go on with.
        drop(connect(port, &config));
    }
    while !done.over.load(Ordering::Relaxed) {
        match connect(port, &config) {
            Ok(kind) if kind == expected => done.good.fetch_add(1, Ordering::Relaxed),
            _ => done.failed.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Shakes hands, waits for the server's ticket, and ends the connection.
fn connect(port: u16, config: &Arc<ClientConfig>) -> io::Result<HandshakeKind> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    while tls.wants_write() {
        tls.write_tls(&mut stream)?;
    }
    tls.read_tls(&mut stream)?;
    tls.process_new_packets().map_err(io::Error::other)?;
    tls.send_close_notify();
    while tls.wants_write() {
        tls.write_tls(&mut stream)?;
    }
    stream.flush()?;
    // The server ends its side, so that nothing is left in the kernel when the next one begins.
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest)? > 0 {}
    tls.handshake_kind()
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn config(resumes: bool) -> Arc<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .kx_groups
        .retain(|group| group.name() == NamedGroup::X25519);
    let provider = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = config
        .unwrap_or_else(|_| unreachable!("the provider has suites of TLS 1.3"))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    let store: Arc<dyn ClientSessionStore> = Arc::new(ClientSessionMemoryCache::new(8));
    config.resumption = match resumes {
        true => Resumption::store(store),
        false => Resumption::disabled(),
    };
    Arc::new(config)
}

/// Believes every server: the load is not about trust.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
