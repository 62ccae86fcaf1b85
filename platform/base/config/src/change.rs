//! How one configuration differs from another, key by key.

use crate::secret::{REDACTED, is_secret};

/// Longest value that is repeated, in characters.
const SHOWN: usize = 60;

/// A key whose value differs. Values of secret keys and PEM text are never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path of the key, such as `status.tls.port` or `tls_pem[0].cert_chain`.
    pub key: String,
    /// The value before, as it would be written.
    pub from: String,
    /// The value now.
    pub to: String,
}

impl Change {
    /// Of the key at `key`, with both values as they would be written.
    pub fn new(key: &str, from: &str, to: &str) -> Change {
        Change {
            key: key.to_owned(),
            from: shown(key, from),
            to: shown(key, to),
        }
    }
}

/// The path of a key below another; the top has none.
pub fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

fn shown(key: &str, value: &str) -> String {
    if value.contains("-----BEGIN ") {
        return "PEM text".to_owned();
    }
    if is_secret(key) {
        return REDACTED.to_owned();
    }
    let mut cut: String = value.chars().take(SHOWN).collect();
    if cut.len() < value.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Document, Reader, Value};

    crate::section! {
        /// An entry.
        pub struct Entry {
            /// Name.
            name: String => Works,
            /// Key.
            private_key: String => Works,
        }
    }

    crate::section! {
        /// All.
        pub struct All {
            /// Time.
            time: Duration = Duration::from_secs(1) => Works,
            /// One.
            one: Entry => Works,
            /// Many.
            many: Vec<Entry> => Works,
            /// Words.
            words: Vec<String> => Works,
        }
    }

    fn read(text: &str) -> All {
        Reader::read(&Document::parse(text).unwrap()).0
    }

    fn changes(from: &str, to: &str, take: bool) -> (All, Vec<String>) {
        let (mut config, mut seen) = (read(from), Vec::new());
        config.merge(&read(to), "", &mut |change| {
            seen.push(format!("{}: {} -> {}", change.key, change.from, change.to));
            take
        });
        (config, seen)
    }

    const BEFORE: &str = "time: 2s\none: {name: a, private_key: x}\nmany: [{name: b}, {name: c}]";

    #[test]
    fn keys_that_differ_are_named_with_both_values_and_without_secrets() {
        let after = "one: {name: d, private_key: y}\nmany: [{name: b}, {name: e}]\nwords: [f, g]";
        let expected = [
            "time: 2s -> 1s",
            "one.name: a -> d",
            "one.private_key: <redacted> -> <redacted>",
            "many[1].name: c -> e",
            "words: empty -> [f, g]",
        ];
        let (kept, seen) = changes(BEFORE, after, false);
        assert_eq!(seen, expected);
        assert_eq!(kept, read(BEFORE));
        let (taken, seen) = changes(BEFORE, after, true);
        assert_eq!(seen, expected);
        assert_eq!(taken, read(after));
    }

    #[test]
    fn a_list_of_maps_that_grows_or_shrinks_is_one_change() {
        let (taken, seen) = changes(BEFORE, "time: 2s\none: {name: a, private_key: x}", true);
        assert_eq!(seen, ["many: a list of 2 -> a list of 0"]);
        assert_eq!(taken.many, []);
    }

    #[test]
    fn pem_text_is_not_repeated() {
        let (_, seen) = changes("", "words: ['-----BEGIN CERTIFICATE-----']", true);
        assert_eq!(seen, ["words: empty -> PEM text"]);
    }
}
