//! The owner of a value, and those behind it.

use proptest::prelude::*;

use super::{Balanced, NoEndpoint, Picked, Selection};
use crate::table::tests::world::{World, plain};
use crate::table::{Algorithm, Registration, RouteOptions, SLOTS, fnv1a};

/// A hash pool of endpoints at ports 0, 1, 2, … with the ids `instance-PORT`.
fn hashed(endpoints: usize, balance: f64) -> Balanced {
    let mut balanced = Balanced::new(Algorithm::Hash, endpoints);
    let mut world = World::new();
    let options = RouteOptions {
        hash_header: "X-Tenant".into(),
        hash_balance: balance,
        ..RouteOptions::default()
    };
    for port in (0..).take(endpoints) {
        let instance = format!("instance-{port}");
        let registration = Registration {
            instance_id: &instance,
            algorithm: Some(Algorithm::Hash),
            options: Some(&options),
            ..plain(port)
        };
        world.register(&["a.test"], &registration);
    }
    balanced.pool = world.pool("a.test").unwrap();
    balanced.world = world;
    balanced
}

fn request(value: u64) -> Selection {
    Selection::new().with_value(Some(value))
}

/// Ports in the order in which the owners come from a value's slot on.
fn order(balanced: &Balanced, value: u64) -> Vec<u16> {
    let endpoints = balanced.pool.endpoints();
    let hash = endpoints.hash().unwrap();
    let start = (value % SLOTS as u64) as usize;
    let mut order = Vec::new();
    for slot in start..start + SLOTS {
        let owner = hash.position(hash.owner(slot).unwrap()).unwrap();
        let port = endpoints[owner].endpoint().port();
        if !order.contains(&port) {
            order.push(port);
        }
    }
    order
}

//
#[test]
fn attempts_follow_the_order_and_end_when_all_were_tried() {
    let mut balanced = hashed(5, 0.0);
    let value = fnv1a(b"tenant-1");
    let mut selection = request(value);
    let tried: Vec<_> = (0..5)
        .map(|_| balanced.next(&mut selection).unwrap().endpoint.port())
        .collect();
    let mut sorted = tried.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4]);
    assert_eq!(tried[0], order(&balanced, value)[0]);
    let none = balanced.next(&mut selection).unwrap_err();
    assert_eq!(none, NoEndpoint::NobodyLeft);
}

//
#[test]
fn a_retry_with_all_others_full_finds_nobody() {
    let mut balanced = hashed(3, 0.0);
    balanced.rules.max_conns = 1;
    let mut selection = request(7);
    let first = balanced.next(&mut selection).unwrap().endpoint;
    let others: Vec<_> = (0..3)
        .filter(|port| *port != first.port())
        .map(|port| balanced.endpoint(port).begin(0))
        .collect();
    let none = balanced.next(&mut selection).unwrap_err();
    assert_eq!((none, others.len()), (NoEndpoint::NobodyLeft, 2));
}

#[test]
fn the_only_endpoint_gets_all_whatever_the_factor() {
    let mut balanced = hashed(1, 0.5);
    let held: Vec<Picked> = (0..3)
        .map(|_| balanced.next(&mut request(1)).unwrap())
        .collect();
    assert_eq!(held.len(), 3);
    balanced.rules.max_conns = 3;
    assert!(balanced.next(&mut request(1)).is_err());
}

#[test]
fn a_factor_below_one_may_leave_nobody() {
    let mut balanced = hashed(2, 0.5);
    let held = [0, 1].map(|port| balanced.endpoint(port).begin(0));
    let none = balanced.next(&mut request(1)).unwrap_err();
    assert_eq!((none, held.len()), (NoEndpoint::NobodyLeft, 2));
}

//
#[test]
fn a_request_without_a_value_is_balanced_as_any_other() {
    let mut balanced = hashed(3, 0.0);
    assert_eq!(balanced.spread(6), [2, 2, 2]);
}

proptest! {
    #[test]
    fn the_first_owner_in_order_that_may_have_it_gets_it(
        busy in prop::collection::vec(0..6_u32, 1..9),
        value in any::<u64>(),
        max_conns in 0..6_u32,
        balance in prop_oneof![Just(0.0), Just(1.25), Just(3.0)],
    ) {
        let mut balanced = hashed(busy.len(), balance);
        balanced.rules.max_conns = max_conns;
        let mut held = Vec::new();
        for (port, count) in (0..).zip(&busy) {
            let endpoint = balanced.endpoint(port);
            held.extend((0..*count).map(|_| endpoint.begin(0)));
        }
        let mean = f64::from(busy.iter().sum::<u32>()) / busy.len() as f64;
        let may = |port: &u16| {
            let own = busy[usize::from(*port)];
            let full = max_conns > 0 && own >= max_conns;
            let above = busy.len() > 1 && balance > 0.0 && mean > 0.0 && f64::from(own) / mean > balance;
            !full && !above
        };
        let expected = order(&balanced, value).into_iter().find(may);
        let picked = balanced.next(&mut request(value));
        prop_assert_eq!(picked.ok().map(|picked| picked.endpoint.port()), expected);
    }
}
