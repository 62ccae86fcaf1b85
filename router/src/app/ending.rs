//! How a router ends: at once, by a drain, or by leaving its place to another process.

use std::time::{Duration, Instant};

use super::Router;
use crate::worker::{Handover, Phase};

/// How often a drain looks whether the last connection has ended.
const DRAIN_POLL: Duration = Duration::from_millis(20);

impl Router {
    /// Ends gracefully: unhealthy at once, `drain_wait` of further service, then no new connections, and up to
    /// `drain_timeout` for those that are busy (spec 9.4).
    pub async fn drain(mut self) {
        self.sockets.close();
        let (wait, limit) = (self.config.drain_wait, self.config.drain_timeout);
        self.health.degrade();
        tracing::info!(target: "router", { "wait_seconds" = wait.as_secs_f64(),
            "timeout_seconds" = limit.as_secs_f64() }, "gorouter-draining");
        tokio::time::sleep(wait).await;
        let open = self.busy_connections();
        self.phase.send_replace(Phase::Drain);
        let deadline = tokio::time::Instant::now() + limit;
        // The workers close what is idle as soon as they hear of it; what is left then is active.
        tokio::time::sleep(DRAIN_POLL.min(limit)).await;
        let active = self.busy_connections();
        let idle = open.saturating_sub(active);
        tracing::info!(target: "router", "Draining with {active} outstanding active connections");
        tracing::info!(target: "router", "Draining with {idle} outstanding idle connections");
        while self.busy_connections() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        if self.busy_connections() > 0 {
            tracing::warn!(target: "router", connections = self.busy_connections(), "router.drain.timed-out");
        }
        self.stop().await;
    }

    /// Waits until another process serves on the same sockets. Safe to cancel.
    pub async fn taken_over(&self) {
        self.sockets.taken().await;
    }

    /// Leaves new connections to the process that has taken over, and goes on with those that are here until the last one
    /// has ended, upgraded ones and those of operators too, or for `upgrade.drain_timeout`. Safe to cancel; the rest is
    /// [`Router::stop`].
    pub async fn leave(&mut self) {
        let limit = self.config.upgrade.drain_timeout;
        let open = |router: &Router| router.loads.as_ref().map_or(0, Handover::open);
        tracing::info!(target: "main", { connections = open(self), timeout_seconds = limit.as_secs_f64() },
            "upgrade-handed-over");
        self.sockets.retire();
        self.phase.send_replace(Phase::Leave);
        let deadline = tokio::time::Instant::now() + limit;
        let anybody = |router: &Router| open(router) > 0 || router.sockets.operators() > 0;
        while anybody(self) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        if open(self) > 0 {
            tracing::warn!(target: "router", connections = open(self), "router.drain.timed-out");
            // Those that are idle hear that it is over.
            self.phase.send_replace(Phase::Drain);
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }

    /// Ends now: listeners and connections are closed, requests in flight are cut.
    pub async fn stop(mut self) {
        tracing::info!(target: "main", "gorouter.stopping");
        let began = Instant::now();
        self.sockets.close();
        self.health.degrade();
        self.phase.send_replace(Phase::Stop);
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!(target: "router", "worker-panicked");
                }
            }
        });
        drop(joined.await);
        self.tasks.shutdown().await;
        // It waits for its thread.
        drop(tokio::task::spawn_blocking(move || self.log.shutdown()).await);
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        tracing::info!(target: "main", took, "gorouter.stopped");
    }

    /// Connections that a drain waits for: not those that were upgraded, which may go on for days.
    fn busy_connections(&self) -> usize {
        self.loads
            .as_ref()
            .map_or(0, |loads| loads.open().saturating_sub(loads.upgraded()))
    }
}
