//! Clients that open streams of HTTP/2 only to reset them (CVE-2023-44487), beside others who must not notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Findings;
use super::cores::Cores;
use super::latency::Latencies;
use super::open_loop::{OpenLoop, Version};
use super::resetting::{Application, Resetting, When};
use crate::bus::NatsServer;
use crate::registration::Registration;
use crate::router::Router;

const HOST: &str = "app.test";
/// What the same may cost for all together, in KiB.
const FOR_ALL: u64 = 16 * 1024;
/// Other clients of each version.
const CLIENTS: u32 = 8;
/// How long the router holds such a connection before it ends.
const SHORTEST: Duration = Duration::from_secs(8);
const LONGEST: Duration = Duration::from_secs(11);
/// In which the router gets over an attack.
const BETWEEN: Duration = Duration::from_millis(500);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Such clients, and the others at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct Resets {
    /// Connections that open and reset streams; each comes again when the router has ended it.
    pub connections: usize,
    /// When they reset.
    pub when: When,
    /// Requests a second of the others, half of them over HTTP/1.1 and half over HTTP/2.
    pub rate: u32,
    /// How often a phase without and one with such clients follow each other.
    pub rounds: usize,
    /// How long a phase is.
    pub time: Duration,
    /// Who runs where; nobody is bound to a core without it.
    pub cores: Option<Cores>,
    /// What the others' p99 may rise by in any case.
    pub slack: Duration,
}

/// What was seen in the phases of one kind.
#[derive(Debug, Default)]
struct Phases {
    http1: Vec<Duration>,
    http2: Vec<Duration>,
    /// The p99 of each.
    each: Vec<Duration>,
    /// CPU time of the worker.
    busy: Duration,
}

impl Resets {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        // Who is bound to a core is a thread that ends with this.
        thread::scope(|scope| scope.spawn(|| self.measured()).join().expect("a run"))
    }

    fn measured(&self) -> Findings {
        let mut findings = Findings::default();
        if let Some(cores) = self.cores {
            cores.leave();
        }
        let (bus, application) = (NatsServer::start(), Application::start());
        let start = || {
            let router = Router::builder().with_bus(bus);
            router
                .with("go_max_procs", 1)
                .with("enable_http2_prior_knowledge", true)
                .with("logging.level", "info")
                .start()
        };
        let router = match self.cores {
            Some(cores) => cores.as_router(start),
            None => start(),
        };
        router.register(&Registration::at(HOST, application.port));

        let (mut calm, mut besieged) = (Phases::default(), Phases::default());
        let (mut streams, mut ended, mut most) = (0, 0, 0);
        // Everything is there that requests need.
        self.measure(&router, 0, &mut Phases::default());
        let before = router.memory();
        for round in 0..self.rounds {
            self.measure(&router, 2 * round as u64, &mut calm);
            let attack = Resetting::start(router.port(), self.connections, self.when);
            most = most.max(watched(&router, || {
                self.measure(&router, 2 * round as u64 + 1, &mut besieged);
            }));
            streams += attack.streams.load(Ordering::Relaxed);
            ended += attack.ended.load(Ordering::Relaxed);
            drop(attack);
            thread::sleep(BETWEEN);
        }
        let grown = most.saturating_sub(before);

        let seconds = self.time.as_secs_f64() * self.rounds as f64;
        let busy =
            |phases: &Phases| format!("{:.0} %", phases.busy.as_secs_f64() / seconds * 100.0);
        findings.note("connections that reset streams", self.connections);
        findings.note(
            "streams opened and reset a second",
            per_second(streams, seconds),
        );
        findings.note("connections ended a second", per_second(ended, seconds));
        findings.note("the worker without them", busy(&calm));
        findings.note("the worker beside them", busy(&besieged));
        let (usual, seen) = (
            calm.note("before", &mut findings),
            besieged.note("beside them", &mut findings),
        );
        findings.note("memory, KiB more at most", grown);
        findings.note(
            "p99 beside them to the one before",
            format!("{:.2}", seen.as_secs_f64() / usual.as_secs_f64()),
        );
        let limit = (usual * 2).max(usual + self.slack);
        let holds = |hold: Duration| (self.time.as_secs() / hold.as_secs()) * self.rounds as u64;
        let all = self.connections as u64;
        findings.check(
            ended >= holds(LONGEST) && ended <= holds(SHORTEST) * all,
            || {
                format!(
                    "{ended} connections came again, each of {all} is held {SHORTEST:?} at least"
                )
            },
        );
        // Requests that have reached an application are load like any other.
        findings.check(seen <= limit || self.when == When::UnderWay, || {
            format!("p99 of the others is {seen:?}, more than {limit:?}")
        });
        let bound = self.when.memory() * self.connections as u64 + FOR_ALL;
        findings.check(grown <= bound, || {
            format!("{grown} KiB more memory, the bound is {bound} KiB")
        });
        findings
    }

    /// Has the others ask for the time of a phase.
    fn measure(&self, router: &Router, seed: u64, phases: &mut Phases) {
        let ask = |version| {
            let clients = OpenLoop {
                port: router.port(),
                host: HOST,
                version,
                clients: CLIENTS,
                rate: self.rate / 2,
            };
            clients.run(self.time, seed)
        };
        let busy = || router.cpu_of_threads("worker").values().sum::<Duration>();
        let before = busy();
        let (http1, http2) = thread::scope(|scope| {
            let http2 = scope.spawn(|| ask(Version::Http2));
            (
                ask(Version::Http1),
                http2.join().expect("clients that are served"),
            )
        });
        phases.busy += busy() - before;
        let both = Latencies::of([http1.clone(), http2.clone()].concat());
        phases.each.push(both.percent(99.0));
        phases.http1.extend(http1);
        phases.http2.extend(http2);
    }
}

impl When {
    /// What such a connection may cost, in KiB: its own buffers and heads that nobody has looked at; and with requests under
    /// way, 256 times a buffer of 32 and the state of a request.
    fn memory(self) -> u64 {
        match self {
            When::AtOnce => 1024,
            When::UnderWay => 1024 + 256 * 40,
        }
    }
}

impl Phases {
    /// Says what was seen; the median of the phases' p99.
    fn note(&mut self, which: &'static str, findings: &mut Findings) -> Duration {
        let note = &mut |version, seen: &[Duration]| {
            findings.note(
                version,
                format!("{which}: {}", Latencies::of(seen.to_vec()).text()),
            );
        };
        note("others over HTTP/1.1", &self.http1);
        note("others over HTTP/2", &self.http2);
        self.each.sort_unstable();
        let median = self.each[self.each.len() / 2];
        let (least, most) = (self.each[0], self.each[self.each.len() - 1]);
        findings.note(
            "p99 of all others",
            format!("{which}: {median:.2?} ({least:.2?} to {most:.2?})"),
        );
        median
    }
}

/// The most memory that the router held during `work`, in KiB.
fn watched(router: &Router, work: impl FnOnce()) -> u64 {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Acquire) {
                most = most.max(router.memory());
                thread::sleep(LOOK);
            }
            most
        });
        work();
        over.store(true, Ordering::Release);
        watch.join().expect("a look at the memory")
    })
}

fn per_second(count: u64, seconds: f64) -> String {
    format!("{:.0}", count as f64 / seconds)
}
