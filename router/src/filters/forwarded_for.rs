//! `X-Forwarded-For`: the client's address is appended to what came.

use super::Context;
use crate::message::{Name, View};
use crate::observe::record::Text;

pub(super) fn apply(request: &mut View<'_>, cx: &mut Context<'_>) {
    let head = &mut *request.head;
    let start = head.added.len();
    head.added.extend_from_slice(b"X-Forwarded-For: ");
    let value = head.added.len();
    for at in 0..head.fields.len() {
        let field = &mut head.fields[at];
        if field.id == Name::ForwardedFor && field.keep {
            field.keep = false;
            head.added.extend_from_slice(field.value.of(request.bytes));
            head.added.extend_from_slice(b", ");
        }
    }
    head.added.extend_from_slice(cx.client_ip.as_bytes());
    cx.record.set(Text::ForwardedFor, &head.added[value..]);
    head.added.extend_from_slice(b"\r\n");
    debug_assert!(head.added.len() > start);
}
