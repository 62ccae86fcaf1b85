//! The bounded queue between the threads that log and the thread that writes.
//!
//! One buffer of bytes, not a channel of lines: its bound is memory, a line costs one copy and no
//! allocation, and the writer takes everything that waits in one `write`. The lock is held for a
//! copy or a swap, never for I/O.

use std::io::Write;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many bytes of lines may wait for the writer; as many again may be in its hands.
pub(crate) const CAPACITY: usize = 4 * 1024 * 1024;

/// The sending side. Dropping it ends the writer thread once everything is written.
#[derive(Debug)]
pub(crate) struct Sender(Arc<Queue>);

/// Asks after the queue's state without keeping it open.
#[derive(Clone, Debug)]
pub(crate) struct Observer(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    /// Signalled when there is something to write or nothing more to come.
    work: Condvar,
    /// Signalled when everything is written.
    idle: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: String,
    /// Lines refused and not reported yet.
    unreported: u64,
    /// Lines refused since the start.
    dropped: u64,
    writer: Writer,
    closed: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Writer {
    #[default]
    Busy,
    /// Waits for `work`; only then is it worth a system call to wake it.
    Asleep,
    Gone,
}

/// Starts the writer thread. `report` appends a line that says how many were dropped.
pub(crate) fn start(
    capacity: usize,
    mut out: Box<dyn Write + Send>,
    report: impl Fn(&mut String, u64) + Send + 'static,
) -> std::io::Result<Sender> {
    let queue = Arc::new(Queue {
        state: Mutex::default(),
        work: Condvar::new(),
        idle: Condvar::new(),
        capacity,
    });
    let shared = Arc::clone(&queue);
    thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || shared.write_until_closed(&mut *out, &report))?;
    Ok(Sender(queue))
}

impl Sender {
    /// Takes a line, or drops and counts it when there is no room.
    pub(crate) fn send(&self, line: &str) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > self.0.capacity {
            state.unreported += 1;
            state.dropped += 1;
            return;
        }
        state.waiting.push_str(line);
        if state.writer == Writer::Asleep {
            state.writer = Writer::Busy;
            drop(state);
            self.0.work.notify_one();
        }
    }

    pub(crate) fn observer(&self) -> Observer {
        Observer(Arc::clone(&self.0))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Observer {
    /// How many lines were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    /// Waits until everything sent so far is written, at most for `limit`; says whether it is.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.0.lock();
        loop {
            match state.writer {
                Writer::Asleep => return true,
                Writer::Gone => return state.waiting.is_empty(),
                Writer::Busy => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = match self.0.idle.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Queue {
    /// A thread that panicked with the lock held has left nothing half done: go on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_until_closed(&self, out: &mut dyn Write, report: &dyn Fn(&mut String, u64)) {
        let mut batch = String::new();
        while let Some(dropped) = self.next_batch(&mut batch) {
            if dropped > 0 {
                report(&mut batch, dropped);
            }
            // An output that is gone or full is nothing that a log could tell anybody.
            if out
                .write_all(batch.as_bytes())
                .and_then(|()| out.flush())
                .is_err()
            {
                continue;
            }
        }
    }

    /// Waits for lines and swaps them into `batch`. The lines dropped meanwhile come after them in
    /// time, so their number is reported at the batch's end. `None` when nothing more will come.
    fn next_batch(&self, batch: &mut String) -> Option<u64> {
        batch.clear();
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                state.writer = Writer::Gone;
                self.idle.notify_all();
                return None;
            }
            state.writer = Writer::Asleep;
            self.idle.notify_all();
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.writer = Writer::Busy;
        mem::swap(&mut state.waiting, batch);
        Some(mem::take(&mut state.unreported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::mpsc;

    /// An output that reports each write and waits for leave to finish it.
    struct Gate {
        written: mpsc::Sender<String>,
        leave: mpsc::Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written
                .send(String::from_utf8(bytes.to_vec()).unwrap())
                .map_err(io::Error::other)?;
            self.leave.recv().map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated(capacity: usize) -> (Sender, mpsc::Receiver<String>, mpsc::Sender<()>) {
        let (written, writes) = mpsc::channel();
        let (allow, leave) = mpsc::channel();
        let sender = start(
            capacity,
            Box::new(Gate { written, leave }),
            |out, dropped| {
                out.push_str(&format!("{dropped} dropped\n"));
            },
        )
        .unwrap();
        (sender, writes, allow)
    }

    #[test]
    fn what_waits_is_written_at_once_and_in_order() {
        let (sender, writes, allow) = gated(CAPACITY);
        sender.send("one\n");
        assert_eq!(writes.recv().unwrap(), "one\n");
        sender.send("two\n");
        sender.send("three\n");
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "two\nthree\n");
    }

    #[test]
    fn without_room_lines_are_dropped_counted_and_reported() {
        let (sender, writes, allow) = gated(8);
        let observer = sender.observer();
        sender.send("first\n");
        assert_eq!(writes.recv().unwrap(), "first\n");
        for line in ["aaaa\n", "bbbb\n", "cccc\n", "dd\n"] {
            sender.send(line);
        }
        assert_eq!(observer.dropped(), 2);
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "aaaa\ndd\n2 dropped\n");
        sender.send("later\n");
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "later\n");
        assert_eq!(observer.dropped(), 2);
    }

    #[test]
    fn flush_waits_for_the_output_and_no_longer_than_it_may() {
        let (sender, writes, allow) = gated(CAPACITY);
        let observer = sender.observer();
        sender.send("stuck\n");
        assert_eq!(writes.recv().unwrap(), "stuck\n");
        assert!(!observer.flush(Duration::from_millis(10)));
        allow.send(()).unwrap();
        assert!(observer.flush(Duration::from_secs(60)));
    }

    #[test]
    fn what_was_sent_before_the_end_is_still_written() {
        let (sender, writes, allow) = gated(CAPACITY);
        let observer = sender.observer();
        sender.send("last\n");
        drop(sender);
        allow.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "last\n");
        assert!(observer.flush(Duration::from_secs(60)));
    }

    #[test]
    fn an_output_that_fails_does_not_end_the_log() {
        let (sender, writes, allow) = gated(CAPACITY);
        drop(writes);
        sender.send("lost\n");
        assert!(sender.observer().flush(Duration::from_secs(60)));
        sender.send("lost too\n");
        assert!(sender.observer().flush(Duration::from_secs(60)));
        drop(allow);
    }
}
