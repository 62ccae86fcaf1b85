//! Cookies as they stand in headers (RFC 6265 sections 4.1.1 and 4.2.1): names, values, attributes, nothing decoded.

/// The cookies of a `Cookie` value in order, names and values without what stands around them.
pub(super) fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value
        .split(|&byte| byte == b';')
        .map(pair)
        .filter(|(name, _)| !name.is_empty())
}

/// A `Set-Cookie` value: the cookie, and its attributes in order. An attribute without a value has an empty one.
pub(super) fn set(value: &[u8]) -> (Cookie<'_>, impl Iterator<Item = Cookie<'_>>) {
    let mut parts = value.split(|&byte| byte == b';').map(pair);
    (parts.next().unwrap_or_default(), parts)
}

/// A name and a value.
pub(super) type Cookie<'a> = (&'a [u8], &'a [u8]);

fn pair(part: &[u8]) -> Cookie<'_> {
    let (name, value) = match memchr::memchr(b'=', part) {
        Some(at) => (&part[..at], &part[at + 1..]),
        None => (part, &b""[..]),
    };
    let value = value.trim_ascii();
    let bare = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    (name.trim_ascii(), bare.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        pairs(value.as_bytes())
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn cookies_come_in_order_and_without_quotes_and_white_space() {
        assert_eq!(
            read("a=1; b = \"2\" ;c;;=3; d=x=y; a=4"),
            [("a", "1"), ("b", "2"), ("c", ""), ("d", "x=y"), ("a", "4")]
        );
        assert_eq!(read(""), []);
        assert_eq!(read("a=\"; b=\"\""), [("a", "\""), ("b", "")]);
    }

    #[test]
    fn a_cookie_that_is_set_comes_with_its_attributes() {
        let (cookie, attributes) = set(b"S = x; Path=/a;secure; ;SameSite = Lax");
        assert_eq!(cookie, (&b"S"[..], &b"x"[..]));
        let attributes: Vec<_> = attributes.collect();
        assert_eq!(
            attributes,
            [
                (&b"Path"[..], &b"/a"[..]),
                (b"secure", b""),
                (b"", b""),
                (b"SameSite", b"Lax")
            ]
        );
    }
}
