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
use tokio::io::copy_bidirectional;
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

impl TlsFront {
    /// With every version that there is.
    pub fn before(backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(rustls::ALL_VERSIONS, None, backend, identity)
    }

    /// With TLS 1.3 alone.
    pub fn modern(backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(&[&rustls::version::TLS13], None, backend, identity)
    }

    /// Lets in only who shows a certificate of `authority`.
    pub fn guarded(authority: &Authority, backend: &Backend, identity: &Identity) -> TlsFront {
        TlsFront::speaking(rustls::ALL_VERSIONS, Some(authority), backend, identity)
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
                    _ = accept(listener, acceptor, counter, to) => {}
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
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        connections.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(carry(stream, acceptor.clone(), to));
    }
}

/// However it ends, the connection is closed and the test looks at the other end.
async fn carry(stream: TcpStream, acceptor: TlsAcceptor, to: u16) -> io::Result<()> {
    let mut inside = acceptor.accept(stream).await?;
    let mut backend = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
    copy_bidirectional(&mut inside, &mut backend).await?;
    Ok(())
}
