//! Spec 3.4, zone preference.

use super::{Balanced, ZonePreference};
use crate::balance::Selection;
use crate::table::Algorithm;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::RoundRobin, Algorithm::LeastConnection];

fn local(algorithm: Algorithm, zones: &[&str]) -> Balanced {
    let mut balanced = Balanced::in_zones(algorithm, zones);
    balanced.rules.zone_preference = ZonePreference::LocallyOptimistic;
    balanced
}

//
#[test]
fn only_local_endpoints_are_chosen_while_they_work() {
    let mut balanced = local(Algorithm::RoundRobin, &["z1", "z2", "z1"]);
    let counts = balanced.spread(6);
    assert_eq!(counts[1], 0);
    let mut balanced = local(Algorithm::LeastConnection, &["z1", "z2", "z1"]);
    let _busy = [0, 2].map(|port| balanced.endpoint(port).begin(0));
    assert_eq!(balanced.spread(100)[1], 0);
}

#[test]
fn without_the_preference_zones_play_no_part() {
    let mut balanced = Balanced::in_zones(Algorithm::RoundRobin, &["z1", "z2", "z1"]);
    assert_eq!(balanced.spread(9), [3, 3, 3]);
}

//
#[test]
fn a_retry_may_go_to_another_zone() {
    for algorithm in ALGORITHMS {
        let mut balanced = local(algorithm, &["z1", "z2"]);
        for _ in 0..10 {
            let mut selection = Selection::new();
            assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 0);
            assert_eq!(balanced.next(&mut selection).unwrap().endpoint.port(), 1);
        }
    }
}

//
#[test]
fn any_zone_will_do_when_there_is_no_local_endpoint() {
    let mut balanced = local(Algorithm::RoundRobin, &["z2", "z3"]);
    assert_eq!(balanced.spread(6), [3, 3]);
    let mut balanced = local(Algorithm::LeastConnection, &["z2", "z3"]);
    assert!(balanced.spread(100).iter().all(|count| *count > 0));
}

#[test]
fn a_local_endpoint_at_its_limit_gives_way_to_another_zone() {
    for algorithm in ALGORITHMS {
        let mut balanced = local(algorithm, &["z1", "z2"]);
        balanced.rules.max_conns = 1;
        let _busy = balanced.endpoint(0).begin(0);
        assert_eq!(balanced.request(), 1);
    }
}

#[test]
fn leaving_the_zone_takes_all_marks_away_in_round_robin() {
    let mut balanced = local(Algorithm::RoundRobin, &["z1", "z2"]);
    balanced.endpoint(0).mark_failed(balanced.now);
    balanced.request();
    assert_eq!(balanced.endpoint(0).failed_at(), None);
}

#[test]
fn a_router_without_a_zone_prefers_endpoints_without_one() {
    let mut balanced = local(Algorithm::RoundRobin, &["z1", ""]);
    balanced.rules.zone = "".into();
    assert_eq!(balanced.spread(5), [0, 5]);
}
