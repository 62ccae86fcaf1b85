//! A TCP connection on the thread's ring.

use std::io::{self, IoSlice, Read, Write};
use std::marker::PhantomData;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::IntoRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

use super::kernel::{BUFFER, Request};
use super::{GENERATIONS, Purpose, RING, Ring, SMALL, Slot};

/// A connection. What is written counts as sent when it is queued, as with the socket's own buffer behind it; an error
/// shows at the next use. To be used by one task at a time.
#[derive(Debug)]
pub struct Stream {
    pub(super) index: usize,
    /// It belongs to the thread whose ring it is on.
    thread: PhantomData<Rc<()>>,
}

impl Stream {
    /// Puts a non-blocking connection on the thread's ring.
    ///
    /// # Errors
    /// When the thread has none.
    pub fn new(socket: TcpStream) -> io::Result<Stream> {
        RING.with_borrow_mut(|ring| {
            let ring = ring.as_mut().ok_or_else(gone)?;
            ring.generation = (ring.generation + 1) & GENERATIONS;
            let index = ring.slots.insert(Slot::new(socket, ring.generation));
            Ok(Stream {
                index,
                thread: PhantomData,
            })
        })
    }

    /// Our own address.
    ///
    /// # Errors
    /// When the connection has none any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.with(|ring, index| ring.slots[index].socket.local_addr())?
    }

    /// Whether an idle connection has become useless: something has come, its end too. Begins a new count of sends.
    pub fn is_stale(&self, cx: &Context<'_>) -> bool {
        let stale = self.with(|ring, index| {
            let mut byte = [0];
            let fresh = ring.receive(index, cx, &mut ReadBuf::new(&mut byte));
            let slot = &mut ring.slots[index];
            slot.sends = 0;
            slot.refused = false;
            fresh.is_ready()
        });
        stale.unwrap_or(true)
    }

    /// Whether the first send of the last use was refused: nothing has reached the peer.
    pub fn has_refused(&self) -> bool {
        self.with(|ring, index| ring.slots[index].refused)
            .unwrap_or(false)
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Ring, usize) -> T) -> io::Result<T> {
        RING.with_borrow_mut(|ring| match ring {
            Some(ring) => Ok(act(ring, self.index)),
            None => Err(gone()),
        })
    }

    fn poll<T>(
        &self,
        act: impl FnOnce(&mut Ring, usize) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.with(act)
            .unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}

#[cold]
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the thread has no ring")
}

impl Drop for Stream {
    fn drop(&mut self) {
        // At the end of the thread the ring may be gone, and the socket with it.
        let _gone = RING.try_with(|ring| {
            if let Some(ring) = &mut *ring.borrow_mut() {
                ring.close(self.index);
            }
        });
    }
}

impl Ring {
    /// Closes a stream behind what it has queued.
    fn close(&mut self, index: usize) {
        let mut slot = self.slots.remove(index);
        for piece in slot.received.drain(..) {
            self.kernel.give_back(piece.buffer);
        }
        // A request keeps the connection open.
        for (under_way, purpose) in [
            (slot.receiving, Purpose::Receive),
            (slot.awaits_bytes, Purpose::Bytes),
            (slot.awaits_room, Purpose::Room),
        ] {
            if under_way {
                let tag = slot.tag(purpose, index);
                self.push(Request::Cancel { tag });
            }
        }
        let socket = slot.socket.into_raw_fd();
        self.push(Request::Close { socket });
        if !self.driven {
            self.turn();
        }
    }

    fn receive(
        &mut self,
        index: usize,
        cx: &Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let slot = &mut self.slots[index];
        let before = room.filled().len();
        while room.remaining() > 0
            && let Some(piece) = slot.received.front_mut()
        {
            let start = piece.bytes.start;
            let end = piece.bytes.end.min(start + room.remaining());
            room.put_slice(self.kernel.received(piece.buffer, start..end));
            piece.bytes.start = end;
            if piece.bytes.is_empty() {
                self.kernel.give_back(piece.buffer);
                slot.received.pop_front();
            }
        }
        let has_read = room.filled().len() > before || room.remaining() == 0;
        if has_read && (!slot.direct || room.remaining() == 0) {
            return Poll::Ready(Ok(()));
        }
        let ended = match slot.error {
            Some(error) => Some(Err(io::Error::from_raw_os_error(error))),
            None => slot.ended.then_some(Ok(())),
        };
        if let Some(ended) = ended {
            return Poll::Ready(if has_read { Ok(()) } else { ended });
        }
        if slot.direct {
            // The kernel receives only when it is entered, so the order of the bytes is kept.
            let memory = room.initialize_unfilled();
            let most = memory.len().min(BUFFER);
            match slot.socket.read(memory) {
                Ok(count) => {
                    room.advance(count);
                    slot.ended = count == 0;
                    // Short again: the ring does it for less, as soon as it has let go of the socket.
                    slot.direct = count >= most || slot.receiving;
                    return Poll::Ready(Ok(()));
                }
                Err(_) if has_read => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        slot.wait(cx);
        let socket = slot.raw();
        if !slot.direct && !slot.receiving {
            slot.receiving = true;
            let tag = slot.tag(Purpose::Receive, index);
            self.push(Request::Receive { socket, tag });
        } else if slot.direct && !slot.receiving && !slot.awaits_bytes {
            slot.awaits_bytes = true;
            let (tag, events) = (slot.tag(Purpose::Bytes, index), libc::POLLIN);
            self.push(Request::Poll {
                socket,
                events,
                tag,
            });
        }
        Poll::Pending
    }

    /// Sends what an earlier send could not take.
    fn flush(&mut self, index: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let slot = &mut self.slots[index];
        slot.send_rest();
        match slot.error {
            Some(error) => Poll::Ready(Err(io::Error::from_raw_os_error(error))),
            None if slot.unsent.is_empty() => Poll::Ready(Ok(())),
            None => {
                self.await_room(index, cx);
                Poll::Pending
            }
        }
    }

    fn await_room(&mut self, index: usize, cx: &Context<'_>) {
        let slot = &mut self.slots[index];
        slot.wait(cx);
        if !std::mem::replace(&mut slot.awaits_room, true) {
            let request = slot.room(index);
            self.push(request);
        }
    }

    /// Ready when nothing of the stream is queued, and all that was has been sent.
    fn settle(&mut self, index: usize, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.slots[index].sent.0 == self.batch {
            self.turn();
            if self.slots[index].sent.0 == self.batch {
                // The kernel takes nothing at the moment.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.flush(index, cx)
    }

    fn send(
        &mut self,
        index: usize,
        cx: &Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.settle(index, cx))?;
        let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let slot = &mut self.slots[index];
        slot.sends = slot.sends.saturating_add(1);
        if length > SMALL {
            return match slot.socket.write_vectored(pieces) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.await_room(index, cx);
                    Poll::Pending
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                sent => Poll::Ready(sent),
            };
        }
        let mut staged = self.kernel.stage(pieces);
        if staged.is_none() {
            self.turn();
            staged = self.kernel.stage(pieces);
        }
        let Some(bytes) = staged else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        let slot = &mut self.slots[index];
        slot.sent = (self.batch, bytes.clone());
        let (socket, tag) = (slot.raw(), slot.tag(Purpose::Send, index));
        self.push(Request::Send { socket, bytes, tag });
        Poll::Ready(Ok(length))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let coop = ready!(poll_proceed(cx));
        let polled = self.poll(|ring, index| ring.receive(index, cx, room));
        if polled.is_ready() {
            coop.made_progress();
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let coop = ready!(poll_proceed(cx));
        let polled = self.poll(|ring, index| ring.send(index, cx, pieces));
        if polled.is_ready() {
            coop.made_progress();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|ring, index| ring.flush(index, cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|ring, index| {
            ready!(ring.settle(index, cx))?;
            Poll::Ready(ring.slots[index].socket.shutdown(Shutdown::Write))
        })
    }
}
