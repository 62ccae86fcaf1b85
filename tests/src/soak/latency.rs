//! How long other clients wait.

use std::thread;
use std::time::{Duration, Instant};

use crate::router::Router;

/// Latencies of requests, from smallest to largest.
#[derive(Clone, Debug)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Has so many clients ask for `time`, each on a connection of its own that it keeps, with a pause between requests:
    /// the router is far from busy with them.
    pub fn measure(router: &Router, host: &str, clients: usize, time: Duration) -> Latencies {
        const PAUSE: Duration = Duration::from_millis(2);
        let one = || {
            let (mut client, mut seen, began) = (router.client(), Vec::new(), Instant::now());
            while began.elapsed() < time {
                let sent = Instant::now();
                let response = client.get(host, "/quick");
                seen.push(sent.elapsed());
                assert_eq!(response.status, 200, "{response:?}");
                thread::sleep(PAUSE);
            }
            seen
        };
        let all = thread::scope(|scope| {
            let threads: Vec<_> = (0..clients).map(|_| scope.spawn(one)).collect();
            let ended = threads.into_iter().flat_map(|thread| thread.join());
            ended.flatten().collect::<Vec<_>>()
        });
        Latencies::of(all)
    }

    /// These, in any order.
    ///
    /// # Panics
    /// When there are none.
    pub fn of(mut all: Vec<Duration>) -> Latencies {
        assert!(!all.is_empty(), "no client got through");
        all.sort_unstable();
        Latencies(all)
    }

    /// The latency that so many percent are below.
    pub fn percent(&self, percent: f64) -> Duration {
        let at = (self.0.len() as f64 * percent / 100.0) as usize;
        self.0[at.min(self.0.len() - 1)]
    }

    /// In words.
    pub fn text(&self) -> String {
        let [half, most] = [50.0, 99.0].map(|percent| self.percent(percent));
        format!("p50 {half:.0?}, p99 {most:.0?} of {}", self.0.len())
    }
}
