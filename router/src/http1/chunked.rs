//! The chunked coding (RFC 9112 section 7.1), followed byte by byte and strictly.
//!
//! Line ends are CRLF and nothing else, sizes are at most fifteen hexadecimal digits, extensions are read but never
//! passed on, and the trailer section is held back until it is whole and known to be well formed.

/// Bytes of chunk extensions that are read within one body; more is an attack (each costs the reader, none is passed on).
const EXTENSION_LIMIT: u32 = 16 * 1024;
/// Bytes of a trailer section.
const TRAILER_LIMIT: usize = 16 * 1024;

/// The coding is broken; nothing after this can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A chunk size that is no number, or too large.
    #[error("invalid chunk size")]
    Size,
    /// A line that does not end in CRLF.
    #[error("chunked line ends with bare LF")]
    LineEnd,
    /// Chunk data that is not followed by CRLF.
    #[error("malformed chunked encoding")]
    DataEnd,
    /// Control characters or too many bytes in chunk extensions.
    #[error("invalid chunk extension")]
    Extension,
    /// A trailer section that is no list of fields, or too long.
    #[error("invalid trailer section")]
    Trailer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before or in the digits of a size; the number is how many were read.
    Size(u8),
    /// In white space behind a size; `;` or the end of the line must follow.
    Blank,
    /// Behind `;`.
    Extension,
    /// At the CR of a size line.
    SizeCr,
    /// Behind the CR of a size line.
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    /// In the trailer section, at the beginning of it.
    Trailer,
    Done,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes of content.
    Data(usize),
    /// So many bytes of framing that may be passed on as they are.
    Framing(usize),
    /// So many bytes that must not be passed on.
    Extra(usize),
    /// So many bytes that end the body. When [`Chunked::owes_end`] says so, they must not be passed on.
    End(usize),
}

/// Follows one chunked body.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    left: u64,
    extensions: u32,
    owes_end: bool,
    trailer: Vec<u8>,
}

impl Default for Chunked {
    fn default() -> Self {
        Chunked {
            state: State::Size(0),
            left: 0,
            extensions: 0,
            owes_end: false,
            trailer: Vec::new(),
        }
    }
}

impl Chunked {
    /// Whether the last byte of the body was seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The trailer fields as finished lines without the empty one; empty when there are none.
    pub fn trailers(&self) -> &[u8] {
        &self.trailer
    }

    /// Whether the bytes behind the last chunk were held back (they came with fields, or in pieces), so that who passes
    /// the coding on has to write [`Chunked::trailers`] and an empty line itself.
    pub fn owes_end(&self) -> bool {
        self.owes_end
    }

    /// Says what the beginning of `bytes`, which must not be empty, is.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        match self.state {
            State::Size(_) | State::SizeCr | State::SizeEnd => self.size_line(bytes),
            State::Blank | State::Extension => self.extension(bytes),
            State::Data => {
                let count = self.left.min(bytes.len() as u64);
                self.left -= count;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                Ok(Piece::Data(count as usize))
            }
            State::DataCr => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size(0);
                    Ok(Piece::Framing(2))
                }
                [b'\r', ..] => {
                    self.state = State::DataLf;
                    Ok(Piece::Framing(1))
                }
                _ => Err(Malformed::DataEnd),
            },
            State::DataLf => match bytes {
                [b'\n', ..] => {
                    self.state = State::Size(0);
                    Ok(Piece::Framing(1))
                }
                _ => Err(Malformed::DataEnd),
            },
            State::Trailer => self.trailer(bytes),
            State::Done => Ok(Piece::Extra(0)),
        }
    }

    fn size_line(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        for (at, &byte) in bytes.iter().enumerate() {
            match (self.state, byte) {
                (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                    if digits == 15 {
                        return Err(Malformed::Size);
                    }
                    let digit = (byte as char).to_digit(16).unwrap_or_default();
                    self.left = self.left << 4 | u64::from(digit);
                    self.state = State::Size(digits + 1);
                }
                (State::Size(0), _) => return Err(Malformed::Size),
                (State::Size(_) | State::SizeCr, b'\r') => self.state = State::SizeEnd,
                (State::Size(_), b';' | b' ' | b'\t') => {
                    self.state = State::Blank;
                    // At the beginning of a call the extension is the next piece; a piece is never empty.
                    return if at == 0 {
                        self.extension(bytes)
                    } else {
                        Ok(Piece::Framing(at))
                    };
                }
                (State::Size(_), b'\n') => return Err(Malformed::LineEnd),
                (State::SizeEnd, b'\n') => {
                    self.state = if self.left == 0 {
                        State::Trailer
                    } else {
                        State::Data
                    };
                    return Ok(Piece::Framing(at + 1));
                }
                (State::SizeEnd, _) => return Err(Malformed::LineEnd),
                _ => return Err(Malformed::Size),
            }
        }
        Ok(Piece::Framing(bytes.len()))
    }

    fn extension(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        let mut count = 0;
        if self.state == State::Blank {
            count = bytes
                .iter()
                .position(|&byte| byte != b' ' && byte != b'\t')
                .unwrap_or(bytes.len());
            match bytes.get(count) {
                Some(b';') => self.state = State::Extension,
                None | Some(b'\r') => {}
                Some(b'\n') => return Err(Malformed::LineEnd),
                // `5 5`: some read 5, some 0x55.
                Some(_) => return Err(Malformed::Size),
            }
        }
        if self.state == State::Extension {
            let ends = |&byte: &u8| byte < b' ' && byte != b'\t' || byte == 0x7f;
            count = bytes[count..]
                .iter()
                .position(ends)
                .map_or(bytes.len(), |length| count + length);
        }
        self.extensions = self.extensions.saturating_add(count as u32);
        if self.extensions > EXTENSION_LIMIT {
            return Err(Malformed::Extension);
        }
        match bytes.get(count) {
            None => {}
            // It belongs to the size line, which goes on behind what is dropped.
            Some(b'\r') => self.state = State::SizeCr,
            Some(b'\n') => return Err(Malformed::LineEnd),
            Some(_) => return Err(Malformed::Extension),
        }
        if count == 0 {
            self.size_line(bytes)
        } else {
            Ok(Piece::Extra(count))
        }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        if self.trailer.is_empty() && bytes.starts_with(b"\r\n") {
            self.state = State::Done;
            return Ok(Piece::End(2));
        }
        self.owes_end = true;
        let before = self.trailer.len();
        let room = (TRAILER_LIMIT + 4).saturating_sub(before).min(bytes.len());
        self.trailer.extend_from_slice(&bytes[..room]);
        // Where the empty line begins: at once (its CR came alone before), or behind a field.
        let from = before.saturating_sub(3);
        let empty_line = match self.trailer.starts_with(b"\r\n") {
            true => Some(0),
            false => {
                memchr::memmem::find(&self.trailer[from..], b"\r\n\r\n").map(|at| from + at + 2)
            }
        };
        let Some(fields) = empty_line else {
            let bare = |at: usize| before + at == 0 || self.trailer[before + at - 1] != b'\r';
            if memchr::memchr_iter(b'\n', &self.trailer[before..]).any(bare) {
                return Err(Malformed::LineEnd);
            }
            let hopeless = room < bytes.len() || self.trailer.len() > TRAILER_LIMIT;
            return if hopeless {
                Err(Malformed::Trailer)
            } else {
                Ok(Piece::Extra(room))
            };
        };
        self.trailer.truncate(fields + 2);
        check_trailer(&self.trailer)?;
        self.trailer.truncate(fields);
        self.state = State::Done;
        Ok(Piece::End(fields + 2 - before))
    }
}

/// A trailer section holds fields only, and none that would frame, route or identify a message (RFC 9110 section 6.5.1).
fn check_trailer(section: &[u8]) -> Result<(), Malformed> {
    if !super::scan::only_crlf(section) {
        return Err(Malformed::LineEnd);
    }
    let mut room = [httparse::EMPTY_HEADER; 64];
    match httparse::parse_headers(section, &mut room) {
        Ok(httparse::Status::Complete((length, fields))) if length == section.len() => {
            let forbidden = fields.iter().any(|field| {
                let id = crate::message::Name::of(field.name.as_bytes());
                id.hop_by_hop()
                    || id.vouched_for()
                    || matches!(
                        id,
                        crate::message::Name::ContentLength
                            | crate::message::Name::Host
                            | crate::message::Name::Lookalike
                    )
            });
            if forbidden {
                Err(Malformed::Trailer)
            } else {
                Ok(())
            }
        }
        _ => Err(Malformed::Trailer),
    }
}

impl Chunked {
    /// Whether the next piece of `bytes` (not empty) would not go on in this form.
    pub(super) fn next_is_dropped(&self, bytes: &[u8], form: super::Form) -> bool {
        match self.state {
            State::Data => false,
            State::Blank | State::Extension => true,
            State::Trailer => {
                // Trailer fields are written anew; the bare end of the body goes on as it is.
                form == super::Form::Unwrapped
                    || !(self.trailer.is_empty() && bytes.starts_with(b"\r\n"))
            }
            State::Size(_) => {
                form == super::Form::Unwrapped || matches!(bytes.first(), Some(b';' | b' ' | b'\t'))
            }
            _ => form == super::Form::Unwrapped,
        }
    }
}

#[cfg(test)]
mod tests;
