//! Who may call a route, as its registrations say (spec 14.2).

use std::sync::Arc;

use super::Registration;

/// What a route asks of its callers; a property of the pool. A route without a scope asks nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePolicy {
    scope: Box<str>,
    sources: Box<[Box<str>]>,
}

impl RoutePolicy {
    /// How far from the application callers may be: `any`, `org`, `space`, or what else was sent. Never empty.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Who may call, in the order of the registration, such as `cf:any` or `cf:app:GUID`.
    pub fn sources(&self) -> &[Box<str>] {
        &self.sources
    }

    /// What `registration` asks; `current` if that is the same.
    pub(super) fn of(
        registration: &Registration<'_>,
        current: Option<&Arc<Self>>,
    ) -> Option<Arc<Self>> {
        let (scope, listed) = (
            registration.route_policy_scope,
            registration.route_policy_sources,
        );
        if scope.is_empty() {
            return None;
        }
        let same = current.filter(|current| {
            let kept = current.sources.iter().map(|source| &**source);
            *current.scope == *scope && kept.eq(sources(listed))
        });
        Some(same.map_or_else(
            || {
                Arc::new(Self {
                    scope: scope.into(),
                    sources: sources(listed).map(Box::from).collect(),
                })
            },
            Arc::clone,
        ))
    }
}

/// The members of a list of sources: trimmed, empty ones left out.
pub fn sources(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|source| !source.is_empty())
}

/// One member of a list of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource<'a> {
    /// `cf:any`: whoever is somebody.
    Any,
    /// `cf:app:GUID`
    App(&'a str),
    /// `cf:space:GUID`
    Space(&'a str),
    /// `cf:org:GUID`
    Org(&'a str),
}

impl<'a> PolicySource<'a> {
    /// What `text` stands for; `None` for anything that is none of the four, or has no GUID.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix("cf:")?;
        if text == "any" {
            return Some(Self::Any);
        }
        let (kind, guid) = text.split_once(':').filter(|(_, guid)| !guid.is_empty())?;
        match kind {
            "app" => Some(Self::App(guid)),
            "space" => Some(Self::Space(guid)),
            "org" => Some(Self::Org(guid)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_everybody_or_one_of_three_kinds_with_a_guid() {
        assert_eq!(PolicySource::parse("cf:any"), Some(PolicySource::Any));
        assert_eq!(
            PolicySource::parse("cf:app:g"),
            Some(PolicySource::App("g"))
        );
        assert_eq!(
            PolicySource::parse("cf:space:g"),
            Some(PolicySource::Space("g"))
        );
        assert_eq!(
            PolicySource::parse("cf:org:g"),
            Some(PolicySource::Org("g"))
        );
        for text in [
            "",
            "any",
            "cf:",
            "cf:any:",
            "cf:app",
            "cf:app:",
            "CF:app:g",
            "cf:organization:g",
        ] {
            assert_eq!(PolicySource::parse(text), None, "{text}");
        }
    }
}
