//! Quoted text as Go's `%q` prints it: what log readers made for GoRouter unquote.

/// Writes texts as they stand between quotes. Made for all texts of a record at once: mostly none of them needs an
/// escape, and one look at all of them costs less than one at each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    plain: bool,
}

impl Quote {
    /// For texts that are parts of `whole`.
    pub(super) fn of(whole: &[u8]) -> Quote {
        let plain = is_plain(whole);
        Quote { plain }
    }

    /// Appends `value` as it stands between quotes.
    #[inline]
    pub(super) fn push(self, out: &mut Vec<u8>, value: &[u8]) {
        if self.plain {
            out.extend_from_slice(value);
        } else {
            push_escaped(out, value);
        }
    }

    /// The same; `-` when it is empty.
    #[inline]
    pub(super) fn push_or_dash(self, out: &mut Vec<u8>, value: &[u8]) {
        self.push(out, if value.is_empty() { b"-" } else { value });
    }
}

/// Appends `value` as it stands between quotes.
pub(super) fn push_escaped(out: &mut Vec<u8>, value: &[u8]) {
    if is_plain(value) {
        out.extend_from_slice(value);
    } else {
        push_with_escapes(out, value);
    }
}

/// Printable ASCII without quote and backslash.
#[inline]
fn is_plain(value: &[u8]) -> bool {
    match (value.last_chunk::<BLOCK>(), value.last_chunk()) {
        // Once more what was looked at already, but for the rest behind the last whole block.
        (Some(last), _) => {
            let (blocks, _) = value.as_chunks::<BLOCK>();
            odd_among(blocks.as_flattened()) | odd_among(last) == 0
        }
        (_, Some(last)) => {
            let (words, _) = value.as_chunks();
            let odd = words.iter().fold(0, |odd, word| odd | odd_bytes(*word));
            odd | odd_bytes(*last) == 0
        }
        _ => value.iter().all(|&byte| is_plain_byte(byte)),
    }
}

/// As many bytes as are looked at in one go, with the widest instructions that every processor has.
const BLOCK: usize = 32;

/// Not 0 when one of the bytes, of whole blocks, is not plain.
#[inline(always)]
fn odd_among(blocks: &[u8]) -> u8 {
    // A loop of this form is compiled to such instructions; others are not, or keep less of them in registers.
    blocks
        .iter()
        .fold(0, |odd, &byte| odd | u8::from(!is_plain_byte(byte)))
}

/// Not 0 when one of the bytes is not plain. Of several such bytes only the first is sure to be marked, which is enough.
#[inline]
fn odd_bytes(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(word);
    // A byte below `limit` borrows from its highest bit.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (word | below(word, b' ') | is(b'"') | is(b'\\') | is(0x7f)) & HIGH
}

#[inline]
fn is_plain_byte(byte: u8) -> bool {
    (byte.wrapping_sub(b' ') < 0x5f) & (byte != b'"') & (byte != b'\\')
}

#[cold]
fn push_with_escapes(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for char in chunk.valid().chars() {
            push_char(out, char);
        }
        for &byte in chunk.invalid() {
            push_hex(out, b'x', u32::from(byte), 2);
        }
    }
}

fn push_char(out: &mut Vec<u8>, char: char) {
    let letter = match char {
        '"' | '\\' => char as u8,
        '\x07' => b'a',
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\x0b' => b'v',
        '\0'..' ' | '\x7f' => return push_hex(out, b'x', char as u32, 2),
        _ if char.is_ascii() || is_printable(char) => {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        '\u{80}'..='\u{ffff}' => return push_hex(out, b'u', char as u32, 4),
        _ => return push_hex(out, b'U', char as u32, 8),
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Letters, marks, numbers, punctuation and symbols, which is also what the standard library leaves as it is in a debug
/// text, behind the first character at least: a leading combining mark is escaped there.
fn is_printable(char: char) -> bool {
    let mut text = [b'a'; 5];
    let length = 1 + char.encode_utf8(&mut text[1..]).len();
    let text = str::from_utf8(&text[..length]).unwrap_or_default();
    text.escape_debug().nth(1) == Some(char)
}

fn push_hex(out: &mut Vec<u8>, kind: u8, value: u32, digits: u32) {
    out.extend_from_slice(&[b'\\', kind]);
    out.extend(
        (0..digits)
            .rev()
            .map(|digit| LOWER_HEX[(value >> (4 * digit)) as usize & 15]),
    );
}

/// Hexadecimal digits in lower case.
pub(super) const LOWER_HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(value: &[u8]) -> String {
        let mut out = Vec::new();
        Quote::of(value).push_or_dash(&mut out, value);
        format!("\"{}\"", str::from_utf8(&out).unwrap())
    }

    /// R-280; the second was recorded from GoRouter, the others follow Go's documentation of `strconv.Quote`.
    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(quoted(b""), r#""-""#);
        assert_eq!(quoted(b"a\"b\\c\xe4\ttab"), r#""a\"b\\c\xe4\ttab""#);
        assert_eq!(
            quoted(b"\x07\x08\x0c\n\r\x0b\x00\x1f\x7f"),
            r#""\a\b\f\n\r\v\x00\x1f\x7f""#
        );
        assert_eq!(quoted("ä€\u{1f642}".as_bytes()), "\"ä€\u{1f642}\"");
        // A combining mark, and U+FFFD itself, are printable; no-break blank, line separator, private use are not.
        assert_eq!(quoted("\u{301}\u{fffd}".as_bytes()), "\"\u{301}\u{fffd}\"");
        assert_eq!(
            quoted("\u{a0}\u{85}\u{2028}\u{e000}".as_bytes()),
            r#""\u00a0\u0085\u2028\ue000""#
        );
        assert_eq!(quoted("\u{f0000}".as_bytes()), r#""\U000f0000""#);
        assert_eq!(quoted(b"cut \xe2\x82"), r#""cut \xe2\x82""#);
    }

    /// The other way round, for texts that `push_escaped` made.
    fn unescaped(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            if char != '\\' {
                out.extend_from_slice(char.to_string().as_bytes());
                continue;
            }
            match chars.next().unwrap() {
                'x' => out.push(
                    u32::from_str_radix(&chars.by_ref().take(2).collect::<String>(), 16).unwrap()
                        as u8,
                ),
                'u' => push_number(&mut out, &chars.by_ref().take(4).collect::<String>()),
                'U' => push_number(&mut out, &chars.by_ref().take(8).collect::<String>()),
                letter => {
                    out.push(b"\x07\x08\x0c\n\r\t\x0b\"\\"["abfnrtv\"\\".find(letter).unwrap()])
                }
            }
        }
        out
    }

    fn push_number(out: &mut Vec<u8>, digits: &str) {
        let char = char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
        out.extend_from_slice(char.to_string().as_bytes());
    }

    #[test]
    fn every_byte_is_judged_alike_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for length in [3, 8, 19, 32, 75] {
                for at in 0..length {
                    let mut value = vec![b'a'; length];
                    value[at] = byte;
                    let shown = format!("{byte:#x} at {at} of {length}");
                    assert_eq!(is_plain(&value), is_plain_byte(byte), "{shown}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_stays_on_one_line_between_its_quotes_and_can_be_read_back(
            value in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
        ) {
            let mut out = Vec::new();
            push_escaped(&mut out, &value);
            prop_assert!(out.iter().all(|&byte| byte >= b' ' && byte != 0x7f));
            prop_assert_eq!(unescaped(str::from_utf8(&out).unwrap()), value);
        }
    }
}
