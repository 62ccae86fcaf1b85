use std::net::SocketAddr;

use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A listener on a free port, for the tests of all listeners.
pub(in crate::control) struct Server {
    address: SocketAddr,
    // Ends with it.
    _task: JoinSet<()>,
}

impl Server {
    pub(in crate::control) async fn start(app: Router, bounds: Bounds) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Transport::Plain, app, bounds));
        Server {
            address,
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
