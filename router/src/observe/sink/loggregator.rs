//! What requests leave for Loggregator: log lines of applications, start-stop events, times (spec 10.4 and 11).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Lines, Sink};
use crate::observe::address::push_address;
use crate::observe::format::Format;
use crate::observe::loggregator::{
    Breaks, Datagrams, Described, Loggregator, PeerType, Request, Seen, milliseconds,
};
use crate::observe::names;
use crate::observe::record::{Text, View};

/// The longest line that goes into a datagram as it is.
const LONGEST_LINE: usize = 65_400;

/// Breaks in all: the next lines of the access log wait meanwhile, and are due within 100 ms.
const LONGEST_BREAKS: Duration = Duration::from_millis(20);

/// Puts records into envelopes and sends them. Each says when its exchange ended, which is when a line is due.
#[derive(Debug)]
pub(in crate::observe) struct Envelopes {
    to: Arc<Loggregator>,
    /// For lines that are too long.
    format: Format,
    /// The lines of a log are read in the order in which they come.
    lines: Datagrams,
    events: Datagrams,
    described: Described,
    short: Vec<u8>,
    uri: Vec<u8>,
    peer: Vec<u8>,
    name: Vec<u8>,
    /// When there was nothing left to send.
    ended: Instant,
    /// How long it waited before that.
    breaks: Duration,
}

impl Envelopes {
    pub(in crate::observe) fn new(to: Arc<Loggregator>, format: Format) -> Envelopes {
        Envelopes {
            to,
            format,
            lines: Datagrams::in_order(),
            events: Datagrams::default(),
            described: Described::default(),
            short: Vec::new(),
            uri: Vec::new(),
            peer: Vec::new(),
            name: Vec::new(),
            ended: Instant::now(),
            breaks: Duration::ZERO,
        }
    }

    /// The line goes to the log of the application that was asked: without one there is none.
    fn log_line(&mut self, line: &[u8], record: &View<'_>) {
        let app_id = record.get(Text::AppId);
        if app_id.is_empty() || record.get(Text::Endpoint).is_empty() {
            return;
        }
        let mut line = line;
        if line.len() > LONGEST_LINE {
            self.short.clear();
            self.format.push_short_line(&mut self.short, record);
            line = &self.short;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let index = &self.to.scope.index;
        self.lines
            .log_message(record.ended_unix_ns(), line, app_id, index, record.tags());
    }

    fn start_stop(&mut self, record: &View<'_>) {
        let entry = record.entry;
        let scope = &self.to.scope;
        let (server, client) = (scope.server_events, scope.client_events);
        let is_proxied = is_proxied(record);
        if !(server || client && is_proxied) {
            return;
        }
        self.uri.clear();
        let scheme = if entry.secure { "https://" } else { "http://" };
        self.uri.extend_from_slice(scheme.as_bytes());
        self.uri.extend_from_slice(record.get(Text::Host));
        let target = record.get(Text::Target);
        let path = memchr::memchr(b'?', target).map_or(target, |query| &target[..query]);
        self.uri.extend_from_slice(path);
        self.peer.clear();
        if let Some(peer) = entry.peer {
            push_address(&mut self.peer, peer);
        }
        let request = Request {
            id: record.get(Text::RequestId),
            method: record.get(Text::Method),
            uri: &self.uri,
            remote_address: &self.peer,
            user_agent: record.get(Text::UserAgent),
            status: entry.status,
            content_length: i64::try_from(entry.response_bytes).unwrap_or(i64::MAX),
            app_id: record.get(Text::AppId),
            instance_index: record.get(Text::AppIndex),
            instance_id: record.get(Text::InstanceId),
        };
        self.described.set(&request);
        let forwarded = record.get(Text::ForwardedFor);
        let seen = Seen {
            start_ns: entry.received_unix_ns,
            stop_ns: record.ended_unix_ns(),
            peer_type: PeerType::Server,
            forwarded: as_received(forwarded, &self.peer),
        };
        if client && is_proxied {
            let seen = Seen {
                start_ns: seen.stop_ns.saturating_sub(entry.proxied_ns),
                peer_type: PeerType::Client,
                forwarded,
                ..seen
            };
            attempts(&mut self.events, &request, &self.described, &seen, record);
        }
        if server {
            let tags = record.tags_and_trace();
            self.events
                .http_start_stop(seen.stop_ns, &self.described, &seen, tags);
        }
    }

    /// The times that `/metrics` shows, each as it was measured.
    fn times(&mut self, record: &View<'_>) {
        let entry = record.entry;
        let now_ns = record.ended_unix_ns();
        let out = &mut self.events;
        if entry.lookup_ns > 0 {
            let ns = entry.lookup_ns as f64;
            let name = names::ROUTE_LOOKUP_TIME.name.as_bytes();
            out.value(now_ns, name, ns, "ns");
        }
        if !is_proxied(record) {
            return;
        }
        let own = milliseconds(entry.gorouter_time_ns);
        out.value(now_ns, names::GOROUTER_TIME.name.as_bytes(), own, "ms");
        if entry.status == 101 {
            return;
        }
        let took = milliseconds(entry.response_time_ns);
        let name = names::LATENCY.name.as_bytes();
        out.value(now_ns, name, took, "ms");
        let mut tags = record.tags();
        if let Some((_, component)) = tags.find(|(name, _)| *name == b"component")
            && !component.is_empty()
        {
            self.name.clear();
            self.name.extend_from_slice(name);
            self.name.push(b'.');
            self.name.extend_from_slice(component);
            out.value(now_ns, &self.name, took, "ms");
        }
    }
}

/// Whether an endpoint was asked.
fn is_proxied(record: &View<'_>) -> bool {
    !record.get(Text::Endpoint).is_empty() && !record.entry.unasked
}

/// One event for each attempt, from that of the whole exchange.
fn attempts(
    out: &mut Datagrams,
    request: &Request<'_>,
    described: &Described,
    exchange: &Seen<'_>,
    record: &View<'_>,
) {
    let entry = record.entry;
    let now_ns = exchange.stop_ns;
    let mut began = exchange.start_ns;
    let failed = entry.attempts.failed;
    if let Some(took) = entry.attempts.failed_time_ns {
        let failure = Seen {
            stop_ns: entry.received_unix_ns.saturating_add(took),
            ..*exchange
        };
        let mut described = Described::default();
        described.set(&Request {
            status: 0,
            content_length: 0,
            // Another instance of the application each time.
            instance_index: b"",
            instance_id: b"",
            ..*request
        });
        for _ in 0..failed {
            out.http_start_stop(now_ns, &described, &failure, std::iter::empty());
        }
        began = failure.stop_ns;
    }
    let is_answered = failed == 0 || record.get(Text::RouterError).is_empty();
    if is_answered {
        let answer = Seen {
            start_ns: began,
            ..*exchange
        };
        out.http_start_stop(now_ns, described, &answer, std::iter::empty());
    }
}

impl Sink for Envelopes {
    fn reads_lines(&self) -> bool {
        self.to.scope.app_logs
    }

    fn take(&mut self, lines: &Lines, records: &[View<'_>]) {
        let idle = self.ended.elapsed();
        for (number, record) in records.iter().enumerate() {
            if self.to.scope.app_logs {
                self.log_line(lines.one(number), record);
            }
            self.start_stop(record);
            if self.to.scope.per_request {
                self.times(record);
            }
        }
        // Most of the time that there was to spare: a thread that falls behind has hardly any.
        let spare = ((idle + self.breaks) * 3 / 4).min(LONGEST_BREAKS);
        let mut breaks = Breaks::over(spare, self.lines.len() + self.events.len());
        for datagrams in [&mut self.lines, &mut self.events] {
            self.to.send_with(datagrams, &mut breaks);
            datagrams.clear();
        }
        self.breaks = breaks.taken();
        self.ended = Instant::now();
    }

    fn close(&mut self) {}
}

/// Without the address that the router itself has added at the end: that of its peer.
fn as_received<'a>(forwarded: &'a [u8], peer: &[u8]) -> &'a [u8] {
    let ip = match memchr::memrchr(b':', peer) {
        Some(colon) => &peer[..colon],
        None => peer,
    };
    let ip = ip.strip_prefix(b"[").unwrap_or(ip);
    let ip = ip.strip_suffix(b"]").unwrap_or(ip);
    let before = forwarded.strip_suffix(ip).unwrap_or(forwarded);
    match before.trim_ascii_end() {
        _ if before.len() == forwarded.len() => forwarded,
        [] => b"",
        [before @ .., b','] => before,
        _ => forwarded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routers_own_part_of_the_forwarded_addresses_is_left_out() {
        for (forwarded, peer, expected) in [
            ("10.0.0.9", "10.0.0.9:5", ""),
            ("1.2.3.4, 10.0.0.9", "10.0.0.9:5", "1.2.3.4"),
            ("1.2.3.4, 110.0.0.9", "10.0.0.9:5", "1.2.3.4, 110.0.0.9"),
            ("1.2.3.4", "10.0.0.9:5", "1.2.3.4"),
            ("1.2.3.4, ::1", "[::1]:5", "1.2.3.4"),
            ("", "10.0.0.9:5", ""),
        ] {
            let shown = as_received(forwarded.as_bytes(), peer.as_bytes());
            assert_eq!(shown, expected.as_bytes(), "{forwarded} from {peer}");
        }
    }
}
