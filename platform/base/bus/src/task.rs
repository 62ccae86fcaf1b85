//! Tasks that end with their owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// A spawned task that is cancelled when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnedTask(JoinHandle<()>);

impl OwnedTask {
    /// Spawns `work` on the current tokio runtime.
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> OwnedTask {
        OwnedTask(tokio::spawn(work))
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
