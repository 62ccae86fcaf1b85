//! What the events of one request have in common.

use uuid::Uuid;

use super::message::Message;

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::observe) struct Request<'a> {
    pub(in crate::observe) id: &'a [u8],
    pub(in crate::observe) method: &'a [u8],
    pub(in crate::observe) uri: &'a [u8],
    pub(in crate::observe) remote_address: &'a [u8],
    pub(in crate::observe) user_agent: &'a [u8],
    pub(in crate::observe) status: u16,
    pub(in crate::observe) content_length: i64,
    /// Left out when it is no UUID.
    pub(in crate::observe) app_id: &'a [u8],
    /// Left out when it is no number.
    pub(in crate::observe) instance_index: &'a [u8],
    /// Left out when it is empty.
    pub(in crate::observe) instance_id: &'a [u8],
}

/// A request as fields of an HttpStartStop, for all events that tell of it: both sides of the router mostly do.
#[derive(Debug, Default)]
pub(in crate::observe) struct Described {
    /// Field 3.
    pub(super) id: Vec<u8>,
    /// Fields 5 to 14.
    pub(super) rest: Vec<u8>,
}

impl Described {
    /// Describes this one from now on.
    pub(in crate::observe) fn set(&mut self, request: &Request<'_>) {
        self.id.clear();
        let id = Uuid::try_parse_ascii(request.id).unwrap_or_default();
        Message(&mut self.id).uuid(3, id);
        self.rest.clear();
        let mut message = Message(&mut self.rest);
        message.number(5, method(request.method));
        message.text(6, request.uri);
        message.text(7, request.remote_address);
        message.text(8, request.user_agent);
        message.number(9, u64::from(request.status));
        message.number(10, request.content_length.cast_unsigned());
        if let Ok(app) = Uuid::try_parse_ascii(request.app_id) {
            message.uuid(12, app);
        }
        let index = str::from_utf8(request.instance_index).unwrap_or_default();
        if let Ok(index) = index.parse::<u32>() {
            message.number(13, u64::from(index.min(i32::MAX.cast_unsigned())));
        }
        if !request.instance_id.is_empty() {
            message.text(14, request.instance_id);
        }
    }
}

/// The number of a method; 0, which is none, for one that has no number.
pub(super) fn method(name: &[u8]) -> u64 {
    const NAMES: [&str; 44] = [
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "HEAD",
        "ACL",
        "BASELINE-CONTROL",
        "BIND",
        "CHECKIN",
        "CHECKOUT",
        "CONNECT",
        "COPY",
        "DEBUG",
        "LABEL",
        "LINK",
        "LOCK",
        "MERGE",
        "MKACTIVITY",
        "MKCALENDAR",
        "MKCOL",
        "MKREDIRECTREF",
        "MKWORKSPACE",
        "MOVE",
        "OPTIONS",
        "ORDERPATCH",
        "PATCH",
        "PRI",
        "PROPFIND",
        "PROPPATCH",
        "REBIND",
        "REPORT",
        "SEARCH",
        "SHOWMETHOD",
        "SPACEJUMP",
        "TEXTSEARCH",
        "TRACE",
        "TRACK",
        "UNBIND",
        "UNCHECKOUT",
        "UNLINK",
        "UNLOCK",
        "UPDATE",
        "UPDATEREDIRECTREF",
        "VERSION-CONTROL",
    ];
    let known = NAMES.iter().position(|known| known.as_bytes() == name);
    known.map_or(0, |position| position as u64 + 1)
}
