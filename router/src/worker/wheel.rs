//! One coarse timer wheel per worker: a deadline costs a store, not a timer.
//!
//! A connection owns one [`Timer`] for its whole life and moves its deadline along. The wheel looks at a timer only when
//! the slot comes up in which it was last filed; a deadline that has moved further away is filed again then, so a
//! connection that is busy all the time is touched once every [`SLOTS`] ticks.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

/// Length of a tick; deadlines are kept to within one.
pub const TICK: Duration = Duration::from_millis(25);
const SLOTS: u64 = 1024;
const NEVER: u64 = u64::MAX;

/// The timers of one worker.
#[derive(Debug)]
pub struct Wheel {
    started: Instant,
    /// Ticks since the start, as of the last [`Wheel::advance`].
    now: Cell<u64>,
    filed: RefCell<Filed>,
}

#[derive(Debug)]
struct Filed {
    slots: Vec<Vec<usize>>,
    entries: Slab<Entry>,
    /// Recycled list of the slot that is being worked on.
    due: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    deadline: u64,
    /// The tick of the slot in which the entry stands; other places in which its number stands are stale.
    filed: u64,
    waker: Option<Waker>,
}

/// One connection's timer.
#[derive(Debug)]
pub struct Timer {
    wheel: Rc<Wheel>,
    key: usize,
    deadline: Cell<u64>,
    /// How silence is measured, where it is.
    pace: Cell<Pace>,
}

/// Looks at what is going on every so many ticks; silence at [`STEPS`] looks in a row ends the wait.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Length of a step; 0: only the deadline counts.
    step: u32,
    /// Steps in a row without anything.
    quiet: u8,
    /// Something has moved since the last step.
    touched: bool,
    /// The deadline behind all steps.
    end: u64,
}

impl Pace {
    const NONE: Pace = Pace {
        step: 0,
        quiet: 0,
        touched: false,
        end: NEVER,
    };
}

/// Steps of an idle time-out: it is kept to within a fourth.
const STEPS: u8 = 4;

impl Wheel {
    /// A wheel that begins now.
    pub fn new() -> Rc<Wheel> {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        let filed = Filed {
            slots,
            entries: Slab::new(),
            due: Vec::new(),
        };
        Rc::new(Wheel {
            started: Instant::now(),
            now: Cell::new(0),
            filed: RefCell::new(filed),
        })
    }

    /// A timer without a deadline.
    pub fn timer(self: &Rc<Self>) -> Timer {
        let key = self.filed.borrow_mut().entries.insert(Entry {
            deadline: NEVER,
            filed: NEVER,
            waker: None,
        });
        Timer {
            wheel: Rc::clone(self),
            key,
            deadline: Cell::new(NEVER),
            pace: Cell::new(Pace::NONE),
        }
    }

    /// Moves the wheel to `now` and wakes what is due. Called once a tick by the worker.
    pub fn advance(&self, now: Instant) {
        let target =
            (now.saturating_duration_since(self.started).as_millis() / TICK.as_millis()) as u64;
        while self.now.get() < target {
            let tick = self.now.get() + 1;
            self.now.set(tick);
            self.turn(tick);
        }
    }

    fn turn(&self, tick: u64) {
        let mut woken = Vec::new();
        {
            let filed = &mut *self.filed.borrow_mut();
            let mut due = std::mem::take(&mut filed.due);
            std::mem::swap(&mut due, &mut filed.slots[(tick % SLOTS) as usize]);
            for key in due.drain(..) {
                let Some(entry) = filed
                    .entries
                    .get_mut(key)
                    .filter(|entry| entry.filed == tick)
                else {
                    continue;
                };
                if entry.deadline <= tick {
                    entry.filed = NEVER;
                    woken.extend(entry.waker.take());
                } else if entry.deadline == NEVER {
                    entry.filed = NEVER;
                } else {
                    entry.filed = entry.deadline.min(tick + SLOTS - 1);
                    filed.slots[(entry.filed % SLOTS) as usize].push(key);
                }
            }
            filed.due = due;
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Wakes every task that waits with a timer, so that it looks at the worker's state again (the drain began).
    pub fn wake_all(&self) {
        let woken: Vec<_> = self
            .filed
            .borrow_mut()
            .entries
            .iter_mut()
            .filter_map(|(_, entry)| entry.waker.take())
            .collect();
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Timer {
    /// Sets the deadline `after` from now; zero disarms, as a zero time-out in the configuration means none.
    pub fn arm(&self, after: Duration) {
        if after.is_zero() {
            return self.disarm();
        }
        self.pace.set(Pace::NONE);
        // The tick that is running has begun some time ago: one more keeps the deadline from coming early.
        self.set(self.wheel.now.get() + ticks(after) + 1);
    }

    /// Sets the deadline `after` from now, zero for none, and another one that comes nearer whenever nothing was
    /// [touched](Timer::touch) for `idle`, zero for none. Idle times are kept to within a fourth.
    pub fn pace(&self, after: Duration, idle: Duration) {
        if idle.is_zero() {
            return self.arm(after);
        }
        let now = self.wheel.now.get();
        let end = match after.is_zero() {
            true => NEVER,
            false => now + ticks(after) + 1,
        };
        let step = ticks(idle).div_ceil(u64::from(STEPS)).max(1);
        self.pace.set(Pace {
            step: u32::try_from(step).unwrap_or(u32::MAX),
            quiet: 0,
            touched: false,
            end,
        });
        // One more tick for the reason above, in the first step alone.
        self.set(end.min(now + step + 1));
    }

    /// Something has moved.
    #[inline]
    pub fn touch(&self) {
        let pace = self.pace.get();
        self.pace.set(Pace {
            touched: true,
            ..pace
        });
    }

    /// Whether it was silence that made it expire.
    pub fn was_idle(&self) -> bool {
        self.pace.get().quiet >= STEPS
    }

    fn set(&self, deadline: u64) {
        self.deadline.set(deadline);
        let filed = &mut *self.wheel.filed.borrow_mut();
        let entry = &mut filed.entries[self.key];
        entry.deadline = deadline;
        let slot = deadline.min(self.wheel.now.get() + SLOTS - 1);
        if slot < entry.filed {
            entry.filed = slot;
            filed.slots[(slot % SLOTS) as usize].push(self.key);
        }
    }

    /// Takes the deadline away.
    pub fn disarm(&self) {
        self.pace.set(Pace::NONE);
        self.deadline.set(NEVER);
        self.wheel.filed.borrow_mut().entries[self.key].deadline = NEVER;
    }

    /// Whether the deadline has passed; if not, the task is woken when it does (or by [`Wheel::wake_all`]). To be called in
    /// every poll of a wait.
    #[inline]
    pub fn has_expired(&self, cx: &Context<'_>) -> bool {
        if self.wheel.now.get() >= self.deadline.get() && self.is_over() {
            return true;
        }
        let entry = &mut self.wheel.filed.borrow_mut().entries[self.key];
        match &mut entry.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            waker => *waker = Some(cx.waker().clone()),
        }
        false
    }
}

impl Timer {
    /// Whether the deadline was the last one, or there was nothing for too long. If not, the next step has begun.
    fn is_over(&self) -> bool {
        let mut pace = self.pace.get();
        let now = self.wheel.now.get();
        if pace.step == 0 || now >= pace.end {
            return true;
        }
        pace.quiet = match std::mem::take(&mut pace.touched) {
            true => 0,
            false => pace.quiet.saturating_add(1),
        };
        self.pace.set(pace);
        if pace.quiet >= STEPS {
            return true;
        }
        self.set(pace.end.min(now + u64::from(pace.step)));
        false
    }

    /// Does `work`; `None` when the deadline passes first.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.has_expired(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

fn ticks(time: Duration) -> u64 {
    const PER_SECOND: u64 = 1000 / TICK.as_millis() as u64;
    let rest = time.subsec_millis().div_ceil(TICK.as_millis() as u32);
    let seconds = time.as_secs().min(u64::from(u32::MAX));
    seconds * PER_SECOND + u64::from(rest)
}

impl Drop for Timer {
    fn drop(&mut self) {
        // A number that is used again may still stand in old slots: its entry is filed elsewhere, so they are passed over.
        self.wheel.filed.borrow_mut().entries.remove(self.key);
    }
}

#[cfg(test)]
mod tests;
