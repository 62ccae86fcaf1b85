//! Which entries are known, so that a list can take back those that it lacks.

use std::collections::HashMap;

use super::entry::{Entry, Key, Tag};

/// What lists and events have said.
///
/// Lists and events arrive on connections of their own. A list that was asked for before an event may be older than the
/// event, so it neither takes back what the event brought nor brings back what the event took.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: HashMap<Key, Seen>,
    /// What was deleted since the list under way was asked for.
    deleted: HashMap<Key, Tag>,
    /// Number of the list that was asked for last.
    list: u64,
}

#[derive(Debug)]
struct Seen {
    tag: Tag,
    /// The list that confirmed it, or that was the latest when an event did.
    list: u64,
}

impl Known {
    /// A list is being asked for.
    pub(super) fn list_asked(&mut self) {
        self.list += 1;
        self.deleted.clear();
    }

    /// Whether this entry of the list holds: no event has deleted it meanwhile.
    pub(super) fn list_confirms(&mut self, entry: &Entry) -> bool {
        let tag = &entry.modification_tag;
        let is_deleted = self
            .deleted
            .get(&entry.key)
            .is_some_and(|deleted| !deleted.borrowed().succeeded_by(&tag.borrowed()));
        if is_deleted {
            return false;
        }
        let list = self.list;
        match self.entries.get_mut(&entry.key) {
            Some(seen) => {
                seen.list = list;
                // An event may have brought a newer one already.
                if seen.tag.borrowed().succeeded_by(&tag.borrowed()) {
                    seen.tag = tag.clone();
                }
            }
            None => {
                let seen = Seen {
                    tag: tag.clone(),
                    list,
                };
                self.entries.insert(entry.key.clone(), seen);
            }
        }
        true
    }

    /// The list is through: what was known before it was asked for and is not in it is gone.
    pub(super) fn list_ended(&mut self) -> Vec<(Key, Tag)> {
        let list = self.list;
        let gone = self.entries.extract_if(|_, seen| seen.list < list);
        gone.map(|(key, seen)| (key, seen.tag)).collect()
    }

    /// An event has brought an entry.
    pub(super) fn upserted(&mut self, entry: Entry) {
        self.deleted.remove(&entry.key);
        let seen = Seen {
            tag: entry.modification_tag,
            list: self.list,
        };
        self.entries.insert(entry.key, seen);
    }

    /// An event has taken an entry.
    pub(super) fn deleted(&mut self, entry: &Entry) {
        self.entries.remove(&entry.key);
        self.deleted
            .insert(entry.key.clone(), entry.modification_tag.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(route: &str, guid: &str, index: u32) -> Entry {
        Entry {
            key: Key {
                route: route.to_owned(),
                ip: "10.0.0.1".to_owned(),
                port: 80,
            },
            modification_tag: Tag {
                guid: guid.to_owned(),
                index,
            },
            ..Entry::default()
        }
    }

    /// Applies a whole list, and says what is gone.
    fn list(known: &mut Known, entries: &[Entry]) -> Vec<String> {
        for entry in entries {
            known.list_confirms(entry);
        }
        let gone = known.list_ended();
        gone.into_iter().map(|(key, _)| key.route).collect()
    }

    #[test]
    fn what_the_next_list_lacks_is_gone() {
        let mut known = Known::default();
        known.list_asked();
        assert!(list(&mut known, &[entry("a", "g", 0), entry("b", "h", 0)]).is_empty());
        known.list_asked();
        assert_eq!(list(&mut known, &[entry("b", "h", 1)]), ["a"]);
        known.list_asked();
        assert_eq!(list(&mut known, &[]), ["b"]);
    }

    #[test]
    fn what_an_event_brought_outlives_the_list_under_way_and_not_the_next() {
        let mut known = Known::default();
        known.list_asked();
        known.upserted(entry("a", "g", 0));
        assert!(list(&mut known, &[]).is_empty());
        known.list_asked();
        assert_eq!(list(&mut known, &[]), ["a"]);
    }

    #[test]
    fn what_an_event_took_is_not_brought_back_by_the_list_under_way() {
        let mut known = Known::default();
        known.upserted(entry("a", "g", 0));
        known.list_asked();
        known.deleted(&entry("a", "g", 1));
        assert!(!known.list_confirms(&entry("a", "g", 1)));
        // Made anew since.
        assert!(known.list_confirms(&entry("a", "other", 0)));
        known.list_asked();
        assert!(known.list_confirms(&entry("a", "g", 1)));
    }

    #[test]
    fn the_latest_tag_is_what_an_entry_goes_with() {
        let mut known = Known::default();
        known.list_asked();
        known.upserted(entry("a", "g", 5));
        known.list_confirms(&entry("a", "g", 4));
        known.list_ended();
        known.list_asked();
        assert_eq!(known.list_ended()[0].1.index, 5);
    }
}
