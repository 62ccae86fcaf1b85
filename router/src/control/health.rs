//! Whether the router may get traffic, and the listener that says so (spec 9.1, 9.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

const INITIALIZING: u8 = 0;
const HEALTHY: u8 = 1;
const DEGRADED: u8 = 2;

/// Initializing, then healthy, then degraded for good. Shared with the data path, which answers load balancers itself.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

impl Health {
    /// Whether traffic is welcome.
    pub fn is_healthy(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HEALTHY
    }

    /// The proxy's listeners are open. Without effect once degraded.
    pub fn set_healthy(&self) {
        // Degraded is final: the exchange fails then, as it should.
        drop(self.0.compare_exchange(INITIALIZING, HEALTHY, Ordering::Relaxed, Ordering::Relaxed));
    }

    /// The end has begun.
    pub fn degrade(&self) {
        self.0.store(DEGRADED, Ordering::Relaxed);
    }
}

/// Serves `/health` and the liveness path until the task is dropped.
pub async fn serve(listener: TcpListener, health: Arc<Health>) {
    let app = Router::new()
        .route("/health", get(health_answer))
        .route("/is-process-alive-do-not-use-for-loadbalancing", get(|| async { "ok\n" }))
        .with_state(health);
    super::serve_forever(listener, app, "health").await;
}

async fn health_answer(State(health): State<Arc<Health>>) -> Response {
    let headers = [(header::CACHE_CONTROL, "private, max-age=0"), (header::EXPIRES, "0")];
    match health.is_healthy() {
        true => (headers, "ok\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, headers).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degraded_is_final() {
        let health = Health::default();
        assert!(!health.is_healthy());
        health.set_healthy();
        assert!(health.is_healthy());
        health.degrade();
        health.set_healthy();
        assert!(!health.is_healthy());
    }
}
