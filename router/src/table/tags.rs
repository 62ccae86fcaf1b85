//! An endpoint's tags inside its one string.
//!
//! Each tag is a code for the key, the key unless the code says it all, a code for the value, and
//! so on. Codes are numbers of six bits a character (the seventh says that more follow), so that
//! the whole stays a string that can be sliced without checking.

use std::borrow::Cow;

/// Keys that every instance of an application has. A key's code is its position here, or behind
/// these its length.
const KEYS: [&str; 12] = [
    "app_id",
    "app_name",
    "component",
    "instance_id",
    "organization_id",
    "organization_name",
    "process_id",
    "process_instance_id",
    "process_type",
    "source_id",
    "space_id",
    "space_name",
];

/// The key that requests are counted by.
const COMPONENT: &str = "component";

/// Value codes: tags often repeat the application's or the instance's id (`source_id`,
/// `process_id`, `process_instance_id`), which the endpoint holds already.
const APPLICATION_ID: usize = 0;
const INSTANCE_ID: usize = 1;
const LITERAL: usize = 2;

/// Appends `tags` to `text`. Gives the place of the value of `component` there, for [`literal`]; 0 if there is none.
pub(crate) fn encode(
    tags: &[(Cow<'_, str>, Cow<'_, str>)],
    application_id: &str,
    instance_id: &str,
    text: &mut String,
) -> usize {
    let mut component_at = 0;
    for (key, value) in tags {
        match KEYS.iter().position(|known| known == key) {
            Some(known) => push_number(known, text),
            None => {
                push_number(KEYS.len() + key.len(), text);
                text.push_str(key);
            }
        }
        if key == COMPONENT {
            component_at = text.len();
        }
        if !value.is_empty() && *value == application_id {
            push_number(APPLICATION_ID, text);
        } else if !value.is_empty() && *value == instance_id {
            push_number(INSTANCE_ID, text);
        } else {
            push_number(LITERAL + value.len(), text);
            text.push_str(value);
        }
    }
    component_at
}

/// The value at the beginning of `encoded` when it is short and stands there as it is.
pub(crate) fn literal(encoded: &str) -> Option<&str> {
    let code = *encoded.as_bytes().first()?;
    let length = usize::from(code).checked_sub(LITERAL)?;
    (code & 64 == 0)
        .then(|| encoded.get(1..1 + length))
        .flatten()
}

/// Tags of an endpoint, in the order of their keys.
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    pub(crate) text: &'a str,
    pub(crate) application_id: &'a str,
    pub(crate) instance_id: &'a str,
}

impl<'a> Tags<'a> {
    /// The value whose code comes next.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        match self.take_number()? {
            APPLICATION_ID => Some(self.application_id),
            INSTANCE_ID => Some(self.instance_id),
            literal => self.take(literal - LITERAL),
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.text.split_at_checked(length)?;
        self.text = rest;
        Some(taken)
    }

    fn take_number(&mut self) -> Option<usize> {
        let mut number = 0;
        for (digits, byte) in self.text.bytes().enumerate() {
            number |= usize::from(byte & 63).checked_shl(6 * u32::try_from(digits).ok()?)?;
            if byte & 64 == 0 {
                self.take(digits + 1)?;
                return Some(number);
            }
        }
        None
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.take_number()?;
        let key = match KEYS.get(code) {
            Some(known) => known,
            None => self.take(code - KEYS.len())?,
        };
        Some((key, self.value()?))
    }
}

fn push_number(mut number: usize, text: &mut String) {
    while number > 63 {
        text.push(ascii(number & 63 | 64));
        number >>= 6;
    }
    text.push(ascii(number));
}

fn ascii(seven_bits: usize) -> char {
    // Never the default: callers pass at most 127.
    char::from(u8::try_from(seven_bits).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back_as_they_were_given() {
        let long = "ü".repeat(5000);
        let tags = [
            ("", ""),
            ("component", "route-emitter"),
            ("empty", ""),
            (&long, "long"),
            ("long", &long),
            ("process_id", "app"),
            ("process_instance_id", "instance"),
            ("source_id", "app"),
        ];
        let given = tags.map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)));
        let ids = [("app", "instance"), ("", ""), ("app", "app")];
        for (application_id, instance_id) in ids {
            let mut text = String::new();
            encode(&given, application_id, instance_id, &mut text);
            let read = Tags {
                text: &text,
                application_id,
                instance_id,
            };
            assert_eq!(read.collect::<Vec<_>>(), tags);
        }
    }

    #[test]
    fn well_known_keys_and_ids_that_a_tag_repeats_are_not_stored_again() {
        let guid = "0b8e5c0e-1111-4222-7333-444455556666";
        let mut text = String::new();
        encode(&[("source_id".into(), guid.into())], guid, "", &mut text);
        assert_eq!(text.len(), 2);
    }
}
