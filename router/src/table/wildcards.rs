//! Which wildcard hosts can possibly be registered.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The lengths of all wildcard hosts that were ever registered: most labels of an unknown host
/// need no look-up, and a hostile host of thousands of labels costs no more than an ordinary one.
#[derive(Debug, Default)]
pub(crate) struct Wildcards {
    longest: AtomicUsize,
    /// A bit for each length modulo 256.
    lengths: [AtomicU64; 4],
}

impl Wildcards {
    /// Remembers `host` if it is a wildcard. To be called before the host is published.
    pub(crate) fn add(&self, host: &[u8]) {
        if host.starts_with(b"*.")
            && let Some((word, bit)) = self.bit(host.len())
        {
            word.fetch_or(bit, Ordering::Relaxed);
            self.longest.fetch_max(host.len(), Ordering::Release);
        }
    }

    /// Positions of the dots in `host` before which a star could stand, from left to right.
    pub(crate) fn dots(&self, host: &[u8]) -> impl Iterator<Item = usize> {
        let longest = self.longest.load(Ordering::Acquire);
        let skip = (1 + host.len()).saturating_sub(longest);
        let rest = host.iter().enumerate().skip(skip);
        rest.filter(|(_, byte)| **byte == b'.')
            .map(|(dot, _)| dot)
            .filter(move |dot| {
                let bit = self.bit(1 + host.len() - dot);
                bit.is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
            })
    }

    fn bit(&self, length: usize) -> Option<(&AtomicU64, u64)> {
        let word = self.lengths.get(length / 64 % self.lengths.len())?;
        Some((word, 1 << (length % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(wildcards: &Wildcards, host: &str) -> Vec<usize> {
        wildcards.dots(host.as_bytes()).collect()
    }

    #[test]
    fn only_lengths_that_were_registered_are_candidates() {
        let wildcards = Wildcards::default();
        assert!(dots(&wildcards, "a.b.c.d").is_empty());
        wildcards.add(b"a.b");
        assert!(dots(&wildcards, "a.b.c.d").is_empty());
        wildcards.add(b"*.x");
        assert_eq!(dots(&wildcards, "a.b.c.d"), [5]);
        assert_eq!(dots(&wildcards, "..d"), [1]);
        wildcards.add(b"*.x.y.z");
        assert_eq!(dots(&wildcards, "a.b.c.d"), [1, 5]);
    }

    #[test]
    fn a_long_host_is_searched_at_its_end_only() {
        let wildcards = Wildcards::default();
        wildcards.add(b"*.x");
        let host = "a.".repeat(100_000) + "x";
        assert_eq!(dots(&wildcards, &host), [199_999]);
        let long = "*.".to_owned() + &"y".repeat(300);
        wildcards.add(long.as_bytes());
        let host = format!("a.{}", "y".repeat(300));
        assert_eq!(dots(&wildcards, &host), [1]);
    }
}
