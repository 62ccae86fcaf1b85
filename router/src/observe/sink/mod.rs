//! Where finished lines go. One file a kind; each is independent of the others (spec 10.4).

mod file;
mod syslog;

pub(super) use file::File;
pub use syslog::Streaming;
pub(super) use syslog::Syslog;

use super::batch::Batch;
use super::record::View;

/// Receives lines on the log thread. It may wait: the workers don't wait for it.
pub(super) trait Sink: Send {
    /// Takes some lines, and the records that they show.
    fn take(&mut self, lines: &Lines, records: &[View<'_>]);

    /// Tries once more to write what could not be written; the log ends after this.
    fn close(&mut self);
}

/// Lines, one after the other, each with its line break.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// All of them.
    pub(super) text: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
}

impl Lines {
    /// Empties it; what one huge line made grow shrinks.
    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.text.clear();
        self.text.shrink_to(4 * Batch::SIZE);
    }
}
