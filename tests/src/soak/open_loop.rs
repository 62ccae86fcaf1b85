//! Requests at a fixed rate, whatever the answers do.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::Dice;
use crate::eventually::LIMIT;
use crate::http2::{FrameClient, flag, frame_kind};

/// Which protocol clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// Clients with a connection and a thread each, that ask at moments which were fixed beforehand. A latency counts from that
/// moment, so that a stall is charged to all who wait behind it.
#[derive(Clone, Copy, Debug)]
pub struct OpenLoop<'a> {
    /// The port of this machine that they ask.
    pub port: u16,
    /// The host that they ask for; in HTTP/2 it is `app.test`.
    pub host: &'a str,
    /// What they speak.
    pub version: Version,
    /// Clients.
    pub clients: u32,
    /// Requests a second of all of them.
    pub rate: u32,
}

impl OpenLoop<'_> {
    /// Asks for `time`; `seed` is where chance begins. The latencies in no order.
    ///
    /// # Panics
    /// When a request is not answered with 200.
    pub fn run(&self, time: Duration, seed: u64) -> Vec<Duration> {
        let period = Duration::from_secs(1) * self.clients / self.rate.max(1);
        let one = |number: u64| {
            let mut dice = Dice::new(seed ^ number << 32);
            let mut client = Client::connect(self.port, self.host, self.version);
            // Once for what is made at the first request only.
            client.ask();
            let mut seen = Vec::with_capacity(1024);
            let began = Instant::now();
            for turn in 0.. {
                // Anywhere in its turn: evenly spaced requests would always meet what is as even.
                let within = dice.roll(period.as_nanos().max(1) as u64);
                let due = period * turn + Duration::from_nanos(within);
                if due >= time {
                    break;
                }
                let due = began + due;
                if began.elapsed() >= time {
                    // Whose turn did not come has waited until now, and nobody knows for how much longer.
                    seen.push(due.elapsed());
                    continue;
                }
                thread::sleep(due.saturating_duration_since(Instant::now()));
                client.ask();
                seen.push(due.elapsed());
            }
            seen
        };
        thread::scope(|scope| {
            let one = &one;
            let clients: Vec<_> = (0..u64::from(self.clients))
                .map(|number| scope.spawn(move || one(number)))
                .collect();
            let seen = clients.into_iter().map(|client| client.join());
            seen.flat_map(|seen| seen.expect("a client that is served"))
                .collect()
        })
    }
}

enum Client {
    Http1 {
        stream: TcpStream,
        request: String,
        answer: Vec<u8>,
    },
    Http2 {
        frames: FrameClient,
        stream: u32,
    },
}

impl Client {
    fn connect(port: u16, host: &str, version: Version) -> Client {
        match version {
            Version::Http1 => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
                stream.set_nodelay(true).expect("an option");
                stream.set_read_timeout(Some(LIMIT)).expect("an option");
                Client::Http1 {
                    stream,
                    request: format!("GET /quick HTTP/1.1\r\nHost: {host}\r\n\r\n"),
                    answer: vec![0; 16 * 1024],
                }
            }
            Version::Http2 => Client::Http2 {
                frames: FrameClient::connect(port),
                stream: 1,
            },
        }
    }

    fn ask(&mut self) {
        match self {
            Client::Http1 {
                stream,
                request,
                answer,
            } => exchange(stream, request, answer).expect("an answer"),
            Client::Http2 { frames, stream } => {
                let own = *stream;
                *stream += 2;
                frames.get(own, "/quick");
                let end = frames.until(|frame| {
                    let is_end = frame.flags & flag::END_STREAM != 0;
                    frame.stream == own
                        && (frame.kind == frame_kind::RST_STREAM
                            || is_end
                                && matches!(frame.kind, frame_kind::DATA | frame_kind::HEADERS))
                });
                let kind = end.expect("an answer").kind;
                assert_ne!(kind, frame_kind::RST_STREAM, "stream {own} was reset");
            }
        }
    }
}

/// A request and its answer, which says its length.
fn exchange(stream: &mut TcpStream, request: &str, answer: &mut [u8]) -> io::Result<()> {
    stream.write_all(request.as_bytes())?;
    let (mut filled, mut whole) = (0, None);
    while whole.is_none_or(|whole| filled < whole) {
        match stream.read(&mut answer[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
        whole = whole.or_else(|| length(&answer[..filled]));
    }
    match answer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other("another status than 200")),
    }
}

/// How long the answer is that begins so; `None` when its head is not whole.
fn length(answer: &[u8]) -> Option<usize> {
    const NAME: &str = "content-length:";
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).unwrap_or_default();
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME)
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + 4 + body.unwrap_or(0))
}
