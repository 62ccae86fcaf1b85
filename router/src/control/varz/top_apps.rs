//! Which applications had the most requests in the last minute.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many are told.
const TOLD: usize = 10;
/// Samples that make a minute, with the one that has only begun.
const SAMPLES: usize = 12;
/// Applications that a sample keeps: those with the most requests.
const KEPT: usize = 1_000;

/// Requests by application, in samples of the last minute.
#[derive(Debug, Default)]
pub(super) struct TopApps {
    seen: HashMap<Arc<str>, u64>,
    samples: VecDeque<Vec<(Arc<str>, u64)>>,
}

impl TopApps {
    /// Takes the requests by application so far, a twelfth of a minute after the last sample.
    pub(super) fn sample(&mut self, totals: HashMap<Arc<str>, u64>) {
        let mut new: Vec<_> = self.since_sample(&totals).collect();
        most_first(&mut new, KEPT);
        self.samples.push_back(new);
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.seen = totals;
    }

    /// Those with the most requests in the last minute, most first; `totals` are those of now.
    pub(super) fn top(&self, totals: &HashMap<Arc<str>, u64>) -> Vec<(Arc<str>, u64)> {
        let mut sums: HashMap<Arc<str>, u64> = self.since_sample(totals).collect();
        for (app, requests) in self.samples.iter().flatten() {
            *sums.entry(Arc::clone(app)).or_default() += requests;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        most_first(&mut sums, TOLD);
        sums
    }

    /// What came since the last sample.
    fn since_sample(
        &self,
        totals: &HashMap<Arc<str>, u64>,
    ) -> impl Iterator<Item = (Arc<str>, u64)> {
        totals.iter().filter_map(|(app, &total)| {
            let new = total.saturating_sub(self.seen.get(app).copied().unwrap_or(0));
            (new > 0).then(|| (Arc::clone(app), new))
        })
    }
}

fn most_first(apps: &mut Vec<(Arc<str>, u64)>, most: usize) {
    apps.sort_unstable_by(|(one, count), (other, others)| {
        others.cmp(count).then_with(|| one.cmp(other))
    });
    apps.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(apps: &[(&str, u64)]) -> HashMap<Arc<str>, u64> {
        apps.iter()
            .map(|(app, total)| (Arc::from(*app), *total))
            .collect()
    }

    fn shown(top: &TopApps, now: &[(&str, u64)]) -> Vec<(String, u64)> {
        let top = top.top(&totals(now)).into_iter();
        top.map(|(app, requests)| (app.to_string(), requests))
            .collect()
    }

    #[test]
    fn a_minute_is_summed_with_what_came_since_the_last_sample() {
        let mut top = TopApps::default();
        assert_eq!(shown(&top, &[("a", 1)]), [("a".to_owned(), 1)]);
        top.sample(totals(&[("a", 1)]));
        top.sample(totals(&[("a", 3), ("b", 5)]));
        assert_eq!(
            shown(&top, &[("a", 4), ("b", 5)]),
            [("b".to_owned(), 5), ("a".to_owned(), 4)]
        );
        for _ in 0..SAMPLES {
            top.sample(totals(&[("a", 4), ("b", 5)]));
        }
        assert_eq!(shown(&top, &[("a", 4), ("b", 6)]), [("b".to_owned(), 1)]);
    }

    #[test]
    fn no_more_than_ten_are_told() {
        let names: Vec<String> = (0..20).map(|number| format!("app-{number:02}")).collect();
        let apps: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 7)).collect();
        let shown = shown(&TopApps::default(), &apps);
        assert_eq!(shown.len(), TOLD);
        assert_eq!(shown[0].0, "app-00");
    }
}
