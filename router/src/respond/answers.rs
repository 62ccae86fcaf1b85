//! Every answer that the router makes itself.

use std::borrow::Cow;

use super::{Answer, Body};
use crate::route_service::{Denial, Invalid};
use crate::upstream::{Cause, Failure, TlsFailure};

const NOT_STORED: &str = "no-cache, no-store";
const BRIEFLY: &str = "public,max-age=2";

impl Answer {
    /// No Host, or the client's own address as Host.
    pub fn empty_host() -> Answer {
        Answer::error(
            400,
            "empty_host",
            BRIEFLY,
            "Request had empty Host header".into(),
        )
    }

    /// No route. `host` is shown as sent.
    pub fn unknown_route(host: &[u8]) -> Answer {
        let message = format!(
            "Requested route ('{}') does not exist.",
            String::from_utf8_lossy(host)
        );
        Answer::error(404, "unknown_route", NOT_STORED, message)
    }

    /// `X-Cf-App-Instance` without its form.
    pub fn invalid_app_instance() -> Answer {
        Answer::error(
            400,
            "invalid_cf_app_instance_header",
            NOT_STORED,
            "Invalid X-CF-App-Instance Header".into(),
        )
    }

    /// `X-Cf-Process-Instance` without its form.
    pub fn invalid_process_instance() -> Answer {
        Answer::error(
            400,
            "invalid_cf_process_instance_header",
            NOT_STORED,
            "Invalid X-CF-Process-Instance Header".into(),
        )
    }

    /// A route without the instance that was asked for, or no route.
    pub fn unknown_instance(message: String) -> Answer {
        Answer::error(400, "unknown_route", NOT_STORED, message)
    }

    /// More header bytes or lines than configured.
    pub fn request_too_large() -> Answer {
        Answer {
            router_error: Some(Cow::Borrowed("max-request-size-exceeded")),
            ..Answer::bare(431)
        }
    }

    /// A route without endpoints.
    pub fn no_endpoints(host: &[u8]) -> Answer {
        let message = format!(
            "Requested route ('{}') has no available endpoints.",
            String::from_utf8_lossy(host)
        );
        Answer::error(503, "no_endpoints", BRIEFLY, message)
    }

    /// All endpoints at their connection limit.
    pub fn connection_limit(host: &[u8]) -> Answer {
        let message = format!(
            "Requested route ('{}') has reached the connection limit.",
            String::from_utf8_lossy(host)
        );
        Answer {
            router_error: Some(Cow::Borrowed("Connection Limit Reached")),
            body: Body::Message(message),
            ..Answer::bare(503)
        }
    }

    /// A request body that is larger than its route takes. What is left of it is not read.
    pub fn body_too_large(host: &[u8]) -> Answer {
        let message = format!(
            "The request's body is larger than route ('{}') takes.",
            String::from_utf8_lossy(host)
        );
        Answer {
            close: true,
            ..Answer::error(413, "max_body_size_exceeded", NOT_STORED, message)
        }
    }

    /// A route with the most requests under way that it may have.
    pub fn concurrency_limit(host: &[u8]) -> Answer {
        let message = format!(
            "Requested route ('{}') has reached the limit of requests under way.",
            String::from_utf8_lossy(host)
        );
        Answer {
            retry_after: Some(1),
            ..Answer::error(503, "concurrency_limit_exceeded", NOT_STORED, message)
        }
    }

    /// A route that got too many requests lately.
    pub fn rate_limit(host: &[u8], seconds: u64) -> Answer {
        let message = format!(
            "Requested route ('{}') has reached its rate limit.",
            String::from_utf8_lossy(host)
        );
        Answer {
            retry_after: Some(seconds),
            ..Answer::error(429, "rate_limit_exceeded", NOT_STORED, message)
        }
    }

    /// A client that has sent a route too many requests lately.
    pub fn client_rate_limit(host: &[u8], seconds: u64) -> Answer {
        let message = format!(
            "Too many requests from one address to route ('{}').",
            String::from_utf8_lossy(host)
        );
        Answer {
            retry_after: Some(seconds),
            ..Answer::error(429, "client_rate_limit_exceeded", NOT_STORED, message)
        }
    }

    /// The load balancer's check.
    pub fn health_check(healthy: bool) -> Answer {
        Answer {
            cache_control: Some("private, max-age=0"),
            expires: Some("0"),
            body: if healthy {
                Body::Untyped("ok\n")
            } else {
                Body::Empty
            },
            ..Answer::bare(if healthy { 200 } else { 503 })
        }
    }

    /// CONNECT, which a reverse proxy does not serve (spec 4.2).
    pub fn connect_refused() -> Answer {
        Answer {
            close: true,
            ..Answer::bare(405)
        }
    }

    /// The host needs another connection: one on which the client shows a certificate of the host's domain, or none at all
    ///
    pub fn misdirected() -> Answer {
        Answer::bare(421)
    }

    /// The client shows a certificate that names no application.
    pub fn no_identity() -> Answer {
        Answer::bare(403)
    }

    /// The route's policy keeps the caller out.
    pub fn forbidden() -> Answer {
        Answer {
            body: Body::Text("Forbidden"),
            ..Answer::bare(403)
        }
    }

    /// What the client gets when a route service stands between it and the application, and does not let it pass.
    pub fn route_service(denial: &Denial) -> Answer {
        let validation =
            |cause: &Invalid| format!("Failed to validate Route Service Signature: {cause}");
        let (status, router_error, message) = match denial {
            Denial::Disabled => (
                502,
                "route_service_unsupported",
                "Support for route services is disabled.".to_owned(),
            ),
            Denial::Websocket => (
                503,
                "route_service_unsupported",
                "Websocket requests are not supported for routes bound to Route Services."
                    .to_owned(),
            ),
            Denial::Signature(invalid @ Invalid::Expired) => (504, "", validation(invalid)),
            Denial::Signature(invalid) => (502, "", validation(invalid)),
            Denial::Strict(invalid @ Invalid::Expired) => {
                (504, "expired_route_service_signature", validation(invalid))
            }
            Denial::Strict(_) => (
                400,
                "invalid_route_service_signature",
                "invalid route service signature detected".to_owned(),
            ),
            Denial::Failed => (500, "", "Route service request failed.".to_owned()),
        };
        Answer {
            router_error: (!router_error.is_empty()).then_some(Cow::Borrowed(router_error)),
            body: Body::Message(message),
            ..Answer::bare(status)
        }
    }

    /// What the client gets when the last attempt failed.
    pub fn endpoint_failure(failure: &Failure) -> Answer {
        let (status, body) = match &failure.cause {
            Cause::Tls(TlsFailure::NotTls | TlsFailure::Handshake) => {
                (525, Body::Text("525 SSL Handshake Failed\n"))
            }
            Cause::Tls(TlsFailure::WrongName(_)) => (503, Body::Text("503 Service Unavailable\n")),
            Cause::Tls(TlsFailure::Untrusted(_)) => {
                (526, Body::Text("526 Invalid SSL Certificate\n"))
            }
            Cause::Tls(TlsFailure::ClientCertificate(_)) => {
                (496, Body::Text("496 SSL Certificate Required\n"))
            }
            Cause::ClientGone => (499, Body::Text("499 Request Cancelled\n")),
            Cause::ClientBody(_) => (400, Body::Text("400 Bad Request\n")),
            _ => (
                502,
                Body::Text("502 Bad Gateway: Registered endpoint failed to handle the request.\n"),
            ),
        };
        Answer {
            router_error: Some(Cow::Owned(format!("endpoint_failure ({})", failure.cause))),
            body,
            // Where the client's body ends is not known any more.
            close: matches!(failure.cause, Cause::ClientBody(_)),
            ..Answer::bare(status)
        }
    }
}
