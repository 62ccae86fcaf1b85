//! Sockets on io_uring, beside tokio's.
//!
//! Streams queue what they want; the [driver](start) hands all of it to the kernel at once, whenever the tasks that were
//! ready have run, and wakes the tasks whose bytes have come. So a busy worker makes one system call for many requests.
//! What goes through the ring is small: a piece of up to [`SMALL`] bytes is copied and sent with the next call, and bytes
//! come in buffers that the kernel fills. Long bodies are read and written straight from and to the socket, and the ring
//! tells only when it is ready again.

mod driver;
mod kernel;
mod stream;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::task::{Context, Waker};

use slab::Slab;

pub use driver::{is_on, start};
pub use stream::Stream;

use kernel::{BUFFER, Completion, Kernel, Request};

/// Most bytes that are sent through the ring at a time.
const SMALL: usize = 16 * 1024;
/// Calls in a row that the kernel may refuse before other tasks run.
const PATIENCE: u32 = 8;

thread_local! {
    static RING: RefCell<Option<Ring>> = const { RefCell::new(None) };
}

/// A thread's ring and its streams.
struct Ring {
    kernel: Kernel,
    slots: Slab<Slot>,
    generation: u32,
    /// Changes whenever everything staged has been sent.
    batch: u64,
    driver: Option<Waker>,
    /// Whether the driver runs or is about to.
    awake: bool,
    /// Whether there is a driver.
    driven: bool,
}

/// A stream's state.
struct Slot {
    socket: TcpStream,
    /// Tells its completions from those of a former stream in the same place.
    generation: u32,
    /// What has come and was not read.
    received: VecDeque<Piece>,
    /// Whether the kernel receives.
    receiving: bool,
    /// Whether the kernel looks for bytes.
    awaits_bytes: bool,
    /// Whether the kernel looks for room.
    awaits_room: bool,
    /// Whether it is read from directly.
    direct: bool,
    ended: bool,
    error: Option<i32>,
    /// The batch of the last send, and where its bytes are.
    sent: (u64, Range<usize>),
    /// What a send could not take.
    unsent: Vec<u8>,
    /// Sends since [`Stream::is_stale`] was asked.
    sends: u32,
    /// The first of them was refused.
    refused: bool,
    waiting: bool,
    waker: Option<Waker>,
}

/// Bytes in a buffer of the kernel's.
#[derive(Debug)]
struct Piece {
    buffer: u16,
    bytes: Range<usize>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Receive = 1,
    Send = 2,
    Bytes = 3,
    Room = 4,
}

/// What a look at the ring came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Something has completed, or is still queued.
    Busy,
    /// Nothing is to be done before a signal.
    Idle,
}

impl Ring {
    /// Hands over what is queued, and sees to what has completed.
    fn turn(&mut self) -> Turn {
        let (mut turn, mut refusals) = (Turn::Idle, 0);
        loop {
            let entered = self.kernel.enter();
            while let Some(completion) = self.kernel.completion() {
                turn = Turn::Busy;
                self.complete(completion);
            }
            refusals += u32::from(entered.is_err());
            let queued = !self.kernel.is_empty();
            if refusals == PATIENCE {
                return Turn::Busy;
            }
            if !queued && !self.kernel.holds_completions() {
                break;
            }
        }
        // Who could not send everything has kept the rest by now.
        self.kernel.clear();
        self.batch += 1;
        turn
    }

    fn complete(&mut self, completion: Completion) {
        let Completion {
            tag, result, more, ..
        } = completion;
        let mut buffer = completion.buffer;
        let index = tag as u32 as usize;
        let slot = self.slots.get_mut(index);
        if let Some(slot) = slot.filter(|slot| slot.is_of(tag)) {
            match Purpose::of(tag) {
                Some(Purpose::Receive) => {
                    slot.receiving = more;
                    if result > 0
                        && let Some(buffer) = buffer.take()
                    {
                        let bytes = 0..result as usize;
                        slot.received.push_back(Piece { buffer, bytes });
                        if result as usize == BUFFER && !slot.direct {
                            slot.direct = true;
                            if more {
                                self.kernel.push(Request::Cancel { tag });
                            }
                        }
                    } else {
                        slot.not_received(-result);
                    }
                }
                Some(Purpose::Send) => {
                    let bytes = slot.sent.1.clone();
                    match result {
                        went @ 0.. => {
                            let rest = bytes.start + went as usize..bytes.end;
                            slot.unsent.extend_from_slice(self.kernel.staged(rest));
                        }
                        _ if -result == libc::EAGAIN => {
                            slot.unsent.extend_from_slice(self.kernel.staged(bytes));
                        }
                        _ => {
                            slot.error = Some(-result);
                            slot.refused = slot.sends == 1;
                        }
                    }
                }
                Some(Purpose::Bytes) => slot.awaits_bytes = false,
                Some(Purpose::Room) => {
                    slot.awaits_room = false;
                    slot.send_rest();
                }
                None => {}
            }
            // The rest goes out as from a socket's own buffer, whatever the task waits for meanwhile.
            if !slot.unsent.is_empty() && slot.error.is_none() && !slot.awaits_room {
                slot.awaits_room = true;
                self.kernel.push(slot.room(index));
            }
            slot.wake();
        }
        if let Some(buffer) = buffer {
            self.kernel.give_back(buffer);
        }
    }

    /// Queues a request, and sees to it that the driver comes.
    fn push(&mut self, request: Request) {
        self.kernel.push(request);
        if !std::mem::replace(&mut self.awake, true)
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }
}

impl Slot {
    fn new(socket: TcpStream, generation: u32) -> Slot {
        Slot {
            socket,
            generation,
            received: VecDeque::new(),
            receiving: false,
            awaits_bytes: false,
            awaits_room: false,
            direct: false,
            ended: false,
            error: None,
            sent: (0, 0..0),
            unsent: Vec::new(),
            sends: 0,
            refused: false,
            waiting: false,
            waker: None,
        }
    }

    fn tag(&self, purpose: Purpose, index: usize) -> u64 {
        (purpose as u64) << 56 | u64::from(self.generation) << 32 | index as u64
    }

    fn is_of(&self, tag: u64) -> bool {
        (tag >> 32) as u32 & GENERATIONS == self.generation
    }

    /// Sends what it takes now of what an earlier send could not take. An error shows at the next use.
    fn send_rest(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error.raw_os_error().unwrap_or(libc::EPIPE));
                    return;
                }
            }
        }
    }

    /// Asks when there is room to send more.
    fn room(&self, index: usize) -> Request {
        Request::Poll {
            socket: self.raw(),
            events: libc::POLLOUT,
            tag: self.tag(Purpose::Room, index),
        }
    }

    /// The kernel receives no more, for this reason.
    fn not_received(&mut self, error: i32) {
        match error {
            0 => self.ended = true,
            libc::ECANCELED => {}
            // Others have all the buffers.
            libc::ENOBUFS => self.direct = true,
            error => self.error = Some(error),
        }
    }

    /// Notes who is to be woken at the next completion. All of a stream is used by one task at a time.
    fn wait(&mut self, cx: &Context<'_>) {
        self.waiting = true;
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.waiting)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    fn raw(&self) -> i32 {
        self.socket.as_raw_fd()
    }
}

/// Generations that a tag has room for, less one.
const GENERATIONS: u32 = 0xff_ffff;

impl Purpose {
    fn of(tag: u64) -> Option<Purpose> {
        match tag >> 56 {
            1 => Some(Purpose::Receive),
            2 => Some(Purpose::Send),
            3 => Some(Purpose::Bytes),
            4 => Some(Purpose::Room),
            _ => None,
        }
    }
}
