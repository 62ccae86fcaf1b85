//! Endpoints that fail again and again are left out for a while.

use proptest::prelude::*;

use super::{Balanced, NoEndpoint, Selection};
use crate::balance::{Verdict, note_verdict};
use crate::table::{Algorithm, Ejection};

fn ejecting(algorithm: Algorithm, endpoints: usize) -> Balanced {
    let mut balanced = Balanced::new(algorithm, endpoints);
    balanced.rules.ejection = Some(Ejection {
        consecutive_errors: 3,
        base_time: 10_000,
        longest_time: 40_000,
        most_percent: 50,
    });
    balanced
}

impl Balanced {
    fn note(&self, port: u16, verdict: Verdict) -> Option<u64> {
        let endpoint = self.endpoint(port);
        note_verdict(
            &self.pool.endpoints(),
            &endpoint,
            verdict,
            &self.rules,
            self.now,
        )
    }

    fn eject(&self, port: u16) -> bool {
        let mut noted = (0..3).map(|_| self.note(port, Verdict::Failed));
        noted.any(|time| time.is_some())
    }
}

#[test]
fn after_so_many_failures_in_a_row_an_endpoint_is_passed_over_for_a_while() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = ejecting(algorithm, 3);
        assert_eq!(balanced.note(1, Verdict::Failed), None);
        assert_eq!(balanced.note(1, Verdict::Failed), None);
        assert_eq!(balanced.note(1, Verdict::Served), None);
        assert!(balanced.spread(300)[1] > 50);
        assert!(balanced.eject(1));
        let counts = balanced.spread(300);
        assert_eq!(counts[1], 0, "{counts:?}");
        assert!(counts[0] > 100 && counts[2] > 100, "{counts:?}");
        balanced.now += 10_000;
        assert!(balanced.spread(300)[1] > 50);
        assert!(balanced.eject(1));
        balanced.now += 10_000;
        assert_eq!(balanced.spread(30)[1], 0, "twice as long");
    }
}

#[test]
fn no_more_than_half_of_a_pool_is_left_out() {
    let mut balanced = ejecting(Algorithm::RoundRobin, 5);
    let ejected: Vec<_> = (0..5).filter(|port| balanced.eject(*port)).collect();
    assert_eq!(ejected, [0, 1]);
    assert_eq!(balanced.spread(9), [0, 0, 3, 3, 3]);
    // When the others leave, it is half of nothing: all are asked again.
    for port in 2..4 {
        balanced.world.unregister("a.test", port);
    }
    let mut answered = [0; 5];
    for _ in 0..9 {
        answered[usize::from(balanced.request())] += 1;
    }
    assert_eq!(answered, [3, 3, 0, 0, 3]);
}

#[test]
fn one_that_is_alone_is_never_left_out() {
    let mut balanced = ejecting(Algorithm::RoundRobin, 1);
    balanced.rules.ejection.as_mut().unwrap().most_percent = 100;
    assert!(!balanced.eject(0));
    assert_eq!(balanced.request(), 0);
}

#[test]
fn those_left_out_are_asked_before_nobody_is() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = ejecting(algorithm, 2);
        balanced.rules.max_conns = 1;
        assert!(balanced.eject(1));
        let held = balanced.endpoint(0).begin(0);
        assert_eq!(balanced.request(), 1, "{algorithm:?}");
        drop(held);
        assert_eq!(balanced.request(), 0, "{algorithm:?}");
    }
}

proptest! {
    #[test]
    fn a_choice_is_never_empty_while_somebody_is_free_and_never_more_than_half_are_out(
        endpoints in 1..9_usize,
        events in prop::collection::vec((0..9_u16, prop::bool::weighted(0.8), 0..8_000_u64), 0..80),
        algorithm in prop_oneof![Just(Algorithm::RoundRobin), Just(Algorithm::LeastConnection)],
        busy in prop::collection::vec(0..3_usize, 9),
        max_conns in 0..3_u32,
    ) {
        let mut balanced = ejecting(algorithm, endpoints);
        balanced.rules.max_conns = max_conns;
        for (port, failed, pause) in events {
            balanced.now += pause;
            let port = port % endpoints as u16;
            let verdict = if failed { Verdict::Failed } else { Verdict::Served };
            balanced.note(port, verdict);
            let out = (0..endpoints as u16).filter(|port| balanced.endpoint(*port).is_ejected(balanced.now));
            prop_assert!(out.count() * 2 <= endpoints);
        }
        let held: Vec<_> = (0..endpoints)
            .flat_map(|port| {
                let endpoint = balanced.endpoint(port as u16);
                (0..busy[port]).map(move |_| endpoint.begin(0)).collect::<Vec<_>>()
            })
            .collect();
        let free = |port: usize| max_conns == 0 || busy[port] < max_conns as usize;
        let out = |port: usize| balanced.endpoint(port as u16).is_ejected(balanced.now);
        let better = (0..endpoints).any(|port| free(port) && !out(port));
        let now = balanced.now;
        match balanced.next(&mut Selection::new()) {
            Ok(picked) => {
                prop_assert!(free(usize::from(picked.endpoint.port())));
                prop_assert!(!better || !picked.endpoint.is_ejected(now));
            }
            Err(none) => {
                prop_assert_eq!(none, NoEndpoint::Overloaded);
                prop_assert!(!(0..endpoints).any(free), "{}", held.len());
            }
        }
    }
}
