//! The messages that services exchange over the bus, as data types and JSON. No I/O.
//!
//! * [`RegistryMessage`]: `router.register` and `router.unregister`, by which a route emitter tells
//!   routers where an app answers.
//! * [`StartMessage`]: `router.start` and the answer to `router.greet`, by which a router asks
//!   emitters for registrations.

mod go_text;
mod registry_message;
mod start_message;

pub use registry_message::{MessageError, RegistryMessage, RouteOptions};
pub use start_message::StartMessage;
