//! Answers as HTTP/1.

use std::borrow::Cow;

use super::{Answer, Body, Page, Recipient, Shown, connection_line};
use crate::http1::{status, write};

impl Answer {
    /// Appends the whole answer as HTTP/1 and gives the number of bytes of its body as the log counts them. Messages are
    /// shown in `page` where there is one.
    pub fn write(
        &self,
        to: &Recipient,
        date: &[u8],
        page: Option<&Page>,
        out: &mut Vec<u8>,
    ) -> usize {
        let reason = status::reason(self.status).unwrap_or_default();
        let (text, kind): (Cow<'_, [u8]>, _) = match (&self.body, page) {
            (Body::Empty, _) => (Cow::Borrowed(b""), ""),
            (Body::Untyped(text), _) => (Cow::Borrowed(text.as_bytes()), ""),
            (Body::Text(text), _) => (Cow::Borrowed(text.as_bytes()), "text/plain"),
            (Body::Message(message), Some(page)) => (
                Cow::Owned(self.rendered(page, reason, message)),
                "text/html",
            ),
            (Body::Message(message), None) => {
                let text = format!("{} {reason}: {message}\n", self.status);
                (Cow::Owned(text.into_bytes()), "text/plain")
            }
        };
        write::status_line(to.version, self.status, out);
        let mut line = |name: &str, value: &[u8]| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        };
        if let Some(error) = &self.router_error {
            // It may tell what a registration or a backend said, who are no peers that may write header lines.
            match error.bytes().any(|byte| byte.is_ascii_control()) {
                false => line("X-Cf-RouterError", error.as_bytes()),
                true => {
                    let shown = error.bytes().filter(|byte| !byte.is_ascii_control());
                    line("X-Cf-RouterError", &shown.collect::<Vec<_>>());
                }
            }
        }
        if let Some(value) = self.cache_control {
            line("Cache-Control", value.as_bytes());
        }
        if let Some(value) = self.expires {
            line("Expires", value.as_bytes());
        }
        if let Some(seconds) = self.retry_after {
            let mut digits = itoa::Buffer::new();
            line("Retry-After", digits.format(seconds).as_bytes());
        }
        if !kind.is_empty() {
            line("Content-Type", format!("{kind}; charset=utf-8").as_bytes());
            line("X-Content-Type-Options", b"nosniff");
        }
        line("Date", date);
        line(
            "Content-Length",
            itoa::Buffer::new().format(text.len()).as_bytes(),
        );
        out.extend_from_slice(connection_line(to.version, to.keep_alive && !self.close));
        out.extend_from_slice(b"\r\n");
        if !to.head_only {
            out.extend_from_slice(&text);
        }
        text.len()
    }

    fn rendered(&self, page: &Page, status_text: &str, message: &str) -> Vec<u8> {
        page.render(&Shown {
            status: self.status,
            status_text,
            message,
            headers: &[
                (
                    "X-Cf-RouterError",
                    self.router_error.as_deref().unwrap_or_default(),
                ),
                ("Cache-Control", self.cache_control.unwrap_or_default()),
            ],
        })
    }
}
