//! `upgrade`: the next process takes the place of the one that serves.

use std::time::Duration;

use cloverleaf_config::section;

section! {
    /// `upgrade`: see reload-and-upgrade.md.
    pub struct Upgrade {
        /// Unix socket at which a process that starts takes over the listening sockets of the one that serves; empty is off.
        socket: String => Works,
        /// How long the process before may go on with what it has, WebSockets too; 0 is `drain_timeout`.
        drain_timeout: Duration = Duration::from_secs(60) => Works shown "as `drain_timeout`",
    }
}
