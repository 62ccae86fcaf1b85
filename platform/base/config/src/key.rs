//! The definition of one configuration key, from which reader and reference page are made.

/// Everything that is known about one key. [`section!`](macro@crate::section) writes these.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Field name, which is the key's name; [`Key::name`] takes a raw identifier's `r#` off.
    pub field: &'static str,
    /// A second name under which the key is accepted, when it once had another.
    pub also: Option<&'static str>,
    /// Heading of the reference page under which the key stands; empty in small sections.
    pub group: &'static str,
    /// The documentation comment, lines joined by newlines.
    pub doc: &'static str,
    /// Type as operators see it, such as `duration`.
    pub kind: fn() -> String,
    /// Default as operators would write it.
    pub default: fn() -> String,
    /// The keys of the section below, or of the entries of a list of sections; empty for values.
    pub keys: fn() -> &'static [Key],
    /// Whether the value is a list.
    pub list: bool,
    /// Whether the service acts on the key.
    pub status: Status,
}

impl Key {
    /// The key's name in the file.
    pub fn name(&self) -> &'static str {
        self.field.trim_start_matches("r#")
    }
}

/// Whether a service acts on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Works,
    /// It accepts the key and by design does nothing with it; the text says why.
    Accepted(&'static str),
    /// It will; for now a changed value has no effect, which the program says at start.
    Later,
}

impl Status {
    /// The status of a key whose section has a status too: what holds for the section holds for
    /// everything in it.
    pub fn within(self, section: Status) -> Status {
        if section == Status::Works {
            self
        } else {
            section
        }
    }
}
