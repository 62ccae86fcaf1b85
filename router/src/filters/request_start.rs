//! `X-Request-Start`: when the request arrived, unless the client or a proxy before us said so.

use super::Context;
use crate::message::{Name, View};

#[inline]
pub(super) fn apply(request: &mut View<'_>, cx: &mut Context<'_>) {
    if !cx.notes.start_stripped && request.head.find(Name::RequestStart).is_none() {
        request.head.add(
            "X-Request-Start",
            itoa::Buffer::new().format(cx.received_unix_ms).as_bytes(),
        );
    }
}
