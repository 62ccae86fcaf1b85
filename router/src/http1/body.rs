//! Which bytes of a connection belong to a body, and which of them go on.

use super::chunked::{Chunked, Malformed, Piece};

/// How the end of a body is known (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// All that comes until the sender closes (responses only).
    UntilClose,
}

/// What the receiver of the body gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The framing as it came, without chunk extensions.
    AsIs,
    /// Content only.
    Unwrapped,
}

/// A stretch of the bytes given: `skip` of them are dropped, then `pass` go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Take {
    /// Bytes at the beginning that do not go on.
    pub skip: usize,
    /// Bytes behind them that do.
    pub pass: usize,
}

impl Take {
    /// All bytes that it covers.
    pub fn len(self) -> usize {
        self.skip + self.pass
    }

    /// Whether it covers nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Follows one body.
#[derive(Debug, Default)]
pub enum Body {
    /// No body, or all of it was seen.
    #[default]
    Empty,
    /// So many bytes are to come.
    Length(u64),
    /// In the chunked coding.
    Chunked(Box<Chunked>),
    /// Until the sender closes.
    UntilClose,
}

impl Body {
    /// A body that is about to begin.
    pub fn new(framing: Framing) -> Body {
        match framing {
            Framing::None | Framing::Length(0) => Body::Empty,
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Box::default()),
            Framing::UntilClose => Body::UntilClose,
        }
    }

    /// Whether all of it was seen.
    #[inline]
    pub fn is_done(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Length(left) => *left == 0,
            Body::Chunked(chunked) => chunked.is_done(),
            Body::UntilClose => false,
        }
    }

    /// What an `AsIs` relay of a finished chunked body has to write itself behind the bytes that it passed on: trailer
    /// fields as finished lines, and then an empty line. `None` when nothing is owed.
    pub fn owed_end(&self) -> Option<&[u8]> {
        match self {
            Body::Chunked(chunked) if chunked.is_done() && chunked.owes_end() => {
                Some(chunked.trailers())
            }
            _ => None,
        }
    }

    /// The longest stretch at the beginning of `bytes` that can be handled at once. Call it again with the rest while the
    /// body is not done and bytes are left. `content` grows by the bytes of content in the stretch.
    ///
    /// With [`Form::AsIs`] the bytes that end a chunked body may be held back, see [`Body::owed_end`].
    pub fn take(&mut self, bytes: &[u8], form: Form, content: &mut u64) -> Result<Take, Malformed> {
        match self {
            Body::Empty => Ok(Take::default()),
            Body::Length(left) => {
                let count = (*left).min(bytes.len() as u64);
                *left -= count;
                *content += count;
                Ok(Take {
                    skip: 0,
                    pass: count as usize,
                })
            }
            Body::UntilClose => {
                *content += bytes.len() as u64;
                Ok(Take {
                    skip: 0,
                    pass: bytes.len(),
                })
            }
            Body::Chunked(chunked) => take_chunked(chunked, bytes, form, content),
        }
    }
}

fn take_chunked(
    chunked: &mut Chunked,
    bytes: &[u8],
    form: Form,
    content: &mut u64,
) -> Result<Take, Malformed> {
    let mut take = Take::default();
    while take.len() < bytes.len() && !chunked.is_done() {
        // Dropped bytes end the stretch once something of it goes on. Looking ahead is safe where the kind of the next
        // piece shows before the coder moves: data, or the framing of an `AsIs` relay.
        let rest = &bytes[take.len()..];
        if take.pass > 0 && chunked.next_is_dropped(rest, form) {
            break;
        }
        let (passes, count) = match chunked.next(rest)? {
            Piece::Data(count) => {
                *content += count as u64;
                (true, count)
            }
            Piece::Framing(count) => (form == Form::AsIs, count),
            Piece::Extra(count) => (false, count),
            Piece::End(count) => (form == Form::AsIs && !chunked.owes_end(), count),
        };
        if passes {
            take.pass += count;
        } else {
            take.skip += count;
        }
    }
    Ok(take)
}

#[cfg(test)]
mod tests;
