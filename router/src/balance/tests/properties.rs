//! What holds for every pool.

use proptest::prelude::*;

use super::{Balanced, NoEndpoint, Selection, ZonePreference};
use crate::table::Algorithm;

/// What may be true of an endpoint when a request comes.
#[derive(Debug, Clone)]
struct State {
    local: bool,
    marked: bool,
    busy: usize,
}

fn state() -> impl Strategy<Value = State> {
    let fields = (any::<bool>(), prop::bool::weighted(0.4), 0..4_usize);
    fields.prop_map(|(local, marked, busy)| State {
        local,
        marked,
        busy,
    })
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::LeastConnection)
    ]
}

proptest! {
    #[test]
    fn round_robin_is_fair_over_any_number_of_endpoints(
        endpoints in 1..12_usize,
        before in 0..20_usize,
        rounds in 1..5_usize,
    ) {
        let mut balanced = Balanced::new(Algorithm::RoundRobin, endpoints);
        balanced.spread(before);
        prop_assert_eq!(balanced.spread(rounds * endpoints), vec![rounds; endpoints]);
    }

    #[test]
    fn a_usable_endpoint_is_found_and_the_limit_is_kept(
        states in prop::collection::vec(state(), 1..10),
        algorithm in algorithm(),
        max_conns in 0..4_u32,
        prefer_local in any::<bool>(),
    ) {
        let zones: Vec<_> = states.iter().map(|s| if s.local { "z1" } else { "z2" }).collect();
        let mut balanced = Balanced::in_zones(algorithm, &zones);
        balanced.rules.max_conns = max_conns;
        if prefer_local {
            balanced.rules.zone_preference = ZonePreference::LocallyOptimistic;
        }
        let mut busy = Vec::new();
        for (port, state) in (0..).zip(&states) {
            let endpoint = balanced.endpoint(port);
            if state.marked {
                endpoint.mark_failed(balanced.now);
            }
            busy.extend((0..state.busy).map(|_| endpoint.begin(0)));
        }
        let free = |state: &State| max_conns == 0 || state.busy < max_conns as usize;
        let any = |usable: &dyn Fn(&State) -> bool| states.iter().any(|s| free(s) && usable(s));
        let picked = balanced.next(&mut Selection::new());
        if !any(&|_| true) {
            prop_assert_eq!(picked.unwrap_err(), NoEndpoint::Overloaded);
            return Ok(());
        }
        let endpoint = picked.as_ref().unwrap().endpoint.clone();
        let state = &states[usize::from(endpoint.port())];
        prop_assert!(free(state));
        prop_assert_eq!(endpoint.in_flight() as usize, state.busy + 1);
        if algorithm == Algorithm::RoundRobin {
            let local = |s: &State| s.local || !prefer_local;
            if any(&|s| local(s) && !s.marked) {
                prop_assert!(local(state) && !state.marked);
            }
        } else {
            let local = prefer_local && any(&|s| s.local);
            prop_assert!(state.local || !local);
            let fewer = |s: &State| s.busy < state.busy && (s.local || !local);
            prop_assert!(!any(&fewer));
        }
    }

    #[test]
    fn attempts_visit_every_endpoint_once(
        states in prop::collection::vec(state(), 1..12),
        algorithm in algorithm(),
        prefer_local in any::<bool>(),
    ) {
        let zones: Vec<_> = states.iter().map(|s| if s.local { "z1" } else { "z2" }).collect();
        let mut balanced = Balanced::in_zones(algorithm, &zones);
        if prefer_local {
            balanced.rules.zone_preference = ZonePreference::LocallyOptimistic;
        }
        let mut selection = Selection::new();
        let mut visited = vec![0; states.len()];
        for _ in &states {
            // A failed attempt marks the endpoint, as the caller would.
            let picked = balanced.next(&mut selection).unwrap();
            picked.endpoint.mark_failed(balanced.now);
            visited[usize::from(picked.endpoint.port())] += 1;
        }
        prop_assert_eq!(visited, vec![1; states.len()]);
        let error = balanced.next(&mut selection).unwrap_err();
        prop_assert_eq!(error, NoEndpoint::AllTried);
    }
}
