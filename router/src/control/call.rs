//! Calls to other services over HTTP/1.1: one connection for each, a limit on every wait.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Time to connect to one address, to look up a name, and for a TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest text of a refusal that is repeated.
const SHOWN: usize = 200;

/// A service that is called.
#[derive(Clone, Debug)]
pub(super) struct Server {
    host: Box<str>,
    port: u16,
    tls: Option<CallTls>,
}

/// How TLS is spoken with a service, which may change: the next call follows.
#[derive(Clone, Debug)]
pub struct CallTls(Arc<ArcSwap<ClientConfig>>);

impl CallTls {
    fn new(client: ClientConfig) -> CallTls {
        CallTls(Arc::new(ArcSwap::from_pointee(client)))
    }

    /// As `client` says from now on.
    pub fn replace(&self, client: ClientConfig) {
        self.0.store(Arc::new(client));
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Incoming,
    /// Drives the connection, which ends with this value.
    _connection: JoinSet<()>,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The name has no address.
    #[error("{0}: no address")]
    NoAddress(Box<str>),
    /// The host is no name that a certificate could show.
    #[error("{0}: no host name")]
    NoName(Box<str>),
    /// A look-up, a connection, or a TLS handshake.
    #[error("{server}: {error}")]
    Connect {
        /// Whom to.
        server: String,
        /// What the system or TLS said.
        error: std::io::Error,
    },
    /// The other side is slow.
    #[error("timed out {0}")]
    TimedOut(&'static str),
    /// HTTP itself.
    #[error("{}", with_source(.0))]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The body is longer than anybody sends.
    #[error("answer of more than {0} bytes")]
    TooLong(usize),
}

/// hyper tells what went wrong only in the source.
fn with_source(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Server {
    /// A service at this address, with TLS where there is a configuration for it.
    pub(super) fn new(host: &str, port: u16, tls: Option<ClientConfig>) -> Server {
        Server {
            host: host.into(),
            port,
            tls: tls.map(CallTls::new),
        }
    }

    /// How TLS is spoken with it, to be changed.
    pub(super) fn tls(&self) -> Option<&CallTls> {
        self.tls.as_ref()
    }

    /// Sends a request; `Host` is added. The head of the answer must come within `limit`. Safe to cancel.
    pub(super) async fn call(
        &self,
        request: hyper::http::request::Builder,
        body: String,
        limit: Duration,
    ) -> Result<Answer, CallError> {
        let host = HeaderValue::from_str(&self.to_string());
        let mut request = request.body(body)?;
        let headers = request.headers_mut();
        headers.insert(HOST, host.map_err(hyper::http::Error::from)?);
        headers.insert(USER_AGENT, HeaderValue::from_static("cloverleaf-router"));
        let stream = self.connect().await?;
        match &self.tls {
            None => exchange(stream, request, limit).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned())
                    .map_err(|_| CallError::NoName(self.host.clone()))?;
                let handshake = TlsConnector::from(tls.0.load_full()).connect(name, stream);
                let handshake = timeout(CONNECT, handshake).await;
                let stream = handshake
                    .map_err(|_| CallError::TimedOut("in the TLS handshake"))?
                    .map_err(|error| self.failed(error))?;
                exchange(stream, request, limit).await
            }
        }
    }

    /// Tries all addresses of the host one after the other.
    async fn connect(&self) -> Result<TcpStream, CallError> {
        let host = self.host.trim_matches(['[', ']']);
        let addresses = timeout(CONNECT, lookup_host((host, self.port))).await;
        let addresses: Vec<SocketAddr> = addresses
            .map_err(|_| CallError::TimedOut("looking up the name"))?
            .map_err(|error| self.failed(error))?
            .collect();
        let mut failed = CallError::NoAddress(self.host.clone());
        for address in addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    keep_alive(&stream);
                    return Ok(stream);
                }
                Ok(Err(error)) => failed = self.failed(error),
                Err(_) => failed = CallError::TimedOut("connecting"),
            }
        }
        Err(failed)
    }

    fn failed(&self, error: std::io::Error) -> CallError {
        CallError::Connect {
            server: self.to_string(),
            error,
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A stream of events may be silent for hours: whether the other side is still there is asked below HTTP.
fn keep_alive(stream: &TcpStream) {
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    // Without probes a dead peer is noticed later.
    drop(SockRef::from(stream).set_tcp_keepalive(&probes));
}

async fn exchange<S>(
    stream: S,
    request: hyper::Request<String>,
    limit: Duration,
) -> Result<Answer, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // How it ends shows in the answer.
        drop(connection.await);
    });
    let answer = timeout(limit, sender.send_request(request)).await;
    let answer = answer.map_err(|_| CallError::TimedOut("waiting for an answer"))??;
    Ok(Answer {
        status: answer.status().as_u16(),
        body: answer.into_body(),
        _connection: driver,
    })
}

impl Answer {
    /// The next piece of the body; `None` at its end. Safe to cancel.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let frame =
                std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
            match frame.await {
                None => return Ok(None),
                // Trailers are of no interest.
                Some(frame) => {
                    if let Ok(piece) = frame?.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// The whole body, of at most so many bytes, within `limit`.
    pub(super) async fn body(mut self, most: usize, limit: Duration) -> Result<Vec<u8>, CallError> {
        let read = async {
            let mut body = Vec::new();
            while let Some(piece) = self.piece().await? {
                if body.len() + piece.len() > most {
                    return Err(CallError::TooLong(most));
                }
                body.extend_from_slice(&piece);
            }
            Ok(body)
        };
        let read = timeout(limit, read).await;
        read.map_err(|_| CallError::TimedOut("reading the answer"))?
    }

    /// What a refusal says of itself, as far as it can be read and fits in a log line.
    pub(super) async fn refusal(self) -> String {
        let body = self.body(64 * 1024, CONNECT).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        text.trim().chars().take(SHOWN).collect()
    }
}
