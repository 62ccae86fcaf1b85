//! Backends that close their idle connections at random moments, so that requests meet connections which are just dying.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Dice, Findings};
use crate::client::Client;
use crate::registration::Registration;
use crate::router::Router;

const HOST: &str = "app.test";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// A backend waits for the next request between nothing and this long.
const LONGEST_IDLE: u64 = 30_000;

/// GETs against such backends.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// GETs in all.
    pub requests: usize,
    /// Clients that send them, each on a connection that it keeps.
    pub clients: usize,
    /// Endpoints of the route.
    pub endpoints: usize,
    /// Where chance begins.
    pub seed: u64,
}

/// A backend of this kind.
struct Fickle {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Closed while bytes of a request were waiting to be read.
    unread: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Closing {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let router = Router::builder().with("logging.level", "info").start();
        let backends: Vec<Fickle> = (0..self.endpoints as u64)
            .map(|number| Fickle::start(self.seed ^ number))
            .collect();
        for backend in &backends {
            router.register(&Registration::at(HOST, backend.address.port()));
        }
        let (left, began) = (AtomicUsize::new(self.requests), Instant::now());
        let ask = |number: usize| ask(&router, &left, self.seed ^ (number as u64) << 32);
        let answers: BTreeMap<String, usize> = thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients)
                .map(|number| scope.spawn(move || ask(number)))
                .collect();
            let mut sum = BTreeMap::new();
            for client in clients {
                for (answer, count) in client.join().expect("a client that runs to its end") {
                    *sum.entry(answer).or_default() += count;
                }
            }
            sum
        });
        let took = began.elapsed().as_secs_f64();
        let total = |count: fn(&Fickle) -> &AtomicUsize| {
            let counts = backends
                .iter()
                .map(|one| count(one).load(Ordering::Acquire));
            counts.sum::<usize>()
        };
        findings.note("requests", self.requests);
        findings.note(
            "requests each second",
            format!("{:.0}", self.requests as f64 / took),
        );
        findings.note("backend connections", total(|backend| &backend.accepted));
        let unread = total(|backend| &backend.unread);
        findings.note("connections closed on an unread request", unread);
        for (answer, count) in &answers {
            findings
                .figures
                .push(("answers", format!("{count} x {answer}")));
            findings.check(answer == "200", || format!("{count} clients got: {answer}"));
        }
        findings.check(unread > 0, || {
            "no request met a dying connection: this run proves nothing".to_owned()
        });
        findings
    }
}

/// One client's share of the requests, and what it got.
fn ask(router: &Router, left: &AtomicUsize, seed: u64) -> BTreeMap<String, usize> {
    let (mut dice, mut answers) = (Dice::new(seed), BTreeMap::new());
    let mut client: Client = router.client();
    let take = || {
        left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    };
    while take() {
        let response = client.get(HOST, "/");
        let answer = match response.header("X-Cf-RouterError") {
            Some(error) => format!("{} {error}", response.status),
            None if !response.is_complete() => format!("{} cut short", response.status),
            None => response.status.to_string(),
        };
        *answers.entry(answer).or_default() += 1;
        // Pauses about as long as the backends' patience, so that both end at once now and then.
        if dice.roll(16) == 0 {
            thread::sleep(Duration::from_micros(dice.roll(LONGEST_IDLE)));
        }
    }
    answers
}

impl Fickle {
    fn start(seed: u64) -> Fickle {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let backend = Fickle {
            address: listener.local_addr().expect("an address"),
            accepted: Arc::default(),
            unread: Arc::default(),
            stop: Arc::default(),
        };
        let (accepted, unread) = (Arc::clone(&backend.accepted), Arc::clone(&backend.unread));
        let stop = Arc::clone(&backend.stop);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let number = accepted.fetch_add(1, Ordering::AcqRel) as u64;
                let unread = Arc::clone(&unread);
                thread::spawn(move || serve(stream, &mut Dice::new(seed ^ number << 8), &unread));
            }
        });
        backend
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the first request whatever happens, and each later one that comes in time.
fn serve(mut stream: TcpStream, dice: &mut Dice, unread: &AtomicUsize) {
    drop(stream.set_nodelay(true));
    let (mut bytes, mut room) = (Vec::new(), [0; 4096]);
    let mut limit = Duration::from_secs(20);
    loop {
        while !bytes.ends_with(b"\r\n\r\n") {
            drop(stream.set_read_timeout(Some(limit)));
            match stream.read(&mut room) {
                Ok(0) => return,
                Ok(count) => bytes.extend_from_slice(&room[..count]),
                Err(_) => return close(&stream, dice, unread),
            }
            // What has begun is read to its end.
            limit = Duration::from_secs(20);
        }
        bytes.clear();
        if stream.write_all(ANSWER).is_err() {
            return;
        }
        if dice.roll(50) == 0 {
            return close(&stream, dice, unread);
        }
        limit = Duration::from_micros(1 + dice.roll(LONGEST_IDLE));
    }
}

/// In order, or by a reset; a request that is just arriving makes it a reset anyway.
fn close(stream: &TcpStream, dice: &mut Dice, unread: &AtomicUsize) {
    if dice.roll(4) == 0 {
        drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
    }
    // A moment in which a request may come that nobody will read.
    if dice.roll(2) == 0 {
        thread::sleep(Duration::from_micros(dice.roll(2_000)));
    }
    drop(stream.set_nonblocking(true));
    if matches!(stream.peek(&mut [0]), Ok(1..)) {
        unread.fetch_add(1, Ordering::AcqRel);
    }
}
