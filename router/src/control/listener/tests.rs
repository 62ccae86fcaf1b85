use std::net::SocketAddr;

use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A listener on a free port, for the tests of all listeners.
pub(in crate::control) struct Server {
    address: SocketAddr,
    gate: Gate,
    // Ends with it.
    _task: JoinSet<()>,
}

impl Server {
    pub(in crate::control) async fn start(app: Router, bounds: Bounds) -> Server {
        Server::start_with(Transport::Plain, app, bounds).await
    }

    async fn start_with(transport: Transport, app: Router, bounds: Bounds) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        let gate = Gate::default();
        task.spawn(serve(
            Listener::new(listener, gate.clone(), true),
            transport,
            app,
            bounds,
        ));
        Server {
            address,
            gate,
            _task: task,
        }
    }

    pub(in crate::control) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything that comes back until the server closes: the status line, the header lines sorted and in lower case, the
    /// body.
    pub(in crate::control) async fn send(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        normal(&answer)
    }

    /// The same for a GET. The connection is closed behind the request's half: the answer must come nevertheless, and
    /// without a word about closing.
    pub(in crate::control) async fn get(&self, path: &str) -> String {
        self.get_with(path, "").await
    }

    pub(in crate::control) async fn get_with(&self, path: &str, lines: &str) -> String {
        let mut stream = self.connect().await;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n").as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        normal(&answer)
    }
}

fn normal(answer: &str) -> String {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no whole head: {answer:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap();
    let mut fields: Vec<String> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            let name = name.to_lowercase();
            if name == "date" {
                "date: <date>".to_owned()
            } else {
                format!("{name}: {value}")
            }
        })
        .collect();
    fields.sort();
    format!("{status}\n{}\n\n{body}", fields.join("\n"))
}

fn app() -> Router {
    let body = || async { "a".repeat(64 * 1024 * 1024) };
    Router::new().route("/large", any(body)).fallback(not_found)
}

fn bounds() -> Bounds {
    Bounds {
        read: Duration::from_secs(60),
        write: Duration::from_secs(60),
        connections: 8,
    }
}

#[tokio::test]
async fn header_names_are_spelt_as_gorouter_does() {
    let server = Server::start(app(), bounds()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("\r\nContent-Type: ") && answer.contains("\r\nX-Content-Type-Options: "),
        "{answer}"
    );
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start(app(), bounds()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"404 page not found\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn who_sends_no_request_in_time_is_hung_up_on() {
    let server = Server::start(
        app(),
        Bounds {
            read: Duration::from_millis(20),
            ..bounds()
        },
    )
    .await;
    for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
    }
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_hung_up_on() {
    let server = Server::start(
        app(),
        Bounds {
            write: Duration::from_millis(20),
            ..bounds()
        },
    )
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    // Not a byte is read: the connection ends when the server gives up, and then writing fails.
    while stream.write_all(b"x").await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_one_to_end() {
    let server = Server::start(
        app(),
        Bounds {
            connections: 1,
            ..bounds()
        },
    )
    .await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let waits = tokio::time::timeout(Duration::from_millis(50), second.read_buf(&mut answer)).await;
    assert!(waits.is_err(), "the first connection is still open");
    drop(first);
    second.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.0 404"));
}

/// TLS for both sides.
fn tls() -> (Transport, tokio_rustls::TlsConnector) {
    use std::sync::Arc;

    use rustls::crypto::aws_lc_rs;
    use rustls_pki_types::PrivateKeyDer;

    let made = rcgen::generate_simple_self_signed(["listener.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    (
        Transport::Tls(TlsSettings::new(server)),
        tokio_rustls::TlsConnector::from(Arc::new(client)),
    )
}

#[tokio::test]
async fn who_shakes_no_hands_in_time_is_hung_up_on() {
    let bounds = Bounds {
        read: Duration::from_millis(20),
        ..bounds()
    };
    let server = Server::start_with(tls().0, app(), bounds).await;
    for sent in ["", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // An alert may come before the end; the end may be a reset.
        drop(stream.read_to_end(&mut answer).await);
        assert!(!answer.starts_with(b"HTTP"));
    }
}

#[tokio::test]
async fn an_http_2_connection_is_told_to_go_when_its_time_is_over() {
    const GOAWAY: u8 = 7;
    let bounds = Bounds {
        read: Duration::from_millis(200),
        write: Duration::from_millis(200),
        ..bounds()
    };
    let (transport, connector) = tls();
    let server = Server::start_with(transport, app(), bounds).await;
    let name = "listener.test".try_into().unwrap();
    let mut stream = connector
        .connect(name, server.connect().await)
        .await
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == GOAWAY {
            break;
        }
    }
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest).await);
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn behind_a_closed_gate_nobody_is_accepted_and_each_connection_ends_with_its_next_answer() {
    let server = Server::start(app(), Bounds::default()).await;
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"404 page not found\n") {
        idle.read_buf(&mut answer).await.unwrap();
    }
    let mut new = server.connect().await;
    while server.gate.connections() < 3 {
        // The listener itself holds one as long as it accepts.
        tokio::task::yield_now().await;
    }
    server.gate.close();
    // The kernel takes the connection into the queue, where another process would find it.
    let mut late = server.connect().await;
    late.write_all(GET).await.unwrap();
    let mut some = [0; 16];
    let answered = tokio::time::timeout(Duration::from_millis(300), late.read(&mut some));
    assert!(answered.await.is_err());
    assert_eq!(server.gate.connections(), 2);
    for stream in [&mut idle, &mut new] {
        stream.write_all(GET).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
    while server.gate.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shared_socket_is_left_to_the_process_before_until_it_is_our_turn() {
    let server = Server::start(app(), Bounds::default()).await;
    server.gate.wait();
    // What the listener did before it heard of that.
    tokio::task::yield_now().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut some = [0; 16];
    let answered = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut some));
    assert!(answered.await.is_err());
    server.gate.open();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.0 404"));
}
