//! The Prometheus listener.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;

use super::listener::{self, Bounds};
use crate::observe::registry::Metrics;

/// The text form's type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `/metrics` until the future is dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    listener::serve(listener, app(metrics), Bounds::default()).await;
}

fn app(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", any(answer))
        .fallback(listener::not_found)
        .with_state(metrics)
}

async fn answer(State(metrics): State<Arc<Metrics>>) -> Response {
    // Thousands of applications make a long text: not on the thread that handles registrations.
    let rendered = tokio::task::spawn_blocking(move || metrics.render()).await;
    match rendered {
        Ok(Ok(text)) => listener::with_type(StatusCode::OK, TEXT, text),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
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
    use std::time::Instant;

    use super::*;
    use crate::config::Config;
    use crate::control::listener::tests::Server;

    ///
    #[tokio::test]
    async fn metrics_are_served_as_text() {
        let metrics = Arc::new(Metrics::new(&Config::default(), Instant::now()));
        let server = Server::start(app(Arc::clone(&metrics)), Bounds::default()).await;
        metrics.worker().request("api");
        let answer = server.get("/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
        assert!(answer.contains("\ncontent-type: text/plain; version=0.0.4; charset=utf-8\n"));
        assert!(answer.contains("\n# TYPE promhttp_metric_handler_errors_total counter\n"));
        assert!(answer.contains("\ntotal_requests{component=\"api\"} 1\n"));
        assert!(
            server
                .get("/other")
                .await
                .starts_with("HTTP/1.1 404 Not Found\n")
        );
    }
}
