//! The instance that a session belongs to.

use std::sync::Arc;

use super::{Picked, Rules, Selection};
use crate::table::Endpoints;

/// What a request asks for by the session that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session<'a> {
    /// Id of the instance, or the address of the endpoint.
    pub instance: &'a [u8],
    /// What becomes of it without that instance.
    pub bond: Bond,
}

/// How a session is bound to its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// Another one will do: the session may be lost, the request is served.
    Preferred,
    /// No other one can go on with it.
    Required,
}

impl Selection {
    /// The session's endpoint if it is there and below its limit. Failure marks and zones play no part: what
    /// the others do not know is lost. Round robin goes on behind it, so that a retry goes elsewhere.
    pub(super) fn pinned(
        &mut self,
        endpoints: &Endpoints,
        rules: &Rules,
        session: Session<'_>,
    ) -> Option<Picked> {
        let is_meant = |text: &str| text.as_bytes() == session.instance;
        endpoints.iter().enumerate().find_map(|(index, slot)| {
            let endpoint = slot.endpoint();
            if !is_meant(endpoint.instance_id()) && !is_meant(endpoint.address()) {
                return None;
            }
            let in_flight = endpoint.begin(rules.max_conns)?;
            self.position = Some(index + 1);
            let endpoint = Arc::clone(endpoint);
            Some(Picked {
                endpoint,
                in_flight,
            })
        })
    }
}
