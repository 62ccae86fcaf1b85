//! What the workers are given, from a configuration: at the start, and when it changes.

use std::net::IpAddr;
use std::sync::Arc;

use super::{StartError, error_page, max_clients};
use crate::accept::FrontEnd;
use crate::config::Config;
use crate::filters::Filters;
use crate::policy::Policy;
use crate::upstream::{Connector, Services};
use crate::worker::Settings;

/// What stays the same while the process lives.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    /// Our own address.
    pub(super) local_ip: IpAddr,
    /// Request headers that the access log shows.
    pub(super) extra_headers: Vec<Box<str>>,
}

/// Settings as `config` says. Reads files and derives keys: not for a worker's thread.
///
/// # Errors
/// See [`StartError`].
pub(super) fn settings(config: &Config, fixed: &Fixed) -> Result<Settings, StartError> {
    let policy = Policy {
        error_page: error_page(config)?,
        max_clients: max_clients(),
        ..Policy::new(config, fixed.local_ip, fixed.extra_headers.clone())
    };
    Ok(Settings {
        filters: Filters::new(config, &policy),
        policy: Arc::new(policy),
        front_end: FrontEnd::new(config)?,
        connector: Connector::new(config)?,
        services: Services::new(config)?.map(Arc::new),
    })
}

/// Lets clients resume the sessions that they began under `former`.
pub(super) fn resume_sessions(settings: &mut Settings, former: &Settings) {
    if let (Some(front_end), Some(former)) = (&mut settings.front_end, &former.front_end) {
        front_end.resume_sessions(former);
    }
}
