//! The access log line, byte for byte GoRouter's (spec 10.1).

use std::net::SocketAddr;

use super::access_log::LogSettings;
use super::address::push_address;
use super::escape::Quote;
use super::record::{Text, View};
use super::redact::Redact;
use super::seconds::{CivilTime, push_number, push_seconds};
use super::shorten::{LONGEST_EXTRA, shortened};
use super::target::push_target;
use crate::config::ExtraLogField;

/// Turns records into lines.
#[derive(Debug)]
pub(super) struct Format {
    shows_forwarded_for: bool,
    shows_source_ip: bool,
    redact: Redact,
    extra_fields: Vec<ExtraLogField>,
    /// ` x_first:` and so on.
    extra_headers: Vec<Box<[u8]>>,
    time: CivilTime,
}

impl Format {
    pub(super) fn new(settings: &LogSettings) -> Format {
        Format {
            shows_forwarded_for: !settings.hides_forwarded_for,
            shows_source_ip: !settings.hides_source_ip,
            redact: Redact::from(&settings.redact),
            extra_fields: settings.extra_fields.clone(),
            extra_headers: settings
                .extra_headers
                .iter()
                .map(|name| label(name))
                .collect(),
            time: CivilTime::default(),
        }
    }

    /// Appends the line of one record, with its line break.
    pub(super) fn push_line(&mut self, out: &mut Vec<u8>, record: &View<'_>) {
        self.push(out, record, usize::MAX);
    }

    /// The same, with what a client can make long cut (spec 10.4).
    #[cold]
    pub(super) fn push_short_line(&mut self, out: &mut Vec<u8>, record: &View<'_>) {
        let record = shortened(record);
        self.push(out, &record.view(), LONGEST_EXTRA);
    }

    /// Appends a line whose extra headers have at most so many bytes.
    #[inline]
    fn push(&mut self, out: &mut Vec<u8>, record: &View<'_>, longest_extra: usize) {
        let entry = record.entry;
        let method = record.get(Text::Method);
        let quote = Quote::of(record.text);
        out.extend_from_slice(record.get(Text::Host));
        out.extend_from_slice(b" - [");
        self.time.push(out, entry.received_unix_ns);
        out.extend_from_slice(b"] \"");
        quote.push(out, method);
        out.push(b' ');
        push_target(out, method, record.get(Text::Target), self.redact);
        out.push(b' ');
        quote.push(out, record.get(Text::Protocol));
        out.extend_from_slice(b"\" ");
        push_status(out, entry.status);
        out.push(b' ');
        push_number(out, entry.request_bytes);
        out.push(b' ');
        push_number(out, entry.response_bytes);
        out.extend_from_slice(b" \"");
        quote.push_or_dash(out, record.get(Text::Referer));
        out.extend_from_slice(b"\" \"");
        quote.push_or_dash(out, record.get(Text::UserAgent));
        out.extend_from_slice(b"\" \"");
        push_peer(
            out,
            if self.shows_source_ip {
                entry.peer
            } else {
                None
            },
        );
        out.extend_from_slice(b"\" \"");
        quote.push_or_dash(out, record.get(Text::Endpoint));
        out.extend_from_slice(b"\" x_forwarded_for:\"");
        quote.push_or_dash(
            out,
            if self.shows_forwarded_for {
                record.get(Text::ForwardedFor)
            } else {
                b""
            },
        );
        out.extend_from_slice(b"\" x_forwarded_proto:\"");
        quote.push_or_dash(out, record.get(Text::ForwardedProto));
        out.extend_from_slice(b"\" vcap_request_id:\"");
        quote.push_or_dash(out, record.get(Text::RequestId));
        out.extend_from_slice(b"\" response_time:");
        push_seconds(out, entry.response_time_ns);
        out.extend_from_slice(b" gorouter_time:");
        push_seconds(out, entry.gorouter_time_ns);
        out.extend_from_slice(b" app_id:\"");
        quote.push_or_dash(out, record.get(Text::AppId));
        out.extend_from_slice(b"\" app_index:\"");
        quote.push_or_dash(out, record.get(Text::AppIndex));
        out.extend_from_slice(b"\" instance_id:\"");
        quote.push_or_dash(out, record.get(Text::InstanceId));
        out.push(b'"');
        for &field in &self.extra_fields {
            push_extra_field(out, field, record, quote);
        }
        out.extend_from_slice(b" x_cf_routererror:\"");
        quote.push_or_dash(out, record.get(Text::RouterError));
        out.push(b'"');
        let extra = out.len();
        for (number, label) in self.extra_headers.iter().enumerate() {
            let before = out.len();
            out.extend_from_slice(label);
            quote.push_or_dash(out, record.extra(number));
            out.push(b'"');
            if out.len() - extra > longest_extra {
                out.truncate(before);
                out.extend_from_slice(b"...EXTRA-REQUEST-HEADERS-TOO-LONG-TO-LOG--TRUNCATED");
                break;
            }
        }
        out.push(b'\n');
    }
}

/// What stands before a header's value.
fn label(name: &str) -> Box<[u8]> {
    let shown = name.bytes().map(|byte| {
        if byte == b'-' {
            b'_'
        } else {
            byte.to_ascii_lowercase()
        }
    });
    [b' '].into_iter().chain(shown).chain(*b":\"").collect()
}

fn push_status(out: &mut Vec<u8>, status: u16) {
    match status {
        0 => out.extend_from_slice(b"\"-\""),
        _ => push_number(out, u64::from(status)),
    }
}

fn push_peer(out: &mut Vec<u8>, peer: Option<SocketAddr>) {
    match peer {
        None => out.push(b'-'),
        Some(peer) => push_address(out, peer),
    }
}

fn push_text(out: &mut Vec<u8>, label: &[u8], which: Text, record: &View<'_>, quote: Quote) {
    out.extend_from_slice(label);
    quote.push_or_dash(out, record.get(which));
    out.push(b'"');
}

fn push_extra_field(out: &mut Vec<u8>, field: ExtraLogField, record: &View<'_>, quote: Quote) {
    let attempts = &record.entry.attempts;
    let (label, time): (&[u8], _) = match field {
        ExtraLogField::FailedAttempts => {
            out.extend_from_slice(b" failed_attempts:");
            return push_number(out, u64::from(attempts.failed));
        }
        ExtraLogField::LocalAddress => {
            return push_text(out, b" local_address:\"", Text::LocalAddress, record, quote);
        }
        ExtraLogField::CallerCfApp => {
            return push_text(out, b" caller_cf_app:\"", Text::CallerApp, record, quote);
        }
        ExtraLogField::CallerCfOrg => {
            return push_text(out, b" caller_cf_org:\"", Text::CallerOrg, record, quote);
        }
        ExtraLogField::CallerCfSpace => {
            return push_text(
                out,
                b" caller_cf_space:\"",
                Text::CallerSpace,
                record,
                quote,
            );
        }
        ExtraLogField::RoutePolicy => {
            return push_text(out, b" route_policy:\"", Text::RoutePolicy, record, quote);
        }
        ExtraLogField::TlsSni => {
            return push_text(out, b" tls_sni:\"", Text::ServerName, record, quote);
        }
        ExtraLogField::FailedAttemptsTime => (b" failed_attempts_time:", attempts.failed_time_ns),
        ExtraLogField::DnsTime => (b" dns_time:", attempts.dns_ns),
        ExtraLogField::DialTime => (b" dial_time:", attempts.dial_ns),
        ExtraLogField::TlsTime => (b" tls_time:", attempts.tls_ns),
        ExtraLogField::BackendTime => (b" backend_time:", attempts.backend_ns),
    };
    out.extend_from_slice(label);
    match time {
        Some(time) => push_seconds(out, time),
        None => out.extend_from_slice(b"\"-\""),
    }
}

#[cfg(test)]
mod tests;
