//! The debug listener, which is there before everything else.

use cloverleaf_telemetry::LogHandle;
use tokio::task::JoinSet;

use super::{Router, Sockets};
use crate::control::debug::{self, Connections};

/// The debug listener (`debug_addr`). Ends when dropped.
pub struct DebugServer {
    connections: Connections,
    _task: JoinSet<()>,
}

impl DebugServer {
    /// Opens the listener at `address` (`host:port`; without a host on all addresses), and steers `log` through it. A
    /// listener that cannot be opened is logged and nothing more: the router is there to route.
    pub async fn start(
        address: &str,
        log: LogHandle,
        sockets: &mut Sockets,
    ) -> Option<DebugServer> {
        let address = match address {
            "" => return None,
            port if port.starts_with(':') => format!("[::]{port}"),
            address => address.to_owned(),
        };
        match sockets.bind_at(&address).await {
            Ok(listener) => {
                tracing::info!(target: "main", address, "debug-listener-started");
                let connections = Connections::default();
                let mut task = JoinSet::new();
                task.spawn(debug::serve(listener, log, connections.clone()));
                Some(DebugServer {
                    connections,
                    _task: task,
                })
            }
            Err(error) => {
                tracing::error!(target: "main", { address, %error }, "debug-listener-error");
                None
            }
        }
    }

    /// Shows the connections of `router` from now on.
    pub fn watch(&self, router: &Router) {
        if let Some(loads) = router.loads.clone() {
            self.connections
                .come_from(move || loads.open_by_worker().collect());
        }
    }
}
