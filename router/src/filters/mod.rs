//! The rules that every request passes, one file each, in a fixed order.
//!
//! A filter is a plain struct with its settings resolved at start and a function on the request head, and maybe one on
//! the response head. It does no I/O and allocates nothing when it has nothing to do. What must wait (look-up, connecting,
//! retries) is not a filter.
//!
//! The order is that of the original (spec 4.1): trace ids first, since every log line has them; the load balancer's check
//! before the look-up, since it needs no route; all others behind it, since their work is for nothing where there is none:
//! the size of what came before anything else is edited. Rewriting comes last of all, on the finished head of a response.

mod app_headers;
mod client_certificate;
mod forwarded_for;
mod forwarded_proto;
mod health_check;
mod hop_by_hop;
mod request_id;
mod request_start;
mod rewrite;
mod size;
mod sticky;
mod trace;
mod tracing;
mod user_agent;

use crate::config::{Config, ForwardedClientCert};
use crate::exchange::{Notes, RequestId};
use crate::http1::Request;
use crate::message::View;
use crate::observe::record::Record;
use crate::policy::Policy;
use crate::respond::Answer;
use crate::table::Endpoint;

/// The chain.
#[derive(Clone, Debug)]
pub struct Filters {
    health_check: health_check::HealthCheck,
    client_certificate: client_certificate::ClientCertificate,
    hop_by_hop: hop_by_hop::HopByHop,
    forwarded_proto: forwarded_proto::ForwardedProto,
    trace: trace::Trace,
    tracing: Option<Box<tracing::Tracing>>,
    size: size::Size,
    sticky: sticky::Sticky,
    rewrite: Option<Box<rewrite::Rewrite>>,
}

/// What a filter may know besides the head.
#[derive(Debug)]
pub struct Context<'a> {
    /// What the head says about itself.
    pub request: &'a Request,
    /// The client's address in text form.
    pub client_ip: &'a str,
    /// Whether the client came over TLS.
    pub tls: bool,
    /// Whether it showed a certificate that was verified.
    pub has_certificate: bool,
    /// That certificate as one line of base64, where the configuration wants it shown.
    pub client_certificate: &'a str,
    /// What becomes of the client's certificate on the domain that the request is for; `None` where it is for none.
    pub of_domain: Option<ForwardedClientCert>,
    /// This request's id.
    pub request_id: &'a RequestId,
    /// When the request arrived, in milliseconds of Unix time.
    pub received_unix_ms: u64,
    /// What later rooms need.
    pub notes: &'a mut Notes,
    /// What the access log shows.
    pub record: &'a mut Record,
}

/// What a filter may know besides the head of an answer.
#[derive(Debug)]
pub struct Answered<'a> {
    /// What was found out about the request.
    pub notes: &'a Notes,
    /// The request's id.
    pub request_id: &'a RequestId,
    /// The endpoint that answers.
    pub endpoint: Option<&'a Endpoint>,
    /// The context path of the route, `/` if it has none.
    pub cookie_path: &'a str,
    /// Seconds of Unix time.
    pub now: u64,
}

impl Filters {
    /// Resolves the settings.
    pub fn new(config: &Config, policy: &Policy) -> Filters {
        Filters {
            health_check: health_check::HealthCheck::new(config),
            client_certificate: client_certificate::ClientCertificate::new(config),
            hop_by_hop: hop_by_hop::HopByHop::new(config),
            forwarded_proto: forwarded_proto::ForwardedProto::new(config),
            trace: trace::Trace::new(config, policy),
            tracing: tracing::Tracing::new(config, policy),
            size: size::Size::new(config),
            sticky: sticky::Sticky::new(config),
            rewrite: rewrite::Rewrite::new(config),
        }
    }

    /// First of all: the ids that the request is known by.
    #[inline]
    pub fn identified(
        &self,
        request: &mut View<'_>,
        id: &mut RequestId,
        notes: &mut Notes,
        record: &mut Record,
        mut random: impl FnMut() -> u64,
    ) {
        if let Some(tracing) = &self.tracing {
            tracing.apply(request, id, notes, record, &mut random);
        }
    }

    /// Before the look-up. An answer ends the request.
    #[inline]
    pub fn arrived(&self, request: &View<'_>, healthy: impl FnOnce() -> bool) -> Option<Answer> {
        self.health_check.answer(request, healthy)
    }

    /// Behind the look-up, before anything is edited. An answer ends the request.
    #[inline]
    pub fn found(&self, request: &View<'_>, facts: &Request) -> Option<Answer> {
        self.size.answer(request, facts)
    }

    /// Behind the look-up: makes the head what the backend gets.
    #[inline]
    pub fn routed(&self, request: &mut View<'_>, cx: &mut Context<'_>) {
        self.trace.look(request, cx);
        // First of those that edit: what a client hides in `Connection` must not hide what is set behind it.
        self.hop_by_hop.apply(request, cx);
        self.client_certificate.apply(request, cx);
        self.forwarded_proto.apply(request, cx);
        forwarded_for::apply(request, cx);
        request_start::apply(request, cx);
        request_id::apply(request, cx);
        app_headers::apply(request);
        user_agent::apply(request);
        self.sticky.look(request, cx.notes);
    }

    /// In place of [`Filters::routed`], for a request that a route service is not asked about: what the log shows of it.
    #[cold]
    pub fn refused(&self, request: &mut View<'_>, cx: &mut Context<'_>) {
        self.hop_by_hop.apply(request, cx);
        self.forwarded_proto.apply(request, cx);
    }

    /// On the way back: makes the response head what the client gets.
    #[inline]
    pub fn answered(&self, reply: &mut View<'_>, cx: &Answered<'_>) {
        hop_by_hop::strip_reply(reply);
        request_id::reply(reply, cx.request_id);
        self.trace.reply(reply, cx.notes, cx.endpoint);
        self.sticky.reply(reply, cx);
    }

    /// Every finished response head, at the beginning of `out`: the router's own, a backend's, an interim one.
    #[inline]
    pub fn finished(&self, out: &mut Vec<u8>, record: &mut Record) {
        if let Some(rewrite) = &self.rewrite {
            rewrite.apply(out);
            rewrite.note(record);
        }
    }
}
