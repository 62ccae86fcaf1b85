//! The counters under the model checker: every order in which threads can meet in them.
//!
//! The file is built a second time with loom's atomics, so that these tests run with all others
//! and no other part of the program has to know about loom.

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[path = "../gauge.rs"]
#[allow(clippy::duplicate_mod, reason = "with other atomics")]
mod gauge;

use gauge::{Gauge, Mark};
use loom::sync::Arc;
use loom::thread;

#[test]
fn a_gauge_gives_exactly_as_many_places_as_there_are() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        let other = |gauge: &Arc<Gauge>| {
            let gauge = Arc::clone(gauge);
            thread::spawn(move || gauge.reserve(2))
        };
        let others = [other(&gauge), other(&gauge)];
        let mut places = usize::from(gauge.reserve(2));
        for other in others {
            places += usize::from(other.join().unwrap());
        }
        assert_eq!(places, 2);
        assert_eq!(gauge.get(), 2);
    });
}

#[test]
fn a_gauge_never_shows_more_than_its_limit_and_ends_at_zero() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        let attempt = |gauge: &Gauge| {
            if gauge.reserve(1) {
                assert_eq!(gauge.get(), 1);
                gauge.release();
            }
            assert!(gauge.get() <= 1);
        };
        let other = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || {
                attempt(&gauge);
                attempt(&gauge);
            })
        };
        attempt(&gauge);
        other.join().unwrap();
        assert_eq!(gauge.get(), 0);
        assert!(gauge.reserve(1));
    });
}

#[test]
fn a_released_place_can_be_had_by_another_thread() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        assert!(gauge.reserve(1));
        let other = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || gauge.release())
        };
        other.join().unwrap();
        assert!(gauge.reserve(1));
        assert!(!gauge.reserve(1));
    });
}

#[test]
fn unlimited_attempts_are_counted_without_loss() {
    loom::model(|| {
        let gauge = Arc::new(Gauge::new());
        let other = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || gauge.reserve(0) && gauge.reserve(0))
        };
        assert!(gauge.reserve(0));
        gauge.release();
        assert!(other.join().unwrap());
        assert_eq!(gauge.get(), 2);
    });
}

#[test]
fn a_mark_is_one_that_was_set_or_none() {
    loom::model(|| {
        let mark = Arc::new(Mark::new());
        mark.set(1);
        let other = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || {
                mark.set(0);
                assert!([Some(0), None].contains(&mark.get()));
            })
        };
        mark.clear();
        assert!([Some(0), None].contains(&mark.get()));
        other.join().unwrap();
        mark.clear();
        assert_eq!(mark.get(), None);
    });
}
