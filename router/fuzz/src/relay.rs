//! Bodies as a relay handles them: in pieces, with what is passed on collected.

use cloverleaf_router::http1::chunked::Malformed;
use cloverleaf_router::http1::{Body, Form, Framing};

/// What a relay did with the bytes it was given.
#[derive(Debug)]
pub struct Relayed {
    /// What went on.
    pub output: Vec<u8>,
    /// The count of content that the body kept.
    pub content: u64,
    /// Bytes that belonged to the body.
    pub consumed: usize,
    /// Whether the body came to its end, or what is wrong with it.
    pub end: Result<bool, Malformed>,
}

/// Relays the body at the beginning of `bytes`, which come in pieces of the sizes given (over and over).
pub fn relay(framing: Framing, bytes: &[u8], sizes: &[usize], form: Form) -> Relayed {
    let mut body = Body::new(framing);
    let mut relayed = Relayed {
        output: Vec::new(),
        content: 0,
        consumed: 0,
        end: Ok(body.is_done()),
    };
    let mut sizes = sizes.iter().copied().filter(|&size| size > 0).cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (mut piece, behind) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        rest = behind;
        while !piece.is_empty() && !body.is_done() {
            let take = match body.take(piece, form, &mut relayed.content) {
                Ok(take) => take,
                Err(malformed) => {
                    relayed.end = Err(malformed);
                    return relayed;
                }
            };
            assert!(!take.is_empty(), "a relay would turn on the spot");
            relayed
                .output
                .extend_from_slice(&piece[take.skip..take.len()]);
            relayed.consumed += take.len();
            piece = &piece[take.len()..];
        }
    }
    if let Some(fields) = body.owed_end().filter(|_| form == Form::AsIs) {
        relayed.output.extend_from_slice(fields);
        relayed.output.extend_from_slice(b"\r\n");
    }
    relayed.end = Ok(body.is_done());
    relayed
}
