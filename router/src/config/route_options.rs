//! `route_options`: limits of routes whose registrations say nothing of them, and how they are written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cloverleaf_config::{Node, Reader, Value, choice, section};

section! {
    /// `route_options`: limits of every route whose registrations do not say otherwise (route-options.md). GoRouter has no such keys, and passes over them.
    pub struct RouteOptions {
        /// Time from the end of a request to the head of its answer; 0 is no limit.
        first_byte_timeout: Duration => Works,
        /// Time without a byte to or from the endpoint, upgraded connections included; 0 is no limit.
        idle_timeout: Duration => Works,
        /// Largest content of a request; 0 is no limit.
        max_body_size: ByteSize => Works,
        /// Most requests of a route under way; 0 is no limit.
        max_concurrent_requests: u32 => Works,
        /// Requests of a route in a second, minute or hour; 0 is no limit.
        rate_limit: RateLimit => Works,
        /// The same for each client.
        client_rate_limit: RateLimit => Works,
        /// What a client is known by: the address that it connects from (behind the PROXY protocol that of the header), or the last one in `X-Forwarded-For`, for routers behind a load balancer that adds it.
        client_address: ClientAddress => Works,
        /// Retries for each hundred requests of a route, ten at once; 0 is no limit.
        retry_budget: u32 => Works,
    }
}

choice! {
    /// `route_options.client_address`: what a client is known by.
    pub enum ClientAddress {
        /// The address that it connects from.
        #[default]
        Connection = "connection",
        /// The last address in `X-Forwarded-For`.
        ForwardedFor = "x-forwarded-for",
    }
}

/// A number of bytes, written as such or with a binary unit: `1000000`, `512K`, `10M`, `1G`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Requests in a time, written as a number and `/s`, `/m` or `/h`; a number alone is per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many; 0 is no limit.
    pub requests: u32,
    /// In how much time.
    pub period: Duration,
}

/// A text that is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no number of bytes, such as 1000000, 512K, 10M or 1G")]
pub struct NoSize;

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no number of requests in a time, such as 100/s, 600/m or 5000/h")]
pub struct NoRate;

const UNITS: [(&str, u64); 6] = [
    ("KB", 1 << 10),
    ("MB", 1 << 20),
    ("GB", 1 << 30),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
];

const PERIODS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3_600)];

impl FromStr for ByteSize {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<ByteSize, NoSize> {
        let upper = text.to_ascii_uppercase();
        let unit = UNITS
            .iter()
            .find_map(|(unit, bytes)| Some((upper.strip_suffix(unit)?, *bytes)));
        let (number, bytes) = unit.unwrap_or((&upper, 1));
        let number: u64 = digits(number).ok_or(NoSize)?;
        number.checked_mul(bytes).map(ByteSize).ok_or(NoSize)
    }
}

impl FromStr for RateLimit {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<RateLimit, NoRate> {
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let period = PERIODS.iter().find(|(name, _)| *name == unit);
        let (_, seconds) = period.ok_or(NoRate)?;
        Ok(RateLimit {
            requests: digits(number).ok_or(NoRate)?,
            period: Duration::from_secs(*seconds),
        })
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        RateLimit {
            requests: 0,
            period: Duration::from_secs(1),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        let unit = PERIODS.iter().find(|(_, length)| *length == seconds);
        match unit {
            _ if self.requests == 0 => f.write_str("0"),
            Some((unit, _)) => write!(f, "{}/{unit}", self.requests),
            None => write!(f, "{}/{seconds}s", self.requests),
        }
    }
}

/// A number in decimal digits alone, without a sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl Value for ByteSize {
    fn kind() -> String {
        "number of bytes".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        read_text(self, node, reader, &NoSize.to_string());
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for RateLimit {
    fn kind() -> String {
        "rate".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        read_text(self, node, reader, &NoRate.to_string());
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

fn read_text<T: FromStr>(value: &mut T, node: &Node, reader: &mut Reader<'_>, error: &str) {
    if node.is_empty() {
        return;
    }
    let expected = error.strip_prefix("no ").unwrap_or(error);
    match node.text().and_then(|text| text.parse().ok()) {
        Some(parsed) => *value = parsed,
        None => reader.wrong(node, &format!("a {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Option<u64> {
        text.parse().ok().map(|ByteSize(bytes)| bytes)
    }

    fn rate(text: &str) -> Option<(u32, u64)> {
        let rate: RateLimit = text.parse().ok()?;
        Some((rate.requests, rate.period.as_secs()))
    }

    #[test]
    fn sizes_are_bytes_or_have_a_binary_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("1000000", 1_000_000),
            ("512K", 512 << 10),
            ("10M", 10 << 20),
            ("10mb", 10 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "-1",
            "+1",
            "1.5M",
            "1T",
            "10 M",
            "99999999999G",
            "x",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_in_a_second_a_minute_or_an_hour() {
        for (text, expected) in [
            ("0", (0, 1)),
            ("100", (100, 1)),
            ("100/s", (100, 1)),
            ("600/m", (600, 60)),
            ("5000/h", (5_000, 3_600)),
        ] {
            assert_eq!(rate(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "/s",
            "100/",
            "100/d",
            "-1/s",
            "1.5/s",
            "1/s/s",
            "4294967296/s",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
        for text in ["0", "100/s", "600/m"] {
            let rate: RateLimit = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
        }
    }
}
