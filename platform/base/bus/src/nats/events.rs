//! What the library tells of the connection, told on as [`Status`] and as log lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Event;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::plan::Plan;
use crate::status::{Board, Status};

/// How long the look-up of a server's address, which only the log wants, may take.
const RESOLVE_LIMIT: Duration = Duration::from_secs(1);

/// Turns the library's events into ours.
pub(super) struct EventWatch {
    pub(super) board: Arc<Board>,
    pub(super) plan: Arc<Plan>,
}

impl EventWatch {
    /// Runs until it is cancelled, or until the library is gone.
    pub(super) async fn run(self, mut incoming: mpsc::UnboundedReceiver<Event>) {
        // The first connection is told of by whoever made it.
        let mut connected_before = false;
        while let Some(event) = incoming.recv().await {
            match event {
                Event::Connected if !connected_before => connected_before = true,
                Event::Connected => {
                    self.plan.connected();
                    let (host, addr) = host_and_addr(&self.plan).await;
                    self.board.tell(Status::Reconnected { host, addr });
                }
                Event::Disconnected => self.board.tell(Status::Disconnected),
                Event::Closed => self.board.tell(Status::Closed),
                Event::SlowConsumer(_) => self.board.count_dropped(),
                Event::LameDuckMode => {
                    tracing::info!(target: "nats", "nats-server-shutting-down");
                }
                Event::ServerError(error) => {
                    tracing::warn!(target: "nats", error = %error, "nats-server-error");
                }
                Event::ClientError(error) => {
                    tracing::debug!(target: "nats", error = %error, "nats-connection-attempt-failed");
                }
                Event::Draining => {}
            }
        }
    }
}

/// The server that the connection is with: as configured, and as its name resolves now.
pub(super) async fn host_and_addr(plan: &Plan) -> (String, Option<SocketAddr>) {
    let Some(server) = plan.target() else {
        return (String::new(), None);
    };
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    let looking = tokio::net::lookup_host((host, server.port));
    let addr = match timeout(RESOLVE_LIMIT, looking).await {
        Ok(Ok(mut addrs)) => addrs.next(),
        Ok(Err(_)) | Err(_) => None,
    };
    (server.to_string(), addr)
}
