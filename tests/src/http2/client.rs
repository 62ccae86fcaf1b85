//! A client.

use std::future::{Future, poll_fn};
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::body::{Broken, Incoming, Outgoing, map};
use super::runtime::{handle, wait};

/// One connection to the router; closed when it and all its conversations are gone.
#[derive(Debug)]
pub struct Http2Client {
    sender: SendRequest<Bytes>,
    ended: Option<oneshot::Receiver<Result<(), Broken>>>,
    cut: Option<oneshot::Sender<()>>,
}

/// One request and its answer.
#[derive(Debug)]
pub struct Conversation {
    /// The body of the request.
    pub up: Outgoing,
    response: ResponseFuture,
    interim: Vec<(u16, HeaderMap)>,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Http2Answer {
    /// Statuses and fields of the interim answers before it.
    pub interim: Vec<(u16, HeaderMap)>,
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The fields behind it.
    pub trailers: HeaderMap,
    /// How it ended.
    pub ended: Result<(), Broken>,
}

/// A request for `target` at `host` with these fields.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn request(method: &str, host: &str, target: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{host}{target}"))
        .body(())
        .expect("a request");
    *request.headers_mut() = map(fields);
    request
}

impl Http2Client {
    /// Connects to a port of this machine, with prior knowledge.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(port: u16) -> Http2Client {
        Http2Client::with(port, &Builder::new())
    }

    /// As [`Http2Client::connect`], with settings of one's own.
    #[track_caller]
    pub fn with(port: u16, builder: &Builder) -> Http2Client {
        let begun = wait("a connection", async {
            begin(tcp(port).await?, builder).await
        });
        begun.unwrap_or_else(|error| panic!("port {port}: {error}"))
    }

    /// Connects over TLS, for the name `127.0.0.1`; `config` has to offer `h2`.
    ///
    /// # Errors
    /// When nobody listens, the handshake fails, or the server prefers another protocol.
    pub fn over_tls(port: u16, config: Arc<ClientConfig>) -> io::Result<Http2Client> {
        Http2Client::over_tls_to("127.0.0.1", port, config)
    }

    /// As [`Http2Client::over_tls`], for this name: the server is told it, and must prove it.
    ///
    /// # Errors
    /// As [`Http2Client::over_tls`], and when the name is none.
    pub fn over_tls_to(
        name: &str,
        port: u16,
        config: Arc<ClientConfig>,
    ) -> io::Result<Http2Client> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        wait("a TLS connection", async {
            let stream = TlsConnector::from(config).connect(name, tcp(port).await?);
            let stream = stream.await?;
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => begin(stream, &Builder::new()).await,
                other => Err(io::Error::other(format!("{other:?} above TLS"))),
            }
        })
    }

    /// Whether the server takes extended CONNECT, as far as it has said; waits for its settings.
    pub fn takes_tunnels(&mut self) -> bool {
        // Its settings come before any answer.
        self.sender.is_extended_connect_protocol_enabled()
    }

    /// Begins a request; `is_whole` says that it has no body.
    ///
    /// # Errors
    /// When the connection takes no more requests.
    pub fn open(&mut self, request: Request<()>, is_whole: bool) -> Result<Conversation, Broken> {
        let sender = &mut self.sender;
        wait("room for a stream", poll_fn(|cx| sender.poll_ready(cx)))?;
        let (response, up) = sender.send_request(request, is_whole)?;
        Ok(Conversation {
            up: Outgoing::new(up),
            response,
            interim: Vec::new(),
        })
    }

    /// Asks without a body and reads the answer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn ask(&mut self, request: Request<()>) -> Http2Answer {
        let conversation = self.open(request, true);
        conversation.expect("a stream").answer()
    }

    /// Asks for `target` at `host`.
    #[track_caller]
    pub fn get(&mut self, host: &str, target: &str) -> Http2Answer {
        self.ask(request("GET", host, target, &[]))
    }

    /// Breaks the connection off.
    pub fn cut(&mut self) {
        if let Some(cut) = self.cut.take() {
            cut.send(()).ok();
        }
    }

    /// Waits for the end of the connection, which may come only when its conversations are over.
    ///
    /// # Errors
    /// How it ended, where not in order.
    ///
    /// # Panics
    /// When it was waited for before.
    pub fn ended(&mut self) -> Result<(), Broken> {
        let ended = self.ended.take().expect("waited for once");
        wait("the end of a connection", ended).unwrap_or(Err(Broken::Lost))
    }
}

impl Conversation {
    /// Waits for the head of the answer, or for an interim answer with this status.
    ///
    /// # Errors
    /// How the stream ended before it, an answer without that interim one included.
    pub fn interim(&mut self, status: u16) -> Result<HeaderMap, Broken> {
        let response = &mut self.response;
        let interim = wait(
            "an interim answer",
            poll_fn(|cx| response.poll_informational(cx)),
        );
        let interim = interim.ok_or(Broken::Lost)??;
        self.interim
            .push((interim.status().as_u16(), interim.headers().clone()));
        match interim.status().as_u16() == status {
            true => Ok(interim.headers().clone()),
            false => self.interim(status),
        }
    }

    /// Waits for the head of the answer; its body comes behind.
    ///
    /// # Errors
    /// How the stream ended before it.
    pub fn head(&mut self) -> Result<(u16, HeaderMap, Incoming), Broken> {
        let (response, interim) = (&mut self.response, &mut self.interim);
        let answer = wait(
            "the head of an answer",
            poll_fn(|cx| {
                while let Poll::Ready(Some(Ok(head))) = response.poll_informational(cx) {
                    interim.push((head.status().as_u16(), head.headers().clone()));
                }
                Pin::new(&mut *response).poll(cx)
            }),
        );
        let (parts, body) = answer?.into_parts();
        Ok((parts.status.as_u16(), parts.headers, Incoming::new(body)))
    }

    /// Statuses of the interim answers that have come so far.
    pub fn interims(&self) -> Vec<u16> {
        self.interim.iter().map(|(status, _)| *status).collect()
    }

    /// Waits for the whole answer.
    ///
    /// # Panics
    /// When the stream ends before its head.
    #[track_caller]
    pub fn answer(&mut self) -> Http2Answer {
        let (status, headers, mut body) = match self.head() {
            Ok(head) => head,
            Err(broken) => panic!("no answer: {broken:?}"),
        };
        let (body, trailers, ended) = body.rest();
        Http2Answer {
            interim: std::mem::take(&mut self.interim),
            status,
            headers,
            body,
            trailers,
            ended,
        }
    }
}

impl Http2Answer {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a field behind the body.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.get(name)?.to_str().ok()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn begin<S>(stream: S, builder: &Builder) -> io::Result<Http2Client>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let begun = builder.handshake(stream).await;
    let (sender, connection) = begun.map_err(io::Error::other)?;
    let (cut, is_cut) = oneshot::channel();
    let (say, ended) = oneshot::channel();
    handle().spawn(async move {
        let is_cut = async {
            // A client that is dropped lets the connection end by itself.
            if is_cut.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            end = connection => drop(say.send(end.map_err(Broken::from))),
            () = is_cut => {}
        }
    });
    Ok(Http2Client {
        sender,
        ended: Some(ended),
        cut: Some(cut),
    })
}
