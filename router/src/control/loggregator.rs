//! What metron is told from time to time, and where it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::metrics::look_at_the_table;
use crate::observe::loggregator::{Loggregator, Reporter};
use crate::observe::registry::Metrics;
use crate::table::Table;

/// How often the uptime is told.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two reports of all counters.
const REPORT: u64 = 5;
/// Ticks after which metron's name is looked up again: it may have moved.
const LOOK_UP: u64 = 60;

/// Reports until the future is dropped. `started` is zero of the table's times.
pub async fn report_to_loggregator(metrics: Arc<Metrics>, table: Arc<Table>, started: Instant) {
    let Some(to) = metrics.loggregator() else {
        return;
    };
    let mut reporter = Reporter::new(&metrics);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        if tick % LOOK_UP == 0 {
            look_up(&to).await;
        }
        let Some(mut told) = reporter.take() else {
            continue;
        };
        told.uptime();
        if tick % REPORT == 0 {
            look_at_the_table(&metrics, &table, started);
            // Many counters, and files of the system: not on the thread that handles registrations.
            let report = spawn_blocking(move || {
                told.all();
                told
            });
            reporter = report.await.ok();
        } else {
            reporter = Some(told);
        }
    }
}

async fn look_up(to: &Arc<Loggregator>) {
    let of_lookup = Arc::clone(to);
    let outcome = spawn_blocking(move || of_lookup.look_up()).await;
    if let Ok(Err(error)) = outcome {
        tracing::warn!(target: "metricsreporter", { %error, address = to.address() }, "metron-address-not-found");
    }
}
