//! `X-Forwarded-Proto`: set where it is absent or not trusted.

use super::Context;
use crate::config::Config;
use crate::message::{Name, View};
use crate::observe::record::Text;

#[derive(Clone, Debug)]
pub(super) struct ForwardedProto {
    force_https: bool,
    sanitize: bool,
}

impl ForwardedProto {
    pub(super) fn new(config: &Config) -> ForwardedProto {
        ForwardedProto {
            force_https: config.force_forwarded_proto_https,
            sanitize: config.sanitize_forwarded_proto,
        }
    }

    #[inline]
    pub(super) fn apply(&self, request: &mut View<'_>, cx: &mut Context<'_>) {
        if cx.notes.from_service {
            // What the service passes on is what was said here before it was asked.
            return;
        }
        if cx.notes.proto_stripped {
            // Spec 4.4: stripped through `Connection` and not protected by configuration, it is not made again.
            return;
        }
        let sent = request.value(Name::ForwardedProto).unwrap_or_default();
        let value = match cx.tls {
            _ if self.force_https => "https",
            _ if !self.sanitize && !sent.is_empty() => return,
            true => "https",
            false => "http",
        };
        request.head.remove(Name::ForwardedProto);
        request.head.add("X-Forwarded-Proto", value.as_bytes());
        cx.record.set(Text::ForwardedProto, value.as_bytes());
    }
}
