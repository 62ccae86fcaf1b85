//! The binary is upgraded under load: nobody is refused, nobody is cut, and what was open goes on.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Findings;
use crate::backend::Backend;
use crate::client::Client;
use crate::eventually::LIMIT;
use crate::registration::Registration;
use crate::router::Router;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
const UPGRADE: &str =
    "GET / HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/// How often routes are registered.
const HEARTBEAT: Duration = Duration::from_millis(50);
/// How long the load goes on before the first upgrade, and behind each.
const AROUND: Duration = Duration::from_millis(500);

/// One upgrade after the other, beside clients of all kinds.
#[derive(Clone, Copy, Debug)]
pub struct Upgrade {
    /// WebSockets that are open all the while.
    pub websockets: usize,
    /// Clients with a new connection for each request.
    pub newcomers: usize,
    /// Clients that keep their connections.
    pub regulars: usize,
    /// Upgrades.
    pub times: usize,
}

/// What clients met.
#[derive(Debug, Default)]
struct Met {
    answers: AtomicUsize,
    refused: AtomicUsize,
    cut: AtomicUsize,
}

impl Upgrade {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let mut router = Router::builder()
            .with("upgrade.socket", "upgrade.sock")
            .with("upgrade.drain_timeout", "600s")
            .with("start_response_delay_interval", "500ms")
            .with("logging.level", "info")
            .start();
        let (backend, chat) = (Backend::saying("here"), echo());
        let app = Registration::of("app.test", &backend);
        let rooms = Registration::of("chat.test", &chat);
        router.register(&app);
        router.register(&rooms);
        let mut talks: Vec<Client> = (0..self.websockets).map(|_| talk(&router)).collect();
        let (met, over, port) = (Met::default(), AtomicBool::new(false), router.port());
        let mut took = Vec::new();
        let mut former = Vec::new();
        thread::scope(|scope| {
            // As emitters do: a next process hears of routes while it waits for its time.
            let (mut bus, routes) = (
                router.bus().client(),
                [&app, &rooms].map(Registration::message),
            );
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    for route in &routes {
                        bus.publish("router.register", route);
                    }
                    thread::sleep(HEARTBEAT);
                }
            });
            for _ in 0..self.newcomers {
                scope.spawn(|| newcomer(port, &met, over));
            }
            for _ in 0..self.regulars {
                scope.spawn(|| regular(port, &met, over));
            }
            thread::sleep(AROUND);
            for _ in 0..self.times {
                let began = Instant::now();
                former.push(router.succeed());
                took.push(began.elapsed());
                thread::sleep(AROUND);
            }
            over.store(true, Ordering::Relaxed);
        });
        let alive = talks.iter_mut().filter_map(|client| speak(client).ok());
        let alive = alive.count();
        drop(talks);
        let codes = former
            .iter_mut()
            .map(|process| process.wait_for(LIMIT).code());
        let ended = codes.filter(|code| *code == Some(0)).count();

        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        findings.note("upgrades", self.times);
        findings.note(
            "an upgrade took",
            format!("{:.0?}", took.iter().max().copied().unwrap_or_default()),
        );
        findings.note("answers", count(&met.answers));
        findings.note("refused connections", count(&met.refused));
        findings.note("cut requests", count(&met.cut));
        findings.note(
            "WebSockets that live",
            format!("{alive} of {}", self.websockets),
        );
        findings.check(count(&met.answers) > 100, || "hardly any load".into());
        findings.check(count(&met.refused) == 0, || {
            "connections were refused".into()
        });
        findings.check(count(&met.cut) == 0, || "requests were cut".into());
        findings.check(alive == self.websockets, || "WebSockets were cut".into());
        findings.check(ended == self.times, || {
            format!("{ended} of the former processes ended well")
        });
        findings
    }
}

/// Switches and gives back line by line.
fn echo() -> Backend {
    Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        loop {
            let line = peer.wire().until(b"\n")?;
            peer.send(line)?;
        }
    })
}

fn talk(router: &Router) -> Client {
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client
}

fn speak(client: &mut Client) -> io::Result<()> {
    client.wire().send("still there?\n")?;
    match client.wire().exactly(13) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn newcomer(port: u16, met: &Met, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if let Some(mut stream) = connect(port, met) {
            ask(&mut stream, met);
        }
    }
}

fn regular(port: u16, met: &Met, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let Some(mut stream) = connect(port, met) else {
            continue;
        };
        while !over.load(Ordering::Relaxed) && ask(&mut stream, met) == Some(Behind::Kept) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn connect(port: u16, met: &Met) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|stream| {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    if stream.is_err() {
        met.refused.fetch_add(1, Ordering::Relaxed);
    }
    stream.ok()
}

#[derive(PartialEq)]
enum Behind {
    Kept,
    Closed,
}

fn ask(stream: &mut TcpStream, met: &Met) -> Option<Behind> {
    let answer = exchange(stream);
    let counter = match &answer {
        Ok(_) => &met.answers,
        Err(_) => &met.cut,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    answer.ok()
}

/// A GET and its answer, which has a body of four bytes.
fn exchange(stream: &mut TcpStream) -> io::Result<Behind> {
    stream.write_all(GET)?;
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end
            && answer.len() >= end + 8
        {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                return Err(io::Error::other(head));
            }
            return Ok(match head.contains("\r\nconnection: close") {
                true => Behind::Closed,
                false => Behind::Kept,
            });
        }
        match stream.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&some[..count]),
        }
    }
}
