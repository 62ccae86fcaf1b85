//! A YAML document as a tree in which every value knows its line.

use crate::problem::{Notice, Problem};

/// One value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Line on which the value begins, counted from 1; for the value of a key, the key's line.
    pub line: usize,
    /// The value itself.
    pub content: Content,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: an absent value, `~` or `null`.
    Null,
    /// A scalar, as written after quotes and escapes are taken off.
    Scalar {
        /// The text.
        text: String,
        /// Whether it was written without quotes, so that it may stand for a number or a boolean.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, keys unique.
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// The value.
    pub node: Node,
}

/// A parsed document with everything that was wrong or remarkable in its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The top value; [`Content::Null`] for an empty file.
    pub root: Node,
    /// Duplicate keys and keys that are no text.
    pub problems: Vec<Problem>,
    /// Things that are legal but probably not meant.
    pub notices: Vec<Notice>,
}

impl Document {
    /// Parses YAML text. Duplicate keys do not stop it; they are in [`Document::problems`].
    ///
    /// # Errors
    /// One problem, with its line, when the text is not YAML or exceeds the bounds on nesting and size.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        crate::yaml::parse(text)
    }

    /// The value at a key path such as `status.tls.port` or `tls_pem[1].private_key`.
    pub fn find(&self, path: &str) -> Option<&Node> {
        let mut node = &self.root;
        for step in path.split('.') {
            let (name, indexes) = step.split_once('[').unwrap_or((step, ""));
            if !name.is_empty() {
                node = node.get(name)?;
            }
            for index in indexes.split('[').filter(|index| !index.is_empty()) {
                let index: usize = index.strip_suffix(']')?.parse().ok()?;
                let Content::List(items) = &node.content else {
                    return None;
                };
                node = items.get(index)?;
            }
        }
        Some(node)
    }

    /// Whether the file gives the key a value. Null and empty values count as not given.
    pub fn is_set(&self, path: &str) -> bool {
        self.find(path).is_some_and(|node| !node.is_empty())
    }
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Null, empty text, an empty list or an empty map: what generated files write for "not set".
    pub fn is_empty(&self) -> bool {
        match &self.content {
            Content::Null => true,
            Content::Scalar { text, .. } => text.is_empty(),
            Content::List(items) => items.is_empty(),
            Content::Map(entries) => entries.is_empty(),
        }
    }

    /// Whether a list leaves this entry out: null and empty text.
    pub(crate) fn is_left_out(&self) -> bool {
        match &self.content {
            Content::Null => true,
            Content::Scalar { text, .. } => text.is_empty(),
            Content::List(_) | Content::Map(_) => false,
        }
    }
}
