//! Endpoints that are new come in slowly.

use proptest::prelude::*;

use super::{Balanced, Selection};
use crate::table::Algorithm;
use crate::table::tests::world::plain;

const RAMP: u64 = 30_000;

/// Two endpoints, the second registered `age` milliseconds ago and the first long before.
fn joined(algorithm: Algorithm, age: u64) -> Balanced {
    let mut balanced = Balanced::new(algorithm, 1);
    balanced.world.now += 10 * RAMP;
    balanced.world.register(&["a.test"], &plain(1));
    balanced.rules.slow_start = RAMP;
    balanced.now = balanced.world.now + age;
    balanced
}

#[test]
fn a_new_endpoint_gets_a_tenth_at_first_and_its_share_in_the_end() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        // Of 1000 requests half would be its own.
        for (age, fewest, most) in [
            (0, 10, 110),
            (RAMP / 2, 180, 400),
            (RAMP - 1, 400, 550),
            (RAMP, 450, 550),
        ] {
            let counts = joined(algorithm, age).spread(1_000);
            let new = counts[1];
            assert!((fewest..=most).contains(&new), "{algorithm:?} {age}: {new}");
        }
    }
}

#[test]
fn endpoints_that_are_all_new_share_alike() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = Balanced::new(algorithm, 4);
        balanced.now = balanced.world.now + 1;
        balanced.rules.slow_start = RAMP;
        let counts = balanced.spread(4_000);
        assert!(
            counts.iter().all(|count| (700..1_300).contains(count)),
            "{algorithm:?}: {counts:?}"
        );
    }
}

proptest! {
    #[test]
    fn somebody_is_always_chosen_and_every_attempt_goes_elsewhere(
        ages in prop::collection::vec(0..2 * RAMP, 1..8),
        least_connection in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let algorithm = match least_connection {
            true => Algorithm::LeastConnection,
            false => Algorithm::RoundRobin,
        };
        let mut balanced = Balanced::new(algorithm, 1);
        balanced.random = seed >> 1;
        balanced.rules.slow_start = RAMP;
        let start = balanced.world.now + 10 * RAMP;
        let mut ages = ages;
        ages.sort_unstable_by(|a, b| b.cmp(a));
        for (port, age) in (1..).zip(&ages) {
            balanced.world.now = start - age;
            balanced.world.register(&["a.test"], &plain(port));
        }
        balanced.now = start;
        let mut selection = Selection::new();
        let mut visited = vec![0; ages.len() + 1];
        for _ in 0..visited.len() {
            let picked = balanced.next(&mut selection).unwrap();
            picked.endpoint.mark_failed(balanced.now);
            visited[usize::from(picked.endpoint.port())] += 1;
        }
        prop_assert!(visited.iter().all(|visits| *visits == 1), "{:?}", visited);
    }
}
