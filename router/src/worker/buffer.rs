//! Read buffers that are taken only when data is there.
//!
//! A connection that waits owns no buffer, so memory goes with the connections that are moving bytes, not with those that
//! are open. The free lists belong to the worker's thread; a buffer goes back to them when it is dropped.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes of a buffer for heads and the beginning of bodies.
pub const SMALL: usize = 32 * 1024;
/// Bytes of a buffer for a body that fills small ones.
pub const LARGE: usize = 256 * 1024;
/// Free small buffers that a worker keeps (8 MiB).
const SMALL_KEPT: usize = 256;
/// Free large buffers that a worker keeps (4 MiB).
const LARGE_KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<[Vec<Box<[u8]>>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Which free list a buffer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// [`SMALL`]
    #[default]
    Small,
    /// [`LARGE`]
    Large,
}

impl Size {
    fn memory(self) -> Box<[u8]> {
        let length = match self {
            Size::Small => SMALL,
            Size::Large => LARGE,
        };
        vec![0; length].into_boxed_slice()
    }
}

/// A buffer with unread bytes.
#[derive(Debug)]
pub struct Buffer {
    memory: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer from the free list, or a new one.
    pub fn take(size: Size) -> Buffer {
        let memory = FREE.with(|free| match free.try_borrow_mut() {
            Ok(mut free) => free[size as usize].pop(),
            Err(_) => None,
        });
        Buffer::of(memory.unwrap_or_else(|| size.memory()), 0)
    }

    fn of(memory: Box<[u8]>, end: usize) -> Buffer {
        Buffer {
            memory,
            start: 0,
            end,
        }
    }

    /// The unread bytes.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether the last read filled it, so that a larger one would have taken more.
    pub fn is_full(&self) -> bool {
        self.end == self.memory.len()
    }

    /// Marks `count` bytes as read.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Makes room behind the unread bytes: moves them to the front, and doubles the buffer when they fill it, up to
    /// `limit` bytes. `false` when there is no room left.
    pub fn make_room(&mut self, limit: usize) -> bool {
        if self.end < self.memory.len() {
            return true;
        }
        if self.start > 0 {
            self.memory.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return true;
        }
        let length = (self.memory.len() * 2).min(limit);
        if length <= self.memory.len() {
            return false;
        }
        let mut larger = vec![0; length].into_boxed_slice();
        larger[..self.end].copy_from_slice(&self.memory[..self.end]);
        self.memory = larger;
        true
    }

    /// Reads once behind the unread bytes; 0 means that the peer has ended its side.
    pub fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(&mut self.memory[self.end..]);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Waits until `stream` has bytes and reads them into a buffer that is taken only then. An empty buffer means that
    /// the peer has ended its side.
    pub fn poll_read<S: AsyncRead + Unpin>(
        cx: &mut Context<'_>,
        stream: &mut S,
        size: Size,
    ) -> Poll<io::Result<Buffer>> {
        FREE.with(|free| {
            let Ok(mut free) = free.try_borrow_mut() else {
                // A stream that itself reads through a buffer of this kind.
                let mut buffer = Buffer::take(size);
                ready!(buffer.poll_fill(cx, stream))?;
                return Poll::Ready(Ok(buffer));
            };
            // Read into where it lies: most calls only learn that nothing is there yet.
            let list = &mut free[size as usize];
            let mut memory = match list.pop() {
                Some(memory) => memory,
                None => size.memory(),
            };
            let mut room = ReadBuf::new(&mut memory);
            let read = Pin::new(stream).poll_read(cx, &mut room);
            let end = room.filled().len();
            match read {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(Buffer::of(memory, end))),
                Poll::Ready(Err(error)) => {
                    list.push(memory);
                    Poll::Ready(Err(error))
                }
                Poll::Pending => {
                    list.push(memory);
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        let (list, kept) = match memory.len() {
            SMALL => (0, SMALL_KEPT),
            LARGE => (1, LARGE_KEPT),
            // Grown for an unusual head: not worth keeping.
            _ => return,
        };
        // At the end of the thread the list may be gone already.
        let _gone = FREE.try_with(|free| {
            if let Ok(mut free) = free.try_borrow_mut()
                && free[list].len() < kept
            {
                free[list].push(memory);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again() {
        let first = Buffer::take(Size::Small);
        let address = first.memory.as_ptr();
        drop(first);
        assert_eq!(Buffer::take(Size::Small).memory.as_ptr(), address);
    }

    #[test]
    fn room_is_made_by_moving_then_by_growing_up_to_the_limit() {
        let mut buffer = Buffer::take(Size::Small);
        buffer.end = SMALL;
        buffer.memory[SMALL - 1] = 7;
        buffer.consume(SMALL - 1);
        assert!(buffer.make_room(2 * SMALL));
        assert_eq!(buffer.unread(), [7]);
        buffer.end = SMALL;
        assert!(buffer.make_room(2 * SMALL));
        assert_eq!(buffer.memory.len(), 2 * SMALL);
        assert_eq!(buffer.unread()[0], 7);
        buffer.end = 2 * SMALL;
        assert!(!buffer.make_room(2 * SMALL));
    }
}
