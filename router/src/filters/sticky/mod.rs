//! Sticky sessions: a client that has a session at an application goes to the instance that knows it (spec 5, 14.4).
//!
//! The router has no memory of sessions. When an application sets one of the configured cookies, the client gets
//! `__VCAP_ID__` with the instance's id along with it, and brings both back. `__VCAP_ID_META__` beside it remembers the
//! attributes of the application's cookie, for the day on which the instance is gone and another must be named.

mod attributes;
mod cookies;

use self::attributes::{Attributes, SameSite};
use super::Answered;
use crate::config::Config;
use crate::exchange::{Notes, Pin};
use crate::message::{Name, Names, View};

/// Holds the id of the instance.
const PIN: &[u8] = b"__VCAP_ID__";
/// Holds the attributes of the application's cookie.
const META: &[u8] = b"__VCAP_ID_META__";
/// Before a name: the cookie belongs to one host and its whole site (RFC 6265bis).
const HOST_PREFIX: &[u8] = b"__Host-";
/// How long a login that is under way stays with its instance, in seconds.
const NEGOTIATION: u64 = 60;

#[derive(Clone, Debug)]
pub(super) struct Sticky {
    names: Vec<Box<[u8]>>,
    /// The router's cookies are always `Secure`.
    secure: bool,
    /// A login with Negotiate is bound to its instance.
    negotiate: bool,
}

impl Sticky {
    pub(super) fn new(config: &Config) -> Sticky {
        let names = config.sticky_session_cookie_names.iter();
        Sticky {
            names: names.map(|name| name.as_bytes().into()).collect(),
            secure: config.secure_cookies,
            negotiate: config.sticky_sessions_for_auth_negotiate,
        }
    }

    /// Notes the instance that the client has a session with.
    #[inline]
    pub(super) fn look(&self, request: &View<'_>, notes: &mut Notes) {
        if request.head.present.has(Name::Cookie) {
            notes.pin = self.pin(request);
        }
    }

    fn pin(&self, request: &View<'_>) -> Option<Pin> {
        // Most cookies are others, and looking through them once is quicker than taking them apart.
        let mut values = request.values(Name::Cookie);
        if !values.any(|value| memchr::memmem::find(value, PIN).is_some()) {
            return None;
        }
        let required = self.negotiate
            && request
                .value(Name::Authorization)
                .is_some_and(is_negotiation);
        let (mut instance, mut meta, mut has_session) = (None, None, required);
        for (name, value) in request.values(Name::Cookie).flat_map(cookies::pairs) {
            if name == PIN {
                instance.get_or_insert(value);
            } else if name == META {
                meta.get_or_insert(value);
            } else {
                has_session |= self.is_session(name);
            }
        }
        let instance = instance.filter(|instance| !instance.is_empty())?;
        has_session.then(|| Pin {
            instance: instance.into(),
            meta: meta.map(Into::into),
            required,
        })
    }

    /// Names the instance to the client, where the answer begins a session or comes from another than was asked for.
    #[inline]
    pub(super) fn reply(&self, reply: &mut View<'_>, answered: &Answered<'_>) {
        const CAUSES: Names = Names::of(&[Name::SetCookie, Name::WwwAuthenticate]);
        if reply.head.present.has_any(CAUSES) || answered.notes.pin.is_some() {
            self.pin_down(reply, answered);
        }
    }

    fn pin_down(&self, reply: &mut View<'_>, answered: &Answered<'_>) {
        let instance = answered
            .endpoint
            .map_or("", |endpoint| endpoint.instance_id());
        if !is_cookie_value(instance.as_bytes()) {
            return;
        }
        let name = |value| cookies::set(value).0.0;
        if reply
            .values(Name::SetCookie)
            .any(|value| name(value) == PIN)
        {
            return;
        }
        let pin = answered.notes.pin.as_ref();
        let is_elsewhere = pin.is_none_or(|pin| *pin.instance != *instance.as_bytes());
        let mut out = std::mem::take(&mut reply.head.added);
        let path = answered.cookie_path;
        let mut add = |name: &[u8], value: &dyn Fn(&mut Vec<u8>), attributes: &Attributes| {
            out.extend_from_slice(b"Set-Cookie: ");
            out.extend_from_slice(name);
            out.push(b'=');
            value(&mut out);
            out.extend_from_slice(b"; Path=");
            out.extend(
                path.bytes()
                    .filter(|byte| matches!(byte, b' '..=b':' | b'<'..=b'~')),
            );
            attributes.write(&mut out);
            out.extend_from_slice(b"\r\n");
        };
        let id = |out: &mut Vec<u8>| out.extend_from_slice(instance.as_bytes());
        let challenge = reply.value(Name::WwwAuthenticate);
        if self.negotiate && is_elsewhere && challenge.is_some_and(is_negotiation) {
            let attributes = Attributes {
                secure: self.secure,
                max_age: Some(NEGOTIATION),
                same_site: Some(SameSite::Strict),
                ..Attributes::default()
            };
            add(PIN, &id, &attributes);
        } else {
            let mut has_session = false;
            for ((name, _), attributes) in reply.values(Name::SetCookie).map(cookies::set) {
                if !self.is_session(name) {
                    continue;
                }
                has_session = true;
                let own = Attributes::of(attributes);
                let shown = self.secured(own);
                add(PIN, &id, &shown);
                add(META, &|out| own.remember(answered.now, out), &shown);
            }
            if let Some(pin) = pin.filter(|_| is_elsewhere && !has_session) {
                let meta = pin.meta.as_deref().unwrap_or_default();
                let own = Attributes::recall(meta, answered.now, |part| unreadable(answered, part));
                add(PIN, &id, &self.secured(own));
            }
        }
        reply.head.added = out;
    }

    fn secured(&self, attributes: Attributes) -> Attributes {
        Attributes {
            secure: attributes.secure || self.secure,
            ..attributes
        }
    }

    fn is_session(&self, name: &[u8]) -> bool {
        let bare = name.strip_prefix(HOST_PREFIX).unwrap_or(name);
        let mut names = self.names.iter();
        names.any(|own| **own == *name || **own == *bare)
    }
}

/// `Negotiate` at the beginning, whatever its case.
fn is_negotiation(value: &[u8]) -> bool {
    const SCHEME: &[u8] = b"negotiate";
    let scheme = value.get(..SCHEME.len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// Whether it can be the value of a cookie (RFC 6265 section 4.1.1) and is one.
fn is_cookie_value(value: &[u8]) -> bool {
    let is_octet = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\".contains(byte);
    !value.is_empty() && value.iter().all(is_octet)
}

/// A client sends what it likes, so this is for those who look for it.
#[cold]
fn unreadable(answered: &Answered<'_>, part: &[u8]) {
    tracing::debug!(target: "router", { vcap_request_id = %answered.request_id, part = %part.escape_ascii() },
        "sticky-session-attribute-unreadable");
}

#[cfg(test)]
mod tests;
