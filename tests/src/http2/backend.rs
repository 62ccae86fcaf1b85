//! A backend that does what the test says, stream by stream.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::body::{Broken, Incoming, Outgoing, map};
use super::runtime::handle;
use crate::certificates::Identity;
use crate::eventually::eventually;

/// What a backend says of itself.
#[derive(Clone, Debug, Default)]
pub struct Http2Settings {
    /// Who it is; without this it speaks plain text.
    pub identity: Option<Identity>,
    /// Whether it takes extended CONNECT (RFC 8441).
    pub tunnels: bool,
    /// Streams at a time.
    pub streams: Option<u32>,
}

/// A listener that serves every stream by a script on a thread of its own, and remembers what it was asked. Ends when
/// dropped.
#[derive(Debug)]
pub struct Http2Backend {
    port: u16,
    shared: Arc<Shared>,
}

/// A stream that the router has opened.
#[derive(Debug)]
pub struct Http2Request {
    /// Method, target and fields.
    pub head: Request<()>,
    /// The body.
    pub body: Incoming,
    /// Number of the connection, counted from 1.
    pub connection: usize,
    /// Number of the stream on the backend, counted from 1.
    pub number: usize,
    respond: SendResponse<Bytes>,
    orders: Orders,
}

type Orders = mpsc::UnboundedSender<Order>;

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
enum Order {
    GoAway,
    Abort(Reason),
    Cut,
}

#[derive(Debug, Default)]
struct Shared {
    heads: Mutex<Vec<(usize, Request<()>)>>,
    connections: Mutex<Vec<Orders>>,
    tasks: Mutex<Vec<AbortHandle>>,
    ended: AtomicUsize,
}

type Script = dyn Fn(&mut Http2Request) -> Result<(), Broken> + Send + Sync;

impl Http2Backend {
    /// A backend in plain text that runs `serve` for each stream; a stream that is not answered by then is reset.
    pub fn scripted(
        serve: impl Fn(&mut Http2Request) -> Result<(), Broken> + Send + Sync + 'static,
    ) -> Http2Backend {
        Http2Backend::with(Http2Settings::default(), serve)
    }

    /// As [`Http2Backend::scripted`], with settings of one's own.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn with(
        settings: Http2Settings,
        serve: impl Fn(&mut Http2Request) -> Result<(), Broken> + Send + Sync + 'static,
    ) -> Http2Backend {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("a bound listener").port();
        let shared = Arc::new(Shared::default());
        let task = accept(listener, settings, Arc::clone(&shared), Arc::new(serve));
        let task = handle().spawn(task).abort_handle();
        lock(&shared.tasks).push(task);
        Http2Backend { port, shared }
    }

    /// A backend in plain text that answers every request with 200 and this body.
    pub fn saying(body: &'static str) -> Http2Backend {
        Http2Backend::scripted(move |request| {
            request.body.rest().2?;
            request.answer_with(200, &[], body)
        })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The heads that have come so far, with the number of their connection.
    pub fn requests(&self) -> Vec<(usize, Request<()>)> {
        lock(&self.shared.heads).clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there was none, or more than one.
    #[track_caller]
    pub fn request(&self) -> Request<()> {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0).1
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }

    /// Connections that have ended.
    pub fn ended_connections(&self) -> usize {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        eventually(&format!("{count} requests at the backend"), || {
            (self.requests().len() >= count).then_some(())
        });
    }

    /// Takes no more streams on the connections that there are; those that are open go on.
    pub fn go_away(&self) {
        self.order(Order::GoAway);
    }

    /// Closes all connections.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    fn order(&self, order: Order) {
        for connection in lock(&self.shared.connections).iter() {
            connection.send(order).ok();
        }
    }
}

impl Drop for Http2Backend {
    fn drop(&mut self) {
        for task in lock(&self.shared.tasks).drain(..) {
            task.abort();
        }
    }
}

impl Http2Request {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }

    /// The path and query.
    pub fn target(&self) -> &str {
        self.head
            .uri()
            .path_and_query()
            .map_or("", |target| target.as_str())
    }

    /// Sends an interim answer.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn interim(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), Broken> {
        Ok(self.respond.send_informational(head(status, fields))?)
    }

    /// Sends the head of an answer whose body follows.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn answer(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<Outgoing, Broken> {
        let stream = self.respond.send_response(head(status, fields), false)?;
        Ok(Outgoing::new(stream))
    }

    /// Sends an answer that ends with its head.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn answer_head(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), Broken> {
        self.respond.send_response(head(status, fields), true)?;
        Ok(())
    }

    /// Sends a whole answer.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn answer_with(
        &mut self,
        status: u16,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<(), Broken> {
        let mut down = self.answer(status, fields)?;
        down.send(body)?;
        down.end()
    }

    /// Gives the stream up unanswered.
    pub fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Takes no more streams on this connection.
    pub fn go_away(&self) {
        self.orders.send(Order::GoAway).ok();
    }

    /// Ends the connection with GOAWAY and what was open on it.
    pub fn abort_connection(&self, reason: Reason) {
        self.orders.send(Order::Abort(reason)).ok();
    }

    /// Closes the connection.
    pub fn cut_connection(&self) {
        self.orders.send(Order::Cut).ok();
    }

    /// Waits until the router gives the unanswered stream up.
    ///
    /// # Errors
    /// When the connection ends in place of that.
    pub fn reset_by_peer(&mut self) -> Result<Reason, Broken> {
        let respond = &mut self.respond;
        let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
        Ok(super::runtime::wait("a reset", reset)?)
    }
}

fn head(status: u16, fields: &[(&str, &str)]) -> Response<()> {
    let mut head = Response::builder().status(status).body(()).expect("a head");
    *head.headers_mut() = map(fields);
    head
}

async fn accept(
    listener: std::net::TcpListener,
    settings: Http2Settings,
    shared: Arc<Shared>,
    serve: Arc<Script>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let acceptor = settings.identity.as_ref().map(acceptor);
    let mut builder = Builder::new();
    if settings.tunnels {
        builder.enable_connect_protocol();
    }
    if let Some(streams) = settings.streams {
        builder.max_concurrent_streams(streams);
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (orders, ordered) = mpsc::unbounded_channel();
        let number = {
            let mut connections = lock(&shared.connections);
            connections.push(orders.clone());
            connections.len()
        };
        let task = carry(
            stream,
            acceptor.clone(),
            builder.clone(),
            Carried {
                number,
                orders,
                shared: Arc::clone(&shared),
                serve: Arc::clone(&serve),
            },
            ordered,
        );
        let task = tokio::spawn(task).abort_handle();
        lock(&shared.tasks).push(task);
    }
}

struct Carried {
    number: usize,
    orders: Orders,
    shared: Arc<Shared>,
    serve: Arc<Script>,
}

/// However it ends, the connection is closed and the test looks at the other end.
async fn carry(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    builder: Builder,
    carried: Carried,
    ordered: mpsc::UnboundedReceiver<Order>,
) {
    let shared = Arc::clone(&carried.shared);
    match acceptor {
        None => drop(streams(stream, builder, carried, ordered).await),
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                drop(streams(stream, builder, carried, ordered).await);
            }
        }
    }
    shared.ended.fetch_add(1, Ordering::AcqRel);
}

async fn streams<S>(
    stream: S,
    builder: Builder,
    carried: Carried,
    mut ordered: mpsc::UnboundedReceiver<Order>,
) -> Result<(), h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = builder.handshake::<_, Bytes>(stream).await?;
    loop {
        tokio::select! {
            order = ordered.recv() => match order {
                Some(Order::GoAway) => connection.graceful_shutdown(),
                Some(Order::Abort(reason)) => connection.abrupt_shutdown(reason),
                Some(Order::Cut) | None => return Ok(()),
            },
            stream = connection.accept() => {
                let Some(stream) = stream else { return Ok(()) };
                let (request, respond) = stream?;
                carried.begin(request, respond);
            }
        }
    }
}

impl Carried {
    fn begin(&self, request: Request<h2::RecvStream>, respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let number = {
            let mut heads = lock(&self.shared.heads);
            heads.push((self.number, head.clone()));
            heads.len()
        };
        let mut request = Http2Request {
            head,
            body: Incoming::new(body),
            connection: self.number,
            number,
            respond,
            orders: self.orders.clone(),
        };
        let serve = Arc::clone(&self.serve);
        // However the script ends, the stream does and the test looks at the other end.
        thread::spawn(move || serve(&mut request).ok());
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(
            chain.collect::<Result<_, _>>().expect("a chain in PEM"),
            PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key in PEM"),
        )
        .expect("a server configuration");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
