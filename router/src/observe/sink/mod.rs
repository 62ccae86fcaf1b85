//! Where finished lines go. One file a kind; each is independent of the others (spec 10.4).

mod file;
mod loggregator;
mod syslog;

pub(super) use file::File;
pub(super) use loggregator::Envelopes;
pub use syslog::Streaming;
pub(super) use syslog::Syslog;

use super::batch::Batch;
use super::record::View;

/// Receives lines on the log thread. It may wait: the workers don't wait for it.
pub(super) trait Sink: Send {
    /// Whether it takes lines at all, and not only records.
    fn reads_lines(&self) -> bool {
        true
    }

    /// Takes some lines, and the records that they show. There are no lines where no sink reads any.
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
    /// One line; empty when there is none with this number.
    pub(super) fn one(&self, number: usize) -> &[u8] {
        let before = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// Empties it; what one huge line made grow shrinks.
    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.text.clear();
        self.text.shrink_to(4 * Batch::SIZE);
    }
}
