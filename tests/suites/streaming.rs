//! The access log streamed to a syslog server.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use cloverleaf_tests::{Backend, LIMIT, Registration, Router, Start, eventually};

fn streaming(network: &str, address: SocketAddr) -> Start {
    Router::builder()
        .with("access_log.enable_streaming", true)
        .with("logging.syslog", "vcap.gorouter")
        .with("logging.syslog_network", network)
        .with("logging.syslog_addr", address.to_string())
}

/// The line in a message, after a look at what stands before it.
#[track_caller]
fn line(message: &str, router: &mut Router) -> String {
    let (header, line) = message.split_once('\u{feff}').expect("a byte order mark");
    let fields: Vec<&str> = header.split(' ').collect();
    let [priority, time, host, tag, process, dash, ""] = fields[..] else {
        panic!("{header:?}");
    };
    assert_eq!((priority, tag, dash), ("<14>1", "vcap.gorouter", "-"));
    assert_eq!(process, router.process().id().to_string());
    assert!(
        !host.is_empty() && time.len() == "2031-03-04T05:06:07Z".len(),
        "{header}"
    );
    line.to_owned()
}

//
#[test]
fn lines_go_out_as_datagrams_and_into_the_file() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    server.set_read_timeout(Some(LIMIT)).expect("a time-out");
    let mut router = streaming("udp", server.local_addr().expect("an address")).start();
    let backend = Backend::saying("here");
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/one").status, 200);
    assert_eq!(router.get("unknown.test", "/two").status, 404);
    let mut bytes = [0; 64 * 1024];
    let streamed: Vec<String> = (0..2)
        .map(|_| {
            let length = server.recv(&mut bytes).expect("a datagram");
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            line(&message, &mut router)
        })
        .collect();
    router.access_log().wait_for(2);
    let in_file: Vec<String> = router
        .access_log()
        .lines()
        .into_iter()
        .map(|line| line.text)
        .collect();
    assert_eq!(streamed, in_file, "no line break, the 404 too");
}

#[test]
fn lines_are_cut_where_that_is_configured() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    server.set_read_timeout(Some(LIMIT)).expect("a time-out");
    let mut router = streaming("udp", server.local_addr().expect("an address"))
        .with("logging.syslog_truncate", 20)
        .with("access_log.file", serde_json::Value::Null)
        .start();
    assert_eq!(router.get("unknown.test", "/").status, 404);
    let mut bytes = [0; 64 * 1024];
    let length = server.recv(&mut bytes).expect("a datagram");
    let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
    let line = line(&message, &mut router);
    assert!(
        line.starts_with("unknown.test - [2") && line.len() == 20,
        "{line}"
    );
}

//
#[test]
fn a_stream_is_taken_up_again_when_its_server_comes_back() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = server.local_addr().expect("an address");
    let mut router = streaming("tcp", address).start();
    let accept = |server: &TcpListener| -> BufReader<TcpStream> {
        let (stream, _) = server.accept().expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        BufReader::new(stream)
    };
    let read = |stream: &mut BufReader<TcpStream>| {
        let mut text = String::new();
        stream.read_line(&mut text).expect("a line");
        text.strip_suffix('\n').expect("a line break").to_owned()
    };
    let mut stream = accept(&server);
    assert_eq!(router.get("unknown.test", "/first").status, 404);
    let first = line(&read(&mut stream), &mut router);
    assert!(first.contains("GET /first "), "{first}");

    drop((stream, server));
    // Nobody waits for the server, not even the file.
    let mut requests = 0;
    eventually("the loss to be noticed", || {
        assert_eq!(router.get("unknown.test", "/between").status, 404);
        requests += 1;
        (!router
            .log()
            .with_message("access-log-streaming-failed")
            .is_empty())
        .then_some(())
    });
    router.access_log().wait_for(1 + requests);

    let server = TcpListener::bind(address).expect("the same port");
    let mut stream = accept(&server);
    router.wait_for_event("access-log-streaming-resumed");
    assert_eq!(router.get("unknown.test", "/last").status, 404);
    loop {
        let text = line(&read(&mut stream), &mut router);
        if text.contains("GET /last ") {
            break;
        }
        assert!(text.contains("GET /between "), "{text}");
    }
    assert!(
        router
            .metrics()
            .text()
            .contains("\naccess_log_unstreamed_records 0\n")
    );
}

//
#[test]
fn a_network_that_is_none_or_a_server_that_is_away_ends_the_start() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = free.local_addr().expect("an address");
    drop(free);
    for network in ["unix", "tcp"] {
        let mut router = streaming(network, address).launch();
        assert_eq!(router.process().wait().code(), Some(1), "{network}");
        let events = router.log().with_message("error-creating-access-logger");
        assert_eq!(events.len(), 1, "{network}");
        let error = events[0].data("error").as_str().expect("a text");
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
