//! TLS with clients: the handshake that comes before the first request.

mod certificates;
mod clients;
mod domains;
mod tickets;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cloverleaf_config::pem::{PemError, validity};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ProducesTickets, ResolvesServerCert, VerifierBuilderError};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::proxied::{Arrival, arrive, first_bytes};
use crate::callers::{Domain, Verified, raw};
use crate::config::{Config, ExtraLogField};
use crate::http2;
use crate::serve::{Peer, serve};
use crate::tls;
use crate::worker::{Buffer, Share, Worker};

/// Time for a handshake that has begun, where `read_header_timeout` does not say.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client hears that speaks HTTP here (spec 4.2).
const NOT_TLS: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How clients are spoken to over TLS; shared by all workers.
#[derive(Clone)]
pub struct FrontEnd {
    acceptor: TlsAcceptor,
    /// Whether requests differ by whether there was one.
    asks_for_certificate: bool,
    /// Whether the log shows the name that the client asked for.
    logs_server_name: bool,
    /// Where some names have client authorities of their own.
    domains: Option<Arc<domains::Handshakes>>,
}

/// Why there is no TLS with clients.
#[derive(Debug, thiserror::Error)]
pub enum FrontEndError {
    /// `tls_pem`.
    #[error("tls_pem: {0}")]
    Identity(#[from] PemError),
    /// `client_ca_certs` and the system's authorities.
    #[error("client_ca_certs: {0}")]
    Authorities(#[from] VerifierBuilderError),
    /// `ca_certs` of an entry of `domains`.
    #[error("domains[{place}].ca_certs: {error}")]
    Domain {
        /// The entry.
        place: usize,
        /// What is wrong with its authorities.
        error: VerifierBuilderError,
    },
    /// Versions and cipher suites, or the keys of session tickets.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

impl FrontEnd {
    /// What `config` asks for; `None` without `enable_ssl`. Reads the system's authorities: not for a worker's thread.
    ///
    /// # Errors
    /// See [`FrontEndError`].
    pub fn new(config: &Config) -> Result<Option<FrontEnd>, FrontEndError> {
        if !config.enable_ssl {
            return Ok(None);
        }
        let terms = Terms::new(config)?;
        let verifier = clients::verifier(config, Arc::clone(terms.offer.provider()))?;
        let asks_for_certificate = verifier.is_some();
        let logs = config.logging.extra_fields();
        Ok(Some(FrontEnd {
            domains: domains::Handshakes::new(config, &terms)?.map(Arc::new),
            acceptor: TlsAcceptor::from(terms.with(verifier)?),
            asks_for_certificate,
            logs_server_name: logs.contains(&ExtraLogField::TlsSni),
        }))
    }

    /// Lets clients resume the sessions that they began under `former`, which must judge clients alike: a session that is
    /// resumed is not judged again. Those of domains are begun anew.
    pub fn resume_sessions(&mut self, former: &FrontEnd) {
        let mut server = ServerConfig::clone(self.acceptor.config());
        server.ticketer = Arc::clone(&former.acceptor.config().ticketer);
        self.acceptor = TlsAcceptor::from(Arc::new(server));
    }

    /// Shakes hands. Gives who is at the other end, too.
    async fn shake_hands(
        &self,
        begun: Begun,
        client: SocketAddr,
    ) -> io::Result<(Box<TlsStream<Begun>>, Peer)> {
        let (stream, domain) = match &self.domains {
            None => (Box::new(self.acceptor.accept(begun).await?), None),
            // In a box of its own, so that those who have no domains do not pay for its size.
            Some(domains) => Box::pin(domains.accept(begun, &self.acceptor)).await?,
        };
        let peer = self.peer(client, stream.get_ref().1, domain)?;
        Ok((stream, peer))
    }

    fn peer(
        &self,
        client: SocketAddr,
        session: &ServerConnection,
        domain: Option<Arc<Domain>>,
    ) -> io::Result<Peer> {
        let mut peer = Peer::new(client, true);
        if self.logs_server_name {
            peer.server_name = session.server_name().unwrap_or_default().into();
        }
        if domain.is_none() && !self.asks_for_certificate {
            return Ok(peer);
        }
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let Some(leaf) = shown else {
            // The handshake of a domain does not end without.
            return match domain {
                None => Ok(peer),
                Some(_) => Err(io::Error::other("no client certificate")),
            };
        };
        if session.handshake_kind() == Some(HandshakeKind::Resumed) && !is_current(leaf) {
            return Err(io::Error::other("the client certificate has expired since"));
        }
        peer.has_certificate = true;
        match domain {
            Some(domain) => {
                peer.certificate = domain.shown(leaf);
                peer.verified = Some(Verified::new(&domain, leaf));
            }
            // Whether requests name it may have changed by the time of one.
            None => peer.certificate = raw(leaf),
        }
        Ok(peer)
    }
}

/// What all handshakes have in common, whoever is asked for a certificate.
struct Terms {
    offer: tls::Offer,
    certificates: Arc<dyn ResolvesServerCert>,
    protocols: Vec<Vec<u8>>,
}

impl Terms {
    fn new(config: &Config) -> Result<Terms, FrontEndError> {
        let offer = tls::Offer::new(config);
        let certificates = Arc::new(certificates::Certificates::new(&config.tls_pem)?);
        Ok(Terms {
            certificates: offer.showing(certificates),
            offer,
            protocols: match config.enable_http2 {
                true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
                false => Vec::new(),
            },
        })
    }

    /// Handshakes in which `verifier` judges clients; `None` asks for no certificate. Each call makes keys of its own for
    /// session tickets, so that no session begins under one judge and goes on under another.
    fn with(
        &self,
        verifier: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let server = self.offer.server()?;
        let keys = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        let (server, keys): (_, Arc<dyn ProducesTickets>) = match verifier {
            None => (server.with_no_client_auth(), keys),
            Some(verifier) => {
                let tickets = Arc::new(tickets::Tickets::new(keys));
                (server.with_client_cert_verifier(verifier), tickets)
            }
        };
        let mut server = server.with_cert_resolver(Arc::clone(&self.certificates));
        server.ignore_client_order = true;
        // Sessions are resumed by tickets alone, which cost no memory and work on every worker.
        server.ticketer = keys;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.send_tls13_tickets = 1;
        server.alpn_protocols = self.protocols.clone();
        Ok(Arc::new(server))
    }
}

/// Whether a certificate is valid now. A resumed session brings one that was verified when the session began; its ticket
/// should have come to its end before (`tickets`), and this is what holds if it has not.
fn is_current(certificate: &CertificateDer<'_>) -> bool {
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    validity(certificate).is_ok_and(|valid| valid.contains(&now))
}

/// Shakes hands and serves what comes then. A connection owns nothing of TLS before its first bytes.
pub(super) async fn serve_tls(
    mut stream: TcpStream,
    peer: SocketAddr,
    share: Share,
    worker: Rc<Worker>,
) {
    let Some(Arrival { client, ahead }) = arrive(&mut stream, peer, &worker).await else {
        return;
    };
    let timer = worker.wheel.timer();
    timer.arm(worker.policy.frontend_idle_timeout);
    let ahead = match ahead {
        Some(ahead) => ahead,
        None => match first_bytes(&mut stream, &worker, &timer).await {
            Some(ahead) => ahead,
            None => return,
        },
    };
    // Certificates may have changed while nothing was said.
    let worker = worker.latest();
    let Some(front_end) = &worker.front_end else {
        return;
    };
    timer.arm(match worker.policy.read_header_timeout {
        none if none.is_zero() => HANDSHAKE_TIMEOUT,
        limit => limit,
    });
    if ahead.unread().first().is_some_and(u8::is_ascii_uppercase) {
        // A method; a handshake begins with byte 22. Nobody minds when this does not arrive.
        drop(timer.within(stream.write_all(NOT_TLS)).await);
        drop(timer.within(stream.shutdown()).await);
        return;
    }
    let begun = Begun::new(ahead, stream);
    let (stream, peer) = match timer.within(front_end.shake_hands(begun, client)).await {
        Some(Ok(accepted)) => accepted,
        Some(Err(error)) => return failed(client, &error),
        None => return failed(client, &io::ErrorKind::TimedOut.into()),
    };
    drop(timer);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        // In a box, so that a connection of HTTP/1.1 is a small task.
        return Box::pin(http2::serve(stream, peer, share, worker)).await;
    }
    serve(stream, peer, share, worker).await;
}

/// The client's doing: nothing for an operator to act on.
#[cold]
fn failed(client: SocketAddr, error: &io::Error) {
    tracing::debug!(target: "router", { client = %client, error = %error }, "tls-handshake-failed");
}

/// A connection whose first bytes were read already.
pub(super) struct Begun {
    ahead: Option<Buffer>,
    stream: TcpStream,
}

impl Begun {
    /// A connection whose first bytes are in `ahead`.
    pub(super) fn new(ahead: Buffer, stream: TcpStream) -> Begun {
        Begun {
            ahead: Some(ahead),
            stream,
        }
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(ahead) = &mut self.ahead else {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        };
        let count = ahead.unread().len().min(buf.remaining());
        buf.put_slice(&ahead.unread()[..count]);
        ahead.consume(count);
        if ahead.is_empty() {
            self.ahead = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
