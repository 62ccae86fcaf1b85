//! What a session cookie says of itself, and how the router remembers it in a cookie of its own (spec 5, 14.4).

use std::time::{Duration, UNIX_EPOCH};

use super::cookies::Cookie;

/// The last second that a date in a header can show: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The attributes of an application's session cookie that the router's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub secure: bool,
    pub partitioned: bool,
    /// When it expires, in seconds of Unix time; earlier dates count as 0.
    pub expires: Option<u64>,
    /// For how many seconds it is kept; 0 deletes it.
    pub max_age: Option<u64>,
    pub same_site: Option<SameSite>,
}

/// Whether a cookie comes along from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SameSite {
    None,
    Lax,
    Strict,
}

impl SameSite {
    const ALL: [SameSite; 3] = [SameSite::None, SameSite::Lax, SameSite::Strict];

    fn word(self) -> &'static str {
        match self {
            SameSite::None => "None",
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
        }
    }

    fn of(word: &[u8]) -> Option<SameSite> {
        let is_meant = |site: &SameSite| word.eq_ignore_ascii_case(site.word().as_bytes());
        SameSite::ALL.into_iter().find(is_meant)
    }
}

impl Attributes {
    /// Those of a `Set-Cookie` line. Of an attribute that is named twice the last counts (RFC 6265 section 5.3); one that
    /// cannot be read is as if it were not there.
    pub(super) fn of<'a>(attributes: impl Iterator<Item = Cookie<'a>>) -> Attributes {
        let mut all = Attributes::default();
        for (name, value) in attributes {
            let is = |text: &[u8]| name.eq_ignore_ascii_case(text);
            if is(b"secure") {
                all.secure = true;
            } else if is(b"partitioned") {
                all.partitioned = true;
            } else if is(b"samesite") {
                all.same_site = SameSite::of(value);
            } else if is(b"max-age") {
                all.max_age = max_age(value).or(all.max_age);
            } else if is(b"expires") {
                all.expires = date(value).or(all.expires);
            }
        }
        all
    }

    /// Writes what stands behind the path of one of the router's cookies, in the order of the original.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if let Some(expires) = self.expires {
            let date = UNIX_EPOCH + Duration::from_secs(expires.min(LAST_SECOND));
            out.extend_from_slice(b"; Expires=");
            out.extend_from_slice(httpdate::fmt_http_date(date).as_bytes());
        }
        if let Some(max_age) = self.max_age {
            out.extend_from_slice(b"; Max-Age=");
            number(max_age, out);
        }
        out.extend_from_slice(b"; HttpOnly");
        if self.secure {
            out.extend_from_slice(b"; Secure");
        }
        if let Some(site) = self.same_site {
            out.extend_from_slice(b"; SameSite=");
            out.extend_from_slice(site.word().as_bytes());
        }
        if self.partitioned {
            out.extend_from_slice(b"; Partitioned");
        }
    }

    /// Writes them as the value of `__VCAP_ID_META__`, at `now` in seconds of Unix time.
    pub(super) fn remember(&self, now: u64, out: &mut Vec<u8>) {
        let begin = out.len();
        let mut part = |text: &str, value: Option<u64>| {
            if out.len() > begin {
                out.push(b'&');
            }
            out.extend_from_slice(text.as_bytes());
            if let Some(value) = value {
                number(value, out);
            }
        };
        if self.secure {
            part("secure", None);
        }
        if self.partitioned {
            part("partitioned", None);
        }
        if let Some(expires) = self.expires {
            part("expires=", Some(expires));
        }
        match self.max_age {
            Some(0) => part("maxage=-1", None),
            Some(seconds) => part("maxage=", Some(now.saturating_add(seconds))),
            None => {}
        }
        match self.same_site {
            Some(SameSite::None) => part("samesite=none", None),
            Some(SameSite::Lax) => part("samesite=lax", None),
            Some(SameSite::Strict) => part("samesite=strict", None),
            None => {}
        }
    }

    /// Reads the value of `__VCAP_ID_META__` back at `now`. It comes from a client: each part that cannot be read is given
    /// to `unreadable` and left out.
    pub(super) fn recall(value: &[u8], now: u64, mut unreadable: impl FnMut(&[u8])) -> Attributes {
        let mut all = Attributes::default();
        for part in value.split(|&byte| byte == b'&') {
            let (name, value) = match memchr::memchr(b'=', part) {
                Some(at) => (&part[..at], Some(&part[at + 1..])),
                None => (part, None),
            };
            let is_read = match (name, value) {
                (b"", None) => true,
                (b"secure", None) => {
                    all.secure = true;
                    true
                }
                (b"partitioned", None) => {
                    all.partitioned = true;
                    true
                }
                (b"expires", Some(value)) => {
                    let read = whole(value).filter(|&expires| expires <= LAST_SECOND);
                    all.expires = read.or(all.expires);
                    read.is_some()
                }
                (b"maxage", Some(b"-1")) => {
                    all.max_age = Some(0);
                    true
                }
                (b"maxage", Some(value)) => {
                    let read = whole(value).map(|end| end.saturating_sub(now));
                    all.max_age = read.or(all.max_age);
                    read.is_some()
                }
                (b"samesite", Some(value)) => {
                    let read = SameSite::of(value);
                    all.same_site = read.or(all.same_site);
                    read.is_some()
                }
                _ => false,
            };
            if !is_read {
                unreadable(part);
            }
        }
        all
    }
}

fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Digits that are a number.
fn whole(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// Digits, perhaps behind a minus, which deletes a cookie as 0 does (RFC 6265 section 5.2.2).
fn max_age(text: &[u8]) -> Option<u64> {
    match text.strip_prefix(b"-") {
        Some(digits) => whole(digits).map(|_| 0),
        None => whole(text),
    }
}

/// A date as HTTP has it, or with hyphens as old cookies had it.
fn date(text: &[u8]) -> Option<u64> {
    // `Wed, 01-Jan-2031 00:00:00 GMT` and `Wed, 01 Jan 2031 00:00:00 GMT`
    let mut text: [u8; 29] = match text.strip_suffix(b"UTC") {
        Some(rest) => [rest, b"GMT"].concat().try_into().ok()?,
        None => text.try_into().ok()?,
    };
    if text[7] == b'-' && text[11] == b'-' {
        (text[7], text[11]) = (b' ', b' ');
    }
    if whole(&text[12..16])? < 1970 {
        return Some(0);
    }
    // Nobody looks whether the day of the week is right.
    DAYS.iter().find_map(|day| {
        text[..3].copy_from_slice(day.as_slice());
        let date = httpdate::parse_http_date(std::str::from_utf8(&text).ok()?).ok()?;
        let since = date.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    })
}

const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

#[cfg(test)]
mod tests;
