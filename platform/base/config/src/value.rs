//! The types that a key can have, each with how it is read and shown.

use std::time::Duration;

use crate::change::Change;
use crate::document::{Content, Node};
use crate::duration::GoDuration;
use crate::key::Key;
use crate::number;
use crate::reader::Reader;

/// A type of configuration values. [`section!`](macro@crate::section) and [`choice!`](macro@crate::choice)
/// implement it for maps and for closed vocabularies.
pub trait Value: Clone + PartialEq + Default {
    /// Keys of the map, or of the maps in a list; empty for other values.
    const KEYS: &'static [Key] = &[];
    /// Whether this is a list.
    const LIST: bool = false;

    /// The type as operators see it in the reference.
    fn kind() -> String;

    /// Replaces `self` by what the file has, or tells `reader` what is wrong and leaves it alone.
    /// `node` is never null. An empty text where text makes no sense counts as not set.
    fn read(&mut self, node: &Node, reader: &mut Reader<'_>);

    /// The value as operators would write it.
    fn show(&self) -> String;

    /// Asks `take` about each key below `path` whose value in `newer` is another one, and takes that value over where
    /// the answer is true.
    fn merge(&mut self, newer: &Self, path: &str, take: &mut dyn FnMut(Change) -> bool) {
        if self != newer && take(Change::new(path, &self.show(), &newer.show())) {
            self.clone_from(newer);
        }
    }
}

/// Scalar text with the mark whether it was plain; `None` when empty or, then reported, no scalar.
fn scalar<'n>(node: &'n Node, reader: &mut Reader<'_>, expected: &str) -> Option<(&'n str, bool)> {
    match &node.content {
        Content::Scalar { text, plain } if !text.is_empty() => Some((text, *plain)),
        Content::Scalar { .. } => None,
        // `[]` and `{}` are what templates write for nothing.
        _ if node.is_empty() => None,
        _ => {
            reader.wrong(node, expected);
            None
        }
    }
}

impl Value for bool {
    fn kind() -> String {
        "boolean".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        const EXPECTED: &str = "true or false, without quotes";
        let Some((text, plain)) = scalar(node, reader, EXPECTED) else {
            return;
        };
        match number::boolean(text, plain) {
            Some(value) => *self = value,
            None => reader.wrong(node, EXPECTED),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A whole number, when the node is one; otherwise the problem is reported.
fn whole(node: &Node, reader: &mut Reader<'_>, expected: &str) -> Option<i128> {
    let (text, plain) = scalar(node, reader, expected)?;
    match number::integer(text) {
        Some(value) if plain => Some(value),
        Some(_) => {
            reader.wrong(node, &format!("{expected}, without quotes"));
            None
        }
        None => {
            reader.wrong(node, expected);
            None
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn kind() -> String {
                "whole number".to_owned()
            }

            fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
                let expected = format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX);
                let Some(value) = whole(node, reader, &expected) else {
                    return;
                };
                match <$type>::try_from(value) {
                    Ok(value) => *self = value,
                    Err(_) => reader.wrong(node, &expected),
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers!(u16, u32, u64, i32, i64);

/// Counts that are signed in the originals: a negative one is taken as 0, with a notice.
impl Value for usize {
    fn kind() -> String {
        "whole number".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let expected = format!("a whole number from 0 to {}", i64::MAX);
        let Some(value) = whole(node, reader, &expected) else {
            return;
        };
        match i64::try_from(value) {
            Ok(value) if value < 0 => {
                reader.notice_here(node, "is negative, taken as 0");
                *self = 0;
            }
            Ok(value) => *self = usize::try_from(value).unwrap_or(usize::MAX),
            Err(_) => reader.wrong(node, &expected),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for f64 {
    fn kind() -> String {
        "number".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let Some((text, plain)) = scalar(node, reader, "a number") else {
            return;
        };
        let value = number::float(text).or_else(|| number::integer(text).map(|value| value as f64));
        match value {
            Some(value) if plain => *self = value,
            Some(_) => reader.wrong(node, "a number, without quotes"),
            None => reader.wrong(node, "a number"),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Text. Numbers and booleans are taken as they are written, as Go's reader does.
impl Value for String {
    fn kind() -> String {
        "text".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        match &node.content {
            Content::Scalar { text, .. } => self.clone_from(text),
            _ if node.is_empty() => {}
            _ => reader.wrong(node, "text"),
        }
    }

    fn show(&self) -> String {
        if self.is_empty() {
            "empty".to_owned()
        } else {
            self.clone()
        }
    }
}

/// Durations in Go form; a plain whole number is nanoseconds. A negative one is taken as 0, with
/// a notice: where the originals accept one it means that nothing is waited for.
impl Value for Duration {
    fn kind() -> String {
        "duration".to_owned()
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        const EXPECTED: &str = "a duration such as 500ms, 30s or 1m30s";
        let Some((text, plain)) = scalar(node, reader, EXPECTED) else {
            return;
        };
        let count = number::integer(text).filter(|_| plain);
        let parsed = match count.and_then(|count| i64::try_from(count).ok()) {
            Some(count) => {
                if count != 0 {
                    let text =
                        format!("a number without a unit is nanoseconds: {text}ns, not {text}s");
                    reader.notice_here(node, &text);
                }
                GoDuration::from_nanoseconds(count)
            }
            None => match text.parse::<GoDuration>() {
                Ok(parsed) => parsed,
                Err(error) => {
                    reader.wrong(node, &format!("{EXPECTED} ({error})"));
                    return;
                }
            },
        };
        *self = parsed.to_duration().unwrap_or_else(|| {
            reader.notice_here(node, "is negative, taken as 0");
            Duration::ZERO
        });
    }

    fn show(&self) -> String {
        GoDuration::from(*self).to_string()
    }
}

/// A list replaces the default whole. Null and empty texts in it are left out.
impl<T: Value> Value for Vec<T> {
    const KEYS: &'static [Key] = T::KEYS;
    const LIST: bool = true;

    fn kind() -> String {
        let kind = T::kind();
        let plural = if kind == "map" || kind.ends_with("number") {
            "s"
        } else {
            ""
        };
        format!("list of {kind}{plural}")
    }

    fn read(&mut self, node: &Node, reader: &mut Reader<'_>) {
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            _ if node.is_empty() => return,
            _ => {
                reader.wrong(node, "a list");
                return;
            }
        };
        self.clear();
        for (index, item) in items.iter().enumerate() {
            if item.is_left_out() {
                continue;
            }
            let mut value = T::default();
            reader.item(index, |reader| value.read(item, reader));
            self.push(value);
        }
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "empty".to_owned();
        }
        let items: Vec<String> = self.iter().map(Value::show).collect();
        format!("[{}]", items.join(", "))
    }

    /// Maps are compared one by one where there are as many of them as before.
    fn merge(&mut self, newer: &Self, path: &str, take: &mut dyn FnMut(Change) -> bool) {
        let of_maps = !T::KEYS.is_empty();
        if of_maps && self.len() == newer.len() {
            for (index, (entry, newer)) in self.iter_mut().zip(newer).enumerate() {
                entry.merge(newer, &format!("{path}[{index}]"), take);
            }
        } else if self != newer {
            let shown = |list: &Self| match of_maps {
                true => format!("a list of {}", list.len()),
                false => list.show(),
            };
            if take(Change::new(path, &shown(self), &shown(newer))) {
                self.clone_from(newer);
            }
        }
    }
}

#[cfg(test)]
mod tests;
