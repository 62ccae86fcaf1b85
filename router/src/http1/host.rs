//! The value of Host (RFC 9110 section 7.2) as far as a router must understand it.

/// Whether every byte may stand in a Host value. White space, markup and user information may not.
pub fn is_well_formed(host: &[u8]) -> bool {
    host.iter().all(|&byte| HOST[byte as usize])
}

const HOST: [bool; 256] = {
    let mut table = [false; 256];
    let allowed =
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$%&'()*+,-.:;=[]_~";
    let mut at = 0;
    while at < allowed.len() {
        table[allowed[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether `text` is a host, or an address in brackets, with an optional port behind it: what may stand in a target of the
/// absolute form (RFC 3986 section 3.2, without user information and escapes). A Host field may hold more, see
/// [`is_well_formed`].
pub fn is_authority(text: &[u8]) -> bool {
    let port = match text {
        [b'[', rest @ ..] => {
            let end = memchr::memchr(b']', rest).unwrap_or(0);
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if end == 0 || !rest[..end].iter().all(is_address) {
                return false;
            }
            &rest[end + 1..]
        }
        _ => {
            let (host, port) = text.split_at(memchr::memchr(b':', text).unwrap_or(text.len()));
            if !host
                .iter()
                .all(|&byte| HOST[byte as usize] && !matches!(byte, b'[' | b']' | b'%'))
            {
                return false;
            }
            port
        }
    };
    match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The host without its port: cut at the first colon (spec 3.1).
pub fn without_port(host: &[u8]) -> &[u8] {
    memchr::memchr(b':', host).map_or(host, |at| &host[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_spaces_and_user_information_are_malformed() {
        for host in ["<script>", "a b", "user@a.test", "a/b", "a\"b"] {
            assert!(!is_well_formed(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "a.test",
            "my_app.test:80",
            "[2001:db8::1]:80",
            "*.b.test",
        ] {
            assert!(is_well_formed(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn an_authority_is_a_host_or_an_address_with_an_optional_port() {
        for text in [
            "",
            "a.test",
            "a.test:80",
            "a.test:",
            "my_app",
            "[::1]",
            "[2001:db8::1]:80",
            "*.b.test",
        ] {
            assert!(is_authority(text.as_bytes()), "{text}");
        }
        for text in [
            "a:b", "a:1:2", "a:-1", "[::1", "::1", "[]", "[::1]x", "[g::]", "a]", "u@a", "a%41",
            "a b", "a#b", "[::1]:x",
        ] {
            assert!(!is_authority(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_port_is_cut_at_the_first_colon() {
        assert_eq!(without_port(b"a.test:80"), b"a.test");
        assert_eq!(without_port(b"[::1]:80"), b"[");
        assert_eq!(without_port(b"a.test"), b"a.test");
    }
}
