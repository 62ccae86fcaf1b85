//! Clients that ask for much and read little: each holds a bounded piece of it, whatever its size.

use std::time::Duration;

use super::Findings;
use super::latency::Latencies;
use crate::backend::Backend;
use crate::client::Client;
use crate::eventually::eventually;
use crate::http::ok;
use crate::registration::Registration;
use crate::router::Router;
use crate::wire::End;

/// What a slow reader may cost, in KiB: one large buffer of 256 on its way, one small of 32.
const PER_CLIENT: u64 = 288 + 16;
/// What the same may cost for all together, in KiB.
const FOR_ALL: u64 = 16 * 1024;
/// The readers' own buffers: more than one segment of the loopback interface, or a window that opens again is announced
/// only every other minute.
const RECEIVE: usize = 128 * 1024;
/// How long a backend waits for a reader; longer than a run.
const PATIENCE: Duration = Duration::from_secs(900);
/// Readers that read to the end after all.
const PATIENT: usize = 5;

/// Slow readers of large bodies.
#[derive(Clone, Copy, Debug)]
pub struct Readers {
    /// Slow readers.
    pub clients: usize,
    /// Bytes that each asks for.
    pub size: u64,
    /// How long another client is measured beside them.
    pub time: Duration,
}

impl Readers {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let size = self.size;
        let backend = Backend::scripted(move |peer| {
            let piece = vec![b'd'; 64 * 1024];
            loop {
                if peer.request()?.target() != "/large" {
                    peer.send(ok("quick"))?;
                    continue;
                }
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))?;
                let mut left = size;
                while left > 0 {
                    let count = left.min(piece.len() as u64) as usize;
                    if peer.wire().send_within(&piece[..count], PATIENCE) < count {
                        return Err(End::Silent);
                    }
                    left -= count as u64;
                }
            }
        });
        let router = Router::builder()
            .with("go_max_procs", 1)
            .with("logging.level", "info")
            .with("endpoint_timeout", "900s")
            .with("frontend_idle_timeout", "900s")
            .start();
        router.register(&Registration::of("app.test", &backend));
        let calm = Latencies::measure(&router, "app.test", 2, self.time);
        let before = router.memory();
        let mut slow: Vec<Client> = (0..self.clients)
            .map(|_| {
                let mut client = Client::connect_with_receive_buffer(router.port(), RECEIVE);
                client.send("GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n");
                client
            })
            .collect();
        for client in &mut slow {
            assert_eq!(client.head().status, 200);
        }
        // All that will be held is held once nothing moves any more.
        let mut last = 0;
        eventually("the readers to hold all that they will", || {
            let now = router.memory();
            let is_still = now == last;
            last = now;
            std::thread::sleep(Duration::from_millis(100));
            is_still.then_some(())
        });
        let beside = Latencies::measure(&router, "app.test", 2, self.time);
        let grown = router.memory().saturating_sub(before);
        findings.note("the kernel's memory for all sockets, MiB", kernel_memory());
        let mut whole = 0;
        for client in slow.iter_mut().take(PATIENT) {
            match client.wire().skip(self.size) {
                Ok(()) => whole += 1,
                Err(end) => findings.note("a body ended early", format!("{end:?}")),
            }
        }
        let wanted = PATIENT.min(slow.len());
        drop(slow);

        findings.note("slow readers", self.clients);
        findings.note("bytes that each asked for", self.size);
        findings.note("others, before", calm.text());
        findings.note("others, beside them", beside.text());
        findings.note(
            "memory for each slow reader, KiB",
            grown / self.clients as u64,
        );
        let bound = PER_CLIENT * self.clients as u64 + FOR_ALL;
        findings.check(grown <= bound, || {
            format!("{grown} KiB more memory, the bound is {bound} KiB")
        });
        findings.check(whole == wanted, || {
            format!("{whole} of {wanted} bodies came whole in the end")
        });
        findings
    }
}

/// What the kernel holds for all TCP sockets of this machine, both ends of each connection here, in MiB. Not the router's,
/// but what runs out first with thousands of readers: see `net.ipv4.tcp_mem`.
fn kernel_memory() -> String {
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "));
    let pages = line.and_then(|line| line.split_once("mem ")?.1.trim().parse::<u64>().ok());
    pages.map_or("unknown".to_owned(), |pages| {
        (pages * PAGE / 1024 / 1024).to_string()
    })
}
