//! `X-Forwarded-Client-Cert`: what the application may believe about the client's certificate (spec 6.4, 14.3).

use super::Context;
use crate::config::{Config, ForwardedClientCert};
use crate::message::{Name, View};

#[derive(Clone, Debug)]
pub(super) struct ClientCertificate {
    mode: ForwardedClientCert,
}

impl ClientCertificate {
    pub(super) fn new(config: &Config) -> ClientCertificate {
        ClientCertificate {
            mode: config.forwarded_client_cert,
        }
    }

    /// Behind the hop-by-hop fields: the client's `Connection` cannot take away what is set here.
    #[inline]
    pub(super) fn apply(&self, request: &mut View<'_>, cx: &Context<'_>) {
        // A service passes on over TLS what was judged here before it was asked.
        let judged = cx.notes.from_service && cx.tls;
        match cx.of_domain.unwrap_or(self.mode) {
            ForwardedClientCert::AlwaysForward => {}
            ForwardedClientCert::Forward => {
                if cx.notes.returned || !cx.has_certificate && !judged {
                    request.head.remove(Name::ForwardedClientCert);
                }
            }
            ForwardedClientCert::SanitizeSet if judged => {}
            ForwardedClientCert::SanitizeSet => {
                request.head.remove(Name::ForwardedClientCert);
                if cx.has_certificate {
                    let value = cx.client_certificate.as_bytes();
                    request.head.add("X-Forwarded-Client-Cert", value);
                }
            }
        }
    }
}
