//! A line as a syslog message.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Network;
use crate::observe::sink::Lines;

/// Facility user, severity informational.
const PRIORITY: &str = "<14>1 ";
/// What RFC 5424 puts before text in UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Messages, one after the other.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) text: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
}

impl Frames {
    /// The message with this number, and all behind it.
    pub(super) fn from(&self, number: usize) -> &[u8] {
        let start = match number {
            0 => 0,
            number => self.ends[number - 1],
        };
        &self.text[start..]
    }

    /// The message with this number.
    pub(super) fn one(&self, number: usize) -> &[u8] {
        let behind = self.text.len() - self.ends[number];
        let from = self.from(number);
        &from[..from.len() - behind]
    }
}

/// What stands before each line, and how it ends.
#[derive(Debug)]
pub(super) struct Header {
    /// Behind the time.
    origin: String,
    /// Bytes of a line that are sent.
    most: usize,
    /// Over TCP the line break is what separates messages; a datagram is a message by itself.
    end: &'static [u8],
}

impl Header {
    pub(super) fn new(network: Network, tag: &str, truncate: usize) -> Header {
        let machine = rustix::system::uname();
        let host = machine.nodename().to_string_lossy();
        let tag = if tag.is_empty() { "-" } else { tag };
        let process = std::process::id();
        Header {
            // There is no field for structured data, as in GoRouter.
            origin: format!(" {host} {tag} {process} - {BYTE_ORDER_MARK}"),
            most: if truncate == 0 { usize::MAX } else { truncate },
            end: if network.is_stream() { b"\n" } else { b"" },
        }
    }

    pub(super) fn frames(&self, lines: &Lines) -> Frames {
        let now = OffsetDateTime::now_utc();
        let now = now.replace_nanosecond(0).unwrap_or(now);
        // The years of this clock can all be written.
        let time = now.format(&Rfc3339).unwrap_or_default();
        let head = PRIORITY.len() + time.len() + self.origin.len();
        let mut frames = Frames {
            text: Vec::with_capacity(lines.text.len() + lines.ends.len() * head),
            ends: Vec::with_capacity(lines.ends.len()),
        };
        let mut start = 0;
        for &end in &lines.ends {
            let line = &lines.text[start..end];
            start = end;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            for part in [
                PRIORITY.as_bytes(),
                time.as_bytes(),
                self.origin.as_bytes(),
                &line[..line.len().min(self.most)],
                self.end,
            ] {
                frames.text.extend_from_slice(part);
            }
            frames.ends.push(frames.text.len());
        }
        frames
    }
}
