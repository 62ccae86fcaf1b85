//! Spec 3.4, round robin.

use std::collections::BTreeSet;

use super::{Balanced, plain};
use crate::balance::{NoEndpoint, Selection};
use crate::table::Algorithm;

fn balanced(endpoints: usize) -> Balanced {
    Balanced::new(Algorithm::RoundRobin, endpoints)
}

//
#[test]
fn nine_requests_over_three_endpoints_are_three_each() {
    let mut balanced = balanced(3);
    assert_eq!(balanced.spread(9), [3, 3, 3]);
}

#[test]
fn pools_begin_at_different_endpoints() {
    let first: BTreeSet<_> = (0..100).map(|_| balanced(4).request()).collect();
    assert_eq!(first.len(), 4);
}

#[test]
fn further_attempts_go_on_from_the_requests_own_position() {
    let mut balanced = balanced(4);
    let mut selection = Selection::new();
    let first = balanced.next(&mut selection).unwrap().endpoint.port();
    // Others move the pool's cursor meanwhile.
    for _ in 0..3 {
        balanced.request();
    }
    for step in 1..4 {
        let next = balanced.next(&mut selection).unwrap().endpoint.port();
        assert_eq!(next, (first + step) % 4);
    }
}

#[test]
fn a_request_takes_one_step_of_the_cursor_however_many_attempts_it_needs() {
    let mut balanced = balanced(4);
    let mut selection = Selection::new();
    let first = balanced.next(&mut selection).unwrap().endpoint.port();
    balanced.next(&mut selection).unwrap();
    balanced.next(&mut selection).unwrap();
    assert_eq!(balanced.request(), (first + 1) % 4);
}

//
#[test]
fn a_marked_endpoint_is_passed_by_until_its_mark_expires() {
    let mut balanced = balanced(3);
    balanced.endpoint(1).mark_failed(balanced.now);
    balanced.now += 30_000;
    assert_eq!(balanced.spread(9)[1], 0);
    balanced.now += 1;
    assert_eq!(balanced.spread(9)[1], 3);
}

//
#[test]
fn when_all_are_marked_all_are_tried_again_at_once() {
    let mut balanced = balanced(3);
    for port in 0..3 {
        balanced.endpoint(port).mark_failed(balanced.now);
    }
    assert_eq!(balanced.spread(9), [3, 3, 3]);
    assert_eq!(balanced.endpoint(0).failed_at(), None);
}

#[test]
fn a_marked_endpoint_serves_when_all_others_are_at_their_limit() {
    let mut balanced = balanced(2);
    balanced.rules.max_conns = 1;
    balanced.endpoint(1).mark_failed(balanced.now);
    let first = balanced.next(&mut Selection::new()).unwrap();
    assert_eq!(first.endpoint.port(), 0);
    let second = balanced.next(&mut Selection::new()).unwrap();
    assert_eq!(second.endpoint.port(), 1);
}

//
#[test]
fn a_dead_endpoint_costs_a_request_one_attempt_and_later_ones_none() {
    let mut balanced = balanced(3);
    let dead = 1;
    let mut failed = 0;
    for _ in 0..30 {
        let mut selection = Selection::new();
        let mut picked = balanced.next(&mut selection).unwrap();
        while picked.endpoint.port() == dead {
            failed += 1;
            picked.endpoint.mark_failed(balanced.now);
            picked = balanced.next(&mut selection).unwrap();
        }
    }
    assert_eq!(failed, 1);
}

#[test]
fn a_pool_that_shrinks_between_attempts_is_gone_on_with() {
    let mut balanced = balanced(3);
    let mut selection = Selection::new();
    let first = balanced.next(&mut selection).unwrap().endpoint.port();
    let others: Vec<_> = (0..3).filter(|port| *port != first).collect();
    balanced.world.unregister("a.test", first);
    balanced.world.unregister("a.test", others[0]);
    let second = balanced.next(&mut selection).unwrap().endpoint.port();
    assert_eq!(second, others[1]);
    let third = balanced.next(&mut selection).unwrap_err();
    assert_eq!(third, NoEndpoint::AllTried);
}

// Spec 3.3
#[test]
fn in_a_narrowed_pool_marks_play_no_part_and_stay() {
    let mut balanced = balanced(3);
    balanced.endpoint(1).mark_failed(balanced.now);
    let real = balanced.pool.clone();
    balanced.pool = real.narrowed(0, |endpoint| endpoint.port() == 1).unwrap();
    assert_eq!(balanced.request(), 1);
    balanced.pool = real.narrowed(0, |endpoint| endpoint.port() > 0).unwrap();
    let mut selection = Selection::new();
    let first = balanced.next(&mut selection).unwrap().endpoint.port();
    let second = balanced.next(&mut selection).unwrap().endpoint.port();
    assert_eq!(first + second, 3);
    assert!(balanced.endpoint(1).failed_at().is_some());
}

#[test]
fn a_new_endpoint_takes_its_share() {
    let mut balanced = balanced(2);
    balanced.spread(5);
    balanced.world.register(&["a.test"], &plain(2));
    assert_eq!(balanced.spread(9), [3, 3, 3]);
}
