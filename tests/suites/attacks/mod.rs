//! Attacks, byte by byte: what two readers could understand in two ways never gets past the router.
//!
//! Each attack is told apart by three things: what the attacker gets, what the backend saw, and that the next client on
//! the pooled backend connection still gets its own answer. One worker serves all, so that they do share connections.

mod chunks;
mod desync;
mod dice;
mod floods;
mod framing;
mod names;
mod pieces;
mod reference;
mod responses;
mod sharing;
mod stray;
mod targets;
mod upgrades;

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloverleaf_tests::{Backend, End, Registration, Router, ok};

use reference::{Read, Side};

/// A backend that takes nothing but strict requests, answers each with its target, and remembers everything.
struct Witness {
    backend: Backend,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<reference::Request>,
    /// Bytes that are no strict request: the router must never send any.
    faulty: Vec<String>,
    /// Requests whose head came without the whole of the body, so far.
    begun: usize,
    /// Requests that broke off.
    cut: usize,
}

/// A router in front of a witness at `app.test`.
struct Scene {
    router: Router,
    witness: Witness,
    counted: Cell<usize>,
    victims: Cell<usize>,
}

impl Witness {
    fn new() -> Witness {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let backend = Backend::scripted(move |peer| {
            let mut is_begun = false;
            loop {
                match reference::request(peer.wire().unread(), Side::Backend) {
                    Read::One(request, length) => {
                        peer.wire().exactly(length)?;
                        let answer = ok(&request.target);
                        lock(&shared).requests.push(request);
                        is_begun = false;
                        peer.send(answer)?;
                    }
                    Read::Bad(why) => {
                        let bytes = peer.wire().unread().escape_ascii().to_string();
                        lock(&shared).faulty.push(format!("{why}: {bytes}"));
                        return Ok(());
                    }
                    Read::More => {
                        let has_head = memmem(peer.wire().unread(), b"\r\n\r\n");
                        if has_head && !std::mem::replace(&mut is_begun, true) {
                            lock(&shared).begun += 1;
                        }
                        let read = peer.wire().more();
                        if read.is_err() && !peer.wire().unread().is_empty() {
                            lock(&shared).cut += 1;
                        }
                        read?;
                    }
                }
            }
        });
        Witness { backend, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Scene {
    fn new() -> Scene {
        Scene::with(Router::builder())
    }

    fn with(start: cloverleaf_tests::Start) -> Scene {
        let (router, witness) = (start.with("go_max_procs", 1).start(), Witness::new());
        router.register(&Registration::of("app.test", &witness.backend));
        Scene {
            router,
            witness,
            counted: Cell::new(0),
            victims: Cell::new(0),
        }
    }

    /// Sends these bytes and reads until the connection ends.
    fn attack(&self, bytes: impl AsRef<[u8]>) -> (Vec<u8>, End) {
        let mut client = self.router.client();
        // The router may have seen enough before the last byte.
        client.wire().send(bytes).ok();
        client.wire().rest()
    }

    /// Another client's request must get its own answer. Gives what reached the backend since the last look.
    #[track_caller]
    fn aftermath(&self, name: &str) -> Vec<reference::Request> {
        let number = self.victims.replace(self.victims.get() + 1);
        let target = format!("/victim-{number}");
        let answer = self.router.get("app.test", &target);
        assert_eq!(answer.text(), target, "{name}: the next client's answer");
        let seen = self.witness.seen();
        assert_eq!(seen.faulty, [""; 0], "{name}: what the backend got");
        let mut requests = seen.requests[self.counted.get()..].to_vec();
        self.counted.set(seen.requests.len());
        let victim = requests.pop().map(|request| request.target);
        assert_eq!(victim.as_deref(), Some(target.as_str()), "{name}");
        requests
    }

    /// The attack is answered with this status line, the connection ends, and nothing of it reaches the backend.
    #[track_caller]
    fn refuses(&self, name: &str, bytes: impl AsRef<[u8]>, line: &str) {
        let cut = self.witness.seen().cut;
        let (answer, end) = self.attack(bytes);
        assert_one_answer(name, &answer, end, line);
        assert_eq!(self.aftermath(name), [], "{name}");
        assert_eq!(self.witness.seen().cut, cut, "{name}: a part went through");
    }

    /// The bytes are one request, which the backend gets clean, and the connection goes on in step.
    #[track_caller]
    fn passes(&self, name: &str, bytes: impl AsRef<[u8]>) -> reference::Request {
        let mut client = self.router.client();
        client.send(bytes);
        let answer = client.response();
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(
            client.get("app.test", "/next").text(),
            "/next",
            "{name}: the same connection"
        );
        let mut requests = self.aftermath(name);
        assert_eq!(requests.len(), 2, "{name}: {requests:?}");
        assert_eq!(requests[1].target, "/next", "{name}");
        requests.remove(0)
    }
}

/// One answer with this status line, and the end of the connection behind it.
#[track_caller]
fn assert_one_answer(name: &str, answer: &[u8], end: End, line: &str) {
    let text = String::from_utf8_lossy(answer);
    assert!(text.starts_with(line), "{name}: {text:?} ({end:?})");
    assert_eq!(text.matches("HTTP/1.").count(), 1, "{name}: {text:?}");
    assert_eq!(end, End::Closed, "{name}: {text:?}");
}

fn memmem(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const BAD: &str = "HTTP/1.1 400 Bad Request";
const UNSUPPORTED: &str = "HTTP/1.1 501 Not Implemented";
/// What an attacker wants another client to be taken for.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
