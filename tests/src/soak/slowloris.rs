//! Clients that send their heads, or their bodies, a byte at a time: they hold nothing but their own small state.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Findings;
use super::latency::Latencies;
use crate::backend::Backend;
use crate::eventually::eventually;
use crate::registration::Registration;
use crate::router::Router;

/// What a client in the middle of its request may cost, in KiB: a buffer of 32, and what a request needs.
const PER_CLIENT: u64 = 40;
/// What the same may cost for all together, in KiB.
const FOR_ALL: u64 = 8 * 1024;
/// Every slow client sends a byte this often.
const ROUND: Duration = Duration::from_secs(10);
const CLIENTS: usize = 4;
/// Longer than a run: what is looked at is what they cost while they are there.
const LONGER: &str = "900s";

/// What the slow clients send slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The head: no backend knows of them yet.
    Head,
    /// The body: each holds a backend connection as well.
    Body,
}

/// Slow clients beside others.
#[derive(Clone, Copy, Debug)]
pub struct Slowloris {
    /// What they send slowly.
    pub part: Part,
    /// Slow clients.
    pub connections: usize,
    /// How long the others are measured, without and with them.
    pub time: Duration,
    /// What the others' p99 may rise by in any case: on a machine that does something else as well, twice of very little
    /// is still very little.
    pub slack: Duration,
}

impl Slowloris {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let router = Router::builder()
            .with("go_max_procs", 1)
            .with("frontend_idle_timeout", LONGER)
            .with("endpoint_timeout", LONGER)
            .with("logging.level", "info")
            .start();
        let backend = Backend::saying("quick");
        router.register(&Registration::of("app.test", &backend));
        let measure = || Latencies::measure(&router, "app.test", CLIENTS, self.time);
        let calm = measure();
        let before = router.memory();

        let slow: Vec<TcpStream> = (0..self.connections)
            .map(|_| open(&router, self.part))
            .collect();
        eventually("all slow clients to be accepted", || {
            (router.open_files() > self.part.descriptors() * self.connections).then_some(())
        });
        let stop = AtomicBool::new(false);
        let besieged = thread::scope(|scope| {
            scope.spawn(|| drip(&slow, &stop));
            let besieged = measure();
            stop.store(true, Ordering::Release);
            besieged
        });
        let grown = router.memory().saturating_sub(before);
        let cut = slow.iter().filter(|stream| has_ended(stream)).count();
        drop(slow);
        let after = measure();

        findings.note("slow clients", self.connections);
        findings.note("others, before", calm.text());
        findings.note("others, beside them", besieged.text());
        findings.note("others, after", after.text());
        findings.note(
            "memory for each slow client, KiB",
            grown / self.connections as u64,
        );
        let usual = calm.percent(99.0).max(after.percent(99.0));
        let limit = (usual * 2).max(usual + self.slack);
        let seen = besieged.percent(99.0);
        findings.check(seen <= limit, || {
            format!("p99 of the others is {seen:?}, more than {limit:?}")
        });
        let bound = PER_CLIENT * self.connections as u64 + FOR_ALL;
        findings.check(grown <= bound, || {
            format!("{grown} KiB more memory, the bound is {bound} KiB")
        });
        findings.check(cut == 0, || {
            format!("{cut} slow clients were cut off before their time")
        });
        findings
    }
}

impl Part {
    /// What the router has open for each.
    fn descriptors(self) -> usize {
        match self {
            Part::Head => 1,
            Part::Body => 2,
        }
    }

    fn beginning(self) -> &'static [u8] {
        match self {
            Part::Head => b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Slow: ",
            Part::Body => {
                b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000000\r\n\r\nx"
            }
        }
    }
}

fn open(router: &Router, part: Part) -> TcpStream {
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, router.port())).expect("a connection");
    stream
        .write_all(part.beginning())
        .expect("the router takes the beginning");
    stream
}

/// Sends a byte on each connection in every round, evenly over the round.
fn drip(slow: &[TcpStream], stop: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(10);
    let steps = (ROUND.as_millis() / STEP.as_millis()) as usize;
    let share = slow.len().div_ceil(steps).max(1);
    for part in slow.chunks(share).cycle() {
        for mut stream in part {
            // One that was cut is counted in the end.
            stream.write_all(b"x").ok();
        }
        thread::sleep(STEP);
        if stop.load(Ordering::Acquire) {
            return;
        }
    }
}

/// Whether the router has answered or closed.
fn has_ended(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a mode");
    let mut byte = [0];
    !matches!(stream.peek(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
