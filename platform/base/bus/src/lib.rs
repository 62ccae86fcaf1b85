//! The message bus: subjects, subscriptions, requests, and news about the connection.
//!
//! One type, [`Bus`], with two kinds: [`Bus::connect`] speaks to NATS servers, [`Bus::in_process`]
//! joins the services of one process. They behave alike, and one test suite runs on both. It is a
//! bus of messages that may be lost: whoever needs certainty repeats what it has to say, as route
//! emitters do.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cloverleaf_bus::{Bus, PendingLimits};
//!
//! let bus = Bus::in_process(PendingLimits::default());
//! let mut messages = bus.subscribe("router.*").await?;
//! bus.publish("router.register", "{}").await?;
//!
//! let first = messages.next().await.ok_or("closed")?;
//! assert_eq!(&*first.subject, "router.register");
//! // What else waits, without going to sleep in between.
//! while let Some(message) = messages.try_next() {
//!     println!("{}: {} bytes", message.subject, message.payload.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Messages on one subscription arrive in the order in which the bus took them. A subscriber that
//! does not keep up loses the newest messages, never the connection; see [`PendingLimits`] and
//! [`Status::MessagesDropped`].

mod bus;
mod error;
mod in_process;
mod message;
mod nats;
mod queue;
mod status;
mod subject;
mod task;

pub use bus::Bus;
pub use error::{BusError, ConnectError, Failure};
pub use message::{Message, Subject};
pub use nats::{NatsCredentials, NatsOptions, NatsTls, ServerAddress};
pub use queue::{PendingLimits, Subscription};
pub use status::{Health, Stats, Status, StatusEvents};
