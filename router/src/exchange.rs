//! One request's life: ids, times, attempts, outcome.
//!
//! An [`Exchange`] is taken from the worker's spares when the first bytes of a request arrive and goes back when the
//! answer is out, so its buffers are warm and nothing is allocated for a request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::callers::Guard;
use crate::http1::Request;
use crate::message::{Head, Name, Version};
use crate::observe::record::{Record, Text};
use crate::route_service::Service;
use crate::table::{Endpoint, Limiter, Permit, Pool};
use crate::worker::Clock;

/// Everything about one request, from its first byte to its log line.
#[derive(Default)]
pub struct Exchange {
    /// Request head.
    pub head: Head,
    /// Response head.
    pub reply: Head,
    /// Bytes on their way out: first the request head, later the response head.
    pub out: Vec<u8>,
    /// Bytes of `out` that are the same for every endpoint.
    pub common: usize,
    /// The `X-Vcap-Request-Id`, a UUID in text form.
    pub request_id: RequestId,
    /// The route that answers.
    pub pool: Option<Arc<Pool>>,
    /// The route service that is asked, in place of an endpoint.
    pub service: Option<Arc<Service>>,
    /// The endpoint of the latest attempt.
    pub endpoint: Option<Arc<Endpoint>>,
    /// What stands before the route's endpoints, where its callers are judged.
    pub guard: Option<Guard>,
    /// The route's limits, where it has any.
    pub limiter: Option<Arc<Limiter>>,
    /// Counts the request as under way on a route that limits how many are.
    pub permit: Option<Permit>,
    /// What goes to the access log.
    pub record: Record,
    /// Times of the exchange.
    pub times: Times,
    /// What filters found out about the request.
    pub notes: Notes,
}

/// When what happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// The head had arrived.
    pub received: Option<Instant>,
    /// The first endpoint was chosen.
    pub proxied: Option<Instant>,
    /// The attempt that brought the answer began; only where the log shows how long it took.
    pub attempted: Option<Instant>,
    /// The last byte of the answer had been passed on.
    pub answered: Option<Instant>,
}

/// What filters found out about the request and later rooms need.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// `X-Vcap-Trace` carries the configured key: the answer names router and backend.
    pub traced: bool,
    /// The client speaks HTTP/2.
    pub http2: bool,
    /// The protocol that the client asks to upgrade to.
    pub upgrade: Option<Box<[u8]>>,
    /// The client's `Connection` names `X-Forwarded-Proto`.
    pub proto_stripped: bool,
    /// The client's `Connection` names `X-Request-Start`.
    pub start_stripped: bool,
    /// The client's `Connection` names `X-Vcap-Request-Id`.
    pub request_id_stripped: bool,
    /// The ids of the trace that the request belongs to; only with tracing.
    pub trace: Option<Box<TraceIds>>,
    /// The client waits for a 100 before it sends the body, and has none yet.
    pub expects_continue: bool,
    /// The client has asked for that 100, whatever has become of it: it may never send the body.
    pub asked_continue: bool,
    /// The router has sent that 100 itself.
    pub continued: bool,
    /// The request carries a login that belongs to the connection it is sent on.
    pub login: bool,
    /// The backend is told to close the connection behind this request.
    pub close_backend: bool,
    /// The exchange leaves no line in the access log.
    pub unlogged: bool,
    /// A route service sent the request, with a valid signature: what it says of its client counts (spec 8.3).
    pub from_service: bool,
    /// It did so on a route that has a service: the request has come back.
    pub returned: bool,
    /// The instance that the client has a session with.
    pub pin: Option<Pin>,
    /// Hash of the header that the route's endpoints are chosen by, where it has such a one.
    pub hashed: Option<u64>,
}

/// What a client's cookies say of its session (spec 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Id of the instance, or an endpoint's address; as sent, and never empty.
    pub instance: Box<[u8]>,
    /// The attributes of the application's cookie, as the client has brought them back.
    pub meta: Option<Box<[u8]>>,
    /// Whether no other instance will do.
    pub required: bool,
}

/// The ids under which a request is traced, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceIds {
    /// The trace, 16 or 32 digits.
    pub trace: Box<str>,
    /// The span, 16 digits.
    pub span: Box<str>,
}

/// Two digits for every byte: an id is made for each request.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// A UUID in text form.
#[derive(Clone, Copy, Debug)]
pub struct RequestId([u8; 36]);

impl Default for RequestId {
    fn default() -> Self {
        RequestId([b'0'; 36])
    }
}

impl RequestId {
    /// A version 4 UUID (RFC 9562 section 5.4) made of `random`.
    pub fn new(random: u128) -> RequestId {
        let uuid = uuid::Builder::from_random_bytes(random.to_ne_bytes()).into_uuid();
        let mut text = [b'-'; 36];
        let mut at = 0;
        for byte in uuid.as_bytes() {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            text[at..at + 2].copy_from_slice(&HEX[usize::from(*byte)]);
            at += 2;
        }
        RequestId(text)
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its digits alone, as the id of a trace.
    pub fn trace_id(&self) -> String {
        let digits = self.0.iter().filter(|&&byte| byte != b'-');
        digits.map(|&byte| char::from(byte)).collect()
    }

    /// A trace id in the layout of a UUID; `None` when it is none: 32 digits, of which the 13th is the version (spec 4.5).
    pub fn of_trace(trace: &str) -> Option<RequestId> {
        let digits: [u8; 32] = trace.as_bytes().try_into().ok()?;
        let is_uuid = digits.iter().all(u8::is_ascii_hexdigit) && matches!(digits[12], b'1'..=b'5');
        let mut text = [b'-'; 36];
        let places = text.iter_mut().enumerate();
        let places = places.filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
        for ((_, place), digit) in places.zip(digits) {
            *place = digit;
        }
        is_uuid.then_some(RequestId(text))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Exchange {
    /// Makes it ready for the next request; its memory stays.
    pub fn clear(&mut self) {
        self.head.clear();
        self.reply.clear();
        self.out.clear();
        self.common = 0;
        self.pool = None;
        self.service = None;
        self.endpoint = None;
        self.limiter = None;
        self.permit = None;
        self.guard = None;
        self.record.clear();
        self.times = Times::default();
        self.notes = Notes::default();
    }

    /// Starts the clock and notes what the log shows of a request as it came.
    pub fn begin(
        &mut self,
        bytes: &[u8],
        request: &Request,
        extra_headers: &[Box<str>],
        clock: &Clock,
    ) {
        let now = Instant::now();
        self.times.received = Some(now);
        let record = &mut self.record;
        record.entry.received_unix_ns = clock.unix_ns(now);
        record.set(Text::Host, request.host.of(bytes));
        record.set(Text::Method, self.head.method.of(bytes));
        let origin = request.target.origin.of(bytes);
        record.set(Text::Target, if origin.is_empty() { b"/" } else { origin });
        record.set(Text::Protocol, protocol(self.head.version));
        for (name, which) in [
            (Name::Referer, Text::Referer),
            (Name::UserAgent, Text::UserAgent),
            (Name::ForwardedFor, Text::ForwardedFor),
            (Name::ForwardedProto, Text::ForwardedProto),
        ] {
            if self.head.present.has(name) {
                let mut fields = self.head.fields.iter();
                let field = fields.find(|field| field.id == name && !field.value.is_empty());
                record.set(which, field.map_or(b"", |field| field.value.of(bytes)));
            }
        }
        for name in extra_headers {
            let mut fields = self.head.fields.iter();
            let field =
                fields.find(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
            record.push_extra(field.map(|field| field.value.of(bytes)));
        }
    }

    /// Notes the outcome: after this the record is complete.
    pub fn finish(&mut self) {
        let now = self.times.answered.unwrap_or_else(Instant::now);
        let since = |then: Instant| now.saturating_duration_since(then);
        let total = self.times.received.map_or(Duration::ZERO, since);
        let backend = self.times.proxied.map_or(total, since);
        let entry = &mut self.record.entry;
        entry.response_time_ns = nanoseconds(total);
        entry.attempts.backend_ns = self.times.attempted.map(|then| nanoseconds(since(then)));
        entry.gorouter_time_ns = nanoseconds(total.saturating_sub(backend));
        entry.proxied_ns = self.times.proxied.map_or(0, |_| nanoseconds(backend));
        if let Some(endpoint) = &self.endpoint {
            let (text, ends) = endpoint.identity();
            let parts = [
                Text::Endpoint,
                Text::AppId,
                Text::InstanceId,
                Text::AppIndex,
            ];
            self.record.set_parts(text.as_bytes(), parts, ends);
        }
    }

    /// Notes what only Loggregator is told: the endpoint's tags, and the trace.
    pub fn note_tags(&mut self) {
        if let Some(endpoint) = &self.endpoint {
            self.record.set_tags(endpoint.tags());
        }
        if let Some(ids) = &self.notes.trace {
            self.record.set_trace(&ids.trace, &ids.span);
        }
    }
}

/// The protocol as the log shows it.
pub fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}

/// A duration in whole nanoseconds.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
