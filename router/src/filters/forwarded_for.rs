//! `X-Forwarded-For`: the client's address is appended to what came.

use super::Context;
use crate::message::{Name, View};
use crate::observe::record::Text;

pub(super) fn apply(request: &mut View<'_>, cx: &mut Context<'_>) {
    let head = &mut *request.head;
    head.added.extend_from_slice(b"X-Forwarded-For: ");
    let value = head.added.len();
    let sent = head.present.has(Name::ForwardedFor);
    for field in head.fields.iter_mut().filter(|_| sent) {
        if field.id == Name::ForwardedFor && field.keep {
            field.keep = false;
            head.added.extend_from_slice(field.value.of(request.bytes));
            head.added.extend_from_slice(b", ");
        }
    }
    head.added.extend_from_slice(cx.client_ip.as_bytes());
    cx.record.set(Text::ForwardedFor, &head.added[value..]);
    head.added.extend_from_slice(b"\r\n");
}
