//! The control plane: where routes come from, the listeners for operators, the end of the process.
//!
//! It runs on a runtime of its own and changes the table through one place, the [`Registrar`].

mod failures;
mod listener;
mod registrar;
mod segments;
mod subscriber;

pub mod health;
pub mod metrics;
pub mod routes;

pub use failures::watch_failures;
pub use health::Health;
pub use registrar::Registrar;
pub use segments::Segments;
pub use subscriber::{Identity, Subscriber};

/// Serves one of the operators' listeners. Accepting goes on after errors; there is nothing to give up for.
async fn serve_forever(listener: tokio::net::TcpListener, app: axum::Router, name: &'static str) {
    let app = app.fallback(|| async { not_found() });
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(target: "main", { %error, listener = name }, "listener-failed");
    }
}

/// The page that operators' tools know.
fn not_found() -> impl axum::response::IntoResponse {
    let headers = [(axum::http::header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (axum::http::StatusCode::NOT_FOUND, headers, "404 page not found\n")
}
