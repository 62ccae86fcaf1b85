//! Which subjects are well formed, and which a pattern matches.

use crate::error::BusError;

/// Checks a subject to publish to: words without blanks, separated by points, no wildcards.
pub(crate) fn check(subject: &str) -> Result<(), BusError> {
    if subject.split('.').all(is_word) {
        Ok(())
    } else {
        Err(BusError::Subject(subject.to_owned()))
    }
}

/// What a subscription listens to: `*` stands for one word, `>` at the end for one or more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Box<str>);

impl Pattern {
    pub(crate) fn parse(pattern: &str) -> Result<Pattern, BusError> {
        let words = pattern.strip_suffix(".>").unwrap_or(pattern);
        let sound = pattern == ">" || words.split('.').all(|word| word == "*" || is_word(word));
        if sound {
            Ok(Pattern(pattern.into()))
        } else {
            Err(BusError::Subject(pattern.to_owned()))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, subject: &str) -> bool {
        let mut words = subject.split('.');
        for expected in self.0.split('.') {
            match (expected, words.next()) {
                (_, None) => return false,
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (expected, Some(word)) if expected == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word != "*"
        && word != ">"
        && !word.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, subject: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(subject)
    }

    #[test]
    fn a_star_is_exactly_one_word() {
        assert!(matches("router.*", "router.register"));
        assert!(matches("*.register", "router.register"));
        assert!(!matches("router.*", "router"));
        assert!(!matches("router.*", "router.register.x"));
    }

    #[test]
    fn a_greater_sign_is_one_word_or_more() {
        assert!(matches("router.>", "router.register"));
        assert!(matches("router.>", "router.register.x"));
        assert!(matches(">", "router"));
        assert!(!matches("router.>", "router"));
    }

    #[test]
    fn without_wildcards_only_the_same_subject_matches() {
        assert!(matches("router.start", "router.start"));
        assert!(!matches("router.start", "router.Start"));
        assert!(!matches("router.start", "router.start.x"));
        assert!(!matches("router.start", "router.started"));
    }

    #[test]
    fn malformed_subjects_and_patterns_are_refused() {
        for subject in ["", ".", "a.", ".a", "a..b", "a b", "a\r\nPUB x", "a.*", ">"] {
            assert!(check(subject).is_err(), "{subject:?}");
        }
        for pattern in ["", "a.", "a..b", "a b", "a.>.b", ">.a", "a\n"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
