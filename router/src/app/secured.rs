//! What is spoken over TLS with others than operators.

use std::sync::Arc;

use super::StartError;
use crate::accept::FrontEnd;
use crate::config::Config;
use crate::upstream::{Connector, Services};

/// Shared by all workers.
pub(super) struct Secured {
    /// With clients, where they are spoken to so.
    pub(super) front_end: Option<FrontEnd>,
    /// With backends.
    pub(super) connector: Connector,
    /// With route services, where they are on.
    pub(super) services: Option<Arc<Services>>,
}

impl Secured {
    /// Reads files and derives keys: not for a worker's thread.
    ///
    /// # Errors
    /// See [`StartError`].
    pub(super) fn new(config: &Config) -> Result<Secured, StartError> {
        Ok(Secured {
            front_end: FrontEnd::new(config)?,
            connector: Connector::new(config)?,
            services: Services::new(config)?.map(Arc::new),
        })
    }
}
