//! The request target as the log shows it.

use super::redact::Redact;

/// Appends path and query. The path is shown as sent unless it holds a byte that has no place in a path (RFC 3986
/// section 3.3): then all of it is decoded and encoded anew, as Go's `URL.RequestURI` does (`/ä` becomes `/%C3%A4`, `/a#b`
/// becomes `/a%23b`). The query is shown as sent, or as `redact` wants it.
pub(super) fn push_target(out: &mut Vec<u8>, method: &[u8], target: &[u8], redact: Redact) {
    if method == b"CONNECT" && !target.starts_with(b"/") {
        out.push(b'/');
        return;
    }
    let plain = target
        .iter()
        .position(|&byte| !is(byte, PATH))
        .unwrap_or(target.len());
    let query = match target.get(plain..) {
        Some(query @ ([] | [b'?', ..])) => {
            out.extend_from_slice(if plain == 0 { b"/" } else { &target[..plain] });
            query
        }
        _ => {
            let end = target
                .iter()
                .position(|&byte| byte == b'?')
                .unwrap_or(target.len());
            push_encoded(out, &target[..end]);
            &target[end..]
        }
    };
    if let Some(query) = query.strip_prefix(b"?") {
        redact.push_query(out, method, query);
    }
}

#[cold]
fn push_encoded(out: &mut Vec<u8>, path: &[u8]) {
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        let (byte, next) = match rest {
            [b'%', high, low, behind @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                _ => (b'%', &rest[1..]),
            },
            _ => (*first, behind),
        };
        if is(byte, ENCODED) {
            out.push(byte);
        } else {
            let hex = b"0123456789ABCDEF";
            out.extend_from_slice(&[
                b'%',
                hex[usize::from(byte >> 4)],
                hex[usize::from(byte & 15)],
            ]);
        }
        rest = next;
    }
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// May stand in a path that is shown as sent.
const PATH: u8 = 1;
/// Stays as it is when a path is encoded anew; Go is stricter there.
const ENCODED: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => PATH | ENCODED,
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'='
            | b'@' => PATH | ENCODED,
            b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'%' => PATH,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(method: &str, target: &[u8]) -> String {
        let mut out = Vec::new();
        push_target(&mut out, method.as_bytes(), target, Redact::None);
        String::from_utf8(out).unwrap()
    }

    /// R-280; recorded from GoRouter.
    #[test]
    fn targets_are_shown_as_recorded() {
        for (target, expected) in [
            (
                &b"/very/deep/path/%E2%82%AC"[..],
                "/very/deep/path/%E2%82%AC",
            ),
            (b"/\xc3\xa4", "/%C3%A4"),
            (b"/a#frag", "/a%23frag"),
            (b"/?q=%zz", "/?q=%zz"),
            (b"/?a=1;b=2", "/?a=1;b=2"),
            (b"/?", "/?"),
            (b"/p?q=%20&x=\xe4", r"/p?q=%20&x=\xe4"),
            (b"//something.io", "//something.io"),
            (b"//path?q=x%0a", "//path?q=x%0a"),
            (b"*", "*"),
        ] {
            assert_eq!(shown("GET", target), expected);
        }
        assert_eq!(shown("CONNECT", b"app.test:443"), "/");
    }

    #[test]
    fn a_path_is_encoded_anew_as_a_whole() {
        assert_eq!(shown("GET", b"/a%2fb(c)"), "/a%2fb(c)");
        assert_eq!(
            shown("GET", b"/a%2fb(c)\"%3f\\%zz"),
            "/a/b%28c%29%22%3F%5C%25zz"
        );
    }

    #[test]
    fn a_missing_path_is_the_root() {
        assert_eq!(shown("GET", b""), "/");
        assert_eq!(shown("GET", b"?a=b"), "/?a=b");
    }
}
