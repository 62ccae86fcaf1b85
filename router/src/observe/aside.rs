//! What a record keeps beside the texts of its line: for Loggregator alone.

/// Tags, and behind them the ids of trace and span; each text with its length, four bytes, before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    text: Vec<u8>,
    /// Where the tags end.
    tags: usize,
}

impl Aside {
    /// Forgets all; the memory stays.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.tags = 0;
    }

    /// Keeps tags, in place of all that was kept.
    pub(super) fn set_tags<'a>(&mut self, tags: impl Iterator<Item = (&'a str, &'a str)>) {
        self.text.clear();
        for (name, value) in tags {
            self.push(name, value);
        }
        self.tags = self.text.len();
    }

    /// Keeps the ids of a trace, behind the tags.
    pub(super) fn set_trace(&mut self, trace: &str, span: &str) {
        self.text.truncate(self.tags);
        self.push("trace_id", trace);
        self.push("span_id", span);
    }

    /// All of it, for [`pairs`].
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where in it the tags end.
    pub(super) fn tags(&self) -> usize {
        self.tags
    }

    #[inline]
    fn push(&mut self, name: &str, value: &str) {
        // Texts of four GiB do not come from anywhere; such a pair would be left out.
        if let (Ok(name_length), Ok(value_length)) =
            (u32::try_from(name.len()), u32::try_from(value.len()))
        {
            self.text.extend_from_slice(&name_length.to_ne_bytes());
            self.text.extend_from_slice(name.as_bytes());
            self.text.extend_from_slice(&value_length.to_ne_bytes());
            self.text.extend_from_slice(value.as_bytes());
        }
    }
}

/// Names and values, as they were kept.
pub(super) fn pairs(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut next = move || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (text, behind) = behind.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
        rest = behind;
        Some(text)
    };
    std::iter::from_fn(move || Some((next()?, next()?)))
}
