//! The thread on which connections of HTTP/2 move, while tests and scripts wait on threads of their own.

use std::future::{Future, pending};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use crate::eventually::LIMIT;

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Where connections are driven.
pub(super) fn handle() -> &'static Handle {
    HANDLE.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(pending::<()>()));
        handle
    })
}

/// What `future` gives.
///
/// # Panics
/// When that takes longer than [`LIMIT`]; `what` says what was waited for.
#[track_caller]
pub(super) fn wait<F: Future>(what: &str, future: F) -> F::Output {
    within(LIMIT, future).unwrap_or_else(|| panic!("waited {LIMIT:?} in vain for {what}"))
}

/// What `future` gives within `time`.
pub(super) fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    handle().block_on(async { timeout(time, future).await.ok() })
}
