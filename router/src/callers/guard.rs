//! What a route's policy says of a caller, endpoint by endpoint.

use std::sync::Arc;

use super::Caller;
use crate::table::{Endpoint, PolicySource, RoutePolicy};

/// Stands before the endpoints of a route with a policy: a route may be shared between spaces, so each endpoint is judged
/// on its own.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What the route asks.
    pub policy: Arc<RoutePolicy>,
    /// Who calls, as far as it is known.
    pub caller: Option<Arc<Caller>>,
}

/// Whether an endpoint may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Allowed,
    /// It may not, and neither may another: the request ends here.
    Denied,
}

/// The rule that decided, as the access log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule<'a> {
    /// A source of the route's policy lets the caller in.
    Source(&'a str),
    /// The caller is not in the endpoint's organization.
    OtherOrg,
    /// The caller is not in the endpoint's space.
    OtherSpace,
    /// The scope is none of the three.
    UnknownScope,
    /// The route lists no sources.
    NoSources,
    /// The route lists sources, and none of them is the caller.
    NoneMatches,
    /// On a domain, the client's certificate names no application.
    NoIdentity,
    /// The host is on no domain, so that there is no certificate to go by.
    NoCaller,
}

impl Guard {
    /// Whether the caller may reach `endpoint`, and by which rule.
    pub fn judge(&self, endpoint: &Endpoint) -> (Access, Rule<'_>) {
        match self.matching(endpoint) {
            Ok(source) => (Access::Allowed, Rule::Source(source)),
            Err(rule) => (Access::Denied, rule),
        }
    }

    fn matching(&self, endpoint: &Endpoint) -> Result<&str, Rule<'_>> {
        let caller = self.caller.as_deref().ok_or(Rule::NoCaller)?;
        // Two that are not known are not the same.
        let is = |guid: &str, tag: &str| !guid.is_empty() && endpoint.tag(tag) == Some(guid);
        match self.policy.scope() {
            "any" => {}
            "org" if is(&caller.org, "organization_id") => {}
            "space" if is(&caller.space, "space_id") => {}
            "org" => return Err(Rule::OtherOrg),
            "space" => return Err(Rule::OtherSpace),
            _ => return Err(Rule::UnknownScope),
        }
        let sources = self.policy.sources();
        let lets_in = |source: &str| match PolicySource::parse(source) {
            Some(PolicySource::Any) => true,
            Some(PolicySource::App(guid)) => *guid == *caller.app,
            Some(PolicySource::Space(guid)) => *guid == *caller.space,
            Some(PolicySource::Org(guid)) => *guid == *caller.org,
            None => false,
        };
        match sources.iter().find(|source| lets_in(source)) {
            Some(source) => Ok(source),
            None if sources.is_empty() => Err(Rule::NoSources),
            None => Err(Rule::NoneMatches),
        }
    }
}

impl Rule<'_> {
    /// The two parts of its text.
    pub fn parts(&self) -> [&str; 2] {
        match *self {
            Rule::Source(source) => ["route:", source],
            Rule::OtherOrg => ["domain:", "scope=org:post-selection"],
            Rule::OtherSpace => ["domain:", "scope=space:post-selection"],
            Rule::UnknownScope => ["domain:", "scope=unknown:post-selection"],
            Rule::NoSources => ["route:", "no_route_policies"],
            Rule::NoneMatches => ["route:", "route_policies"],
            Rule::NoIdentity => ["", "identity_extraction"],
            Rule::NoCaller => ["domain:", "no_caller_identity"],
        }
    }
}

#[cfg(test)]
mod tests;
