//! Timers that expire, are set again, and are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn context() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn a_deadline_wakes_its_task_once_and_never_early() {
    let wheel = Wheel::new();
    let (count, waker) = context();
    let cx = Context::from_waker(&waker);
    let timer = wheel.timer();
    timer.arm(Duration::from_secs(60));
    assert!(!timer.has_expired(&cx));
    wheel.advance(wheel.started + Duration::from_secs(60));
    assert!(!timer.has_expired(&cx));
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    wheel.advance(wheel.started + Duration::from_millis(60_050));
    assert!(timer.has_expired(&cx));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_deadline_that_moves_nearer_and_away_is_kept() {
    let wheel = Wheel::new();
    let (_, waker) = context();
    let cx = Context::from_waker(&waker);
    let timer = wheel.timer();
    timer.arm(Duration::from_secs(900));
    timer.arm(Duration::from_millis(100));
    assert!(!timer.has_expired(&cx));
    wheel.advance(wheel.started + Duration::from_millis(50));
    timer.arm(Duration::from_secs(1));
    wheel.advance(wheel.started + Duration::from_millis(900));
    assert!(!timer.has_expired(&cx));
    wheel.advance(wheel.started + Duration::from_millis(1200));
    assert!(timer.has_expired(&cx));
    timer.disarm();
    wheel.advance(wheel.started + Duration::from_secs(2000));
    assert!(!timer.has_expired(&cx));
}

#[test]
fn silence_ends_a_wait_and_what_moves_prolongs_it() {
    let wheel = Wheel::new();
    let (_, waker) = context();
    let cx = Context::from_waker(&waker);
    let timer = wheel.timer();
    let started = wheel.started;
    let expired_at = |timer: &Timer, from: u64, to: u64| {
        (from..to).step_by(25).find(|milliseconds| {
            wheel.advance(started + Duration::from_millis(*milliseconds));
            timer.has_expired(&cx)
        })
    };
    timer.pace(Duration::ZERO, Duration::from_secs(1));
    let first = expired_at(&timer, 0, 10_000).unwrap();
    assert!((1_000..=1_300).contains(&first), "{first}");
    assert!(timer.was_idle());

    timer.pace(Duration::from_secs(5), Duration::from_secs(1));
    for milliseconds in (first..first + 4_900).step_by(25) {
        timer.touch();
        wheel.advance(started + Duration::from_millis(milliseconds));
        assert!(!timer.has_expired(&cx), "{milliseconds}");
    }
    let end = expired_at(&timer, first + 4_900, first + 10_000).unwrap();
    assert!((4_975..=5_100).contains(&(end - first)), "{end}");
    assert!(!timer.was_idle(), "it was the end");
}

#[test]
fn a_timer_that_is_armed_anew_has_no_pace() {
    let wheel = Wheel::new();
    let (_, waker) = context();
    let cx = Context::from_waker(&waker);
    let timer = wheel.timer();
    timer.pace(Duration::ZERO, Duration::from_millis(100));
    timer.arm(Duration::from_secs(10));
    wheel.advance(wheel.started + Duration::from_secs(9));
    assert!(!timer.has_expired(&cx));
    timer.pace(Duration::ZERO, Duration::from_millis(100));
    timer.disarm();
    wheel.advance(wheel.started + Duration::from_secs(100));
    assert!(!timer.has_expired(&cx));
}

#[test]
fn a_busy_timer_stands_in_few_slots() {
    let wheel = Wheel::new();
    let timer = wheel.timer();
    for step in 0..10_000_u64 {
        timer.arm(Duration::from_secs(900));
        timer.arm(Duration::from_secs(60));
        wheel.advance(wheel.started + Duration::from_millis(step));
    }
    let standing: usize = wheel.filed.borrow().slots.iter().map(Vec::len).sum();
    assert!(standing <= 3, "{standing} places");
}
