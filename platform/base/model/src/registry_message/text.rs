//! Texts, lists and maps of texts, borrowed from the JSON where it holds them as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A text, borrowed if it has no escapes.
pub(super) struct Text<'a>(Cow<'a, str>);

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Cow<'a, str> {
        text.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// A list of texts; a `null` in it is an empty text, as in Go.
pub(super) struct Texts<'a>(Vec<Cow<'a, str>>);

impl<'a> From<Texts<'a>> for Vec<Cow<'a, str>> {
    fn from(texts: Texts<'a>) -> Vec<Cow<'a, str>> {
        texts.0
    }
}

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;

        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts<'de>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text_or_empty(text));
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_seq(TextsVisitor)
    }
}

/// Texts by name; a `null` is an empty text, as in Go.
pub(super) struct TextMap<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> From<TextMap<'a>> for Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>> {
    fn from(texts: TextMap<'a>) -> Self {
        Some(texts.0)
    }
}

impl<'de> Deserialize<'de> for TextMap<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextMapVisitor;

        impl<'de> Visitor<'de> for TextMapVisitor {
            type Value = TextMap<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextMap<'de>, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some(Text(name)) = map.next_key()? {
                    texts.insert(name, text_or_empty(map.next_value()?));
                }
                Ok(TextMap(texts))
            }
        }

        deserializer.deserialize_map(TextMapVisitor)
    }
}

fn text_or_empty(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |Text(text)| text)
}
