//! What the options of a registration mean (spec 14.2, docs/route-options.md).

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use cloverleaf_model::RouteOptions as Said;

use crate::config::{ByteSize, Config, GoDuration, RateLimit};
use crate::table::{Algorithm, Limits, Millis, Rate, RouteOptions};

/// The options that the table knows; `None` when there are none. Header and balance count with `hash` alone. A value that
/// cannot be read leaves its option as if it were not there, and is told to `ignored` by the option's name.
pub(super) fn of<'a>(
    said: &'a Said<'_>,
    algorithm: Option<Algorithm>,
    mut ignored: impl FnMut(&str),
) -> Option<RouteOptions<'a>> {
    said.ignored.iter().for_each(|name| ignored(name));
    let mut options = RouteOptions::default();
    if algorithm == Some(Algorithm::Hash) {
        options.hash_header = Cow::Borrowed(&said.hash_header);
        options.hash_balance = said.hash_balance.max(0.0);
    }
    let mut reading = Reading(ignored);
    options.limits = Limits {
        request_timeout: reading.time("request_timeout", &said.request_timeout),
        first_byte_timeout: reading.time("first_byte_timeout", &said.first_byte_timeout),
        idle_timeout: reading.time("idle_timeout", &said.idle_timeout),
        max_body_size: reading
            .value("max_body_size", &said.max_body_size)
            .map(|ByteSize(bytes)| bytes),
        max_concurrent_requests: reading
            .value("max_concurrent_requests", &said.max_concurrent_requests),
        rate: reading.value("rate_limit", &said.rate_limit).map(rate),
        client_rate: reading
            .value("client_rate_limit", &said.client_rate_limit)
            .map(rate),
        max_attempts: reading.value("max_attempts", &said.max_attempts),
        retry_budget: reading.value("retry_budget", &said.retry_budget),
    };
    (!options.is_empty()).then_some(options)
}

/// The limits of routes whose registrations say nothing of them.
pub fn default_limits(config: &Config) -> Limits {
    let keys = &config.route_options;
    let time = |time: Duration| (!time.is_zero()).then(|| millis(time));
    let count = |count: u32| (count > 0).then_some(count);
    let limit = |limit: RateLimit| (limit.requests > 0).then(|| rate(limit));
    Limits {
        request_timeout: None,
        first_byte_timeout: time(keys.first_byte_timeout),
        idle_timeout: time(keys.idle_timeout),
        max_body_size: (keys.max_body_size.0 > 0).then_some(keys.max_body_size.0),
        max_concurrent_requests: count(keys.max_concurrent_requests),
        rate: limit(keys.rate_limit),
        client_rate: limit(keys.client_rate_limit),
        max_attempts: None,
        retry_budget: count(keys.retry_budget),
    }
}

struct Reading<F>(F);

impl<F: FnMut(&str)> Reading<F> {
    fn value<T: FromStr>(&mut self, name: &str, text: &str) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        let value = text.parse().ok();
        if value.is_none() {
            (self.0)(name);
        }
        value
    }

    /// A duration in Go's form; a number alone is seconds.
    fn time(&mut self, name: &str, text: &str) -> Option<Millis> {
        if text.is_empty() {
            return None;
        }
        let seconds = text
            .parse()
            .ok()
            .map(|seconds: u32| Duration::from_secs(seconds.into()));
        let time = seconds.or_else(|| text.parse::<GoDuration>().ok()?.to_duration());
        if time.is_none() {
            (self.0)(name);
        }
        time.map(millis)
    }
}

fn rate(limit: RateLimit) -> Rate {
    Rate {
        requests: limit.requests,
        period: millis(limit.period),
    }
}

/// Part of a millisecond is a whole one: 0 would be no limit.
fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &Said<'_>, algorithm: Option<Algorithm>) -> Option<RouteOptions<'static>> {
        let options = of(said, algorithm, |name| panic!("{name}"));
        options.map(|options| RouteOptions {
            hash_header: options.hash_header.into_owned().into(),
            ..options
        })
    }

    #[test]
    fn header_and_balance_count_with_hash_alone() {
        let said = Said {
            hash_header: "X-Tenant".into(),
            hash_balance: 1.25,
            ..Said::default()
        };
        let options = read(&said, Some(Algorithm::Hash)).unwrap();
        assert_eq!(
            (&*options.hash_header, options.hash_balance),
            ("X-Tenant", 1.25)
        );
        assert_eq!(read(&said, Some(Algorithm::RoundRobin)), None);
        assert_eq!(read(&said, None), None);
        assert_eq!(read(&Said::default(), Some(Algorithm::Hash)), None);
    }

    #[test]
    fn limits_are_read_from_texts_and_numbers() {
        let said = Said {
            request_timeout: "1m30s".into(),
            first_byte_timeout: "15".into(),
            idle_timeout: "0".into(),
            max_body_size: "10M".into(),
            max_concurrent_requests: "50".into(),
            rate_limit: "100/s".into(),
            client_rate_limit: "60/m".into(),
            max_attempts: "2".into(),
            retry_budget: "20".into(),
            ..Said::default()
        };
        let rate = |requests, period| Some(Rate { requests, period });
        let expected = Limits {
            request_timeout: Some(90_000),
            first_byte_timeout: Some(15_000),
            idle_timeout: Some(0),
            max_body_size: Some(10 << 20),
            max_concurrent_requests: Some(50),
            rate: rate(100, 1_000),
            client_rate: rate(60, 60_000),
            max_attempts: Some(2),
            retry_budget: Some(20),
        };
        assert_eq!(read(&said, None).unwrap().limits, expected);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_counts() {
        let said = Said {
            request_timeout: "soon".into(),
            first_byte_timeout: "-1s".into(),
            idle_timeout: "10us".into(),
            max_body_size: "much".into(),
            rate_limit: "100/d".into(),
            max_attempts: "-1".into(),
            ignored: vec!["unheard_of".into()],
            ..Said::default()
        };
        let mut ignored = Vec::new();
        let options = of(&said, None, |name| ignored.push(name.to_owned())).unwrap();
        let expected = Limits {
            idle_timeout: Some(1),
            ..Limits::default()
        };
        assert_eq!(options.limits, expected);
        assert_eq!(
            ignored,
            [
                "unheard_of",
                "request_timeout",
                "first_byte_timeout",
                "max_body_size",
                "rate_limit",
                "max_attempts"
            ]
        );
    }
}
