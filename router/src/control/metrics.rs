//! The Prometheus listener.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;

use super::listener::{self, Bounds, Listener, Transport};
use crate::observe::registry::{Gauge, Metrics};
use crate::table::{Millis, Table};

/// The text form's type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Scraped {
    metrics: Arc<Metrics>,
    table: Arc<Table>,
    /// Zero of the table's times.
    started: Instant,
}

/// Serves `/metrics` until the future is dropped. `started` is zero of the table's times.
pub async fn serve(
    listener: Listener,
    transport: Transport,
    metrics: Arc<Metrics>,
    table: Arc<Table>,
    started: Instant,
) {
    let scraped = Scraped {
        metrics,
        table,
        started,
    };
    listener::serve(listener, transport, app(scraped), Bounds::default()).await;
}

fn app(scraped: Scraped) -> Router {
    Router::new()
        .route("/metrics", any(answer))
        .fallback(listener::not_found)
        .with_state(scraped)
}

async fn answer(State(scraped): State<Scraped>) -> Response {
    // Thousands of applications make a long text: not on the thread that handles registrations.
    let rendered = tokio::task::spawn_blocking(move || {
        look_at_the_table(&scraped.metrics, &scraped.table, scraped.started);
        scraped.metrics.render()
    });
    match rendered.await {
        Ok(Ok(text)) => listener::with_type(StatusCode::OK, TEXT, text),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

/// Sets what the table knows, so that a reader sees it as it is and not as it was at the last prune pass.
pub(super) fn look_at_the_table(metrics: &Metrics, table: &Table, started: Instant) {
    let shown = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.set(Gauge::TotalRoutes, shown(table.route_count() as u64));
    let now = Millis::try_from(started.elapsed().as_millis()).unwrap_or(Millis::MAX);
    let since = table.last_registration();
    metrics.set(
        Gauge::MsSinceLastRegistryUpdate,
        since.map_or(-1, |then| shown(now.saturating_sub(then))),
    );
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(target: "router", error = %error, "metrics-failed");
    listener::text(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("An error has occurred while serving metrics:\n\n{error}\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::control::listener::tests::Server;
    use crate::table::Settings;

    ///
    #[tokio::test]
    async fn metrics_are_served_as_text() {
        let metrics = Arc::new(Metrics::new(&Config::default(), Instant::now()));
        let scraped = Scraped {
            metrics: Arc::clone(&metrics),
            table: Table::new(Settings::default()).0,
            started: Instant::now(),
        };
        let server = Server::start(app(scraped), Bounds::default()).await;
        metrics.worker().request("api");
        let answer = server.get("/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
        assert!(answer.contains("\ncontent-type: text/plain; version=0.0.4; charset=utf-8\n"));
        assert!(answer.contains("\n# TYPE promhttp_metric_handler_errors_total counter\n"));
        assert!(answer.contains("\ntotal_requests{component=\"api\"} 1\n"));
        assert!(answer.contains("\ntotal_routes 0\n"));
        assert!(answer.contains("\nms_since_last_registry_update -1\n"));
        assert!(
            server
                .get("/other")
                .await
                .starts_with("HTTP/1.1 404 Not Found\n")
        );
    }
}
