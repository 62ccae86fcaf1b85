//! An empty `User-Agent` is not sent on, and none is made up.

use crate::message::{Name, View};

#[inline]
pub(super) fn apply(request: &mut View<'_>) {
    if !request.head.present.has(Name::UserAgent) {
        return;
    }
    for field in &mut request.head.fields {
        if field.id == Name::UserAgent && field.value.is_empty() {
            field.keep = false;
        }
    }
}
