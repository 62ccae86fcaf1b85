//! Records on their way from a worker to the log thread.

use super::record::{Entry, Piece, Pieces, Record, View};

/// Records one after the other, all parts of a kind in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Batch {
    kept: Vec<Kept>,
    text: Vec<u8>,
    extra: Vec<Option<Piece>>,
}

#[derive(Debug)]
struct Kept {
    entry: Entry,
    pieces: Pieces,
    /// Where its text ends; it begins where the record before ends.
    text: usize,
    /// Where what no line shows ends; it stands behind the text.
    aside: usize,
    /// Where in it the tags end.
    tags: usize,
    /// The same for its extra headers.
    extra: usize,
}

impl Batch {
    /// About this many bytes are worth being handed over.
    pub(super) const SIZE: usize = 64 * 1024;
    /// Memory beyond this is given back rather than kept for the next batch.
    const KEPT_SIZE: usize = 4 * Batch::SIZE;

    #[inline]
    pub(super) fn push(&mut self, record: &Record) {
        let View {
            entry,
            pieces,
            text,
            extra,
            aside,
            tags,
        } = record.view();
        self.text.extend_from_slice(text);
        let text = self.text.len();
        if !aside.is_empty() {
            self.text.extend_from_slice(aside);
        }
        if !extra.is_empty() {
            self.extra.extend_from_slice(extra);
        }
        self.kept.push(Kept {
            entry: *entry,
            pieces: *pieces,
            text,
            aside: self.text.len(),
            tags,
            extra: self.extra.len(),
        });
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.text.len() + self.kept.len() * size_of::<Kept>() >= Batch::SIZE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Number of records.
    pub(super) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    pub(super) fn records(&self) -> impl Iterator<Item = View<'_>> {
        let (mut start, mut extra) = (0, 0);
        self.kept.iter().map(move |kept| View {
            entry: &kept.entry,
            pieces: &kept.pieces,
            text: self
                .text
                .get(std::mem::replace(&mut start, kept.aside)..kept.text)
                .unwrap_or_default(),
            extra: self
                .extra
                .get(std::mem::replace(&mut extra, kept.extra)..kept.extra)
                .unwrap_or_default(),
            aside: self.text.get(kept.text..kept.aside).unwrap_or_default(),
            tags: kept.tags,
        })
    }

    /// Empties it; what one huge record made grow shrinks.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.text.clear();
        self.extra.clear();
        if self.text.capacity() > Batch::KEPT_SIZE {
            self.text = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::record::Text;

    fn record(host: &[u8], extra: &[Option<&[u8]>]) -> Record {
        let mut record = Record::default();
        record.set(Text::Host, host);
        for value in extra {
            record.push_extra(*value);
        }
        record
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut batch = Batch::default();
        batch.push(&record(b"a", &[Some(b"1"), None]));
        batch.push(&record(b"", &[]));
        let mut last = record(b"ccc", &[None, Some(b"22")]);
        last.set_tags([("component", "shop")].into_iter());
        last.set_trace("7", "8");
        batch.push(&last);
        let tags: Vec<_> = batch.records().map(|r| r.tags().count()).collect();
        assert_eq!(tags, [0, 0, 1]);
        let last = batch.records().last().unwrap();
        assert_eq!(last.tags().next(), Some((&b"component"[..], &b"shop"[..])));
        assert_eq!(last.tags_and_trace().count(), 3);
        let shown: Vec<_> = batch
            .records()
            .map(|r| (r.get(Text::Host), r.extra(0), r.extra(1)))
            .collect();
        assert_eq!(
            shown,
            [
                (&b"a"[..], &b"1"[..], &b""[..]),
                (b"", b"", b""),
                (b"ccc", b"", b"22")
            ]
        );
        batch.clear();
        assert!(batch.is_empty() && batch.records().next().is_none());
    }

    #[test]
    fn a_huge_record_does_not_keep_its_memory() {
        let mut batch = Batch::default();
        batch.push(&record(&vec![b'a'; 1024 * 1024], &[]));
        assert!(batch.is_full());
        batch.clear();
        assert!(batch.text.capacity() <= Batch::KEPT_SIZE);
    }
}
