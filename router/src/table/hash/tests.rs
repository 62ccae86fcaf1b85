//! The vectors of spec 14.1, and that only the ids count.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest as sha2};
use proptest::prelude::*;
use proptest::sample::SizeRange;

use super::{Hash, SLOTS, fnv1a};
use crate::table::tests::world::{World, plain};
use crate::table::{Algorithm, Pool, Registration, RouteOptions};

const THREE: [&str; 3] = ["instance-a", "instance-b", "instance-c"];
const FIVE: [&str; 5] = [
    "0b8e5c0e-1111-4222-7333-4444",
    "26abdee3-3e45-4a14-6d09-4d2f",
    "7c9e6679-7425-40de-944b-e07f",
    "9a1d77de-0d44-4a6f-7f3a-5c2e",
    "f00dcafe-0000-4000-4000-0001",
];

/// Registers an instance at a port, with the options of a hash pool.
fn register(world: &mut World, port: u16, id: &str) {
    let options = RouteOptions {
        hash_header: "X-Tenant".into(),
        ..RouteOptions::default()
    };
    let registration = Registration {
        instance_id: id,
        algorithm: Some(Algorithm::Hash),
        options: Some(&options),
        ..plain(port)
    };
    world.register(&["a.test"], &registration);
}

/// A table of a pool with these ids, registered in this order.
fn with_table<T>(ids: &[&str], look: impl FnOnce(&Hash, &Pool) -> T) -> T {
    let mut world = World::new();
    for (port, id) in (1..).zip(ids) {
        register(&mut world, port, id);
    }
    let pool = world.pool("a.test").unwrap();
    let endpoints = pool.endpoints();
    look(endpoints.hash().unwrap(), &pool)
}

fn owners(hash: &Hash) -> Vec<usize> {
    (0..SLOTS).map(|slot| hash.owner(slot).unwrap()).collect()
}

fn digest(owners: &[usize]) -> String {
    let text: Vec<_> = owners.iter().map(usize::to_string).collect();
    let mut hex = String::new();
    for byte in sha2(&SHA256, text.join(",").as_bytes()).as_ref() {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

fn counts(owners: &[usize], ids: usize) -> Vec<usize> {
    (0..ids)
        .map(|id| owners.iter().filter(|owner| **owner == id).count())
        .collect()
}

/// Checks digest and slot counts, forwards and backwards.
#[track_caller]
fn expect(ids: &[&str], slots: &[usize], expected: &str) {
    let backwards: Vec<_> = ids.iter().rev().copied().collect();
    for ids in [ids, &backwards] {
        let owners = with_table(ids, |hash, _| owners(hash));
        assert_eq!(counts(&owners, ids.len()), slots);
        assert_eq!(digest(&owners), expected);
    }
}

//
#[test]
fn the_tables_are_those_of_the_vectors_whatever_the_order_of_registration() {
    expect(
        &THREE,
        &[1001, 1000, 1000],
        "8eae9aa7de0c13fa394f42665d5838240b6a21d4ab9b1b3e73daa37ed3bf2881",
    );
    expect(
        &THREE[..2],
        &[1501, 1500],
        "fefe5512d6eed4bde8ab7b9e9452443023a5d908ed4c63d3dc2303a68b7967a2",
    );
    expect(
        &FIVE,
        &[601, 600, 600, 600, 600],
        "c375bb04bbab8cf977c9e8e01cf54fcdfac6a1a6fc567493d17cff57c213fd62",
    );
    let four = [FIVE[0], FIVE[1], FIVE[2], FIVE[4]];
    expect(
        &four,
        &[751, 750, 750, 750],
        "078eae9644bc5d7e9759c485d28e84f358173c3851915d0178270675e20c2979",
    );
}

//
#[test]
fn offsets_and_skips_are_those_of_the_vectors() {
    let preference = |id: &str| {
        let hash = fnv1a(id.as_bytes());
        (hash % 3001, hash % 3000 + 1)
    };
    assert_eq!(
        THREE.map(preference),
        [(1541, 2045), (2928, 2678), (465, 2467)]
    );
    assert_eq!(
        FIVE.map(preference),
        [
            (696, 2018),
            (1191, 2186),
            (2289, 2070),
            (939, 2251),
            (672, 1162)
        ]
    );
    let first = with_table(&THREE, |hash, _| owners(hash));
    assert_eq!(
        first[..24],
        [
            0, 0, 2, 0, 1, 1, 1, 2, 1, 0, 0, 0, 2, 1, 0, 2, 1, 0, 0, 0, 2, 1, 1, 1
        ]
    );
}

/// The order in which the owners come from a value's slot on, by their ids' first characters.
fn order(ids: &[&str], value: &str) -> Vec<String> {
    with_table(ids, |hash, pool| {
        let mut seen: Vec<String> = Vec::new();
        let start = (fnv1a(value.as_bytes()) % SLOTS as u64) as usize;
        for step in 0..SLOTS {
            let owner = hash.owner(start + step).unwrap();
            let endpoints = pool.endpoints();
            let endpoint = endpoints[hash.position(owner).unwrap()].endpoint();
            let id = endpoint.instance_id().to_owned();
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        seen
    })
}

//
#[test]
fn header_values_lead_where_the_vectors_say() {
    for (value, hash, slot, three, five) in [
        (
            "tenant-1",
            0xc2ef_b128_e3eb_f08b_u64,
            462,
            [1, 2, 0],
            [3, 1, 0, 2, 4],
        ),
        (
            "tenant-42",
            0x2944_b77b_49f2_4de2,
            2643,
            [1, 0, 2],
            [3, 1, 2, 0, 4],
        ),
        (
            "alice",
            0x508b_2abb_65a0_3907,
            2053,
            [1, 2, 0],
            [0, 4, 3, 1, 2],
        ),
        ("ÄÖ", 0xb993_20c6_3e1a_1fbf, 914, [0, 1, 2], [0, 1, 2, 4, 3]),
        ("x", 0xaf63_f54c_8602_1707, 1922, [2, 0, 1], [0, 2, 4, 3, 1]),
    ] {
        assert_eq!(fnv1a(value.as_bytes()), hash, "{value}");
        assert_eq!(hash % SLOTS as u64, slot, "{value}");
        assert_eq!(order(&THREE, value), three.map(|id| THREE[id]), "{value}");
        assert_eq!(order(&FIVE, value), five.map(|id| FIVE[id]), "{value}");
    }
    assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
}

//
#[test]
fn what_an_id_leaves_behind_goes_to_others_and_little_else_moves() {
    let five = with_table(&FIVE, |hash, _| owners(hash));
    let without = [0, 1, 2, 4];
    let four = with_table(&without.map(|id| FIVE[id]), |hash, _| owners(hash));
    let owner = |value: &str| without[four[(fnv1a(value.as_bytes()) % SLOTS as u64) as usize]];
    assert_eq!(["tenant-1", "tenant-42", "alice"].map(owner), [2, 0, 0]);
    let moved = five
        .iter()
        .zip(&four)
        .filter(|(before, after)| **before != 3 && without[**after] != **before);
    assert_eq!(moved.count(), 24);
}

//
#[test]
fn an_endpoint_that_was_there_leaves_no_trace() {
    let untouched = with_table(&THREE, |hash, _| owners(hash));
    let mut world = World::new();
    for (port, id) in (1..).zip(["instance-c", "gone", "instance-a", "instance-b"]) {
        register(&mut world, port, id);
    }
    world.unregister("a.test", 2);
    let pool = world.pool("a.test").unwrap();
    assert_eq!(owners(pool.endpoints().hash().unwrap()), untouched);
}

#[test]
fn an_address_that_changes_its_id_changes_the_table() {
    let mut world = World::new();
    for (port, id) in [(1, "instance-a"), (2, "other"), (2, "instance-b")] {
        register(&mut world, port, id);
    }
    let pool = world.pool("a.test").unwrap();
    let two = with_table(&THREE[..2], |hash, _| owners(hash));
    assert_eq!(owners(pool.endpoints().hash().unwrap()), two);
}

#[test]
fn endpoints_without_an_id_are_told_apart_by_their_address() {
    let counts = with_table(&["", ""], |hash, _| counts(&owners(hash), 2));
    assert_eq!(counts, [1501, 1500]);
}

//
#[test]
fn a_pool_that_turns_to_hash_has_all_its_endpoints_at_once() {
    let mut world = World::new();
    for (port, id) in [(1, "instance-a"), (2, "instance-b")] {
        let registration = Registration {
            instance_id: id,
            algorithm: Some(Algorithm::RoundRobin),
            ..plain(port)
        };
        world.register(&["a.test"], &registration);
    }
    let pool = world.pool("a.test").unwrap();
    assert!(pool.endpoints().hash().is_none());
    register(&mut world, 3, "instance-c");
    let all = with_table(&THREE, |hash, _| owners(hash));
    assert_eq!(owners(pool.endpoints().hash().unwrap()), all);
    let registration = Registration {
        instance_id: "instance-a",
        algorithm: Some(Algorithm::RoundRobin),
        updated_at_ns: 1,
        ..plain(1)
    };
    world.register(&["a.test"], &registration);
    assert!(pool.endpoints().hash().is_none(), "R-309");
}

#[test]
fn a_registration_without_a_known_algorithm_keeps_header_and_balance() {
    let mut world = World::new();
    register(&mut world, 1, "instance-a");
    let registration = Registration {
        algorithm_text: "bogus",
        ..plain(2)
    };
    world.register(&["a.test"], &registration);
    let pool = world.pool("a.test").unwrap();
    let endpoints = pool.endpoints();
    let hash = endpoints.hash().unwrap();
    assert_eq!((hash.header(), hash.owners()), ("X-Tenant", 2));
}

#[test]
fn a_narrowed_pool_has_a_table_of_its_own() {
    with_table(&FIVE, |_, pool| {
        let without = FIVE[3];
        let narrowed = pool.narrowed(0, |endpoint| endpoint.instance_id() != without);
        let narrowed = narrowed.unwrap();
        let endpoints = narrowed.endpoints();
        let owners = owners(endpoints.hash().unwrap());
        assert_eq!(counts(&owners, 4), [751, 750, 750, 750]);
    });
}

#[test]
fn more_ids_than_slots_get_a_slot_each_and_the_rest_none() {
    let mut world = World::new();
    let ids: Vec<_> = (0..SLOTS + 1).map(|id| format!("{id:05}")).collect();
    for (port, id) in (1..).zip(&ids) {
        let registration = Registration {
            instance_id: id,
            ..plain(port)
        };
        world.register(&["a.test"], &registration);
    }
    register(&mut world, 1, "00000");
    let pool = world.pool("a.test").unwrap();
    let endpoints = pool.endpoints();
    let hash = endpoints.hash().unwrap();
    assert_eq!(hash.owners(), SLOTS);
    assert_eq!(counts(&owners(hash), SLOTS), vec![1; SLOTS]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_slot_has_an_owner_and_shares_differ_by_one(
        ids in prop::collection::btree_set("[a-z0-9-]{1,12}", SizeRange::from(1..40)),
        seed in any::<u64>(),
    ) {
        let sorted: Vec<_> = ids.iter().map(String::as_str).collect();
        let mut shuffled = sorted.clone();
        shuffled.sort_by_key(|id| fnv1a(id.as_bytes()) ^ seed);
        let table = with_table(&sorted, |hash, _| owners(hash));
        prop_assert_eq!(&table, &with_table(&shuffled, |hash, _| owners(hash)));
        let shares = counts(&table, sorted.len());
        prop_assert_eq!(shares.iter().sum::<usize>(), SLOTS);
        let (least, most) = (shares.iter().min(), shares.iter().max());
        prop_assert!(most.unwrap() - least.unwrap() <= 1);
        prop_assert!(shares.is_sorted_by(|a, b| a >= b), "the first ids have one more");
    }
}
