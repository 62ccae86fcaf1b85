//! Envelopes of Dropsonde, version 1 (wire 2): the few messages that a router sends, in protobuf's encoding.
//!
//! Written by hand: these are a handful of fields, most of them copied from memory that a record holds anyway. A test reads
//! all of it with prost.

use std::borrow::Cow;

use uuid::Uuid;

/// Whose envelopes these are.
const ORIGIN: &str = "gorouter";

/// Types of events.
mod event {
    pub(super) const HTTP_START_STOP: u64 = 4;
    pub(super) const LOG_MESSAGE: u64 = 5;
    pub(super) const VALUE_METRIC: u64 = 6;
    pub(super) const COUNTER_EVENT: u64 = 7;
}

/// Envelopes, one after the other, each a datagram.
#[derive(Debug, Default)]
pub(in crate::observe) struct Datagrams {
    pub(super) bytes: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
    scratch: Vec<u8>,
    inner: Vec<u8>,
}

/// Which side of the router an exchange was seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::observe) enum PeerType {
    /// The router called a backend.
    Client = 1,
    /// A client called the router.
    Server = 2,
}

/// A request from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(in crate::observe) struct HttpStartStop<'a> {
    pub(in crate::observe) start_ns: u64,
    pub(in crate::observe) stop_ns: u64,
    pub(in crate::observe) request_id: &'a [u8],
    pub(in crate::observe) peer_type: PeerType,
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
    /// Addresses of clients with commas between them.
    pub(in crate::observe) forwarded: &'a [u8],
}

impl Datagrams {
    pub(in crate::observe) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(in crate::observe) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// A line of an application's log.
    pub(in crate::observe) fn log_message<'a>(
        &mut self,
        now_ns: u64,
        line: &[u8],
        app_id: &[u8],
        source_instance: &str,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        const OUT: u64 = 1;
        self.event(event::LOG_MESSAGE, now_ns, 8, tags, |message, _| {
            message.bytes(1, line);
            message.number(2, OUT);
            message.number(3, now_ns);
            message.text(4, app_id);
            message.text(5, b"RTR");
            message.text(6, source_instance.as_bytes());
        });
    }

    /// A request.
    pub(in crate::observe) fn http_start_stop<'a>(
        &mut self,
        now_ns: u64,
        request: &HttpStartStop<'_>,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        self.event(event::HTTP_START_STOP, now_ns, 7, tags, |message, inner| {
            message.number(1, request.start_ns);
            message.number(2, request.stop_ns);
            let id = Uuid::try_parse_ascii(request.request_id).unwrap_or_default();
            message.uuid(3, id, inner);
            message.number(4, request.peer_type as u64);
            message.number(5, method(request.method));
            message.text(6, request.uri);
            message.text(7, request.remote_address);
            message.text(8, request.user_agent);
            message.number(9, u64::from(request.status));
            message.number(10, request.content_length.cast_unsigned());
            if let Ok(app) = Uuid::try_parse_ascii(request.app_id) {
                message.uuid(12, app, inner);
            }
            let index = str::from_utf8(request.instance_index).unwrap_or_default();
            if let Ok(index) = index.parse::<u32>() {
                message.number(13, u64::from(index.min(i32::MAX.cast_unsigned())));
            }
            if !request.instance_id.is_empty() {
                message.text(14, request.instance_id);
            }
            let forwarded = request.forwarded.split(|&byte| byte == b',');
            for address in forwarded.map(<[u8]>::trim_ascii) {
                if !address.is_empty() {
                    message.text(15, address);
                }
            }
        });
    }

    /// A number at this moment.
    pub(in crate::observe) fn value(&mut self, now_ns: u64, name: &str, value: f64, unit: &str) {
        self.event(
            event::VALUE_METRIC,
            now_ns,
            9,
            std::iter::empty(),
            |message, _| {
                message.text(1, name.as_bytes());
                message.double(2, value);
                message.text(3, unit.as_bytes());
            },
        );
    }

    /// How much a number has grown.
    pub(in crate::observe) fn counter(&mut self, now_ns: u64, name: &str, delta: u64) {
        self.event(
            event::COUNTER_EVENT,
            now_ns,
            10,
            std::iter::empty(),
            |message, _| {
                message.text(1, name.as_bytes());
                message.number(2, delta);
            },
        );
    }

    /// Adds an envelope around what `write` puts into the event's field.
    fn event<'a>(
        &mut self,
        kind: u64,
        now_ns: u64,
        field: u32,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        write: impl FnOnce(&mut Message<'_>, &mut Vec<u8>),
    ) {
        self.scratch.clear();
        write(&mut Message(&mut self.scratch), &mut self.inner);
        let mut envelope = Message(&mut self.bytes);
        envelope.text(1, ORIGIN.as_bytes());
        envelope.number(2, kind);
        envelope.number(6, now_ns);
        envelope.bytes(field, &self.scratch);
        for (name, value) in tags {
            self.inner.clear();
            let mut tag = Message(&mut self.inner);
            tag.text(1, name);
            tag.text(2, value);
            envelope.bytes(17, &self.inner);
        }
        self.ends.push(self.bytes.len());
    }
}

/// A message that is being written.
struct Message<'a>(&'a mut Vec<u8>);

impl Message<'_> {
    fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.varint(u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Readers may refuse a text that is not UTF-8; what is not is replaced.
    fn text(&mut self, field: u32, value: &[u8]) {
        match String::from_utf8_lossy(value) {
            Cow::Borrowed(_) => self.bytes(field, value),
            Cow::Owned(mended) => self.bytes(field, mended.as_bytes()),
        }
    }

    /// The sixteen bytes as two little-endian words.
    fn uuid(&mut self, field: u32, id: Uuid, inner: &mut Vec<u8>) {
        let words = id.as_u128().swap_bytes();
        inner.clear();
        let mut message = Message(inner);
        message.number(1, words as u64);
        message.number(2, (words >> 64) as u64);
        self.bytes(field, inner);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The number of a method; 0, which is none, for one that has no number.
fn method(name: &[u8]) -> u64 {
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

#[cfg(test)]
mod tests;
