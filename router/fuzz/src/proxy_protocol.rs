//! Headers of the PROXY protocol: a verdict does not depend on how the bytes arrive, and a client that is named can be
//! written down.

use cloverleaf_router::accept::proxy_protocol::{Header, Preamble, parse};

/// Bytes of the longest header that is read.
const LONGEST: usize = 16 * 1024;

/// Any bytes that a connection may begin with.
pub fn check(bytes: &[u8]) {
    let verdict = parse(bytes);
    if let Preamble::Header(Header { length, source }) = verdict {
        assert!(length <= bytes.len().min(LONGEST));
        assert_eq!(parse(&bytes[..length]), verdict, "nothing behind it counts");
        if let Some(source) = source {
            let line = match source.is_ipv4() {
                true => format!(
                    "PROXY TCP4 {} 192.0.2.1 {} 80\r\n",
                    source.ip(),
                    source.port()
                ),
                false => format!("PROXY TCP6 {} ::1 {} 80\r\n", source.ip(), source.port()),
            };
            let again = Preamble::Header(Header {
                length: line.len(),
                source: Some(source),
            });
            assert_eq!(parse(line.as_bytes()), again);
        }
    }
    let mut begun = false;
    for end in 0..bytes.len() {
        let part = parse(&bytes[..end]);
        match part {
            Preamble::Undecided => assert!(!begun),
            Preamble::Incomplete => begun = true,
            decided => {
                assert_eq!(decided, verdict, "more bytes do not change it");
                break;
            }
        }
        assert!(end < LONGEST, "it does not wait for ever");
    }
}
