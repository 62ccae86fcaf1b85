//! A load balancer's check, known by its User-Agent, is answered on any host and path.

use crate::config::Config;
use crate::message::{Name, View};
use crate::respond::Answer;

#[derive(Clone, Debug)]
pub(super) struct HealthCheck {
    user_agent: Box<[u8]>,
}

impl HealthCheck {
    pub(super) fn new(config: &Config) -> HealthCheck {
        HealthCheck {
            user_agent: config.healthcheck_user_agent.as_bytes().into(),
        }
    }

    #[inline]
    pub(super) fn answer(
        &self,
        request: &View<'_>,
        healthy: impl FnOnce() -> bool,
    ) -> Option<Answer> {
        let agent = request.value(Name::UserAgent)?;
        (!agent.is_empty() && agent == &*self.user_agent).then(|| Answer::health_check(healthy()))
    }
}
