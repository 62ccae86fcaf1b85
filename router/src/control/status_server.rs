//! The deprecated status server, which takes the place of the plain health listener where it is asked for (spec 9.2).

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::routing::any;

use super::listener::{self, Bounds, Listener, Transport};
use super::routes::{self, Access};
use super::varz::{self, Varz};
use super::{Health, health};
use crate::table::Table;

/// What it serves.
pub struct Served {
    /// `/health` and `/healthz`, for everybody.
    pub health: Arc<Health>,
    /// `/routes`, for those with access.
    pub table: Arc<Table>,
    /// Zero of the table's times.
    pub started: Instant,
    /// `/varz`, for those with access.
    pub varz: Arc<Varz>,
    /// Who has access.
    pub access: Access,
}

/// Serves until the future is dropped.
pub async fn serve(listener: Listener, served: Served) {
    listener::serve(listener, Transport::Plain, app(served), Bounds::default()).await;
}

///
fn app(served: Served) -> Router {
    let health = Router::new()
        .route("/health", any(health::answer))
        .route("/healthz", any(health::answer))
        .with_state(served.health);
    let varz = Router::new()
        .route("/varz", any(varz::answer))
        .with_state(served.varz);
    let guarded = routes::listing(served.table, served.started).merge(varz);
    health
        .merge(routes::guard(guarded, served.access))
        .fallback(listener::not_found)
}
