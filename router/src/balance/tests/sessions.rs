//! Requests that belong to a session.

use proptest::prelude::*;

use super::{Balanced, NoEndpoint, Selection};
use crate::balance::{Bond, Session};
use crate::table::Algorithm;

const BOTH: [Algorithm; 2] = [Algorithm::RoundRobin, Algorithm::LeastConnection];

/// The id of the instance at a port of the world.
fn id(port: u16) -> String {
    format!("instance-{port}")
}

fn session(instance: &str, bond: Bond) -> Session<'_> {
    Session {
        instance: instance.as_bytes(),
        bond,
    }
}

#[test]
fn a_session_goes_to_its_instance_whatever_its_marks_zone_and_load() {
    for algorithm in BOTH {
        let mut balanced = Balanced::in_zones(algorithm, &["z1", "z2", "z1"]);
        balanced.rules.zone_preference = crate::balance::ZonePreference::LocallyOptimistic;
        balanced.endpoint(1).mark_failed(balanced.now);
        let _busy = balanced.endpoint(1).begin(0);
        let instance = id(1);
        for bond in [Bond::Preferred, Bond::Required] {
            let mut selection = Selection::new();
            let picked = balanced.next_in(&mut selection, session(&instance, bond));
            assert_eq!(picked.unwrap().endpoint.port(), 1);
        }
    }
}

#[test]
fn an_address_names_an_instance_as_well() {
    let mut balanced = Balanced::new(Algorithm::RoundRobin, 3);
    let address = balanced.endpoint(2).address().to_owned();
    for _ in 0..3 {
        let picked = balanced.next_in(&mut Selection::new(), session(&address, Bond::Preferred));
        assert_eq!(picked.unwrap().endpoint.port(), 2);
    }
}

#[test]
fn a_retry_of_a_session_goes_elsewhere() {
    for algorithm in BOTH {
        let mut balanced = Balanced::new(algorithm, 3);
        for port in 0..3 {
            let (mut selection, instance) = (Selection::new(), id(port));
            let mut ports = [0; 3].map(|_| {
                let session = session(&instance, Bond::Preferred);
                let picked = balanced.next_in(&mut selection, session);
                picked.unwrap().endpoint.port()
            });
            assert_eq!(ports[0], port);
            ports.sort_unstable();
            assert_eq!(ports, [0, 1, 2], "each once");
        }
    }
}

#[test]
fn an_instance_that_is_gone_or_full_gives_way_to_another() {
    for algorithm in BOTH {
        let mut balanced = Balanced::new(algorithm, 2);
        balanced.rules.max_conns = 1;
        let _full = balanced.endpoint(0).begin(1);
        for instance in [id(0), "gone".to_owned(), String::new()] {
            let mut selection = Selection::new();
            let picked = balanced.next_in(&mut selection, session(&instance, Bond::Preferred));
            assert_eq!(picked.unwrap().endpoint.port(), 1);
        }
    }
}

#[test]
fn a_bond_that_is_required_holds_or_fails() {
    for algorithm in BOTH {
        let mut balanced = Balanced::new(algorithm, 2);
        balanced.rules.max_conns = 1;
        let (mut selection, instance) = (Selection::new(), id(0));
        for _ in 0..2 {
            let picked = balanced.next_in(&mut selection, session(&instance, Bond::Required));
            assert_eq!(picked.unwrap().endpoint.port(), 0, "on retries too");
        }
        let end = balanced.next_in(&mut selection, session(&instance, Bond::Required));
        assert_eq!(end.unwrap_err(), NoEndpoint::AllTried);
        let _full = balanced.endpoint(0).begin(1);
        for instance in [&instance, "gone"] {
            let mut selection = Selection::new();
            let none = balanced.next_in(&mut selection, session(instance, Bond::Required));
            assert_eq!(none.unwrap_err(), NoEndpoint::Unbound);
        }
    }
}

proptest! {
    #[test]
    fn sessions_do_not_disturb_the_turn_of_others(
        endpoints in 1..8_usize,
        sessions in prop::collection::vec(any::<u16>(), 0..30),
    ) {
        let mut balanced = Balanced::new(Algorithm::RoundRobin, endpoints);
        for which in sessions {
            let instance = id(which % endpoints as u16);
            let session = session(&instance, Bond::Preferred);
            drop(balanced.next_in(&mut Selection::new(), session));
            let turn = balanced.request();
            let next = balanced.request();
            prop_assert_eq!(usize::from(next), (usize::from(turn) + 1) % endpoints);
        }
    }
}
