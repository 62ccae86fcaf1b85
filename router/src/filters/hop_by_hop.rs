//! Fields that concern one connection only do not go on (RFC 9110 section 7.6.1, spec 4.4).
//!
//! A client can name further fields in `Connection`. That is how a field that an application trusts gets lost, so
//! `hop_by_hop_headers_to_filter` lists names that a client cannot strip; those that the router sets for each
//! request survive anyway, because they are set behind this filter.

use super::Context;
use crate::config::Config;
use crate::message::{ConnectionOption, Name, Names, View, list};
use crate::observe::record::Text;

#[derive(Clone, Debug)]
pub(super) struct HopByHop {
    protected: Vec<Box<[u8]>>,
}

impl HopByHop {
    pub(super) fn new(config: &Config) -> HopByHop {
        let protected = config
            .hop_by_hop_headers_to_filter
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        HopByHop { protected }
    }

    pub(super) fn apply(&self, request: &mut View<'_>, cx: &mut Context<'_>) {
        if !request.head.present.has_any(Name::HOP_BY_HOP) {
            return;
        }
        let (mut te_trailers, mut upgrade) = (false, None);
        for at in 0..request.head.fields.len() {
            let field = request.head.fields[at];
            match field.id {
                Name::Connection if request.head.names_fields => {
                    self.strip_named(request, cx, request.text(field.value));
                }
                Name::Te => {
                    te_trailers |= list(request.text(field.value))
                        .any(|te| te.eq_ignore_ascii_case(b"trailers"))
                }
                Name::Upgrade => upgrade = Some(field.value),
                // Announced trailers belong to a chunked body, which goes on as it is.
                Name::Trailer if cx.request.framing == crate::http1::Framing::Chunked => continue,
                _ => {}
            }
            if field.id.hop_by_hop() {
                request.head.fields[at].keep = false;
            }
        }
        if te_trailers {
            request.head.add("TE", b"trailers");
        }
        if let Some(protocol) = upgrade.filter(|_| cx.request.upgrade) {
            cx.notes.upgrade = Some(request.text(protocol).into());
            request.head.add("Connection", b"Upgrade");
            request.head.add("Upgrade", request.text(protocol));
        }
    }

    fn strip_named(&self, request: &mut View<'_>, cx: &mut Context<'_>, options: &[u8]) {
        for name in list(options) {
            if ConnectionOption::of(name).is_some()
                || self
                    .protected
                    .iter()
                    .any(|protected| protected.eq_ignore_ascii_case(name))
            {
                continue;
            }
            let id = Name::of(name);
            match id {
                // What a message is about cannot be made a matter of one connection.
                Name::Host | Name::ContentLength => continue,
                Name::ForwardedFor => cx.record.set(Text::ForwardedFor, b""),
                Name::ForwardedProto => {
                    cx.notes.proto_stripped = true;
                    cx.record.set(Text::ForwardedProto, b"");
                }
                Name::RequestStart => cx.notes.start_stripped = true,
                Name::VcapRequestId => cx.notes.request_id_stripped = true,
                _ => {}
            }
            request.remove_named(name);
        }
    }
}

/// The same for a response.
pub(super) fn strip_reply(reply: &mut View<'_>) {
    const STRIPPED: Names = Names::of(&[Name::CfProxySignature]);
    let present = reply.head.present;
    if !present.has_any(Name::HOP_BY_HOP) && !present.has_any(STRIPPED) {
        return;
    }
    for at in 0..reply.head.fields.len() {
        let field = reply.head.fields[at];
        if field.id == Name::Connection && reply.head.names_fields {
            for name in list(reply.text(field.value)) {
                if ConnectionOption::of(name).is_none()
                    && !matches!(Name::of(name), Name::ContentLength)
                {
                    reply.remove_named(name);
                }
            }
        }
        // Trailers are announced to who gets them; the relay decides that.
        if field.id.hop_by_hop() && field.id != Name::Trailer || STRIPPED.has(field.id) {
            reply.head.fields[at].keep = false;
        }
    }
}
