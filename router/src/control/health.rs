//! The router's health, and the listener that tells load balancers about it (spec 9.1, 9.3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::header::{CACHE_CONTROL, EXPIRES};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use tokio::sync::Notify;

use super::listener::{self, Bounds, Listener, Transport};

/// Where the router stands in its life. Only ever moves on: [`State::Degraded`] is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Collects routes, takes no requests yet.
    Initializing,
    /// Takes requests.
    Healthy,
    /// Is about to end, and wants no new requests.
    Degraded,
}

/// The router's [`State`], shared by all threads.
#[derive(Debug)]
pub struct Health {
    state: AtomicU8,
    broken: Notify,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            state: AtomicU8::new(State::Initializing as u8),
            broken: Notify::new(),
        }
    }
}

impl Health {
    /// The state.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            state if state == State::Initializing as u8 => State::Initializing,
            state if state == State::Healthy as u8 => State::Healthy,
            _ => State::Degraded,
        }
    }

    /// Whether load balancers should send requests.
    #[inline]
    pub fn is_healthy(&self) -> bool {
        self.state.load(Ordering::Relaxed) == State::Healthy as u8
    }

    /// Becomes healthy, unless degraded already.
    pub fn set_healthy(&self) {
        self.state
            .fetch_max(State::Healthy as u8, Ordering::Relaxed);
    }

    /// Becomes degraded for good.
    pub fn degrade(&self) {
        self.state
            .fetch_max(State::Degraded as u8, Ordering::Relaxed);
    }

    /// Becomes degraded because the router cannot go on: whoever waits for [`Health::broken`] ends it.
    pub fn break_down(&self) {
        self.degrade();
        self.broken.notify_one();
    }

    /// Waits until something has broken that the router cannot do without. For one waiter at a time; safe to cancel.
    pub async fn broken(&self) {
        self.broken.notified().await;
    }
}

/// Serves `/health` and `/is-process-alive-do-not-use-for-loadbalancing` until the future is dropped.
pub async fn serve(listener: Listener, transport: Transport, health: Arc<Health>) {
    listener::serve(listener, transport, app(health), Bounds::default()).await;
}

fn app(health: Arc<Health>) -> Router {
    let alive = || async { listener::text(StatusCode::OK, "ok\n") };
    Router::new()
        .route("/health", any(answer))
        .route("/is-process-alive-do-not-use-for-loadbalancing", any(alive))
        .fallback(listener::not_found)
        .with_state(health)
}

pub(super) async fn answer(Shared(health): Shared<Arc<Health>>) -> Response {
    const UNCACHED: [(HeaderName, &str); 2] =
        [(CACHE_CONTROL, "private, max-age=0"), (EXPIRES, "0")];
    let answer = match health.is_healthy() {
        true => listener::text(StatusCode::OK, "ok\n"),
        false => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    (UNCACHED, answer).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::listener::tests::Server;

    async fn serving(health: &Arc<Health>) -> Server {
        Server::start(app(Arc::clone(health)), Bounds::default()).await
    }

    #[test]
    fn health_only_moves_on() {
        let health = Health::default();
        assert_eq!(
            (health.state(), health.is_healthy()),
            (State::Initializing, false)
        );
        health.set_healthy();
        assert_eq!(
            (health.state(), health.is_healthy()),
            (State::Healthy, true)
        );
        health.degrade();
        health.set_healthy();
        assert_eq!(
            (health.state(), health.is_healthy()),
            (State::Degraded, false)
        );
    }

    #[tokio::test]
    async fn what_breaks_is_told_whether_or_not_somebody_waits_already() {
        let health = Health::default();
        health.set_healthy();
        health.break_down();
        assert!(!health.is_healthy());
        health.broken().await;
    }

    #[test]
    fn what_ends_before_it_began_never_becomes_healthy() {
        let health = Health::default();
        health.degrade();
        health.set_healthy();
        assert_eq!(health.state(), State::Degraded);
    }

    /// R-270; heads as recorded.
    #[tokio::test]
    async fn health_is_503_until_healthy_and_again_when_degraded() {
        let health = Arc::default();
        let server = serving(&health).await;
        let sick = "HTTP/1.1 503 Service Unavailable\n\
                    cache-control: private, max-age=0\ncontent-length: 0\ndate: <date>\nexpires: 0\n\n";
        let well = "HTTP/1.1 200 OK\ncache-control: private, max-age=0\ncontent-length: 3\n\
                    content-type: text/plain; charset=utf-8\ndate: <date>\nexpires: 0\n\nok\n";
        assert_eq!(server.get("/health").await, sick);
        health.set_healthy();
        assert_eq!(server.get("/health").await, well);
        health.degrade();
        assert_eq!(server.get("/health").await, sick);
    }

    ///
    #[tokio::test]
    async fn the_process_is_alive_whatever_its_health() {
        let health = Arc::default();
        let server = serving(&health).await;
        let alive = "HTTP/1.1 200 OK\ncontent-length: 3\ncontent-type: text/plain; charset=utf-8\ndate: <date>\n\nok\n";
        assert_eq!(
            server
                .get("/is-process-alive-do-not-use-for-loadbalancing")
                .await,
            alive
        );
        health.degrade();
        assert_eq!(
            server
                .get("/is-process-alive-do-not-use-for-loadbalancing")
                .await,
            alive
        );
    }

    ///
    #[tokio::test]
    async fn other_paths_are_not_found() {
        let server = serving(&Arc::default()).await;
        for path in ["/other", "/routes", "/varz", "/healthz", "/"] {
            assert_eq!(
                server.get(path).await,
                "HTTP/1.1 404 Not Found\ncontent-length: 19\ncontent-type: text/plain; charset=utf-8\ndate: <date>\n\
                 x-content-type-options: nosniff\n\n404 page not found\n"
            );
        }
    }

    #[tokio::test]
    async fn a_check_by_another_method_or_with_a_query_is_answered_too() {
        let health = Arc::<Health>::default();
        health.set_healthy();
        let server = serving(&health).await;
        let head = server.send("HEAD /health?x HTTP/1.0\r\n\r\n").await;
        assert!(
            head.starts_with("HTTP/1.0 200 OK\n") && head.ends_with("\n\n"),
            "{head}"
        );
        let post = server.send(
            "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        );
        assert!(post.await.ends_with("\n\nok\n"));
    }
}
