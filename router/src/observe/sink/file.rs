//! The access log file.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Lines, Sink};
use crate::observe::losses::Losses;
use crate::observe::record::View;

/// How often a failing file is spoken of.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A file that lines are appended to. A write error (a full disk) costs the lines in hand and nothing else: they are
/// counted, the component log says so at most once a minute, and the next lines are tried again.
#[derive(Debug)]
pub(in crate::observe) struct File<W = std::fs::File> {
    out: W,
    losses: Arc<Losses>,
    /// The rest of a line whose beginning is in the file already.
    cut: Vec<u8>,
    reported: Option<Instant>,
}

impl File {
    /// Opens for appending, made with mode 0644 when it is missing.
    pub(in crate::observe) fn open(path: &Path, losses: Arc<Losses>) -> io::Result<File> {
        let out = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(path)?;
        Ok(File::new(out, losses))
    }
}

impl<W: Write> File<W> {
    fn new(out: W, losses: Arc<Losses>) -> File<W> {
        File {
            out,
            losses,
            cut: Vec::new(),
            reported: None,
        }
    }

    /// Writes the rest of the cut line.
    fn mend(&mut self) -> io::Result<()> {
        let cut = std::mem::take(&mut self.cut);
        let (written, outcome) = write(&mut self.out, &cut);
        self.cut.extend_from_slice(&cut[written..]);
        outcome
    }

    fn lose(&mut self, lines: usize, error: &io::Error) {
        self.losses.failed(lines as u64);
        let now = Instant::now();
        if self
            .reported
            .is_none_or(|then| now.duration_since(then) >= REPORT_EVERY)
        {
            self.reported = Some(now);
            tracing::error!(%error, records = lines, total = self.losses.failed_records(), "access-log-write-failed");
        }
    }
}

impl<W: Write + Send> Sink for File<W> {
    fn take(&mut self, lines: &Lines, _: &[View<'_>]) {
        if let Err(error) = self.mend() {
            return self.lose(lines.ends.len(), &error);
        }
        let (written, Err(error)) = write(&mut self.out, &lines.text) else {
            return;
        };
        let whole = lines.ends.partition_point(|&end| end <= written);
        let start = whole.checked_sub(1).map_or(0, |last| lines.ends[last]);
        // A line that has begun is finished before the next, so that no two run into one another.
        let begun = usize::from(start < written);
        if begun == 1 {
            self.cut
                .extend_from_slice(&lines.text[written..lines.ends[whole]]);
        }
        self.lose(lines.ends.len() - whole - begun, &error);
    }

    fn close(&mut self) {
        if let Err(error) = self.mend().and_then(|()| self.out.flush()) {
            self.lose(1, &error);
        }
    }
}

/// How many bytes were written, and what stopped it.
fn write(out: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so many bytes left.
    #[derive(Default)]
    struct Disk {
        bytes: Vec<u8>,
        free: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.free);
            if taken == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.free -= taken;
            self.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(texts: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for text in texts {
            lines.text.extend_from_slice(text.as_bytes());
            lines.ends.push(lines.text.len());
        }
        lines
    }

    #[test]
    fn a_full_disk_costs_whole_lines_and_they_are_counted() {
        let losses = Arc::new(Losses::default());
        let mut file = File::new(
            Disk {
                free: 6,
                ..Disk::default()
            },
            Arc::clone(&losses),
        );
        file.take(&lines(&["one\n", "two\n", "three\n"]), &[]);
        assert_eq!(
            (file.out.bytes.as_slice(), losses.failed_records()),
            (&b"one\ntw"[..], 1)
        );
        file.take(&lines(&["four\n", "five\n"]), &[]);
        assert_eq!(
            (file.out.bytes.as_slice(), losses.failed_records()),
            (&b"one\ntw"[..], 3)
        );
        file.out.free = 100;
        file.take(&lines(&["six\n"]), &[]);
        assert_eq!(
            (file.out.bytes.as_slice(), losses.failed_records()),
            (&b"one\ntwo\nsix\n"[..], 3)
        );
    }

    #[test]
    fn a_disk_that_fills_between_two_lines_leaves_nothing_to_mend() {
        let losses = Arc::new(Losses::default());
        let mut file = File::new(
            Disk {
                free: 4,
                ..Disk::default()
            },
            Arc::clone(&losses),
        );
        file.take(&lines(&["one\n", "two\n"]), &[]);
        assert_eq!((file.cut.len(), losses.failed_records()), (0, 1));
    }

    #[test]
    fn closing_finishes_the_cut_line() {
        let mut file = File::new(
            Disk {
                free: 2,
                ..Disk::default()
            },
            Arc::default(),
        );
        file.take(&lines(&["one\n"]), &[]);
        file.out.free = 100;
        file.close();
        assert_eq!(file.out.bytes, b"one\n");
    }
}
