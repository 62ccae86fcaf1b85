//! The log thread: formats batches and hands the lines to the sinks.

use std::sync::mpsc::{Receiver, SyncSender};

use super::batch::Batch;
use super::format::Format;
use super::sink::{Lines, Sink};

/// What the thread is sent.
pub(super) enum Message {
    /// Records, and where their memory goes back to.
    Batch(Batch, SyncSender<Batch>),
    /// Everything sent before this is written, then the thread ends.
    Stop,
}

/// Runs until it is told to stop or nobody can send any more.
pub(super) fn run(messages: &Receiver<Message>, mut format: Format, mut sinks: Vec<Box<dyn Sink>>) {
    let mut lines = Lines::default();
    while let Ok(Message::Batch(mut batch, home)) = messages.recv() {
        lines.clear();
        for record in batch.records() {
            format.push_line(&mut lines.text, &record);
            lines.ends.push(lines.text.len());
        }
        for sink in &mut sinks {
            sink.take(&lines, &batch);
        }
        batch.clear();
        // The worker is gone, or has enough: then the memory is freed here.
        drop(home.try_send(batch));
    }
    for sink in &mut sinks {
        sink.close();
    }
}
