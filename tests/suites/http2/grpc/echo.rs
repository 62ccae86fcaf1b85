//! A service of gRPC whose messages are plain text, by hand: no compiler of message definitions is needed.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use cloverleaf_tests::Identity;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService,
    UnaryService,
};
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// Messages that are text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Text;
    type Decoder = Text;

    fn encoder(&mut self) -> Text {
        Text
    }

    fn decoder(&mut self) -> Text {
        Text
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = bytes.copy_to_bytes(bytes.remaining());
        let text = String::from_utf8(bytes.to_vec());
        text.map(Some).map_err(|_| Status::internal("no text"))
    }
}

/// A server on a port of its own; ends when dropped.
pub struct EchoServer {
    port: u16,
    seen: Arc<Seen>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Seen {
    given_up: AtomicUsize,
    timeouts: Mutex<Vec<String>>,
}

impl EchoServer {
    pub fn start(runtime: &Runtime, identity: Option<Identity>) -> EchoServer {
        let seen = Arc::new(Seen::default());
        let echo = Echo(Arc::clone(&seen));
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a listener");
        let port = listener.local_addr().expect("a bound listener").port();
        let mut server = Server::builder();
        if let Some(identity) = identity {
            let identity = tonic::transport::Identity::from_pem(identity.certificate, identity.key);
            let config = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(config).expect("a TLS configuration");
        }
        let serve = server
            .add_service(echo)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = runtime
            .spawn(async move { drop(serve.await) })
            .abort_handle();
        EchoServer { port, seen, task }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Calls that ended before their last message was sent.
    pub fn given_up(&self) -> usize {
        self.seen.given_up.load(Ordering::Acquire)
    }

    /// The deadlines of calls, as they came.
    pub fn timeouts(&self) -> Vec<String> {
        let timeouts = self.seen.timeouts.lock();
        timeouts.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Echo(Arc<Seen>);

impl NamedService for Echo {
    const NAME: &'static str = "echo.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        if let Some(timeout) = request.headers().get("grpc-timeout") {
            let timeout = String::from_utf8_lossy(timeout.as_bytes()).into_owned();
            let timeouts = self.0.timeouts.lock();
            timeouts
                .unwrap_or_else(PoisonError::into_inner)
                .push(timeout);
        }
        let mut grpc = Grpc::new(Text);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/echo.Echo/Unary" => grpc.unary(echo, request).await,
                "/echo.Echo/Collect" => grpc.client_streaming(echo, request).await,
                "/echo.Echo/Count" => grpc.server_streaming(echo, request).await,
                "/echo.Echo/Talk" => grpc.streaming(echo, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

impl UnaryService<String> for Echo {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async move {
            match request.get_ref().as_str() {
                "fail" => return Err(Status::not_found("no such thing: 100 %")),
                "wait" => std::future::pending().await,
                _ => {}
            }
            let caller = request.metadata().get("x-caller");
            let caller = caller.map_or("nobody", |caller| caller.to_str().unwrap_or_default());
            let mut response = Response::new(format!("{} from {caller}", request.get_ref()));
            let served = "yes".parse().map_err(|_| Status::internal("no value"))?;
            response.metadata_mut().insert("x-served", served);
            Ok(response)
        })
    }
}

impl ClientStreamingService<String> for Echo {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let mut messages = request.into_inner();
            let (mut count, mut bytes) = (0, 0);
            while let Some(message) = messages.message().await? {
                count += 1;
                bytes += message.len();
            }
            Ok(Response::new(format!("{count} messages, {bytes} bytes")))
        })
    }
}

impl ServerStreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Messages;
    type Future = BoxFuture<Response<Messages>, Status>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let seen = Arc::clone(&self.0);
        Box::pin(async move {
            let most = request.get_ref().parse().unwrap_or(usize::MAX);
            let (say, said) = tokio::sync::mpsc::channel(4);
            tokio::spawn(async move {
                for number in 0..most {
                    if say.send(Ok(number.to_string())).await.is_err() {
                        seen.given_up.fetch_add(1, Ordering::AcqRel);
                        return;
                    }
                }
            });
            let messages: Messages = Box::pin(ReceiverStream::new(said));
            Ok(Response::new(messages))
        })
    }
}

impl StreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Messages;
    type Future = BoxFuture<Response<Messages>, Status>;

    fn call(&mut self, request: Request<Streaming<String>>) -> Self::Future {
        Box::pin(async move {
            let messages: Messages = Box::pin(request.into_inner().map(|message| message));
            Ok(Response::new(messages))
        })
    }
}
