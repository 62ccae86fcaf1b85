//! A client that says frames of HTTP/2 which no library would, and sees the frames that come back (RFC 9113 section 4).

use std::time::Duration;

use crate::client::Client;
use crate::wire::End;

/// Types of frames.
#[allow(missing_docs, reason = "the names of RFC 9113 section 6")]
pub mod frame_kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
#[allow(missing_docs, reason = "the names of RFC 9113 section 6")]
pub mod flag {
    pub const NONE: u8 = 0;
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

use frame_kind::*;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with this status.
    Answer(u16),
    /// It was reset with this code.
    Reset(u32),
    /// The connection was ended with this code.
    GoneAway(u32),
    /// The connection was closed without a word.
    Closed,
}

/// A connection in plain text.
#[derive(Debug)]
pub struct FrameClient {
    client: Client,
}

impl FrameClient {
    /// Connects with prior knowledge, and says the preface and settings under which the answers' heads refer to none
    /// before them.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(port: u16) -> FrameClient {
        let mut client = FrameClient::silent(port);
        client.raw(PREFACE);
        client.settings(&[(1, 0)]);
        client
    }

    /// As [`FrameClient::connect`], with a receive buffer of about so many bytes.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect_with_receive_buffer(port: u16, bytes: usize) -> FrameClient {
        let mut client = FrameClient {
            client: Client::connect_with_receive_buffer(port, bytes),
        };
        client.raw(PREFACE);
        client.settings(&[(1, 0)]);
        client
    }

    /// Connects and says nothing.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn silent(port: u16) -> FrameClient {
        FrameClient {
            client: Client::connect(port),
        }
    }

    /// Sends bytes as they are. A router that has heard enough may not take them.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.wire().send(bytes).ok();
    }

    /// Sends the same bytes so many times, or until the router takes no more for a second; says whether it took all.
    pub fn flood(&mut self, bytes: &[u8], times: usize) -> bool {
        let each = (64 * 1024 / bytes.len().max(1)).clamp(1, times);
        let many = bytes.repeat(each);
        (0..times.div_ceil(each)).all(|_| {
            let sent = self.client.wire().send_within(&many, STUCK);
            sent == many.len()
        })
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(Frame::bytes(kind, flags, stream, payload));
    }

    /// Sends settings.
    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.send(SETTINGS, flag::NONE, 0, &payload);
    }

    /// Sends a head in one frame.
    pub fn head(&mut self, stream: u32, fields: &[(&str, &str)], flags: u8) {
        let block = header_block(fields);
        self.send(HEADERS, flags | flag::END_HEADERS, stream, &block);
    }

    /// Asks for `target` at `app.test` on this stream, without a body.
    pub fn get(&mut self, stream: u32, target: &str) {
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", target),
            (":authority", "app.test"),
        ];
        self.head(stream, &fields, flag::END_STREAM);
    }

    /// The next frame. Settings and pings are acknowledged.
    ///
    /// # Errors
    /// How the connection ended.
    pub fn frame(&mut self) -> Result<Frame, End> {
        let head = self.client.wire().exactly(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.client.wire().exactly(length)?;
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        };
        if frame.flags & flag::ACK == 0 {
            match frame.kind {
                SETTINGS => self.send(SETTINGS, flag::ACK, 0, &[]),
                PING => self.send(PING, flag::ACK, 0, &frame.payload),
                _ => {}
            }
        }
        Ok(frame)
    }

    /// The next frame for which this holds; others before it are forgotten.
    ///
    /// # Errors
    /// How the connection ended.
    pub fn until(&mut self, mut fits: impl FnMut(&Frame) -> bool) -> Result<Frame, End> {
        loop {
            let frame = self.frame()?;
            if fits(&frame) {
                return Ok(frame);
            }
        }
    }

    /// Waits for what becomes of a stream. A GOAWAY without an error is not the end of it.
    ///
    /// # Panics
    /// When nothing does.
    #[track_caller]
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            let frame = match self.frame() {
                Ok(frame) => frame,
                Err(End::Silent) => panic!("stream {stream}: nothing comes"),
                Err(_) => return Outcome::Closed,
            };
            match frame.kind {
                HEADERS if frame.stream == stream => {
                    return Outcome::Answer(status(&frame.payload));
                }
                RST_STREAM if frame.stream == stream => {
                    return Outcome::Reset(number(&frame.payload));
                }
                GOAWAY if number(&frame.payload[4..]) != 0 => {
                    return Outcome::GoneAway(number(&frame.payload[4..]));
                }
                _ => {}
            }
        }
    }

    /// Whether the connection answers a ping.
    pub fn is_alive(&mut self) -> bool {
        let mark = *b"sentinel";
        self.send(PING, flag::NONE, 0, &mark);
        self.until(|frame| frame.kind == PING && frame.flags & flag::ACK != 0)
            .is_ok_and(|frame| frame.payload == mark)
    }

    /// Whether nothing comes and nothing ends within `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.client.is_silent(time)
    }

    /// Waits for the end of the connection; what comes before is forgotten.
    pub fn end(&mut self) -> End {
        self.client.wire().rest().1
    }
}

/// How long a router may take nothing before a flood is over.
const STUCK: Duration = Duration::from_secs(1);
/// What a client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Frame {
    /// A frame on the wire.
    pub fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}

/// Fields as literals that are not kept (RFC 7541 section 6.2.2).
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A number with a prefix of seven bits (RFC 7541 section 5.1).
fn length(mut number: usize, block: &mut Vec<u8>) {
    if number < 127 {
        return block.push(number as u8);
    }
    block.push(127);
    number -= 127;
    while number >= 128 {
        block.push((number % 128) as u8 | 128);
        number /= 128;
    }
    block.push(number as u8);
}

/// The status at the beginning of a header block.
fn status(block: &[u8]) -> u16 {
    /// RFC 7541 appendix A, from index 8.
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may come first.
    let start = block
        .iter()
        .position(|byte| byte & 0xe0 != 0x20)
        .unwrap_or(0);
    let block = &block[start..];
    match *block {
        [first @ 0x88..=0x8e, ..] => KNOWN[usize::from(first - 0x88)],
        // A literal, with or without indexing, whose name is `:status`.
        [0x48 | 0x08 | 0x18, length, ref rest @ ..] => {
            let bytes = &rest[..usize::from(length & 0x7f)];
            let digits = if length & 0x80 != 0 {
                unpacked(bytes)
            } else {
                String::from_utf8_lossy(bytes).into_owned()
            };
            digits.parse().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0 to 2 in five bits, the rest in six.
fn unpacked(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let mut at = 0;
    let mut digits = String::new();
    let value = |from: usize, count: usize| {
        bits[from..from + count]
            .iter()
            .fold(0, |value, bit| value * 2 + bit)
    };
    while digits.len() < 3 && at + 5 <= bits.len() {
        let short = value(at, 5);
        if short < 3 {
            digits.push(char::from(b'0' + short));
            at += 5;
        } else {
            if at + 6 > bits.len() {
                break;
            }
            digits.push(char::from(b'3' + value(at, 6) - 0b01_1001));
            at += 6;
        }
    }
    digits
}

fn number(payload: &[u8]) -> u32 {
    match *payload {
        [a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]),
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_whatever_its_form() {
        assert_eq!(status(&[0x88]), 200);
        assert_eq!(status(&[0x20, 0x8d]), 404);
        assert_eq!(status(b"\x48\x03431"), 431);
        // RFC 7541 appendix C.6.1
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), 302);
    }

    #[test]
    fn a_length_beyond_its_prefix_goes_on_in_bytes() {
        let mut block = Vec::new();
        length(1337, &mut block);
        assert_eq!(block, [127, 186, 9]);
    }
}
