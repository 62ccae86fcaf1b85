//! The routing table as JSON, for tools that wait for a route and for people who ask why one is there (spec 9.2).
//!
//! `GET /routes` gives GoRouter's answer: an object from route to endpoints. `GET /routes?provenance` adds to each endpoint
//! where it is known from (not in GoRouter):
//!
//! | Key | Meaning |
//! |---|---|
//! | `source` | name of the source that last confirmed it, such as `nats` |
//! | `first_seen` | seconds since it was first registered for this route |
//! | `last_seen` | seconds since a registration last confirmed it |

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::listener::{self, Bounds, Listener, Transport};
use crate::table::Table;

mod json;

/// Answers that are made at a time: with a million routes one is some hundred megabytes.
const AT_A_TIME: usize = 2;

/// Who may see what the status listeners guard: user name and password, as a client sends them (RFC 7617).
#[derive(Clone)]
pub struct Access {
    credentials: Arc<[u8]>,
}

impl Access {
    /// Access for this user name with this password.
    pub fn new(user: &str, password: &str) -> Access {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        Access {
            credentials: credentials.into_bytes().into(),
        }
    }

    /// Takes the same time for any wrong value of the right length.
    fn is_granted(&self, authorization: Option<&HeaderValue>) -> bool {
        let scheme_and_value =
            authorization.and_then(|value| value.as_bytes().split_at_checked("Basic ".len()));
        scheme_and_value.is_some_and(|(scheme, value)| {
            scheme.eq_ignore_ascii_case(b"Basic ") && value.ct_eq(&self.credentials).into()
        })
    }
}

#[derive(Clone)]
struct Routes {
    table: Arc<Table>,
    /// Zero of the table's times.
    started: Instant,
    making: Arc<Semaphore>,
}

/// Serves `/routes` until the future is dropped. `started` is zero of the table's times.
pub async fn serve(listener: Listener, table: Arc<Table>, access: Access, started: Instant) {
    let app = app(table, access, started);
    listener::serve(listener, Transport::Plain, app, Bounds::default()).await;
}

fn app(table: Arc<Table>, access: Access, started: Instant) -> Router {
    guard(listing(table, started), access).fallback(listener::not_found)
}

/// `/routes`, for everybody.
pub(super) fn listing(table: Arc<Table>, started: Instant) -> Router {
    let routes = Routes {
        table,
        started,
        making: Arc::new(Semaphore::new(AT_A_TIME)),
    };
    Router::new()
        .route("/routes", any(answer))
        .with_state(routes)
}

/// Shows the paths of `router` only to those who have access.
pub(super) fn guard(router: Router, access: Access) -> Router {
    router.route_layer(middleware::from_fn_with_state(access, authenticate))
}

///
async fn authenticate(State(access): State<Access>, request: Request, next: Next) -> Response {
    if access.is_granted(request.headers().get(AUTHORIZATION)) {
        return next.run(request).await;
    }
    let mut refusal = listener::text(StatusCode::UNAUTHORIZED, "401 Unauthorized\n");
    refusal
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    refusal
}

async fn answer(State(routes): State<Routes>, RawQuery(query): RawQuery) -> Response {
    let asks = |query: String| {
        query
            .split('&')
            .any(|part| part.split('=').next() == Some("provenance"))
    };
    let detail = match query.is_some_and(asks) {
        true => json::Detail::Provenance,
        false => json::Detail::Plain,
    };
    // A large table takes a while: not on the thread that handles registrations.
    let Routes {
        table,
        started,
        making,
    } = routes;
    let turn = making.acquire_owned().await;
    let made = tokio::task::spawn_blocking(move || {
        let now = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let json = json::render(&table, detail, now);
        drop(turn);
        json
    });
    let mut response = match made.await {
        Ok(Ok(json)) => listener::with_type(StatusCode::OK, "application/json", json),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    };
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(target: "router", error = %error, "routes-failed");
    listener::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}

#[cfg(test)]
mod tests;
