//! The digits of credentials and certificates.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in base64, in one line and filled up to whole groups of four.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().chunks(3).flat_map(digits).collect()
}

/// The four digits of up to three bytes.
fn digits(bytes: &[u8]) -> [char; 4] {
    let bits = bytes
        .iter()
        .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
        << (8 * (3 - bytes.len()));
    [18, 12, 6, 0].map(|shift| {
        let is_filler = shift < 18 - 6 * bytes.len() as u32;
        if is_filler {
            '='
        } else {
            char::from(DIGITS[(bits >> shift) as usize & 63])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text), encoded);
        }
    }
}
