//! A registered uri, taken apart.

/// The route that a registered uri names, still in the letter case of the registration.
///
/// The query is cut off and one trailing slash removed; a slash in front of the
/// host is skipped. Two uris name the same route when host and path are equal without regard to
/// ASCII case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteUri<'a> {
    /// Host, or wildcard host such as `*.example.com`; never empty.
    pub(crate) host: &'a str,
    /// Context path: empty, or from its first slash on, such as `/x`.
    pub(crate) path: &'a str,
    /// The context path as registered, a trailing slash included; empty when there is none.
    pub(crate) path_as_registered: &'a str,
}

impl<'a> RouteUri<'a> {
    /// `None` when there is no host to find the route by.
    pub(crate) fn parse(uri: &'a str) -> Option<Self> {
        let end = memchr::memchr(b'?', uri.as_bytes()).unwrap_or(uri.len());
        let uri = uri.get(..end)?;
        let uri = uri.strip_prefix('/').unwrap_or(uri);
        let slash = memchr::memchr(b'/', uri.as_bytes()).unwrap_or(uri.len());
        let (host, path_as_registered) = uri.split_at_checked(slash)?;
        if host.is_empty() {
            return None;
        }
        let path = path_as_registered
            .strip_suffix('/')
            .unwrap_or(path_as_registered);
        Some(Self {
            host,
            path,
            path_as_registered,
        })
    }
}

/// Whether `path` (any case) is `context` (lower case) or below it, by whole segments.
pub(crate) fn is_within(context: &[u8], path: &[u8]) -> bool {
    common_prefix(context, path) == context.len() && ends_segment(path, context.len())
}

/// Whether a segment of `path` ends before the byte at `length`.
pub(crate) fn ends_segment(path: &[u8], length: usize) -> bool {
    path.get(length).is_none_or(|&byte| byte == b'/')
}

/// How many bytes `lower` (lower case) and `any` (any case) have in common at their beginnings.
pub(crate) fn common_prefix(lower: &[u8], any: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    // A word at a time: the paths of one host often begin alike, and a hostile request's path must
    // not cost a branch per byte.
    let (lower_words, _) = lower.as_chunks::<WORD>();
    let (any_words, _) = any.as_chunks::<WORD>();
    for (index, (lower, any)) in lower_words.iter().zip(any_words).enumerate() {
        let differing = u64::from_le_bytes(*lower) ^ lower_case(u64::from_le_bytes(*any));
        if differing != 0 {
            return index * WORD + differing.trailing_zeros() as usize / 8;
        }
    }
    let equal = lower_words.len().min(any_words.len()) * WORD;
    let lower_rest = lower.get(equal..).unwrap_or_default();
    let any_rest = any.get(equal..).unwrap_or_default();
    let rest = lower_rest.iter().zip(any_rest);
    equal
        + rest
            .take_while(|(lower, any)| **lower == any.to_ascii_lowercase())
            .count()
}

/// Eight ASCII letters in lower case at once; other bytes stay.
fn lower_case(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = 0x80 * ONES;
    // Adding to seven bits carries into the eighth from 'A' on, or from behind 'Z' on.
    let seven = word & !HIGH;
    let from_a = seven + ONES * (0x80 - b'A' as u64);
    let after_z = seven + ONES * (0x7f - b'Z' as u64);
    let upper = from_a & !after_z & !word & HIGH;
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> (&str, &str, &str) {
        let uri = RouteUri::parse(uri).unwrap();
        (uri.host, uri.path, uri.path_as_registered)
    }

    //
    #[test]
    fn a_query_and_one_trailing_slash_are_cut_off() {
        assert_eq!(parts("a.com"), ("a.com", "", ""));
        assert_eq!(parts("a.com/"), ("a.com", "", "/"));
        assert_eq!(parts("a.com/path?x=1"), ("a.com", "/path", "/path"));
        assert_eq!(parts("a.com/path/?x=1"), ("a.com", "/path", "/path/"));
        assert_eq!(parts("a.com?x=/1"), ("a.com", "", ""));
        assert_eq!(parts("a.com//"), ("a.com", "/", "//"));
        assert_eq!(parts("/a.com/X/"), ("a.com", "/X", "/X/"));
    }

    #[test]
    fn a_uri_without_a_host_names_no_route() {
        assert_eq!(RouteUri::parse(""), None);
        assert_eq!(RouteUri::parse("/"), None);
        assert_eq!(RouteUri::parse("?a=b"), None);
        assert_eq!(RouteUri::parse("//x"), None);
    }

    //
    #[test]
    fn a_path_is_within_a_context_by_whole_segments() {
        assert!(is_within(b"", b""));
        assert!(is_within(b"", b"/x"));
        assert!(!is_within(b"", b"*"));
        assert!(is_within(b"/foo", b"/foo"));
        assert!(is_within(b"/foo", b"/FOO/bar"));
        assert!(!is_within(b"/foo", b"/foobar"));
        assert!(!is_within(b"/foo", b"/fo"));
    }

    #[test]
    fn words_get_lower_case_byte_by_byte() {
        for byte in 0..=u8::MAX {
            let word = u64::from_le_bytes([byte, b'A', byte, b'z', 0xff, byte, b'@', b'[']);
            let lower = word.to_le_bytes().map(|byte| byte.to_ascii_lowercase());
            assert_eq!(lower_case(word).to_le_bytes(), lower);
        }
    }

    #[test]
    fn the_common_prefix_is_found_on_both_sides_of_a_step() {
        let lower = "/abcdefghijklmnopqrstuvwxyz0123456789".as_bytes();
        let upper = lower.to_ascii_uppercase();
        for length in 0..=lower.len() {
            assert_eq!(common_prefix(&lower[..length], &upper), length);
            assert_eq!(common_prefix(lower, &upper[..length]), length);
            let mut other = upper.clone();
            if let Some(byte) = other.get_mut(length) {
                *byte = b'#';
            }
            assert_eq!(common_prefix(lower, &other), length);
        }
    }
}
