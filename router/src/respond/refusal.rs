//! Answers to what is no request (spec 4.2).

use super::{Answer, Page, Recipient};
use crate::http1::Refusal;
use crate::message::Version;

/// The bytes that answer a request which was refused before it was one (spec 4.2); the connection ends behind them.
pub fn refusal(refusal: Refusal, date: &[u8], page: Option<&Page>) -> Vec<u8> {
    let (line, body) = match refusal {
        Refusal::Malformed => ("400 Bad Request", "400 Bad Request"),
        Refusal::HeaderName => (
            "400 Bad Request: invalid header name",
            "400 Bad Request: invalid header name",
        ),
        Refusal::HostMissing => (
            "400 Bad Request: missing required Host header",
            "400 Bad Request: missing required Host header",
        ),
        Refusal::HostMalformed => (
            "400 Bad Request: malformed Host header",
            "400 Bad Request: malformed Host header",
        ),
        Refusal::TransferEncoding => ("501 Not Implemented", "Unsupported transfer encoding"),
        Refusal::TooLarge => (
            "431 Request Header Fields Too Large",
            "431 Request Header Fields Too Large",
        ),
        Refusal::MajorVersion => (
            "505 HTTP Version Not Supported: unsupported protocol version",
            "505 HTTP Version Not Supported: unsupported protocol version",
        ),
        Refusal::MinorVersion => return b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec(),
        Refusal::Expectation => {
            return whole(&Answer::bare(417), date, page);
        }
        Refusal::Http2Preface => {
            return whole(&Answer::empty_host(), date, page);
        }
    };
    format!("HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// An answer behind which the connection ends.
fn whole(answer: &Answer, date: &[u8], page: Option<&Page>) -> Vec<u8> {
    let recipient = Recipient {
        version: Version::Http11,
        keep_alive: false,
        head_only: false,
    };
    let mut out = Vec::new();
    answer.write(&recipient, date, page, &mut out);
    out
}
