//! A host that is looked for, and its wildcards, without allocation.

/// Longest host name that is hashed as a whole. A longer one is hashed by its last bytes only:
/// DNS ends at 253, so such names are rare and may well share a bucket.
const TAIL: usize = 255;

/// A host as sent, folded to lower case as far as its hash needs it.
pub(crate) struct FoldedHost<'a> {
    raw: &'a [u8],
    /// One byte for the star of a wildcard, then the lower-case tail.
    buffer: [u8; 1 + TAIL],
    tail: usize,
}

/// One exact or wildcard host to be found in the table.
pub(crate) struct SoughtHost<'a> {
    /// The whole name in lower case, or the last `TAIL` bytes of a longer one.
    tail: &'a [u8],
    length: usize,
    /// What follows the star if there is one, else the whole name; any case.
    raw: &'a [u8],
    star: bool,
}

impl<'a> FoldedHost<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        let tail = raw.len().min(TAIL);
        let mut buffer = [0; 1 + TAIL];
        if let (Some(to), Some(from)) = (buffer.get_mut(1..=tail), raw.get(raw.len() - tail..)) {
            // Not copied first and changed then: reading what was just written costs a stall.
            for (to, from) in to.iter_mut().zip(from) {
                *to = from.to_ascii_lowercase();
            }
        }
        Self { raw, buffer, tail }
    }

    /// The host itself.
    pub(crate) fn exact(&self) -> SoughtHost<'_> {
        SoughtHost {
            tail: self.buffer.get(1..=self.tail).unwrap_or_default(),
            length: self.raw.len(),
            raw: self.raw,
            star: false,
        }
    }

    /// The wildcard that replaces everything before the dot at `dot`. Overwrites the byte before
    /// the dot, so dots are to be taken from left to right.
    pub(crate) fn wildcard(&mut self, dot: usize) -> SoughtHost<'_> {
        let raw = self.raw.get(dot..).unwrap_or_default();
        let length = 1 + raw.len();
        let end = 1 + self.tail;
        let start = end.saturating_sub(length.min(TAIL));
        if length <= TAIL
            && let Some(byte) = self.buffer.get_mut(start)
        {
            *byte = b'*';
        }
        SoughtHost {
            tail: self.buffer.get(start..end).unwrap_or_default(),
            length,
            raw,
            star: true,
        }
    }
}

impl SoughtHost<'_> {
    /// What the hash is taken of.
    pub(crate) fn hashed(&self) -> &[u8] {
        self.tail
    }

    /// Whether `name`, in lower case, is this host.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        if name.len() != self.length {
            return false;
        }
        if self.length <= TAIL {
            return name == self.tail;
        }
        let rest = if self.star {
            name.strip_prefix(b"*")
        } else {
            Some(name)
        };
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(self.raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<String> {
        let long = "a.B".repeat(200);
        let lengths = [1, 2, 3, 253, 254, 255, 256, 257, 600];
        let mut hosts: Vec<_> = lengths.map(|length| long[..length].to_owned()).into();
        hosts.extend(["x".into(), ".x".into(), "A.b.C".into(), "*.b.c".into()]);
        hosts
    }

    #[test]
    fn a_host_is_found_by_its_lower_case_name_only() {
        for host in hosts() {
            let lower = host.to_lowercase();
            let folded = FoldedHost::new(host.as_bytes());
            let sought = folded.exact();
            let registered = FoldedHost::new(lower.as_bytes());
            assert!(sought.is(lower.as_bytes()), "{host}");
            assert!(!sought.is(format!("{lower}x").as_bytes()));
            assert!(!sought.is(format!("x{}", &lower[1..]).as_bytes()) || lower.starts_with('x'));
            assert_eq!(sought.hashed(), registered.exact().hashed());
        }
    }

    #[test]
    fn wildcards_hash_and_compare_like_their_registered_names() {
        for host in hosts() {
            let lower = host.to_lowercase();
            let mut folded = FoldedHost::new(host.as_bytes());
            for (dot, _) in lower.match_indices('.') {
                let name = format!("*{}", &lower[dot..]);
                let sought = folded.wildcard(dot);
                let registered = FoldedHost::new(name.as_bytes());
                assert!(sought.is(name.as_bytes()), "{host} at {dot}");
                assert!(!sought.is(format!("x{}", &lower[dot..]).as_bytes()));
                assert_eq!(sought.hashed(), registered.exact().hashed());
            }
        }
    }
}
