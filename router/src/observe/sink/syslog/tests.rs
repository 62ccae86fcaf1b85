use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};

use super::*;

fn lines(texts: &[&str]) -> Lines {
    let mut lines = Lines::default();
    for text in texts {
        lines.text.extend_from_slice(text.as_bytes());
        lines.text.push(b'\n');
        lines.ends.push(lines.text.len());
    }
    lines
}

fn streaming(network: &str, address: impl std::fmt::Display) -> Streaming {
    Streaming {
        network: network.to_owned(),
        address: address.to_string(),
        tag: "vcap.gorouter".to_owned(),
        truncate: 0,
    }
}

/// The message behind its header, after a look at the header.
fn message(frame: &str) -> &str {
    let (header, message) = frame.split_once('\u{feff}').unwrap();
    let fields: Vec<&str> = header.split(' ').collect();
    let [priority, time, host, tag, process, dash, ""] = fields[..] else {
        panic!("{header:?}");
    };
    assert_eq!((priority, tag, dash), ("<14>1", "vcap.gorouter", "-"));
    assert_eq!(process, std::process::id().to_string());
    assert!(!host.is_empty());
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z");
    message
}

///
#[test]
fn a_datagram_is_a_message_without_a_line_break() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = Streaming {
        truncate: 5,
        ..streaming("udp", server.local_addr().unwrap())
    };
    let mut syslog = Syslog::start(&to, Arc::default()).unwrap();
    syslog.take(&lines(&["one", "second"]), &[]);
    let mut bytes = [0; 2048];
    for expected in ["one", "secon"] {
        let length = server.recv(&mut bytes).unwrap();
        assert_eq!(
            message(std::str::from_utf8(&bytes[..length]).unwrap()),
            expected
        );
    }
    syslog.close();
}

///
#[test]
fn a_stream_has_a_message_a_line_and_survives_its_server() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let losses = Arc::new(Losses::default());
    let mut syslog = Syslog::start(&streaming("tcp", address), Arc::clone(&losses)).unwrap();
    let mut stream = BufReader::new(server.accept().unwrap().0);
    let mut line = String::new();
    syslog.take(&lines(&["one", "two"]), &[]);
    for expected in ["one\n", "two\n"] {
        line.clear();
        stream.read_line(&mut line).unwrap();
        assert_eq!(message(&line), expected);
    }
    drop(stream);
    // The end of the connection may take a moment to arrive.
    let mut number = 0;
    server.set_nonblocking(true).unwrap();
    let stream = loop {
        syslog.take(&lines(&[&number.to_string()]), &[]);
        number += 1;
        if let Ok((stream, _)) = server.accept() {
            break stream;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    stream.set_nonblocking(false).unwrap();
    syslog.take(&lines(&["last"]), &[]);
    syslog.close();
    let messages: Vec<String> = BufReader::new(stream)
        .lines()
        .map(|line| message(&line.unwrap()).to_owned())
        .collect();
    assert_eq!(messages.last().unwrap(), "last");
    assert_eq!(losses.unstreamed_records(), 0);
}

#[test]
fn a_server_that_reads_nothing_costs_lines_and_nobody_waits_for_it() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let losses = Arc::new(Losses::default());
    let to = streaming("tcp", server.local_addr().unwrap());
    let mut syslog = Syslog::start(&to, Arc::clone(&losses)).unwrap();
    let long = "a".repeat(1024 * 1024);
    let began = Instant::now();
    for _ in 0..40 {
        syslog.take(&lines(&[&long]), &[]);
    }
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(losses.unstreamed_records() > 0);
    syslog.close();
    assert!(began.elapsed() < Duration::from_secs(8));
}

///
#[test]
fn only_udp_and_tcp_are_networks() {
    for network in ["udp", "udp4", "udp6", "tcp", "tcp4", "tcp6"] {
        assert!(network.parse::<Network>().is_ok(), "{network}");
    }
    for network in ["unix", "", "unixgram", "tcp5"] {
        let error = Syslog::start(&streaming(network, "127.0.0.1:1"), Arc::default()).unwrap_err();
        assert!(error.to_string().contains("syslog_network"), "{error}");
    }
}

#[test]
fn a_stream_needs_its_server_at_the_start() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert!(Syslog::start(&streaming("tcp", address), Arc::default()).is_err());
    assert!(Syslog::start(&streaming("udp6", address), Arc::default()).is_err());
}

#[test]
fn datagrams_follow_a_server_that_has_moved() {
    let servers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let addresses = servers
        .each_ref()
        .map(|server| server.local_addr().unwrap());
    for server in &servers {
        let limit = Duration::from_secs(20);
        server.set_read_timeout(Some(limit)).unwrap();
    }
    let has_moved = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&has_moved);
    let directory = Directory {
        address: "syslog.test:514".to_owned(),
        every: Duration::ZERO,
        find: Box::new(move |_| Ok(vec![addresses[usize::from(seen.load(Ordering::SeqCst))]])),
    };
    let to = streaming("udp", "syslog.test:514");
    let mut syslog = Syslog::start_with(&to, Arc::default(), directory).unwrap();
    let mut bytes = [0; 2048];
    let mut sent = |syslog: &mut Syslog, text: &str, server: &UdpSocket| {
        syslog.take(&lines(&[text]), &[]);
        let length = server.recv(&mut bytes).unwrap();
        let frame = String::from_utf8(bytes[..length].to_vec()).unwrap();
        assert_eq!(message(&frame), text);
    };
    sent(&mut syslog, "before", &servers[0]);
    has_moved.store(true, Ordering::SeqCst);
    sent(&mut syslog, "behind", &servers[1]);
    syslog.close();
}
