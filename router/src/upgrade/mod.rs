//! The upgrade of the binary: listening sockets pass from one process to the next (docs/reload-and-upgrade.md).
//!
//! What passes are the descriptors themselves, over a Unix socket, so the kernel's queues of connections stay what they
//! are: nobody is refused, and nobody who waits in a queue is lost.
//!
//! ```text
//! the next process                    the one that serves
//!   TakeOver::attempt ─────────────►  Offer: the same user?
//!                     ◄─────────────  a listener, a listener, …, the end
//!   starts, serves
//!   TakeOver::serving ─────────────►  Offer::taken: accepts no more, finishes what it has
//! ```
//!
//! A next process that ends before it serves has changed nothing.

mod inherited;
mod offer;
mod take_over;
mod wire;

pub use inherited::Inherited;
pub use offer::Offer;
pub use take_over::TakeOver;

/// Whether the other side's user may pass sockets, or be passed some: our own, or root.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests;
