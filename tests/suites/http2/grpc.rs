//! gRPC with the tonic library on both ends: what its clients and servers say to each other passes through the router.

mod echo;

use std::time::Duration;

use cloverleaf_tests::{Authority, Port, Registration, Router, eventually};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

use super::world::{over_tls, router};
use echo::{EchoServer, Text};

/// A router with an echo service behind it, and a channel to it.
struct Scene {
    runtime: Runtime,
    router: Router,
    server: EchoServer,
    client: Grpc<Channel>,
}

/// How both edges of the router are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edges {
    Plain,
    Tls,
}

impl Scene {
    fn new(edges: Edges) -> Scene {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let authority = Authority::new("the authority");
        let tls_port = Port::reserve();
        let router = router(&authority, &tls_port).start();
        let identity = (edges == Edges::Tls).then(|| authority.identity(&["backend.test"]));
        let server = EchoServer::start(&runtime, identity);
        router.register(
            &match edges {
                Edges::Plain => Registration::at("grpc.test", server.port()),
                Edges::Tls => over_tls("grpc.test", server.port()),
            }
            .with("protocol", "http2"),
        );
        let endpoint = match edges {
            Edges::Plain => Endpoint::from_shared(format!("http://127.0.0.1:{}", router.port())),
            Edges::Tls => Endpoint::from_shared(format!("https://127.0.0.1:{}", tls_port.number())),
        };
        // The router goes by the name in `:authority`.
        let scheme = if edges == Edges::Tls { "https" } else { "http" };
        let origin = format!("{scheme}://grpc.test").parse().expect("an origin");
        let mut endpoint = endpoint.expect("an address").origin(origin);
        if edges == Edges::Tls {
            let authority = Certificate::from_pem(authority.certificate());
            let config = ClientTlsConfig::new()
                .ca_certificate(authority)
                .domain_name("127.0.0.1");
            endpoint = endpoint.tls_config(config).expect("a TLS configuration");
        }
        let channel = runtime.block_on(endpoint.connect()).expect("a channel");
        Scene {
            client: Grpc::new(channel),
            runtime,
            router,
            server,
        }
    }

    async fn ready(client: &mut Grpc<Channel>) {
        client.ready().await.expect("a channel that is ready");
    }

    /// One message for one.
    fn unary(
        &mut self,
        name: &'static str,
        request: Request<String>,
    ) -> Result<Response<String>, Status> {
        self.runtime.block_on(async {
            Scene::ready(&mut self.client).await;
            self.client.unary(request, method(name), Text).await
        })
    }
}

fn method(name: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(name)
}

fn each(run: impl Fn(&mut Scene)) {
    for edges in [Edges::Plain, Edges::Tls] {
        run(&mut Scene::new(edges));
    }
}

#[test]
fn one_message_is_answered_with_one() {
    each(|scene| {
        let mut request = Request::new("hello".to_owned());
        let caller = "tests".parse().expect("a value");
        request.metadata_mut().insert("x-caller", caller);
        let answer = scene.unary("/echo.Echo/Unary", request);
        let answer = answer.expect("an answer");
        assert_eq!(answer.get_ref(), "hello from tests");
        assert_eq!(
            answer
                .metadata()
                .get("x-served")
                .map(|value| value.as_bytes()),
            Some(&b"yes"[..])
        );
        let line = scene.router.access_log().line();
        assert_eq!(line.request, "POST /echo.Echo/Unary HTTP/2.0");
        assert_eq!(line.status, "200");
    });
}

#[test]
fn an_error_reaches_the_client_with_its_code_and_words() {
    each(|scene| {
        let failed = scene.unary("/echo.Echo/Unary", Request::new("fail".to_owned()));
        let status = failed.expect_err("an error");
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "no such thing: 100 %")
        );
        let unknown = scene.unary("/echo.Echo/Unknown", Request::new(String::new()));
        assert_eq!(unknown.expect_err("an error").code(), Code::Unimplemented);
    });
}

#[test]
fn a_client_streams_and_gets_one_answer() {
    each(|scene| {
        let Scene {
            runtime, client, ..
        } = scene;
        let answer = runtime.block_on(async {
            Scene::ready(client).await;
            let messages = (0..1000).map(|number| format!("{number:0>100}"));
            let request = Request::new(tokio_stream::iter(messages));
            client
                .client_streaming(request, method("/echo.Echo/Collect"), Text)
                .await
        });
        assert_eq!(
            answer.expect("an answer").into_inner(),
            "1000 messages, 100000 bytes"
        );
    });
}

#[test]
fn a_server_streams_and_ends_with_its_trailers() {
    each(|scene| {
        let Scene {
            runtime, client, ..
        } = scene;
        runtime.block_on(async {
            Scene::ready(client).await;
            let request = Request::new("500".to_owned());
            let answer = client
                .server_streaming(request, method("/echo.Echo/Count"), Text)
                .await;
            let mut messages = answer.expect("an answer").into_inner();
            let mut count = 0;
            while let Some(message) = messages.message().await.expect("a message") {
                assert_eq!(message, count.to_string());
                count += 1;
            }
            assert_eq!(count, 500);
            let trailers = messages.trailers().await.expect("trailers");
            assert!(trailers.is_some(), "the status came behind the messages");
        });
    });
}

#[test]
fn both_stream_in_turns() {
    each(|scene| {
        let Scene {
            runtime, client, ..
        } = scene;
        runtime.block_on(async {
            Scene::ready(client).await;
            let (say, said) = mpsc::channel(1);
            let request = Request::new(ReceiverStream::new(said));
            let answer = client
                .streaming(request, method("/echo.Echo/Talk"), Text)
                .await;
            let mut messages = answer.expect("an answer").into_inner();
            for number in 0..20 {
                let text = format!("message {number}");
                say.send(text.clone()).await.expect("a listener");
                // Each answer comes before the next question.
                let answer = messages.message().await.expect("a message");
                assert_eq!(answer, Some(text));
            }
            drop(say);
            assert_eq!(messages.message().await.expect("the end"), None);
        });
    });
}

#[test]
fn a_call_that_is_given_up_ends_at_the_server_too() {
    each(|scene| {
        let Scene {
            runtime,
            client,
            server,
            router,
        } = scene;
        runtime.block_on(async {
            Scene::ready(client).await;
            let request = Request::new("without end".to_owned());
            let answer = client
                .server_streaming(request, method("/echo.Echo/Count"), Text)
                .await;
            let mut messages = answer.expect("an answer").into_inner();
            assert_eq!(
                messages.message().await.expect("a message").as_deref(),
                Some("0")
            );
        });
        // With the messages dropped the call is.
        eventually("the call to end at the server", || {
            (server.given_up() == 1).then_some(())
        });
        let line = router.access_log().line();
        assert_eq!(line.status, "200");
        assert_eq!(
            line.field("x_cf_routererror"),
            "client-conn-closed-during-response-streaming"
        );
    });
}

#[test]
fn a_deadline_is_known_to_the_server_and_ends_the_call() {
    each(|scene| {
        let mut request = Request::new("wait".to_owned());
        request.set_timeout(Duration::from_millis(300));
        let failed = scene.unary("/echo.Echo/Unary", request);
        let code = failed.expect_err("an error").code();
        assert!(
            matches!(code, Code::DeadlineExceeded | Code::Cancelled),
            "{code:?}"
        );
        assert_eq!(scene.server.timeouts(), ["300000u"]);
    });
}

#[test]
fn a_call_to_nowhere_fails_with_a_code() {
    let mut scene = Scene::new(Edges::Plain);
    let address = format!("http://127.0.0.1:{}", scene.router.port());
    let endpoint = Endpoint::from_shared(address).expect("an address");
    let endpoint = endpoint.origin("http://nowhere.test".parse().expect("an origin"));
    let channel = scene.runtime.block_on(endpoint.connect());
    scene.client = Grpc::new(channel.expect("a channel"));
    let failed = scene.unary("/echo.Echo/Unary", Request::new(String::new()));
    let status = failed.expect_err("an error");
    assert!(status.message().contains("404 Not Found"), "{status:?}");
}
