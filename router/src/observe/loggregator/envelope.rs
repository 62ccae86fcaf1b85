//! Envelopes of Dropsonde, version 1 (wire 2): the few messages that a router sends, in protobuf's encoding.
//!
//! Written by hand: these are a handful of fields, most of them copied from memory that a record holds anyway. A test reads
//! all of it with prost.

use std::cmp::Reverse;
use std::io::IoSlice;

use super::message::Message;
use super::request::Described;

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
    /// Whether they are to be sent as they stand; else in whatever order is cheapest.
    keeps_order: bool,
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

/// A request as one side of the router saw it.
#[derive(Clone, Copy, Debug)]
pub(in crate::observe) struct Seen<'a> {
    pub(in crate::observe) start_ns: u64,
    pub(in crate::observe) stop_ns: u64,
    pub(in crate::observe) peer_type: PeerType,
    /// Addresses of clients with commas between them.
    pub(in crate::observe) forwarded: &'a [u8],
}

impl Datagrams {
    pub(in crate::observe) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(in crate::observe) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// For envelopes whose order says something.
    pub(in crate::observe) fn in_order() -> Datagrams {
        Datagrams {
            keeps_order: true,
            ..Datagrams::default()
        }
    }

    /// Each of them, in the order in which to send them: one that puts those of the same length side by side, the longest
    /// first, unless theirs is to be kept.
    pub(super) fn pieces(&self) -> Vec<IoSlice<'_>> {
        let mut start = 0;
        let piece = |&end: &usize| {
            let range = std::mem::replace(&mut start, end)..end;
            IoSlice::new(self.bytes.get(range).unwrap_or_default())
        };
        let mut pieces: Vec<_> = self.ends.iter().map(piece).collect();
        if !self.keeps_order {
            pieces.sort_by_key(|piece| Reverse(piece.len()));
        }
        pieces
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
        self.event(event::LOG_MESSAGE, now_ns, 8, tags, |message| {
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
        request: &Described,
        seen: &Seen<'_>,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) {
        self.event(event::HTTP_START_STOP, now_ns, 7, tags, |message| {
            message.number(1, seen.start_ns);
            message.number(2, seen.stop_ns);
            message.0.extend_from_slice(&request.id);
            message.number(4, seen.peer_type as u64);
            message.0.extend_from_slice(&request.rest);
            let mut rest = seen.forwarded;
            while !rest.is_empty() {
                let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
                let (address, behind) = rest.split_at(end);
                let address = address.trim_ascii();
                if !address.is_empty() {
                    message.text(15, address);
                }
                rest = behind.get(1..).unwrap_or_default();
            }
        });
    }

    /// A number at this moment.
    pub(in crate::observe) fn value(&mut self, now_ns: u64, name: &[u8], value: f64, unit: &str) {
        self.event(
            event::VALUE_METRIC,
            now_ns,
            9,
            std::iter::empty(),
            |message| {
                message.text(1, name);
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
            |message| {
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
        write: impl FnOnce(&mut Message<'_>),
    ) {
        self.scratch.clear();
        write(&mut Message(&mut self.scratch));
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

#[cfg(test)]
mod tests;
