//! Backends that do what the test says, byte by byte.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::eventually::eventually;
use crate::http::{Request, ok};
use crate::wire::{End, Wire};

/// A listener that serves every connection by a script, and remembers what it was asked. Ends when dropped.
#[derive(Debug)]
pub struct Backend {
    port: u16,
    seen: Arc<Seen>,
}

/// One connection of a backend.
#[derive(Debug)]
pub struct Peer {
    wire: Wire,
    number: usize,
    seen: Arc<Seen>,
}

/// A port that refuses connections and that nobody else can take meanwhile.
#[derive(Debug)]
pub struct RefusedPort {
    number: u16,
    _socket: socket2::Socket,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    /// A second handle on each open connection, by number, so that dropping the backend ends them.
    open: Mutex<HashMap<usize, TcpStream>>,
    accepted: AtomicUsize,
    closed: AtomicUsize,
    stopped: AtomicBool,
}

impl Backend {
    /// A backend that runs `serve` for each connection and then closes it.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn scripted(
        serve: impl Fn(&mut Peer) -> Result<(), End> + Send + Sync + 'static,
    ) -> Backend {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = listener
            .local_addr()
            .expect("a bound listener has an address")
            .port();
        let seen = Arc::new(Seen::default());
        let (shared, serve) = (Arc::clone(&seen), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let number = shared.accepted.fetch_add(1, Ordering::AcqRel) + 1;
                lock(&shared.open).extend(stream.try_clone().map(|stream| (number, stream)));
                let mut peer = Peer {
                    wire: Wire::new(stream),
                    number,
                    seen: Arc::clone(&shared),
                };
                let serve = Arc::clone(&serve);
                thread::spawn(move || {
                    // However it ends, the connection is closed and the test looks at the other end.
                    serve(&mut peer).ok();
                    peer.close();
                });
            }
        });
        Backend { port, seen }
    }

    /// A backend that keeps its connections and answers each request with what `answer` makes of it.
    pub fn answering<A: AsRef<[u8]>>(
        answer: impl Fn(&Request) -> A + Send + Sync + 'static,
    ) -> Backend {
        Backend::scripted(move |peer| {
            loop {
                let request = peer.request()?;
                peer.send(answer(&request))?;
            }
        })
    }

    /// A backend that answers every request with 200 and this body.
    pub fn saying(body: &str) -> Backend {
        let answer = ok(body);
        Backend::answering(move |_| answer.clone())
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`, as the router names it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests whose heads have come so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.seen.requests).clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there was none, or more than one.
    #[track_caller]
    pub fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.seen.accepted.load(Ordering::Acquire)
    }

    /// Connections whose script has come to its end.
    pub fn ended_connections(&self) -> usize {
        self.seen.closed.load(Ordering::Acquire)
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        eventually(&format!("{count} requests at the backend"), || {
            (self.requests().len() >= count).then_some(())
        });
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.seen.stopped.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        for (_, stream) in lock(&self.seen.open).drain() {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Peer {
    /// Number of the connection, counted from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The bytes of the connection.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Reads a request with its body.
    ///
    /// # Errors
    /// How the connection ended before that.
    pub fn request(&mut self) -> Result<Request, End> {
        let mut request = Request::read_head(&mut self.wire, self.number)?;
        let read = request.read_body(&mut self.wire);
        lock(&self.seen.requests).push(request.clone());
        read.map(|()| request)
    }

    /// Reads a request up to the end of its head.
    ///
    /// # Errors
    /// How the connection ended before that.
    pub fn head(&mut self) -> Result<Request, End> {
        let request = Request::read_head(&mut self.wire, self.number)?;
        lock(&self.seen.requests).push(request.clone());
        Ok(request)
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// When the router does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), End> {
        self.wire.send(bytes).map_err(|_| End::Reset)
    }

    /// Has the connection broken off instead of closed when the script ends.
    ///
    /// # Errors
    /// Always, so that it ends a script.
    pub fn reset(&mut self) -> Result<(), End> {
        self.wire.break_off_when_dropped();
        Err(End::Reset)
    }

    fn close(self) {
        let Peer { wire, number, seen } = self;
        lock(&seen.open).remove(&number);
        drop(wire);
        seen.closed.fetch_add(1, Ordering::AcqRel);
    }
}

impl RefusedPort {
    /// Binds a port without listening on it.
    ///
    /// # Panics
    /// When no port is to be had.
    pub fn new() -> RefusedPort {
        let bind = || -> io::Result<RefusedPort> {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
            let number = socket
                .local_addr()?
                .as_socket()
                .map(|address| address.port())
                .unwrap_or_default();
            Ok(RefusedPort {
                number,
                _socket: socket,
            })
        };
        bind().expect("a port")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Default for RefusedPort {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
