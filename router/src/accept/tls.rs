//! TLS with clients: the handshake that comes before the first request.

mod certificates;
mod clients;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloverleaf_config::pem::PemError;
use rustls::ServerConfig;
use rustls::server::VerifierBuilderError;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::proxied::{Arrival, arrive, first_bytes};
use crate::config::{Config, ForwardedClientCert};
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
    /// Whether requests name the certificate that the client showed.
    names_certificate: bool,
    /// Whether requests differ by whether there was one.
    asks_for_certificate: bool,
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
        let provider = Arc::new(tls::provider(config));
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&tls::versions(config))?;
        let verifier = clients::verifier(config, provider)?;
        let asks_for_certificate = verifier.is_some();
        let server = match verifier {
            None => server.with_no_client_auth(),
            Some(verifier) => server.with_client_cert_verifier(verifier),
        };
        let mut server =
            server.with_cert_resolver(Arc::new(certificates::Certificates::new(&config.tls_pem)?));
        server.ignore_client_order = true;
        // Sessions are resumed by tickets alone, which cost no memory and work on every worker.
        server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.send_tls13_tickets = 1;
        if config.enable_http2 {
            server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        Ok(Some(FrontEnd {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            names_certificate: config.forwarded_client_cert == ForwardedClientCert::SanitizeSet,
            asks_for_certificate,
        }))
    }

    /// Lets clients resume the sessions that they began under `former`, which must judge clients alike: a session that is
    /// resumed is not judged again.
    pub fn resume_sessions(&mut self, former: &FrontEnd) {
        let mut server = ServerConfig::clone(self.acceptor.config());
        server.ticketer = Arc::clone(&former.acceptor.config().ticketer);
        self.acceptor = TlsAcceptor::from(Arc::new(server));
    }

    /// Who is at the other end, behind the handshake.
    fn peer(&self, address: SocketAddr, stream: &TlsStream<Begun>) -> Peer {
        let mut peer = Peer::new(address, true);
        if self.asks_for_certificate {
            let shown = stream.get_ref().1.peer_certificates();
            if let Some(leaf) = shown.and_then(<[_]>::first) {
                peer.has_certificate = true;
                if self.names_certificate {
                    peer.certificate = STANDARD.encode(leaf).into();
                }
            }
        }
        peer
    }
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
    let stream = match timer.within(front_end.acceptor.accept(begun)).await {
        Some(Ok(stream)) => Box::new(stream),
        Some(Err(error)) => return failed(client, &error),
        None => return failed(client, &io::ErrorKind::TimedOut.into()),
    };
    drop(timer);
    let peer = front_end.peer(client, &stream);
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
