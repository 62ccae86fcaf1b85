//! The access log streamed to a syslog server, over UDP or TCP (spec 10.4).
//!
//! ```text
//! log thread: lines --frames--> bounded queue --> syslog thread: connection, renewed when it breaks
//! ```
//!
//! A server that is away or slow costs the lines that the queue has no room for; they are counted. Nothing else waits for
//! it: neither workers, nor the log thread, nor the end of the process for longer than [`GOODBYE`] and [`STUCK`].

mod connection;
mod frame;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::{Lines, Sink};
use crate::observe::losses::Losses;
use crate::observe::record::View;
use connection::{Connection, Network};
use frame::{Frames, Header};

/// Bytes that may wait for the syslog thread.
const WAITING: usize = 16 * 1024 * 1024;
/// Time between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end waits for what is not sent yet.
const GOODBYE: Duration = Duration::from_secs(1);
/// How much longer it waits for one attempt to connect or to write.
const STUCK: Duration = Duration::from_secs(2);
/// How often trouble is spoken of.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// Time between two look-ups of a server that is sent datagrams.
const LOOK_UP: Duration = Duration::from_secs(60);
/// How soon the syslog thread sees that the end has come.
const GLANCE: Duration = Duration::from_millis(20);

/// Where the access log is streamed to, and as whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// `logging.syslog_network`
    pub network: String,
    /// `logging.syslog_addr`, host and port.
    pub address: String,
    /// `logging.syslog`: the name of the program in each message.
    pub tag: String,
    /// `logging.syslog_truncate`: bytes after which a line is cut; 0 is never.
    pub truncate: usize,
}

/// Hands lines to the syslog thread.
#[derive(Debug)]
pub(in crate::observe) struct Syslog {
    header: Header,
    queue: Option<Sender<Frames>>,
    state: Arc<State>,
    losses: Arc<Losses>,
    thread: Option<JoinHandle<()>>,
    /// Ends when the thread does.
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes in the queue.
    waiting: AtomicUsize,
    ending: AtomicBool,
}

impl Syslog {
    /// Connects, which blocks for some seconds at most, and starts the syslog thread.
    ///
    /// # Errors
    /// When the network is none of UDP and TCP (R-026), or the server cannot be reached.
    pub(in crate::observe) fn start(to: &Streaming, losses: Arc<Losses>) -> io::Result<Syslog> {
        Syslog::start_with(to, losses, Directory::new(&to.address))
    }

    fn start_with(to: &Streaming, losses: Arc<Losses>, directory: Directory) -> io::Result<Syslog> {
        let network: Network = to.network.parse()?;
        let connection = Connection::open(network, &directory.look_up()?)?;
        let (queue, frames) = channel();
        let state = Arc::new(State::default());
        let sender = Streamer {
            state: Arc::clone(&state),
            losses: Arc::clone(&losses),
            network,
            directory,
            looked_up: Instant::now(),
            connection: Some(connection),
            reported: None,
        };
        let (alive, ended) = channel();
        let thread = Builder::new().name("syslog".to_owned());
        let thread = thread.spawn(move || {
            sender.run(&frames);
            drop(alive);
        })?;
        Ok(Syslog {
            header: Header::new(network, &to.tag, to.truncate),
            queue: Some(queue),
            state,
            losses,
            thread: Some(thread),
            ended,
        })
    }
}

impl Sink for Syslog {
    fn take(&mut self, lines: &Lines, _: &[View<'_>]) {
        let room = self.state.waiting.load(Ordering::Relaxed) < WAITING;
        let Some(queue) = self.queue.as_ref().filter(|_| room) else {
            return self.losses.unstreamed(lines.ends.len() as u64);
        };
        let frames = self.header.frames(lines);
        self.state
            .waiting
            .fetch_add(frames.text.len(), Ordering::Relaxed);
        if let Err(returned) = queue.send(frames) {
            self.losses.unstreamed(returned.0.ends.len() as u64);
        }
    }

    fn close(&mut self) {
        self.state.ending.store(true, Ordering::Relaxed);
        self.queue = None;
        // A name server that does not answer may hold the thread for longer: then the process ends without it.
        let ended = self.ended.recv_timeout(GOODBYE + STUCK);
        if ended == Err(RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            // A panic there is already in the component log.
            drop(thread.join());
        }
    }
}

/// The syslog thread.
struct Streamer {
    state: Arc<State>,
    losses: Arc<Losses>,
    network: Network,
    directory: Directory,
    /// When the name was looked up last.
    looked_up: Instant,
    connection: Option<Connection>,
    reported: Option<Instant>,
}

impl Streamer {
    fn run(mut self, queue: &Receiver<Frames>) {
        let mut deadline = None;
        while let Ok(frames) = queue.recv() {
            self.state
                .waiting
                .fetch_sub(frames.text.len(), Ordering::Relaxed);
            self.follow();
            self.send(&frames, &mut deadline);
        }
    }

    /// Sends all of them, or what can be sent until the end has come.
    fn send(&mut self, frames: &Frames, deadline: &mut Option<Instant>) {
        let mut next = 0;
        while next < frames.ends.len() {
            if self.is_over(deadline) || !self.connect(deadline) {
                return self.losses.unstreamed((frames.ends.len() - next) as u64);
            }
            let Some(connection) = &mut self.connection else {
                continue;
            };
            let sent = connection.send(frames, next);
            next += sent.sent + sent.lost;
            self.losses.unstreamed(sent.lost as u64);
            if let Some(error) = sent.broken {
                self.connection = None;
                self.report(&error);
            }
        }
    }

    /// Looks where the server is now, once in a while: datagrams would go on to where it was.
    fn follow(&mut self) {
        if self.looked_up.elapsed() < self.directory.every {
            return;
        }
        self.looked_up = Instant::now();
        // Where nothing is found the server may still be where it was.
        let found = self.directory.look_up().unwrap_or_default();
        let is_astray = |connection: &Connection| connection.is_astray(&found);
        if !found.is_empty()
            && self.connection.as_ref().is_some_and(is_astray)
            && let Ok(connection) = Connection::open(self.network, &found)
        {
            tracing::info!(target: "access-grlog", address = self.directory.address, "access-log-streaming-moved");
            self.connection = Some(connection);
        }
    }

    /// Whether there is a connection, made anew if need be; false when the end came first.
    fn connect(&mut self, deadline: &mut Option<Instant>) -> bool {
        while self.connection.is_none() {
            self.looked_up = Instant::now();
            let addresses = self.directory.look_up();
            match addresses.and_then(|found| Connection::open(self.network, &found)) {
                Ok(connection) => {
                    tracing::info!(target: "access-grlog", address = self.directory.address, "access-log-streaming-resumed");
                    self.connection = Some(connection);
                }
                Err(error) => {
                    self.report(&error);
                    let again = Instant::now() + RETRY;
                    while Instant::now() < again {
                        if self.is_over(deadline) {
                            return false;
                        }
                        std::thread::sleep(GLANCE);
                    }
                }
            }
        }
        true
    }

    fn is_over(&self, deadline: &mut Option<Instant>) -> bool {
        if !self.state.ending.load(Ordering::Relaxed) {
            return false;
        }
        let now = Instant::now();
        // Without a connection there is no point in waiting for one.
        self.connection.is_none() || now >= *deadline.get_or_insert(now + GOODBYE)
    }

    fn report(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self
            .reported
            .is_none_or(|then| now.duration_since(then) >= REPORT_EVERY)
        {
            self.reported = Some(now);
            tracing::error!(target: "access-grlog", { address = self.directory.address, %error,
                unstreamed = self.losses.unstreamed_records() }, "access-log-streaming-failed");
        }
    }
}

/// Where the server is to be found.
struct Directory {
    /// Host and port.
    address: String,
    /// How often a datagram socket asks again.
    every: Duration,
    /// What finds addresses; it may block for seconds.
    find: Box<Find>,
}

type Find = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send;

impl Directory {
    fn new(address: &str) -> Directory {
        Directory {
            address: address.to_owned(),
            every: LOOK_UP,
            find: Box::new(|address| Ok(address.to_socket_addrs()?.collect())),
        }
    }

    fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        (self.find)(&self.address)
    }
}

#[cfg(test)]
mod tests;
