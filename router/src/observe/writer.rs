//! The log thread: formats batches and hands the lines to the sinks.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::format::Format;
use super::record::View;
use super::sink::{Lines, Sink};

/// How long the thread waits for what other workers have to say about the same moment: the time between two of their calls
/// to `flush_if_due`, and as much as a busy machine may keep one of them from its turn.
const GATHER: Duration = Duration::from_millis(50);
/// With so many batches in hand it does not wait: then nobody reads the log as it grows.
const ENOUGH: usize = 4;

/// What the thread is sent.
pub(super) enum Message {
    /// Records, and where their memory goes back to.
    Batch(Batch, SyncSender<Batch>),
    /// Everything sent before this is written, then the thread ends.
    Stop,
}

type Held = Vec<(Batch, SyncSender<Batch>)>;

/// Runs until it is told to stop or nobody can send any more.
pub(super) fn run(messages: &Receiver<Message>, mut format: Format, mut sinks: Vec<Box<dyn Sink>>) {
    let mut held = Held::new();
    let mut lines = Lines::default();
    let mut open = true;
    while open {
        open = gather(messages, &mut held);
        write(&held, &mut format, &mut lines, &mut sinks);
        for (mut batch, home) in held.drain(..) {
            batch.clear();
            // The worker is gone, or has enough: then the memory is freed here.
            drop(home.try_send(batch));
        }
    }
    for sink in &mut sinks {
        sink.close();
    }
}

/// Waits for batches. False when there are none behind these.
fn gather(messages: &Receiver<Message>, held: &mut Held) -> bool {
    let Ok(Message::Batch(batch, home)) = messages.recv() else {
        return false;
    };
    held.push((batch, home));
    let until = Instant::now() + GATHER;
    while held.len() < ENOUGH {
        match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Batch(batch, home)) => held.push((batch, home)),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    true
}

/// Writes the records in the order in which their exchanges ended, whichever worker they come from.
fn write(held: &Held, format: &mut Format, lines: &mut Lines, sinks: &mut [Box<dyn Sink>]) {
    if held.is_empty() {
        return;
    }
    let mut records: Vec<View<'_>> = held.iter().flat_map(|(batch, _)| batch.records()).collect();
    // Stable, and quick with what is sorted in long runs, which a batch is.
    records.sort_by_key(View::ended_unix_ns);
    lines.clear();
    if sinks.iter().any(|sink| sink.reads_lines()) {
        for record in &records {
            format.push_line(&mut lines.text, record);
            lines.ends.push(lines.text.len());
        }
    }
    for sink in sinks {
        sink.take(lines, &records);
    }
}
