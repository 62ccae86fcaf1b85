//! Counters by label: one set of them for each value seen.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What one worker counts by label. Its thread finds a known value without a lock; only a value seen for the first time
/// is entered where scrapes look, under a lock.
#[derive(Debug)]
pub(super) struct Labelled<T> {
    shared: Arc<Members<T>>,
    /// The value used last: nearly every request carries the same.
    last: RefCell<Option<Member<T>>>,
    known: RefCell<HashMap<Arc<str>, Arc<T>>>,
    most: usize,
}

/// The same as scrapes see it.
#[derive(Debug)]
pub(super) struct Members<T>(Mutex<Vec<Member<T>>>);

type Member<T> = (Arc<str>, Arc<T>);

/// Stands for all values beyond the most that are told apart.
pub(super) const OTHER: &str = "other";

impl<T> Labelled<T> {
    /// Tells at most `most` values apart, so that registrations with ever new tags do not fill the memory.
    pub(super) fn new(most: usize) -> Labelled<T> {
        let shared = Arc::new(Members(Mutex::default()));
        Labelled {
            shared,
            last: RefCell::default(),
            known: RefCell::default(),
            most,
        }
    }

    pub(super) fn members(&self) -> Arc<Members<T>> {
        Arc::clone(&self.shared)
    }

    /// Calls `with` with the counters for a value; `make` makes new ones.
    #[inline]
    pub(super) fn with(&self, value: &str, make: impl FnOnce() -> T, with: impl FnOnce(&T)) {
        if let Some((last, counters)) = &*self.last.borrow()
            && **last == *value
        {
            return with(counters);
        }
        let member = self.find(value, make);
        with(&member.1);
        *self.last.borrow_mut() = Some(member);
    }

    fn find(&self, value: &str, make: impl FnOnce() -> T) -> Member<T> {
        let mut known = self.known.borrow_mut();
        let value = match known.len() < self.most || known.contains_key(value) {
            true => value,
            false => OTHER,
        };
        if let Some((value, counters)) = known.get_key_value(value) {
            return (Arc::clone(value), Arc::clone(counters));
        }
        let member = (Arc::from(value), Arc::new(make()));
        known.insert(Arc::clone(&member.0), Arc::clone(&member.1));
        self.shared
            .lock()
            .push((Arc::clone(&member.0), Arc::clone(&member.1)));
        member
    }
}

impl<T> Members<T> {
    /// Calls `with` for each value seen so far.
    pub(super) fn each(&self, mut with: impl FnMut(&str, &T)) {
        self.each_named(|value, counters| with(value, counters));
    }

    /// As [`Members::each`], for those who keep the value.
    pub(super) fn each_named(&self, mut with: impl FnMut(&Arc<str>, &T)) {
        let members = self.lock().clone();
        for (value, counters) in &members {
            with(value, counters);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Member<T>>> {
        // Nothing panics while holding it, and a list is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::observe::cell::{get, increase};

    fn count(labelled: &Labelled<AtomicU64>, value: &str) {
        labelled.with(value, AtomicU64::default, |cell| increase(cell, 1));
    }

    fn counted(labelled: &Labelled<AtomicU64>) -> Vec<(String, u64)> {
        let mut counted = Vec::new();
        labelled
            .members()
            .each(|value, cell| counted.push((value.to_owned(), get(cell))));
        counted
    }

    #[test]
    fn each_value_is_counted_by_itself() {
        let labelled = Labelled::new(10);
        for value in ["a", "a", "", "a", "b", ""] {
            count(&labelled, value);
        }
        assert_eq!(
            counted(&labelled),
            [("a".to_owned(), 3), (String::new(), 2), ("b".to_owned(), 1)]
        );
    }

    #[test]
    fn values_beyond_the_most_are_counted_together() {
        let labelled = Labelled::new(2);
        for value in ["a", "b", "c", "d", "d", "a"] {
            count(&labelled, value);
        }
        assert_eq!(
            counted(&labelled),
            [
                ("a".to_owned(), 2),
                ("b".to_owned(), 1),
                (OTHER.to_owned(), 3)
            ]
        );
    }
}
