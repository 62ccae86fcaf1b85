//! Choices over pools of a real table.

mod failing_endpoints;
mod hash;
mod least_connection;
mod new_endpoints;
mod properties;
mod round_robin;
mod sessions;
mod zones;

use std::sync::Arc;

use super::{NoEndpoint, Picked, Rules, Selection, Session, ZonePreference, overloaded};
use crate::table::tests::world::{World, plain};
use crate::table::{Algorithm, Endpoint, Pool, Registration};

/// A pool of endpoints at ports 0, 1, 2, …, each in the zone given for it.
struct Balanced {
    world: World,
    pool: Arc<Pool>,
    rules: Rules,
    now: u64,
    random: u64,
}

impl Balanced {
    fn new(algorithm: Algorithm, endpoints: usize) -> Self {
        Self::in_zones(algorithm, &vec![""; endpoints])
    }

    fn in_zones(algorithm: Algorithm, zones: &[&str]) -> Self {
        let mut world = World::new();
        for (port, zone) in (0..).zip(zones) {
            let instance = format!("instance-{port}");
            let registration = Registration {
                instance_id: &instance,
                availability_zone: zone,
                algorithm: Some(algorithm),
                ..plain(port)
            };
            world.register(&["a.test"], &registration);
        }
        let pool = world.pool("a.test").unwrap();
        let rules = Rules {
            max_conns: 0,
            mark_ttl: 30_000,
            zone: "z1".into(),
            zone_preference: ZonePreference::None,
            slow_start: 0,
            ejection: None,
        };
        Self {
            world,
            pool,
            rules,
            now: 1_000,
            random: 0,
        }
    }

    fn next(&mut self, selection: &mut Selection) -> Result<Picked, NoEndpoint> {
        self.random += 1;
        let random = self.random;
        selection.next(&self.pool, &self.rules, None, self.now, || random)
    }

    /// As [`Balanced::next`], for a request that belongs to a session.
    fn next_in(
        &mut self,
        selection: &mut Selection,
        session: Session<'_>,
    ) -> Result<Picked, NoEndpoint> {
        self.random += 1;
        let random = self.random;
        selection.next(&self.pool, &self.rules, Some(session), self.now, || random)
    }

    /// The port that a new request is sent to; the attempt ends at once.
    fn request(&mut self) -> u16 {
        self.next(&mut Selection::new()).unwrap().endpoint.port()
    }

    fn endpoint(&self, port: u16) -> Arc<Endpoint> {
        let endpoints = self.pool.endpoints();
        let mut slots = endpoints.iter();
        let slot = slots.find(|slot| slot.endpoint().port() == port);
        Arc::clone(slot.unwrap().endpoint())
    }

    /// How many of so many requests each port gets.
    fn spread(&mut self, requests: usize) -> Vec<usize> {
        let mut counts = vec![0; self.pool.endpoints().len()];
        for _ in 0..requests {
            counts[usize::from(self.request())] += 1;
        }
        counts
    }
}

#[test]
fn an_empty_pool_has_no_endpoint() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = Balanced::new(algorithm, 1);
        balanced.world.unregister("a.test", 0);
        let error = balanced.next(&mut Selection::new()).unwrap_err();
        assert_eq!(error, NoEndpoint::Empty);
        assert!(!overloaded(&balanced.pool.endpoints(), 1));
    }
}

//
#[test]
fn an_endpoint_at_its_limit_is_passed_by() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = Balanced::new(algorithm, 2);
        balanced.rules.max_conns = 1;
        let first = balanced.next(&mut Selection::new()).unwrap();
        assert!(!overloaded(&balanced.pool.endpoints(), 1));
        let second = balanced.next(&mut Selection::new()).unwrap();
        assert_ne!(first.endpoint.port(), second.endpoint.port());
        assert!(overloaded(&balanced.pool.endpoints(), 1));
        let error = balanced.next(&mut Selection::new()).unwrap_err();
        assert_eq!(error, NoEndpoint::Overloaded);
        drop(first.in_flight);
        assert_eq!(balanced.request(), first.endpoint.port());
        balanced.rules.max_conns = 0;
        assert!(!overloaded(&balanced.pool.endpoints(), 0));
        assert_eq!(balanced.spread(100).iter().sum::<usize>(), 100);
    }
}

// Spec 4.12
#[test]
fn attempts_end_when_all_endpoints_were_tried() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        for endpoints in [1, 3, 20] {
            let mut balanced = Balanced::new(algorithm, endpoints);
            let mut selection = Selection::new();
            let mut tried: Vec<_> = (0..endpoints)
                .map(|_| balanced.next(&mut selection).unwrap().endpoint.port())
                .collect();
            tried.sort_unstable();
            assert!(tried.iter().map(|port| usize::from(*port)).eq(0..endpoints));
            let error = balanced.next(&mut selection).unwrap_err();
            assert_eq!(error, NoEndpoint::AllTried);
            let counted = balanced.pool.endpoints();
            assert!(counted.iter().all(|slot| slot.endpoint().in_flight() == 0));
        }
    }
}

// Spec 4.12
#[test]
fn endpoints_registered_meanwhile_are_tried() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = Balanced::new(algorithm, 1);
        let mut selection = Selection::new();
        balanced.next(&mut selection).unwrap();
        balanced.world.register(&["a.test"], &plain(1));
        let second = balanced.next(&mut selection).unwrap();
        assert_eq!(second.endpoint.port(), 1);
        let error = balanced.next(&mut selection).unwrap_err();
        assert_eq!(error, NoEndpoint::AllTried);
    }
}

#[test]
fn the_limit_holds_when_threads_compete() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastConnection] {
        let mut balanced = Balanced::new(algorithm, 2);
        balanced.rules.max_conns = 3;
        let (pool, rules) = (&*balanced.pool, &balanced.rules);
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..2_000 {
                        let random = || thread * 10_000 + round;
                        held.extend(Selection::new().next(pool, rules, None, 0, random));
                        let endpoints = pool.endpoints();
                        let counts = endpoints.iter().map(|slot| slot.endpoint().in_flight());
                        assert!(counts.max() <= Some(3));
                        held.truncate((round % 3) as usize);
                    }
                });
            }
        });
        let endpoints = pool.endpoints();
        assert!(
            endpoints
                .iter()
                .all(|slot| slot.endpoint().in_flight() == 0)
        );
    }
}
