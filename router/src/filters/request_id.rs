//! `X-Vcap-Request-Id`: always ours towards the backend; towards the client unless the backend set one.

use super::Context;
use crate::exchange::RequestId;
use crate::message::{Name, View};
use crate::observe::record::Text;

#[inline]
pub(super) fn apply(request: &mut View<'_>, cx: &mut Context<'_>) {
    request.head.remove(Name::VcapRequestId);
    request
        .head
        .add("X-Vcap-Request-Id", cx.request_id.as_bytes());
    if cx.notes.request_id_stripped {
        // The original's log is blank then (spec 4.4).
        cx.record.set(Text::RequestId, b"");
    }
}

#[inline]
pub(super) fn reply(reply: &mut View<'_>, id: &RequestId) {
    if reply.head.find(Name::VcapRequestId).is_none() {
        reply.head.add("X-Vcap-Request-Id", id.as_bytes());
    }
}
