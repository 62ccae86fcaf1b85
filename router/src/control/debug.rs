//! The debug listener (`debug_addr`, spec 1.1): the component log's level, read and changed while the router runs.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /log-level` | the level in force |
//! | `PUT /log-level` | changes it; the body is a level's name, its first letter, or its number from 0 (debug) to 4 (fatal) |
//! | `GET /connections` | open client connections of each worker, as JSON |
//! | `/debug/pprof/...`, `/block-profile-rate`, `/mutex-profile-fraction` | 501: these belong to another runtime |

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get};
use cloverleaf_telemetry::{Level, LogHandle};

use super::listener::{self, Bounds, Listener, Transport};

const HELP: &str = "\
GET /log-level    the component log's level
PUT /log-level    change it: the body is debug, info, warn, error or fatal
GET /connections  open client connections of each worker
";

/// No level's name is longer.
const LONGEST_LEVEL: usize = 64;

/// Where the number of each worker's connections can be had, once there are workers.
#[derive(Clone, Default)]
pub struct Connections(Arc<OnceLock<Source>>);

type Source = Box<dyn Fn() -> Vec<usize> + Send + Sync>;

impl Connections {
    /// From now on they are counted by `source`.
    pub fn come_from(&self, source: impl Fn() -> Vec<usize> + Send + Sync + 'static) {
        // There is one set of workers in a process's life.
        drop(self.0.set(Box::new(source)));
    }
}

/// Serves until the future is dropped.
pub async fn serve(listener: Listener, log: LogHandle, connections: Connections) {
    let app = app(log, connections);
    listener::serve(listener, Transport::Plain, app, Bounds::default()).await;
}

fn app(log: LogHandle, connections: Connections) -> Router {
    let level = Router::new()
        .route("/log-level", get(show_level).put(change_level))
        .with_state(log);
    let mut app = Router::new()
        .route("/", get(|| async { listener::text(StatusCode::OK, HELP) }))
        .route("/connections", get(show_connections))
        .with_state(connections)
        .merge(level)
        .fallback(listener::not_found);
    for path in [
        "/debug/pprof",
        "/debug/pprof/",
        "/debug/pprof/{*profile}",
        "/block-profile-rate",
        "/mutex-profile-fraction",
    ] {
        app = app.route(path, any(not_here));
    }
    app
}

async fn show_level(State(log): State<LogHandle>) -> Response {
    listener::text(StatusCode::OK, format!("{}\n", log.level()))
}

async fn change_level(State(log): State<LogHandle>, body: Body) -> Response {
    let body = to_bytes(body, LONGEST_LEVEL).await.unwrap_or_default();
    match level(String::from_utf8_lossy(&body).trim()) {
        Ok(level) => {
            log.set_level(level);
            tracing::info!(target: "main", level = %level, "log-level-changed");
            listener::text(StatusCode::OK, format!("{level}\n"))
        }
        Err(error) => listener::text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

/// Reads what GoRouter's debug server takes: names, first letters and numbers.
fn level(text: &str) -> Result<Level, cloverleaf_telemetry::LevelError> {
    let name = match text {
        "0" | "d" | "D" => "debug",
        "1" | "i" | "I" => "info",
        "2" | "w" | "W" => "warn",
        "3" | "e" | "E" => "error",
        "4" | "f" | "F" => "fatal",
        name => name,
    };
    name.parse()
}

async fn show_connections(State(connections): State<Connections>) -> Response {
    let open = connections.0.get().map(|count| count()).unwrap_or_default();
    let json = serde_json::json!({ "workers": open, "total": open.iter().sum::<usize>() });
    listener::with_type(StatusCode::OK, "application/json", format!("{json}\n"))
}

async fn not_here() -> Response {
    let text = format!(
        "Not here: profiles of this program are taken from outside, with perf for example.\n\n{HELP}"
    );
    listener::text(StatusCode::NOT_IMPLEMENTED, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_by_name_letter_and_number() {
        for (texts, expected) in [
            (["debug", "d", "0"], Level::Debug),
            (["INFO", "I", "1"], Level::Info),
            (["warn", "w", "2"], Level::Warn),
            (["Error", "e", "3"], Level::Error),
            (["fatal", "f", "4"], Level::Fatal),
        ] {
            for text in texts {
                assert_eq!(level(text), Ok(expected), "{text}");
            }
        }
        for text in ["", "5", "verbose", "x"] {
            assert!(level(text).is_err(), "{text}");
        }
    }
}
