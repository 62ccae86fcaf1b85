//! The Prometheus listener.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;

use super::listener::{self, Bounds, Transport};
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
    listener: TcpListener,
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
        scraped.look_at_the_table();
        scraped.metrics.render()
    });
    match rendered.await {
        Ok(Ok(text)) => listener::with_type(StatusCode::OK, TEXT, text),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

impl Scraped {
    /// Sets what the table knows, so that a scrape shows it as it is and not as it was at the last prune pass.
    fn look_at_the_table(&self) {
        let shown = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let routes = self.table.route_count() as u64;
        self.metrics.set(Gauge::TotalRoutes, shown(routes));
        let now = Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let since = self.table.last_registration();
        self.metrics.set(
            Gauge::MsSinceLastRegistryUpdate,
            since.map_or(-1, |then| shown(now.saturating_sub(then))),
        );
    }
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
