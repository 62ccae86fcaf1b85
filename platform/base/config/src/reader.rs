//! Reads a document into a section and collects everything there is to say about it.

use crate::document::{Content, Document, Node};
use crate::key::{Key, Status};
use crate::problem::{Notice, Problem, Report};
use crate::secret::shown;
use crate::suggest::suggestion;
use crate::value::Value;

/// Reads a [`Document`] and keeps problems and notices until [`Reader::finish`]. Between the two,
/// a service adds the checks that involve several keys.
pub struct Reader<'d> {
    document: &'d Document,
    root: &'static [Key],
    path: String,
    status: Status,
    in_list: bool,
    problems: Vec<Problem>,
    notes: Vec<Notice>,
    not_yet: Vec<Notice>,
}

/// What a reading has to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The problems, when there are any: the values read are then not to be used.
    pub report: Option<Report>,
    /// Unknown keys, keys without effect, values that are probably not meant, in file order.
    pub notes: Vec<Notice>,
    /// Keys set to something else than their default, which the service does not act on yet.
    pub not_yet: Vec<Notice>,
}

impl<'d> Reader<'d> {
    /// Reads the document into a section that starts from its defaults.
    pub fn read<T: Value>(document: &'d Document) -> (T, Self) {
        let mut reader = Self {
            document,
            root: T::KEYS,
            path: String::new(),
            status: Status::Works,
            in_list: false,
            problems: document.problems.clone(),
            notes: document.notices.clone(),
            not_yet: Vec::new(),
        };
        let mut section = T::default();
        section.read(&document.root, &mut reader);
        (section, reader)
    }

    /// Ends the reading of the file called `source_name`.
    pub fn finish(mut self, source_name: &str) -> Reading {
        let line = |notice: &Notice| notice.line.unwrap_or(usize::MAX);
        self.notes.sort_by_key(line);
        self.not_yet.sort_by_key(line);
        let report = (!self.problems.is_empty()).then(|| Report::new(source_name, self.problems));
        Reading {
            report,
            notes: self.notes,
            not_yet: self.not_yet,
        }
    }

    /// Indexes of the entries that the list at this path kept: null and empty texts are left out.
    pub fn indexes(&self, key: &str) -> Vec<usize> {
        match self.document.find(key).map(|node| &node.content) {
            Some(Content::List(items)) => (0..items.len())
                .filter(|index| !items[*index].is_left_out())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a problem with this key has been reported.
    pub fn has_problem(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Whether the file gives the key at this path a value; null and empty values do not count.
    pub fn is_set(&self, key: &str) -> bool {
        self.document.is_set(key)
    }

    /// The text that the file gives the key at this path.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.document.find(key)?.text()
    }

    /// Reports the key at `key`, with the value that the file gives it.
    pub fn refuse(&mut self, key: &str, expected: impl Into<String>) {
        let found = match self.document.find(key) {
            Some(node) if !node.is_empty() => shown(key, node),
            _ => "not set".to_owned(),
        };
        self.refuse_because(key, found, expected);
    }

    /// Reports the key at `key` in own words about what was found.
    pub fn refuse_because(
        &mut self,
        key: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) {
        self.problems.push(Problem {
            key: key.to_owned(),
            line: self.line(key),
            found: found.into(),
            expected: expected.into(),
        });
    }

    /// Takes back what was reported about a key that turns out not to be looked at.
    pub fn waive(&mut self, key: &str) {
        self.problems.retain(|problem| problem.key != key);
    }

    /// Adds a notice about the key at `key`.
    pub fn note(&mut self, key: &str, text: impl Into<String>) {
        self.notes.push(Notice {
            key: key.to_owned(),
            line: self.line(key),
            text: text.into(),
        });
    }

    /// Line of a key's value, or of the nearest map or list around it that the file has.
    fn line(&self, key: &str) -> Option<usize> {
        let mut path = key;
        while !path.is_empty() {
            if let Some(node) = self.document.find(path) {
                return Some(node.line);
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
        None
    }

    /// For [`Value::read`]: reports the value being read.
    pub fn wrong(&mut self, node: &Node, expected: &str) {
        let found = shown(&self.path, node);
        self.wrong_because(node, found, expected);
    }

    /// For [`Value::read`]: reports the value being read in own words about what was found.
    pub fn wrong_because(&mut self, node: &Node, found: impl Into<String>, expected: &str) {
        self.problems.push(Problem {
            key: self.path.clone(),
            line: Some(node.line),
            found: found.into(),
            expected: expected.to_owned(),
        });
    }

    /// For [`Value::read`]: adds a notice about the value being read.
    pub fn notice_here(&mut self, node: &Node, text: &str) {
        self.notes.push(Notice {
            key: self.path.clone(),
            line: Some(node.line),
            text: text.to_owned(),
        });
    }

    /// For sections: whether `node` is a map to read; notes its keys that are not in `keys`.
    pub fn enter(&mut self, node: &Node, keys: &'static [Key]) -> bool {
        let Content::Map(entries) = &node.content else {
            if !node.is_empty() {
                self.wrong(node, "a map of keys");
            }
            return false;
        };
        for entry in entries {
            let known = |key: &Key| key.name() == entry.key || key.also == Some(entry.key.as_str());
            if keys.iter().any(known) {
                continue;
            }
            let mut text = "unknown key, ignored".to_owned();
            if let Some(meant) = suggestion(&entry.key, keys, self.root) {
                text.push_str(&format!("; did you mean `{meant}`?"));
            }
            self.notes.push(Notice {
                key: self.below(&entry.key),
                line: Some(entry.node.line),
                text,
            });
        }
        true
    }

    /// For sections: reads one key of the map `section` into `slot`, when the file has it.
    pub fn field<T: Value>(
        &mut self,
        section: &Node,
        keys: &'static [Key],
        field: &'static str,
        slot: &mut T,
    ) {
        let Some(key) = keys.iter().find(|key| key.field == field) else {
            return;
        };
        let given = |name| {
            section
                .get(name)
                .filter(|node| node.content != Content::Null)
        };
        let Some(node) = given(key.name()).or_else(|| key.also.and_then(given)) else {
            return;
        };
        let (path, status) = (self.path.clone(), self.status);
        self.path = self.below(key.name());
        self.status = key.status.within(status);
        let before = slot.clone();
        slot.read(node, self);
        let is_value = T::KEYS.is_empty() || T::LIST;
        if is_value && !self.in_list && *slot != before {
            self.tell_status(node);
        }
        (self.path, self.status) = (path, status);
    }

    /// For lists: reads one entry. What the whole list's status says is not said again for each.
    pub(crate) fn item(&mut self, index: usize, read: impl FnOnce(&mut Self)) {
        let (length, in_list) = (self.path.len(), self.in_list);
        self.path.push_str(&format!("[{index}]"));
        self.in_list = true;
        read(self);
        self.path.truncate(length);
        self.in_list = in_list;
    }

    fn tell_status(&mut self, node: &Node) {
        match self.status {
            Status::Works => {}
            Status::Accepted(why) => self.notice_here(node, &format!("has no effect: {why}")),
            Status::Later => self.not_yet.push(Notice {
                key: self.path.clone(),
                line: Some(node.line),
                text: "has no effect yet".to_owned(),
            }),
        }
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

#[cfg(test)]
mod tests;
