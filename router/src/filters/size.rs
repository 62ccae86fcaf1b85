//! `max_request_header_bytes` and `max_request_headers`: a larger request is refused (spec 4.11, R-173 to R-176).
//!
//! The original counts the head as it stands behind its id and trace filters, in a form of its own. The exact count is
//! made only when a bound that costs a few additions does not settle the matter.

use crate::config::Config;
use crate::http1::Request;
use crate::message::{Field, Head, Name, View};
use crate::respond::Answer;

/// `X-Vcap-Request-Id`, with its UUID, as a line of the head.
const REQUEST_ID_LINE: usize = "X-Vcap-Request-Id: ".len() + 36 + "\r\n".len();
/// What a request line has besides method and target: the protocol, and five bytes as the original counts them.
const REST_OF_REQUEST_LINE: usize = "HTTP/1.1".len() + 5;
/// `Host: ` and the line's end.
const REST_OF_HOST_LINE: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Size {
    /// A request of so many bytes is too large.
    bytes: usize,
    /// The most lines.
    lines: usize,
    /// Whether what a client says about applications is taken out before the count (spec 4.1, step 7).
    without_app_headers: bool,
}

impl Size {
    pub(super) fn new(config: &Config) -> Size {
        Size {
            bytes: config.max_request_header_bytes,
            lines: match config.max_request_headers {
                0 => usize::MAX,
                lines => lines,
            },
            without_app_headers: config.send_http_start_stop_server_event,
        }
    }

    /// `head` holds what came and, in its added lines, what the trace filters have made.
    #[inline]
    pub(super) fn answer(&self, request: &View<'_>, facts: &Request) -> Option<Answer> {
        let head = &*request.head;
        // Each line may have come without the blank behind the colon; the added lines are short ones, and one of at least
        // twelve bytes each.
        let bytes = facts.head_length
            + head.fields.len()
            + head.added.len()
            + REQUEST_ID_LINE
            + REST_OF_HOST_LINE;
        let lines = head.fields.len() + head.added.len() / 12 + 1;
        if bytes < self.bytes && lines <= self.lines {
            return None;
        }
        let (bytes, lines) = self.count(request, facts);
        (bytes >= self.bytes || lines > self.lines).then(Answer::request_too_large)
    }

    #[cold]
    fn count(&self, request: &View<'_>, facts: &Request) -> (usize, usize) {
        let Head {
            method,
            target,
            fields,
            added,
            ..
        } = &*request.head;
        let mut counted: Vec<(Vec<u8>, usize)> = fields
            .iter()
            .filter(|field| self.counts(field))
            .map(|field| {
                let name = request.text(field.name).to_ascii_lowercase();
                (name, field.value.len())
            })
            .collect();
        counted.sort_unstable();
        let mut bytes = method.len() + target.len() + REST_OF_REQUEST_LINE;
        bytes += facts.host.len() + REST_OF_HOST_LINE;
        bytes += added.len() + REQUEST_ID_LINE;
        let mut before: Option<&[u8]> = None;
        for (name, value) in &counted {
            // A further value of a name counts with a comma in place of the name.
            bytes += value
                + match before.replace(name) == Some(name) {
                    true => 1,
                    false => name.len() + 4,
                };
        }
        let added = memchr::memchr_iter(b'\n', added).count();
        (bytes, counted.len() + added + 1)
    }

    /// Fields that the original's parser keeps to itself do not count, nor does what filters have taken out by now.
    fn counts(&self, field: &Field) -> bool {
        match field.id {
            Name::Host | Name::TransferEncoding | Name::Trailer | Name::VcapRequestId => false,
            Name::CfApplicationId | Name::CfInstanceId | Name::CfInstanceIndex => {
                !self.without_app_headers
            }
            Name::Lookalike => true,
            _ => field.keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Parsed, request};

    fn answer(size: &Size, text: &str) -> Option<u16> {
        let mut head = Head::default();
        let Parsed::Complete(facts) = request::parse(text.as_bytes(), &mut head) else {
            panic!("{text:?}");
        };
        let view = View {
            head: &mut head,
            bytes: text.as_bytes(),
        };
        size.answer(&view, &facts).map(|answer| answer.status)
    }

    fn limit(bytes: usize, lines: usize) -> Size {
        Size::new(&Config {
            max_request_header_bytes: bytes,
            max_request_headers: lines,
            ..Config::default()
        })
    }

    #[test]
    fn the_limit_is_met_to_the_byte() {
        // Request line 17, Host 16, id 57, X-B 7 and its value.
        let request = |length| {
            format!(
                "GET / HTTP/1.1\r\nHost: app.test\r\nX-B: {:a>length$}\r\n\r\n",
                ""
            )
        };
        let at = 17 + 16 + 57 + 7 + 20;
        assert_eq!(answer(&limit(at, 0), &request(20)), Some(431));
        assert_eq!(answer(&limit(at, 0), &request(19)), None);
    }

    #[test]
    fn a_line_without_a_blank_counts_as_one_with_it() {
        let text = format!("GET / HTTP/1.1\r\nHost:a\r\n{}\r\n", "x:1\r\n".repeat(300));
        // The wire shows 5 bytes for each, the original sees a name once and values with commas.
        let exact = 17 + 9 + 57 + 5 + 299 * 2 + 1;
        assert_eq!(answer(&limit(exact + 1, 0), &text), None);
        assert_eq!(answer(&limit(exact - 1, 0), &text), Some(431));
    }

    #[test]
    fn lines_are_counted_with_the_request_id_and_without_host() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Vcap-Request-Id: mine\r\nA: 1\r\nB: 2\r\n\r\n";
        assert_eq!(answer(&limit(1 << 20, 3), text), None);
        assert_eq!(answer(&limit(1 << 20, 2), text), Some(431));
    }
}
