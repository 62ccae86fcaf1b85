//! The only place that turns an error into a response (spec 4.10).

mod answers;
mod page;
mod refusal;
mod text;

use std::borrow::Cow;

use crate::message::Version;

pub use page::{Page, PageError, Shown};
pub use refusal::refusal;

/// An answer that the router makes itself.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `X-Cf-RouterError`.
    pub router_error: Option<Cow<'static, str>>,
    /// `Cache-Control`.
    pub cache_control: Option<&'static str>,
    /// `Expires`.
    pub expires: Option<&'static str>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// What the body says.
    pub body: Body,
    /// Whether the connection ends behind the answer, whatever the client wants.
    pub close: bool,
}

/// Body of an [`Answer`].
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// `<code> <reason>: <message>` and a newline, as plain text; or the operator's page, where there is one.
    Message(String),
    /// This text, as plain text.
    Text(&'static str),
    /// This text without a type: a health check.
    Untyped(&'static str),
}

impl Answer {
    /// An answer with nothing but a status.
    pub fn bare(status: u16) -> Answer {
        Answer {
            status,
            router_error: None,
            cache_control: None,
            expires: None,
            retry_after: None,
            body: Body::Empty,
            close: false,
        }
    }

    fn error(
        status: u16,
        router_error: &'static str,
        cache_control: &'static str,
        message: String,
    ) -> Answer {
        Answer {
            router_error: Some(Cow::Borrowed(router_error)),
            cache_control: Some(cache_control),
            body: Body::Message(message),
            ..Answer::bare(status)
        }
    }
}

/// What an answer must know about the request.
#[derive(Clone, Copy, Debug)]
pub struct Recipient {
    /// The client's version.
    pub version: Version,
    /// Whether the connection is kept.
    pub keep_alive: bool,
    /// The request was HEAD.
    pub head_only: bool,
}

/// The Connection line of an answer: said only where it differs from the version's default.
pub fn connection_line(version: Version, keep_alive: bool) -> &'static [u8] {
    match (version, keep_alive) {
        (Version::Http11, false) => b"Connection: close\r\n",
        (Version::Http10, true) => b"Connection: keep-alive\r\n",
        _ => b"",
    }
}
