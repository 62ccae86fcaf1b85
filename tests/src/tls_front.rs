//! TLS in front of a plain backend: what a route service or a TLS backend looks like from outside.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{copy, copy_bidirectional, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::backend::Backend;
use crate::certificates::{Authority, Identity};

/// A listener that speaks TLS and passes on what is inside to a backend. Ends when dropped.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    connections: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

/// How a connection ends when the backend has closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    InOrder,
    Abruptly,
}

impl TlsFront {
    /// With every version that there is.
    pub fn before(backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(
            rustls::ALL_VERSIONS,
            None,
            Close::InOrder,
            backend,
            identity,
        )
    }

    /// With TLS 1.3 alone.
    pub fn modern(backend: &Backend, identity: &Identity) -> TlsFront {
        let versions = &[&rustls::version::TLS13];
        TlsFront::speaking(versions, None, Close::InOrder, backend, identity)
    }

    /// Closes connections without the word that TLS has for it, as many servers do.
    pub fn abrupt(backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(
            rustls::ALL_VERSIONS,
            None,
            Close::Abruptly,
            backend,
            identity,
        )
    }

    /// Lets in only who shows a certificate of `authority`.
    pub fn guarded(authority: &Authority, backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(
            rustls::ALL_VERSIONS,
            Some(authority),
            Close::InOrder,
            backend,
            identity,
        )
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections accepted so far, whatever became of them.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        authority: Option<&Authority>,
        close: Close,
        backend: &Backend,
        identity: &Identity,
    ) -> TlsFront {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("TLS versions");
        let config = match authority {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let certificate =
                    CertificateDer::from_pem_slice(authority.certificate().as_bytes());
                roots
                    .add(certificate.expect("a certificate in PEM"))
                    .expect("an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let config = config
            .with_single_cert(
                chain.collect::<Result<_, _>>().expect("a chain in PEM"),
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key in PEM"),
            )
            .expect("a server configuration");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("a bound listener").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (counter, to) = (Arc::clone(&connections), backend.port());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .expect("a runtime");
            // Everything ends with the runtime, when the test drops its side of the channel.
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    _ = accept(listener, acceptor, counter, to, close) => {}
                }
            });
        });
        TlsFront {
            port,
            connections,
            _stop: stop,
        }
    }
}

async fn accept(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    connections: Arc<AtomicUsize>,
    to: u16,
    close: Close,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        connections.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(carry(stream, acceptor.clone(), to, close));
    }
}

/// However it ends, the connection is closed and the test looks at the other end.
async fn carry(stream: TcpStream, acceptor: TlsAcceptor, to: u16, close: Close) -> io::Result<()> {
    let mut inside = acceptor.accept(stream).await?;
    let mut backend = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
    if close == Close::InOrder {
        copy_bidirectional(&mut inside, &mut backend).await?;
        return Ok(());
    }
    let (mut from_router, mut to_router) = split(inside);
    let (mut from_backend, mut to_backend) = backend.split();
    tokio::select! {
        ended = copy(&mut from_router, &mut to_backend) => ended,
        ended = copy(&mut from_backend, &mut to_router) => ended,
    }?;
    Ok(())
}
