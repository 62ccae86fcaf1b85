//! Who is let in, and what goes on to count when the limits change.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{Clients, Limiter, Limits, Refusal};
use crate::table::Rate;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn limiter(limits: Limits, before: Option<&Arc<Limiter>>) -> Arc<Limiter> {
    Limiter::new(limits, before, &Arc::new(Clients::new(1))).unwrap()
}

fn concurrent(most: u32) -> Limits {
    Limits {
        max_concurrent_requests: Some(most),
        ..Limits::default()
    }
}

#[test]
fn a_permit_is_held_until_the_answer_is_out() {
    let limiter = limiter(concurrent(2), None);
    let first = limiter.admit(CLIENT, 0).unwrap();
    let second = limiter.admit(CLIENT, 0).unwrap();
    assert!(first.is_some() && second.is_some());
    assert_eq!(limiter.admit(CLIENT, 0).unwrap_err(), Refusal::Concurrency);
    drop(first);
    assert!(limiter.admit(CLIENT, 0).is_ok());
}

#[test]
fn what_is_under_way_counts_on_when_the_limit_changes() {
    let before = limiter(concurrent(2), None);
    let permit = before.admit(CLIENT, 0).unwrap();
    let after = limiter(concurrent(1), Some(&before));
    assert_eq!(after.admit(CLIENT, 0).unwrap_err(), Refusal::Concurrency);
    drop(permit);
    assert!(after.admit(CLIENT, 0).is_ok());
}

#[test]
fn the_same_limits_are_the_same_limiter() {
    let before = limiter(concurrent(2), None);
    assert!(Arc::ptr_eq(&before, &limiter(concurrent(2), Some(&before))));
    let none = Limiter::new(Limits::default(), Some(&before), &Arc::new(Clients::new(1)));
    assert!(none.is_none());
}

#[test]
fn a_rate_counts_on_when_another_limit_changes() {
    let limits = Limits {
        rate: Some(Rate {
            requests: 1,
            period: 10_000,
        }),
        ..Limits::default()
    };
    let before = limiter(limits, None);
    assert!(before.admit(CLIENT, 0).unwrap().is_none());
    let limits = Limits {
        max_body_size: Some(1),
        ..limits
    };
    let after = limiter(limits, Some(&before));
    assert_eq!(after.admit(CLIENT, 0).unwrap_err(), Refusal::Rate(10_000));
}

#[test]
fn a_request_that_is_turned_away_holds_no_permit() {
    let limits = Limits {
        client_rate: Some(Rate {
            requests: 1,
            period: 1_000,
        }),
        ..concurrent(1)
    };
    let limiter = limiter(limits, None);
    drop(limiter.admit(CLIENT, 0));
    for _ in 0..3 {
        let refusal = limiter.admit(CLIENT, 0).unwrap_err();
        assert_eq!(refusal, Refusal::ClientRate(1_000));
    }
    assert!(limiter.admit(CLIENT, 1_000).is_ok());
}

#[test]
fn retries_are_a_share_of_the_requests() {
    let limits = Limits {
        retry_budget: Some(20),
        ..Limits::default()
    };
    let limiter = limiter(limits, None);
    let left = || {
        (0..100)
            .take_while(|_| limiter.retries().withdraw())
            .count()
    };
    assert_eq!(left(), 10, "at once");
    for _ in 0..25 {
        assert!(limiter.admit(CLIENT, 0).is_ok());
    }
    assert_eq!(left(), 5);
    for _ in 0..1_000 {
        assert!(limiter.admit(CLIENT, 0).is_ok());
    }
    assert_eq!(left(), 10, "no more is saved up");
}

#[test]
fn without_a_budget_there_is_no_bound() {
    let limiter = limiter(concurrent(1), None);
    assert!((0..1_000).all(|_| limiter.retries().withdraw()));
}
