//! The kernel's side of a ring: what is queued for it, what has come back, and the memory that it reads and writes.
//!
//! The only module with `unsafe` code. It is sound because the kernel touches our memory inside of [`Kernel::enter`] only,
//! which has the value to itself: the ring belongs to one thread and does its work in that call and nowhere else (single
//! issuer, deferred task work), and no send ever waits, so each is over when the call that it was handed over in returns.
//! The memory is never freed, as a ring that is closed ends in the kernel's own time; there is one for each worker.
#![allow(
    unsafe_code,
    reason = "the kernel is handed addresses, which no library does safely for sockets that others own"
)]

use std::alloc::{Layout, alloc_zeroed};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering, fence};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes of a buffer that the kernel receives into.
pub const BUFFER: usize = 16 * 1024;
/// Number of those buffers, a power of two (2 MiB).
const BUFFERS: u16 = 128;
/// Bytes that may wait to be sent, of all streams.
const OUTGOING: usize = 512 * 1024;
/// Requests that the kernel is handed at a time.
const ENTRIES: u32 = 1024;
/// The alignment of what is shared page by page.
const PAGE: usize = 4096;
/// The only group of buffers.
const GROUP: u16 = 0;
/// `IORING_ENTER_GETEVENTS`: do the work that waits for this thread, too.
const GET_EVENTS: u32 = 1;

/// What the kernel is asked for. A tag comes back with the completion.
#[derive(Clone, Debug)]
pub enum Request {
    /// Receive into the buffers, again and again.
    Receive { socket: RawFd, tag: u64 },
    /// Send bytes that are staged, now or not at all; completes only when not all of them went.
    Send {
        socket: RawFd,
        bytes: Range<usize>,
        tag: u64,
    },
    /// Tell of the first of these events.
    Poll {
        socket: RawFd,
        events: i16,
        tag: u64,
    },
    /// End the request with this tag.
    Cancel { tag: u64 },
    /// Close the socket.
    Close { socket: RawFd },
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// The request's.
    pub tag: u64,
    /// As the system call would have returned it, with a negative error number.
    pub result: i32,
    /// Where the bytes are; to be given back.
    pub buffer: Option<u16>,
    /// Whether there will be more completions of the request.
    pub more: bool,
}

/// The ring of one thread.
pub struct Kernel {
    uring: IoUring,
    /// The ring of buffers that may be received into.
    entries: NonNull<BufRingEntry>,
    tail: u16,
    incoming: &'static mut [u8],
    outgoing: &'static mut [u8],
    staged: usize,
    /// What did not find room in the queue.
    later: VecDeque<Request>,
    /// As if the kernel's flag stayed raised.
    #[cfg(test)]
    pub raised: bool,
}

impl Kernel {
    /// A ring for the thread that calls this. It raises `signal` when there is work and signals are on.
    ///
    /// # Errors
    /// When the kernel is too old, or a rule forbids it.
    pub fn new(signal: &OwnedFd) -> io::Result<Kernel> {
        let mut uring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(8 * ENTRIES)
            .build(ENTRIES)?;
        let layout = Layout::array::<BufRingEntry>(usize::from(BUFFERS))
            .and_then(|layout| layout.align_to(PAGE))
            .map_err(io::Error::other)?;
        // SAFETY: the layout is not empty.
        let entries = NonNull::new(unsafe { alloc_zeroed(layout) })
            .ok_or(io::ErrorKind::OutOfMemory)?
            .cast::<BufRingEntry>();
        // SAFETY: the memory holds that many entries, and is never freed.
        unsafe {
            let address = entries.as_ptr() as u64;
            uring
                .submitter()
                .register_buf_ring_with_flags(address, BUFFERS, GROUP, 0)?;
        }
        uring.submitter().register_eventfd(signal.as_raw_fd())?;
        uring.completion().disable_eventfd();
        // Spares a look-up at each call, where the kernel knows of it.
        drop(uring.submitter().register_ring_fd());
        let mut kernel = Kernel {
            uring,
            entries,
            tail: 0,
            incoming: vec![0; BUFFER * usize::from(BUFFERS)].leak(),
            outgoing: vec![0; OUTGOING].leak(),
            staged: 0,
            later: VecDeque::new(),
            #[cfg(test)]
            raised: false,
        };
        (0..BUFFERS).for_each(|buffer| kernel.give_back(buffer));
        Ok(kernel)
    }

    /// Watches `signal`.
    ///
    /// # Errors
    /// When the runtime cannot.
    pub fn watch(signal: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
        // SAFETY: the descriptor is owned by the value, which closes it at its end and gives it to nobody.
        let watched = unsafe { AsyncFd::register_with_interest(signal, Interest::READABLE) };
        watched.map_err(io::Error::from)
    }

    /// Queues a request.
    pub fn push(&mut self, request: Request) {
        if !self.later.is_empty() || !self.fits(&request) {
            self.later.push_back(request);
        }
    }

    /// Whether a request could be put into the queue.
    fn fits(&mut self, request: &Request) -> bool {
        let entry = self.entry(request);
        // SAFETY: it names memory in a send only. That is staged, and neither moved nor written to before the queue is empty.
        unsafe { self.uring.submission().push(&entry) }.is_ok()
    }

    fn entry(&self, request: &Request) -> squeue::Entry {
        match request {
            Request::Receive { socket, tag } => opcode::RecvMulti::new(Fd(*socket), GROUP)
                .build()
                .user_data(*tag),
            Request::Send { socket, bytes, tag } => {
                let bytes = &self.outgoing[bytes.clone()];
                opcode::Send::new(Fd(*socket), bytes.as_ptr(), bytes.len() as u32)
                    // A send that is to be whole fails when only a part of it went, and so tells of that.
                    .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL)
                    .build()
                    .flags(squeue::Flags::SKIP_SUCCESS)
                    .user_data(*tag)
            }
            Request::Poll {
                socket,
                events,
                tag,
            } => opcode::PollAdd::new(Fd(*socket), *events as u32)
                .build()
                .user_data(*tag),
            Request::Cancel { tag } => opcode::AsyncCancel::new(*tag)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS),
            Request::Close { socket } => opcode::Close::new(Fd(*socket))
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS),
        }
    }

    /// Copies bytes to where a send takes them from; `None` when there is no room.
    pub fn stage(&mut self, pieces: &[IoSlice<'_>]) -> Option<Range<usize>> {
        let start = self.staged;
        let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut room = self.outgoing.get_mut(start..start + length)?;
        for piece in pieces {
            let (here, behind) = room.split_at_mut(piece.len());
            here.copy_from_slice(piece);
            room = behind;
        }
        self.staged += length;
        Some(start..self.staged)
    }

    /// Bytes that were staged, until [`Kernel::clear`].
    pub fn staged(&self, bytes: Range<usize>) -> &[u8] {
        &self.outgoing[bytes]
    }

    /// Whether every request is with the kernel.
    pub fn is_empty(&mut self) -> bool {
        self.later.is_empty() && self.uring.submission().is_empty()
    }

    /// Makes room for more bytes to be sent. Does nothing while requests are queued.
    pub fn clear(&mut self) {
        if self.is_empty() {
            self.staged = 0;
        }
    }

    /// Hands over what is queued, and has the kernel do what waits for this thread.
    ///
    /// # Errors
    /// When the kernel does not take more at the moment.
    pub fn enter(&mut self) -> io::Result<()> {
        while let Some(request) = self.later.pop_front() {
            if !self.fits(&request) {
                self.later.push_front(request);
                break;
            }
        }
        // SAFETY: the base address of the ring of buffers, whose first entry has been written. The kernel reads the tail
        // as an atomic, which it is aligned for.
        unsafe {
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
        let queued = self.uring.submission().len() as u32;
        // SAFETY: there is no further argument. What the requests name is good for this call (see `fits`).
        unsafe {
            self.uring
                .submitter()
                .enter::<()>(queued, 0, GET_EVENTS, None)?;
        }
        Ok(())
    }

    /// The next completion that has come back.
    pub fn completion(&mut self) -> Option<Completion> {
        let entry = self.uring.completion().next()?;
        Some(Completion {
            tag: entry.user_data(),
            result: entry.result(),
            buffer: cqueue::buffer_select(entry.flags()),
            more: cqueue::more(entry.flags()),
        })
    }

    /// Whether the kernel holds completions that did not find room.
    pub fn holds_completions(&mut self) -> bool {
        self.uring.submission().cq_overflow()
    }

    /// Turns signals on, for what comes from now on.
    pub fn signals(&mut self) {
        self.uring.completion().enable_eventfd();
        fence(Ordering::SeqCst);
    }

    /// Whether there seems to be work. Once signals are on, none is missed.
    pub fn works(&mut self) -> bool {
        #[cfg(test)]
        if self.raised {
            return true;
        }
        self.uring.submission().taskrun() || !self.uring.completion().is_empty()
    }

    /// Turns signals off.
    pub fn silence(&mut self) {
        self.uring.completion().disable_eventfd();
    }

    /// Bytes that were received into a buffer which was not given back yet.
    pub fn received(&self, buffer: u16, bytes: Range<usize>) -> &[u8] {
        let start = usize::from(buffer) * BUFFER;
        &self.incoming[start..start + BUFFER][bytes]
    }

    /// Lets the kernel receive into a buffer again.
    pub fn give_back(&mut self, buffer: u16) {
        let start = usize::from(buffer) * BUFFER;
        let memory = &mut self.incoming[start..start + BUFFER];
        // SAFETY: the place lies inside of the ring. The kernel reads there in `enter` only, behind the tail that is stored
        // then. What is written is the address of memory that is never freed.
        unsafe {
            let place = self.entries.add(usize::from(self.tail & (BUFFERS - 1)));
            let entry = &mut *place.as_ptr();
            entry.set_addr(memory.as_mut_ptr() as u64);
            entry.set_len(BUFFER as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
    }
}
