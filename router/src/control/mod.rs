//! The control plane: where routes come from, the listeners for operators, the end of the process.
//!
//! It runs on a runtime of its own and changes the table through one place, the [`Registrar`].

mod failures;
mod listener;
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
