//! What the listeners for operators have in common: bounds, TLS, and answers as GoRouter words them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long a request head may take to arrive, the idle time before it included.
    pub(super) read: Duration,
    /// How long a client may leave an answer unread.
    pub(super) write: Duration,
    /// Connections at a time; more wait until one has ended.
    pub(super) connections: usize,
}

/// What a listener speaks below HTTP.
#[derive(Clone)]
pub enum Transport {
    /// TCP alone.
    Plain,
    /// TLS.
    Tls(TlsSettings),
}

/// How TLS is spoken on a listener, which may change while it is open: the next handshake follows.
#[derive(Clone, Debug)]
pub struct TlsSettings(Arc<ArcSwap<ServerConfig>>);

impl TlsSettings {
    /// As `server` says.
    pub fn new(server: ServerConfig) -> TlsSettings {
        TlsSettings(Arc::new(ArcSwap::from_pointee(server)))
    }

    /// As `server` says from now on.
    pub fn replace(&self, server: ServerConfig) {
        self.0.store(Arc::new(server));
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

impl Default for Bounds {
    /// 10 s each way (spec 9.1).
    fn default() -> Bounds {
        Bounds {
            read: Duration::from_secs(10),
            write: Duration::from_secs(10),
            connections: 256,
        }
    }
}

/// The pause after a connection could not be accepted: the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Requests of one HTTP/2 connection that are served at a time.
const STREAMS: u32 = 32;

/// Which of the processes that share a socket accepts from it: an answer must not depend on which one happens to be
/// quicker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    /// The one before, until this one serves.
    Former,
    #[default]
    Ours,
    /// The next one, for good.
    Next,
}

/// Whose turn it is on all listeners for operators, and how many are connected to them.
#[derive(Clone, Debug, Default)]
pub struct Gate(watch::Sender<Turn>);

impl Gate {
    /// Leaves shared sockets to the process before, until [`Gate::open`].
    pub fn wait(&self) {
        self.0.send_replace(Turn::Former);
    }

    /// Accepts on all listeners, unless the next process does already.
    pub fn open(&self) {
        self.0.send_if_modified(|turn| {
            let waited = *turn == Turn::Former;
            if waited {
                *turn = Turn::Ours;
            }
            waited
        });
    }

    /// Leaves all listeners to the next process. Each connection ends with its next answer.
    pub fn close(&self) {
        self.0.send_replace(Turn::Next);
    }

    /// Connections that are open once the gate is closed: each holds a receiver, and listeners then do not.
    pub fn connections(&self) -> usize {
        self.0.receiver_count()
    }

    fn turn(&self) -> Turn {
        *self.0.borrow()
    }

    /// Waits until it is no more the turn of `turn`.
    async fn is_past(&self, turn: Turn) {
        if turn != Turn::Next {
            let mut turns = self.0.subscribe();
            if turns.wait_for(|now| *now != turn).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

/// A listener whose socket may have come from another process, and may pass on to one.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    gate: Gate,
    /// Another process accepts from the socket until this one's turn has come.
    is_shared: bool,
}

impl Listener {
    /// Accepts from `socket` while `gate` lets it.
    pub fn new(socket: TcpListener, gate: Gate, is_shared: bool) -> Listener {
        Listener {
            socket,
            gate,
            is_shared,
        }
    }

    /// Its port.
    pub fn port(&self) -> Option<u16> {
        self.socket.local_addr().ok().map(|address| address.port())
    }
}

/// Serves `app` until the future is dropped, which also cuts its connections.
pub(super) async fn serve(listener: Listener, transport: Transport, app: Router, bounds: Bounds) {
    let Listener {
        socket,
        gate,
        is_shared,
    } = listener;
    let service = Service {
        transport,
        app: app.layer(from_fn_with_state(gate.clone(), tell_the_end)),
        bounds,
    };
    let mut connections = JoinSet::new();
    loop {
        let turn = gate.turn();
        let is_ours = turn == Turn::Ours || turn == Turn::Former && !is_shared;
        let accepts = is_ours && connections.len() < bounds.connections;
        tokio::select! {
            accepted = socket.accept(), if accepts => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone(), gate.0.subscribe()));
                }
                Err(error) => {
                    tracing::warn!(target: "router", %error, "accept-failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            () = gate.is_past(turn) => {}
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// What every connection of a listener gets.
#[derive(Clone)]
struct Service {
    transport: Transport,
    app: Router,
    bounds: Bounds,
}

/// Answers, and says whether that is the connection's end: behind it the next process is to be asked. An idle connection
/// is not closed, since a request may be on its way.
async fn tell_the_end(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let is_http1 = request.version() < Version::HTTP_2;
    let mut response = next.run(request).await;
    if is_http1 && gate.turn() == Turn::Next {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn connection(stream: TcpStream, service: Service, turns: watch::Receiver<Turn>) {
    let stream = Impatient {
        stream,
        limit: service.bounds.write,
        stalled: None,
    };
    let outcome = match &service.transport {
        Transport::Plain => over_http1(stream, &service).await,
        Transport::Tls(settings) => over_tls(stream, &settings.acceptor(), &service, turns).await,
    };
    if let Err(error) = outcome {
        // The client's doing: nothing for an operator to act on.
        tracing::debug!(target: "router", error = &*error, "status-connection-failed");
    }
}

/// What became of a connection.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn over_tls(
    stream: Impatient<TcpStream>,
    acceptor: &TlsAcceptor,
    service: &Service,
    turns: watch::Receiver<Turn>,
) -> Outcome {
    let stream = timeout(service.bounds.read, acceptor.accept(stream)).await??;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => over_http2(stream, service, turns).await,
        _ => over_http1(stream, service).await,
    }
}

async fn over_http1<S>(stream: S, service: &Service) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(service.bounds.read);
    // Names as GoRouter spells them, for those who search the answer; and an answer for those who close their half of the
    // connection behind the request.
    server.title_case_headers(true).half_close(true);
    let app = TowerToHyperService::new(service.app.clone());
    server.serve_connection(TokioIo::new(stream), app).await?;
    Ok(())
}

async fn over_http2<S>(stream: S, service: &Service, mut turns: watch::Receiver<Turn>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS);
    let app = TowerToHyperService::new(service.app.clone());
    let connection = server.serve_connection(TokioIo::new(stream), app);
    let mut connection = std::pin::pin!(connection);
    // The protocol has no head to wait for, so the time bounds the connection: then it is told to go (GOAWAY), and what
    // it has asked is still answered.
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = sleep(service.bounds.read) => connection.as_mut().graceful_shutdown(),
        Ok(_) = turns.wait_for(|turn| *turn == Turn::Next) => connection.as_mut().graceful_shutdown(),
    }
    timeout(service.bounds.write, connection).await??;
    Ok(())
}

/// A plain text answer.
pub(super) fn text(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// An answer with this type.
pub(super) fn with_type(
    status: StatusCode,
    mime: &'static str,
    body: impl Into<axum::body::Body>,
) -> Response {
    let headers: [(HeaderName, HeaderValue); 1] = [(CONTENT_TYPE, HeaderValue::from_static(mime))];
    (status, headers, body.into()).into_response()
}

/// The answer to any path that is not served.
pub(super) async fn not_found() -> Response {
    let mut response = text(StatusCode::NOT_FOUND, "404 page not found\n");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A stream that fails when its peer reads nothing for too long.
struct Impatient<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    /// What a write came to, unless it has waited for too long.
    fn watch<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
pub(super) mod tests;
