//! W3C trace context: `traceparent` and `tracestate` (www.w3.org/TR/trace-context).

use super::{sent, set};
use crate::exchange::TraceIds;
use crate::message::View;

/// What the log shows of them, in this order (spec 10.1).
pub(super) const HEADERS: [&str; 2] = [PARENT, STATE];

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// A longer state is dropped (spec 4.5).
const LONGEST_STATE: usize = 2048;

#[derive(Clone, Debug)]
pub(super) struct W3c {
    /// The key of our own entry in the state.
    key: Box<str>,
}

impl W3c {
    pub(super) fn new(tenant: &str) -> W3c {
        W3c {
            key: match tenant {
                "" => "gorouter".into(),
                tenant => format!("{tenant}@gorouter").into(),
            },
        }
    }

    /// Makes us the parent of what follows; without a usable parent a trace begins, with the ids that the request has,
    /// or `own` as its trace id.
    pub(super) fn apply(
        &self,
        request: &mut View<'_>,
        ids: &mut Option<TraceIds>,
        own: &str,
        span: &mut dyn FnMut() -> String,
    ) {
        let parent = sent(request, PARENT).and_then(Parent::parse);
        match parent {
            Some(Parent { trace, flags }) => {
                let span = span();
                let state = self.next_state(request, &span);
                set(
                    request,
                    PARENT,
                    format!("00-{trace}-{span}-{flags}").as_bytes(),
                );
                set(request, STATE, &state);
                ids.get_or_insert_with(|| TraceIds {
                    trace: trace.into(),
                    span: span.into(),
                });
            }
            None => {
                let TraceIds { trace, span } = ids.get_or_insert_with(|| TraceIds {
                    trace: own.into(),
                    span: span().into(),
                });
                // Ids that are shorter in Zipkin's form.
                let parent = format!("00-{trace:0>32}-{span}-01");
                set(request, PARENT, parent.as_bytes());
                set(request, STATE, format!("{}={span}", self.key).as_bytes());
            }
        }
    }

    /// Our own entry, then those of others as they came.
    fn next_state(&self, request: &View<'_>, span: &str) -> Vec<u8> {
        let mut state = format!("{}={span}", self.key).into_bytes();
        let sent: Vec<&[u8]> = request
            .named(STATE.as_bytes())
            .map(|field| request.text(field.value))
            .collect();
        let sent = sent.join(&b","[..]);
        if sent.len() > LONGEST_STATE {
            return state;
        }
        for entry in sent.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            let Some(equals) = memchr::memchr(b'=', entry) else {
                continue;
            };
            if entry[..equals] != *self.key.as_bytes() {
                state.push(b',');
                state.extend_from_slice(entry);
            }
        }
        state
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Parent {
    trace: String,
    flags: String,
}

impl Parent {
    /// `VERSION-TRACE-PARENT-FLAGS`, in lower case afterwards.
    fn parse(value: &[u8]) -> Option<Parent> {
        let text = std::str::from_utf8(value.trim_ascii()).ok()?;
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            [version, trace, parent, flags]
                if [version, trace, parent, flags].map(|part| part.len()) == [2, 32, 16, 2]
                    && parts.iter().all(|part| is_hex(part)) =>
            {
                Some(Parent {
                    trace: trace.to_ascii_lowercase(),
                    flags: flags.to_ascii_lowercase(),
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_form_is_a_parent() {
        let (trace, parent) = ("4BF92F3577B34DA6A3CE929D0E0E4736", "00f067aa0ba902b7");
        let read = Parent::parse(format!(" 00-{trace}-{parent}-0A ").as_bytes()).unwrap();
        assert_eq!(read.trace, trace.to_lowercase());
        assert_eq!(read.flags, "0a");
        for wrong in [
            String::new(),
            format!("00-{trace}-{parent}"),
            format!("00-{trace}-{parent}-01-"),
            format!("00-{trace}-{parent}-0g"),
            format!("00_{trace}_{parent}_01"),
            format!("00-{parent}-{trace}-01"),
        ] {
            assert_eq!(Parent::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
