//! No file descriptors left: who is there is served, who comes has to wait, and nothing else happens.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::Findings;
use crate::backend::Backend;
use crate::client::Client;
use crate::eventually::{eventually, poll};
use crate::registration::Registration;
use crate::router::Router;

/// Clients that are there before.
const OLD: usize = 10;
/// How long the router has no descriptor left.
const SIEGE: Duration = Duration::from_secs(2);
/// Lines that it may write about that meanwhile, and the CPU time that it may spend on it.
const LINES: usize = 200;
const CPU: Duration = Duration::from_millis(500);

/// A router with few file descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors {
    /// How many it may have.
    pub limit: usize,
    /// Whether backend connections are used again, or each request needs a descriptor for one of its own.
    pub keeps_alive: bool,
}

impl Descriptors {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let router = Router::builder()
            .with("logging.level", "info")
            .with("disable_keep_alives", !self.keeps_alive)
            .with_open_files(self.limit)
            .start();
        let backend = Backend::saying("here");
        router.register(&Registration::of("app.test", &backend));
        let mut old: Vec<Client> = (0..OLD).map(|_| router.client()).collect();
        let ask = |clients: &mut [Client]| {
            let answers = clients.iter_mut().map(|client| client.get("app.test", "/"));
            answers.filter(|answer| answer.text() == "here").count()
        };
        findings.check(ask(&mut old) == OLD, || {
            "the first clients are not served".into()
        });

        // More than there is room for; those beyond wait in the listeners' queues.
        let crowd: Vec<TcpStream> = (0..self.limit + 100)
            .map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, router.port())))
            .map_while(Result::ok)
            .collect();
        // An eighth is left for connections to backends, and a little for the router's own files.
        eventually("the router to have all the clients that it takes", || {
            (router.open_files() + self.limit / 8 + 64 >= self.limit).then_some(())
        });
        let cpu = || router.cpu_of_threads("").into_values().sum::<Duration>();
        let (lines, spent, began) = (router.log().events().len(), cpu(), Instant::now());
        let mut served = 0;
        let mut rounds = 0;
        while began.elapsed() < SIEGE {
            served += ask(&mut old);
            rounds += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
        let (lines, spent) = (router.log().events().len() - lines, cpu() - spent);

        let ended = Instant::now();
        drop(crowd);
        let recovered = poll(Duration::from_secs(10), || {
            (router.client().get("app.test", "/").text() == "here").then_some(ended.elapsed())
        });
        findings.note("descriptors", self.limit);
        findings.note(
            "answers to old clients",
            format!("{served} of {}", rounds * OLD),
        );
        findings.note("log lines meanwhile", lines);
        findings.note("CPU meanwhile", format!("{spent:.0?} of {SIEGE:?}"));
        findings.note("a new client is served after", format!("{recovered:.0?}"));
        let marked = router.log().with_message("backend-endpoint-failed").len();
        findings.check(marked == 0, || {
            format!("a backend was blamed {marked} times for what the router lacks")
        });
        findings.check(served == rounds * OLD, || {
            format!("{} requests of old clients failed", rounds * OLD - served)
        });
        findings.check(lines <= LINES, || format!("{lines} lines in the log"));
        findings.check(spent <= CPU, || {
            format!("{spent:?} of CPU for {SIEGE:?} of nothing")
        });
        findings.check(recovered.is_some(), || {
            "new clients are not served afterwards".into()
        });
        findings
    }
}
