//! Distributed tracing: Zipkin's B3 headers and W3C's trace context, each when it is configured (spec 4.5, R-294 to R-297).
//!
//! Runs before everything else, so that every answer's log line has the ids: also that of a request without a route.
//! A trace that came along is joined, else one begins here, under the request's own id.

mod b3;
mod w3c;

use crate::config::Config;
use crate::exchange::{Notes, RequestId, TraceIds};
use crate::message::View;
use crate::observe::record::Record;
use crate::policy::Policy;

#[derive(Clone, Debug)]
pub(super) struct Tracing {
    b3: bool,
    w3c: Option<w3c::W3c>,
    /// The headers that are made here and shown in the log: their places among the log's extra headers.
    logged: Vec<(usize, Box<[u8]>)>,
}

impl Tracing {
    /// `None` when neither form is on.
    pub(super) fn new(config: &Config, policy: &Policy) -> Option<Box<Tracing>> {
        let settings = &config.tracing;
        if !settings.enable_zipkin && !settings.enable_w3c {
            return None;
        }
        let made = b3::HEADERS.iter().chain(&w3c::HEADERS);
        let logged = made
            .filter_map(|made| {
                let mut names = policy.extra_headers.iter();
                let place = names.position(|name| name.eq_ignore_ascii_case(made))?;
                Some((place, made.as_bytes().into()))
            })
            .collect();
        Some(Box::new(Tracing {
            b3: settings.enable_zipkin,
            w3c: settings
                .enable_w3c
                .then(|| w3c::W3c::new(&settings.w3c_tenant_id)),
            logged,
        }))
    }

    pub(super) fn apply(
        &self,
        request: &mut View<'_>,
        id: &mut RequestId,
        notes: &mut Notes,
        record: &mut Record,
        random: &mut dyn FnMut() -> u64,
    ) {
        let mut ids: Option<TraceIds> = None;
        let mut span = || hex(random());
        let own = id.trace_id();
        if self.b3 {
            b3::apply(request, &mut ids, &own, &mut span);
        }
        if let Some(w3c) = &self.w3c {
            w3c.apply(request, &mut ids, &own, &mut span);
        }
        if let Some(ids) = &ids
            && let Some(traced) = RequestId::of_trace(&ids.trace)
        {
            *id = traced;
        }
        notes.trace = ids.map(Box::new);
        for (place, name) in &self.logged {
            record.set_extra(*place, value(request, name));
        }
    }
}

/// Puts a header in place of what came.
fn set(request: &mut View<'_>, name: &str, value: &[u8]) {
    request.remove_named(name.as_bytes());
    request.head.add(name, value);
}

/// The first value that came, unless it is empty.
fn sent<'a>(request: &View<'a>, name: &str) -> Option<&'a [u8]> {
    let mut fields = request.named(name.as_bytes());
    let value = fields.next().map(|field| request.text(field.value))?;
    (!value.is_empty()).then_some(value)
}

/// The value as it stands now, whether it came or was made.
fn value<'v>(request: &'v View<'_>, name: &[u8]) -> Option<&'v [u8]> {
    let came = request.named(name).next();
    let made = || {
        let mut lines = request.head.added.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let (start, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b": ")?;
            start
                .eq_ignore_ascii_case(name)
                .then(|| value.trim_ascii_end())
        })
    };
    came.map(|field| request.text(field.value)).or_else(made)
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

#[cfg(test)]
mod tests;
