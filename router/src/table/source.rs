//! Where registrations come from.

use std::sync::Arc;

use super::Millis;

/// One source of registrations (NATS, the Routing API, a file). Given out by
/// [`Writer::source`](super::Writer::source).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceId(pub(crate) u16);

/// A source and whether it can be heard.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its number.
    pub id: SourceId,
    /// Its name, such as `nats`.
    pub name: Arc<str>,
    /// Since when it has been silent, or `None` while it can be heard.
    pub down_since: Option<Millis>,
    /// When it was last heard again after a silence: its endpoints live on from then.
    pub(crate) back_since: Millis,
}
