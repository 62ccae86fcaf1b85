//! Tasks that serve streams, one after the other.
//!
//! A stream lives for one request, and a task for a request is some kilobytes that are made, moved and freed. These stay, and
//! find their memory warm.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::served::Served;
use crate::serve::{Peer, serve_stream};
use crate::worker::{OpenStream, Worker};

/// Tasks without work that a worker keeps.
const KEPT: usize = 256;

thread_local! {
    static IDLE: RefCell<Vec<Rc<Hand>>> = const { RefCell::new(Vec::new()) };
}

/// A stream to be served.
pub(super) struct Job {
    pub(super) stream: Served,
    pub(super) peer: Rc<Peer>,
    pub(super) worker: Rc<Worker>,
    /// Counts the stream for its connection.
    pub(super) _open: OpenStream,
}

/// What a task waits at.
#[derive(Default)]
struct Hand {
    job: Cell<Option<Job>>,
    waker: Cell<Option<Waker>>,
}

/// Has a stream served.
pub(super) fn serve(job: Job) {
    match IDLE.with_borrow_mut(Vec::pop) {
        Some(hand) => {
            hand.job.set(Some(job));
            if let Some(waker) = hand.waker.take() {
                waker.wake();
            }
        }
        None => {
            let hand = Rc::new(Hand::default());
            hand.job.set(Some(job));
            tokio::task::spawn_local(work(hand));
        }
    }
}

async fn work(hand: Rc<Hand>) {
    loop {
        let next = poll_fn(|cx| match hand.job.take() {
            Some(job) => Poll::Ready(job),
            None => {
                hand.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        });
        // The stream stays where it is: each move would be one more of its size in this task.
        let mut job = next.await;
        serve_stream(&mut job.stream, &job.peer, &job.worker).await;
        drop(job);
        let kept = IDLE.with_borrow_mut(|idle| {
            let kept = idle.len() < KEPT;
            if kept {
                idle.push(Rc::clone(&hand));
            }
            kept
        });
        if !kept {
            return;
        }
    }
}
