//! Memory that streams use in turn.
//!
//! With a hundred requests in flight an allocator's quick lists are exhausted; a worker's own are not.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// Bytes of a head's memory at first.
const HEAD: usize = 512;
/// Memory of heads that a worker keeps, and the most of each.
const HEADS: usize = 256;
const LARGEST_HEAD: usize = 4 * 1024;
/// Pieces of content.
const CONTENT: Sharing = Sharing {
    together: 32 * 1024,
    alone: 4 * 1024,
};
/// Fields of answers. The client's table of fields may hold one for as long as the connection lives, and with it what the
/// others lie in: so that is little.
const FIELDS: Sharing = Sharing {
    together: 4 * 1024,
    alone: 1024,
};

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static CONTENTS: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static FIELD_TEXTS: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// How pieces lie side by side in memory that is used anew when all of them are gone.
struct Sharing {
    /// Bytes that they share: at most so many does one hold that is still needed.
    together: usize,
    /// A longer one has memory of its own.
    alone: usize,
}

impl Sharing {
    fn copy(&self, piece: &[u8], shared: &RefCell<BytesMut>) -> Bytes {
        if piece.len() > self.alone {
            return Bytes::copy_from_slice(piece);
        }
        let mut shared = shared.borrow_mut();
        if shared.capacity() < piece.len() {
            shared.reserve(self.together);
        }
        shared.extend_from_slice(piece);
        shared.split().freeze()
    }
}

/// Empty memory for a head's text.
pub(super) fn head() -> Vec<u8> {
    FREE.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(HEAD))
}

/// Takes the memory of a head back.
pub(super) fn give_back(mut head: Vec<u8>) {
    head.clear();
    // At the end of the thread the list may be gone already.
    let _gone = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        if free.len() < HEADS && (HEAD..=LARGEST_HEAD).contains(&head.capacity()) {
            free.push(head);
        }
    });
}

/// A copy of a piece of content.
pub(super) fn content(piece: &[u8]) -> Bytes {
    CONTENTS.with(|shared| CONTENT.copy(piece, shared))
}

/// A copy of the text that fields are made of.
pub(super) fn fields(text: &[u8]) -> Bytes {
    FIELD_TEXTS.with(|shared| FIELDS.copy(text, shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_head_is_used_again() {
        let mut first = head();
        first.extend_from_slice(b"GET");
        let address = first.as_ptr();
        give_back(first);
        let again = head();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn pieces_of_content_share_memory_that_is_used_again_when_they_are_gone() {
        let first = content(b"ab");
        let second = content(b"cd");
        assert_eq!((&first[..], &second[..]), (&b"ab"[..], &b"cd"[..]));
        let start = first.as_ptr();
        assert_eq!(second.as_ptr() as usize, start as usize + 2);
        drop((first, second));
        // Nothing is read before all of it was written: the memory begins anew once it was full.
        let full = CONTENT.together / CONTENT.alone;
        let mut starts = (0..2 * full).map(|_| content(&[b'x'; CONTENT.alone]).as_ptr());
        assert!(starts.any(|address| address == start));
    }

    #[test]
    fn long_content_has_memory_of_its_own() {
        let long = content(&[7; CONTENT.alone + 1]);
        assert_eq!(long.len(), CONTENT.alone + 1);
        assert!(long.is_unique());
    }

    #[test]
    fn a_field_that_is_kept_holds_little_beside_itself() {
        let kept: Vec<Bytes> = (0..100).map(|_| fields(&[b'x'; 300])).collect();
        let mut together = 300;
        for pair in kept.windows(2) {
            let follows = pair[1].as_ptr() as usize == pair[0].as_ptr() as usize + 300;
            together = if follows { together + 300 } else { 300 };
            assert!(together <= FIELDS.together);
        }
        assert!(fields(&[b'x'; FIELDS.alone + 1]).is_unique());
    }
}
