//! What the workers and the table are given, from a configuration: at the start, and when it changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::accept::FrontEnd;
use crate::config::{BalancingAlgorithm, Config};
use crate::control::default_limits;
use crate::filters::Filters;
use crate::policy::Policy;
use crate::respond::Page;
use crate::table::{self, Algorithm, EmptyPool, Millis};
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

/// How many clients there may be, so that file descriptors are left for connections to backends, for files and for
/// operators: seven of eight, but for those that the process has anyway.
fn max_clients() -> usize {
    const OWN: u64 = 32;
    const RESERVE: std::ops::RangeInclusive<u64> = 16..=1024;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let Some(limit) = limit else {
        return usize::MAX;
    };
    let reserve = (limit / 8).clamp(*RESERVE.start(), *RESERVE.end());
    let clients = limit.saturating_sub(reserve + OWN).max(1);
    usize::try_from(clients).unwrap_or(usize::MAX)
}

/// The page that the operator wants errors shown in.
pub(super) fn error_page(config: &Config) -> Result<Option<Page>, StartError> {
    let failed = |error: String| StartError::ErrorPage {
        file: config.html_error_template_file.clone(),
        error,
    };
    let Some(text) = config.error_template() else {
        return Ok(None);
    };
    let text = text.map_err(|error| failed(error.to_string()))?;
    let page = Page::parse(&text).map_err(|error| failed(error.to_string()))?;
    Ok(Some(page))
}

/// How the routing table is to behave.
pub(super) fn table_settings(config: &Config) -> table::Settings {
    let millis = |duration: Duration| Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
    table::Settings {
        default_algorithm: match config.balancing_algorithm {
            BalancingAlgorithm::RoundRobin => Algorithm::RoundRobin,
            BalancingAlgorithm::LeastConnection => Algorithm::LeastConnection,
        },
        // The smallest threshold that can be configured is a nanosecond; a TTL of zero would mean the default.
        stale_threshold: millis(config.droplet_stale_threshold).max(1),
        empty_pool: EmptyPool {
            keep_for: (config.empty_pool_response_code_503 && !config.empty_pool_timeout.is_zero())
                .then(|| millis(config.empty_pool_timeout)),
        },
        suspend_when_source_down: config.suspend_pruning_if_nats_unavailable,
        limits: default_limits(config),
        ..table::Settings::default()
    }
}
