//! The control plane: where routes come from, the listeners for operators, the end of the process.
//!
//! It runs on a runtime of its own and changes the table through one place, the [`Registrar`].

mod failures;
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
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(target: "main", { %error, listener = name }, "listener-failed");
    }
}
