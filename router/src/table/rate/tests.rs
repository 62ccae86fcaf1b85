//! Rates against a naive model, and the bound on memory.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::{Bucket, Clients, IpAddr, Millis, Rate, SKEW};

const fn rate(requests: u32, period: Millis) -> Rate {
    Rate { requests, period }
}

fn client(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

#[test]
fn a_burst_is_let_in_and_then_one_by_one() {
    let bucket = Bucket::new(rate(5, 1_000)).unwrap();
    let now = 1_000_000;
    let let_in = |now| (0..20).take_while(|_| bucket.take(now).is_ok()).count();
    assert_eq!(let_in(now), 5);
    assert_eq!(bucket.take(now), Err(200));
    assert_eq!(let_in(now + 149), 0);
    assert_eq!(let_in(now + 200), 1);
    assert_eq!(let_in(now + 1_000), 4);
    assert_eq!(let_in(now + 100_000), 5, "no more is saved up");
}

#[test]
fn a_clock_that_is_a_little_behind_turns_nobody_away() {
    let bucket = Bucket::new(rate(2, 3_600_000)).unwrap();
    assert!(bucket.take(10_000).is_ok());
    assert!(bucket.take(9_975).is_ok());
    assert!(bucket.take(10_000).is_err());
}

#[test]
fn who_came_in_early_for_the_clocks_sake_waits_that_much_longer() {
    let bucket = Bucket::new(rate(1, 831)).unwrap();
    assert_eq!(bucket.take(77_000), Ok(()));
    assert_eq!(bucket.take(77_780), Err(51));
    assert_eq!(bucket.take(77_781), Ok(()));
    assert_eq!(bucket.take(77_781), Err(881));
    assert_eq!(bucket.take(77_781 + 881), Ok(()));
}

#[test]
fn a_rate_of_nothing_is_no_limit() {
    assert!(Bucket::new(rate(0, 1_000)).is_none());
    let clients = Clients::new(7);
    assert!((0..1_000).all(|_| clients.take(1, client(1), rate(0, 1_000), 5).is_ok()));
}

#[test]
fn the_fastest_rate_does_not_divide_by_nothing() {
    let bucket = Bucket::new(rate(u32::MAX, 1)).unwrap();
    assert!((0..1_000).all(|_| bucket.take(1).is_ok()));
}

#[test]
fn each_client_of_each_route_has_a_rate_of_its_own() {
    let clients = Clients::new(7);
    let let_in = |route, client| {
        let takes = (0..20).map(|_| clients.take(route, client, rate(3, 60_000), 1_000));
        takes.filter(Result::is_ok).count()
    };
    assert_eq!(let_in(1, client(1)), 3);
    assert_eq!(let_in(1, client(2)), 3);
    assert_eq!(let_in(2, client(1)), 3);
    assert_eq!(let_in(1, client(1)), 0);
    assert_eq!(
        clients.take(1, client(1), rate(3, 60_000), 1_000),
        Err(20_000)
    );
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one_client() {
    let clients = Clients::new(7);
    let take = |address: &str| {
        let address = address.parse().unwrap();
        clients.take(1, address, rate(1, 60_000), 1_000).is_ok()
    };
    assert!(take("2001:db8:0:1::1"));
    assert!(!take("2001:db8:0:1:ffff::2"));
    assert!(take("2001:db8:0:2::1"));
    assert!(take("203.0.113.1"));
    assert!(!take("::ffff:203.0.113.1"));
}

#[test]
fn more_clients_than_there_is_room_for_are_served_and_heavy_ones_are_remembered() {
    let clients = Clients::new(7);
    let slow = rate(10, 60_000);
    let heavy = client(u32::MAX);
    let now = 1_000_000;
    assert!((0..10).all(|_| clients.take(1, heavy, slow, now).is_ok()));
    for number in 0..500_000 {
        assert!(clients.take(1, client(number), slow, now).is_ok());
        if number % 1_000 == 0 {
            assert!(clients.take(1, heavy, slow, now).is_err(), "{number}");
        }
    }
}

#[test]
fn a_time_that_wraps_around_does_not_lock_anybody_out() {
    let clients = Clients::new(7);
    let wrap = (1_u64 << 44) / 1_000;
    for now in [wrap - 1_000, wrap, wrap + 1_000, 3 * wrap / 2] {
        assert!(
            clients.take(1, client(1), rate(1, 500), now).is_ok(),
            "{now}"
        );
        assert!(
            clients.take(1, client(1), rate(1, 500), now).is_err(),
            "{now}"
        );
        let later = now + 500;
        assert!(
            clients.take(1, client(1), rate(1, 500), later).is_ok(),
            "{now}"
        );
    }
}

/// Half of the time after which stored times wrap around, in milliseconds.
const HALF: Millis = (1 << 43) / 1_000;

#[test]
fn a_client_that_comes_back_after_any_time_is_let_in() {
    let start = 1_000_000;
    for percent in [10, 50, 90, 99, 101, 110, 160, 190, 199, 201, 310] {
        let clients = Clients::new(7);
        let hourly = rate(2, 3_600_000);
        let take = |now| clients.take(1, client(1), hourly, now).is_ok();
        assert!(take(start) && take(start) && !take(start));
        let later = start + HALF / 100 * percent;
        assert!(take(later) && take(later) && !take(later), "{percent} %");
    }
}

#[test]
fn whatever_the_time_nobody_is_forgotten_while_there_are_empty_places() {
    for percent in [10, 50, 90, 110, 160, 190] {
        let (clients, now) = (Clients::new(7), HALF / 100 * percent);
        let take = |number| {
            clients
                .take(1, client(number), rate(1, 60_000), now)
                .is_ok()
        };
        assert!((0..1_000).all(take), "{percent} %");
        assert!(!(0..1_000).any(take), "{percent} %");
    }
}

#[test]
fn those_of_slow_rates_are_remembered_beside_newcomers_of_fast_ones() {
    let clients = Clients::new(7);
    let (hourly, now) = (rate(1, 3_600_000), 1_000_000);
    assert!(clients.take(1, client(u32::MAX), hourly, now).is_ok());
    for number in 0..500_000 {
        let fast = clients.take(2, client(number), rate(10, 1_000), now);
        assert!(fast.is_ok());
    }
    assert!(clients.take(1, client(u32::MAX), hourly, now).is_err());
}

#[test]
fn a_client_does_not_wait_for_a_rate_that_the_route_had_before() {
    let (clients, now) = (Clients::new(7), 1_000_000);
    let slow = rate(60, 3_600_000);
    assert!((0..60).all(|_| clients.take(1, client(1), slow, now).is_ok()));
    assert!(clients.take(1, client(1), slow, now).is_err());
    assert!(clients.take(1, client(1), rate(6_000, 1_000), now).is_ok());
}

#[test]
fn a_clock_that_is_behind_gives_no_client_a_second_burst() {
    let (clients, now) = (Clients::new(7), 1_000_000);
    let fast = rate(100, 1_000);
    let takes = (0..500).filter(|_| clients.take(1, client(1), fast, now).is_ok());
    let let_in = takes.count();
    let takes = (0..500).filter(|_| clients.take(1, client(1), fast, now - 50).is_ok());
    assert_eq!((let_in, takes.count()), (100, 0));
}

proptest! {
    #[test]
    fn never_more_than_the_burst_and_the_rate_and_whoever_waits_is_let_in(
        requests in 1..20_u32,
        period in 1..5_000_u64,
        pauses in prop::collection::vec(0..2_000_u64, 1..100),
        by_client in any::<bool>(),
    ) {
        let rate = rate(requests, period);
        let bucket = Bucket::new(rate).unwrap();
        let clients = Clients::new(3);
        let take = |now| match by_client {
            true => clients.take(9, client(4), rate, now),
            false => bucket.take(now),
        };
        let start = 77_000;
        let mut now = start;
        let mut let_in = 0;
        // Whole microseconds between two requests, and up to half of that for clocks that differ: a little more may pass
        // than the rate says, and who did waits that much longer for the next one.
        let distance = (period * 1_000 / u64::from(requests)).max(1);
        let longest = (distance + SKEW.min(distance / 2)).div_ceil(1_000);
        for pause in pauses {
            now += pause;
            match take(now) {
                Ok(()) => let_in += 1,
                Err(wait) => {
                    prop_assert!(wait > 0 && wait <= longest, "{} of {}", wait, longest);
                    now += wait;
                    prop_assert_eq!(take(now), Ok(()));
                    let_in += 1;
                }
            }
            let most = u64::from(requests) + (now - start) * 1_000 / distance + 1;
            prop_assert!(let_in <= most, "{} of {}", let_in, most);
        }
    }
}
