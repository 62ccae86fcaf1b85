//! The task that hands requests over and wakes those who wait.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use rustix::event::{EventfdFlags, eventfd};
use slab::Slab;
use tokio::io::unix::AsyncFd;

use super::kernel::Kernel;
use super::{RING, Ring, Turn};

/// Busy turns after which the runtime looks at its own sockets and timers.
const TURNS: u32 = 4;

/// Gives this thread a ring. The driver that comes back is to be run by a task of the thread until its runtime ends.
///
/// # Errors
/// When the kernel is too old (it takes 6.1), or does not allow it.
pub fn start() -> io::Result<impl Future<Output = ()>> {
    let signal = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
    let kernel = Kernel::new(&signal)?;
    let signal = Kernel::watch(signal)?;
    RING.set(Some(Ring {
        kernel,
        slots: Slab::new(),
        generation: 0,
        batch: 1,
        driver: None,
        awake: true,
        driven: true,
    }));
    Ok(drive(signal, Driven))
}

/// Whether this thread has a ring.
pub fn is_on() -> bool {
    RING.with_borrow(Option::is_some)
}

/// As long as it is there, what streams queue goes out.
struct Driven;

impl Drop for Driven {
    fn drop(&mut self) {
        let _gone = RING.try_with(|ring| {
            if let Some(ring) = &mut *ring.borrow_mut() {
                ring.driven = false;
                ring.turn();
            }
        });
    }
}

async fn drive(signal: AsyncFd<OwnedFd>, _driven: Driven) {
    let mut turns = 0;
    loop {
        let turn = match RING.with_borrow_mut(|ring| ring.as_mut().map(Ring::turn)) {
            None => return,
            Some(Turn::Idle) => poll_fn(|cx| poll_work(&signal, cx)).await,
            Some(Turn::Busy) => Turn::Busy,
        };
        if turn == Turn::Busy {
            turns += 1;
            if turns % TURNS == 0 {
                tokio::task::yield_now().await;
            } else {
                behind_the_others().await;
            }
        }
    }
}

/// Lets the tasks run that are ready now.
async fn behind_the_others() {
    let mut yielded = false;
    poll_fn(|cx| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Ready when there is something to hand over, or something has come; busy when that was seen to already.
fn poll_work(signal: &AsyncFd<OwnedFd>, cx: &mut Context<'_>) -> Poll<Turn> {
    RING.with_borrow_mut(|ring| {
        let Some(ring) = ring else {
            return Poll::Ready(Turn::Idle);
        };
        ring.awake = true;
        if !ring.kernel.is_empty() {
            ring.kernel.silence();
            return Poll::Ready(Turn::Idle);
        }
        if ring.look_with_signals() == Turn::Busy {
            return Poll::Ready(Turn::Busy);
        }
        ring.driver.get_or_insert_with(|| cx.waker().clone());
        match signal.poll_read_ready(cx) {
            // The count is not read: each signal counts as news.
            Poll::Ready(Ok(mut ready)) => ready.clear_ready(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ring.awake = false;
                return Poll::Pending;
            }
        }
        ring.kernel.silence();
        Poll::Ready(Turn::Idle)
    })
}

impl Ring {
    /// Turns signals on: idle. Unless something has come by then, which was seen to: busy.
    fn look_with_signals(&mut self) -> Turn {
        self.kernel.signals();
        if !self.kernel.works() {
            return Turn::Idle;
        }
        // Without signals, which this look would only give to itself.
        self.kernel.silence();
        if self.turn() == Turn::Busy {
            return Turn::Busy;
        }
        // A processor that brings something raises the flag behind it. When this thread was faster to take what came, the
        // flag stands for nothing, and stays until there is something again. A look with signals on tells the two apart:
        // whatever comes behind it is signalled.
        self.kernel.signals();
        let turn = self.turn();
        if turn == Turn::Busy {
            self.kernel.silence();
        }
        turn
    }
}
