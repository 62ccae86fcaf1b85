//! Spec 3.4, least connection.

use super::Balanced;
use crate::balance::Selection;
use crate::table::Algorithm;

fn balanced(endpoints: usize) -> Balanced {
    Balanced::new(Algorithm::LeastConnection, endpoints)
}

//
#[test]
fn the_endpoint_with_the_fewest_attempts_under_way_is_chosen() {
    let mut balanced = balanced(3);
    let slow = balanced.next(&mut Selection::new()).unwrap();
    let slow_port = slow.endpoint.port();
    assert_eq!(balanced.spread(100)[usize::from(slow_port)], 0);
    // The headers have arrived; the body does not count.
    drop(slow.in_flight);
    assert!(balanced.spread(100)[usize::from(slow_port)] > 0);
}

#[test]
fn requests_under_way_are_spread_evenly() {
    let mut balanced = balanced(4);
    let mut held = Vec::new();
    for round in 1..=5 {
        for _ in 0..4 {
            held.push(balanced.next(&mut Selection::new()).unwrap());
        }
        for port in 0..4 {
            assert_eq!(balanced.endpoint(port).in_flight(), round);
        }
    }
}

#[test]
fn equals_are_chosen_equally_often() {
    let mut balanced = balanced(4);
    let _busy = balanced.endpoint(2).begin(0);
    let counts = balanced.spread(30_000);
    for (port, count) in counts.into_iter().enumerate() {
        match port {
            2 => assert_eq!(count, 0),
            _ => assert!((9_500..10_500).contains(&count), "{port}: {count}"),
        }
    }
}

#[test]
fn marks_play_no_part() {
    let mut balanced = balanced(2);
    balanced.endpoint(0).mark_failed(balanced.now);
    assert!(balanced.spread(100)[0] > 0);
    assert!(balanced.endpoint(0).failed_at().is_some());
}

#[test]
fn a_retry_goes_to_an_endpoint_that_was_not_tried_even_if_it_has_more_to_do() {
    let mut balanced = balanced(2);
    let _busy = [0; 5].map(|_| balanced.endpoint(1).begin(0));
    let mut selection = Selection::new();
    assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 0);
    assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 1);
}

#[test]
fn a_retry_goes_to_a_tried_endpoint_when_the_others_are_at_their_limit() {
    let mut balanced = balanced(2);
    balanced.rules.max_conns = 1;
    let _busy = balanced.endpoint(1).begin(0);
    let mut selection = Selection::new();
    assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 0);
    assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 0);
}
