//! `X-Vcap-Trace` with the configured key: the answer names the router and the backend.

use subtle::ConstantTimeEq;

use super::Context;
use crate::config::Config;
use crate::exchange::Notes;
use crate::message::{Name, View};
use crate::policy::Policy;
use crate::table::Endpoint;

#[derive(Clone, Debug)]
pub(super) struct Trace {
    key: Box<[u8]>,
    router: Box<str>,
}

impl Trace {
    pub(super) fn new(config: &Config, policy: &Policy) -> Trace {
        Trace {
            key: config.trace_key.as_bytes().into(),
            router: policy.local_ip.to_string().into(),
        }
    }

    #[inline]
    pub(super) fn look(&self, request: &View<'_>, cx: &mut Context<'_>) {
        if !self.key.is_empty() {
            let sent = request.value(Name::VcapTrace).unwrap_or_default();
            cx.notes.traced = sent.ct_eq(&self.key).into();
        }
    }

    #[inline]
    pub(super) fn reply(&self, reply: &mut View<'_>, notes: &Notes, endpoint: Option<&Endpoint>) {
        let Some(endpoint) = endpoint.filter(|_| notes.traced) else {
            return;
        };
        for name in ["X-Vcap-Router", "X-Vcap-Backend", "X-Cf-RouteEndpoint"] {
            reply.remove_named(name.as_bytes());
        }
        reply.head.add("X-Vcap-Router", self.router.as_bytes());
        reply
            .head
            .add("X-Vcap-Backend", endpoint.address().as_bytes());
        reply
            .head
            .add("X-Cf-RouteEndpoint", endpoint.address().as_bytes());
    }
}
