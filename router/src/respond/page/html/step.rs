//! One step through a piece of HTML: where the place changes next.

use super::names::{Attribute, Element};
use super::{Delimiter, Place, State};

pub(super) type Step = Result<(Place, usize), &'static str>;

/// Where the place changes next, and behind how many bytes.
pub(super) fn step(place: Place, text: &[u8]) -> Step {
    if place.delimiter != Delimiter::None {
        return in_value(place, text);
    }
    let text = match end_of_element(place.element, text) {
        Some(0) => return Ok((Place::TEXT, 0)),
        Some(end) => &text[..end],
        None => text,
    };
    match place.state {
        State::Text => Ok(in_text(place, text)),
        State::Tag => in_tag(place, text),
        State::AttributeName => {
            let length = attribute_name(text)?;
            let state = match length == text.len() {
                true => State::AttributeName,
                false => State::AfterName,
            };
            Ok((Place { state, ..place }, length))
        }
        State::AfterName => {
            let blank = blanks(text);
            Ok(match text.get(blank) {
                None => (place, text.len()),
                Some(b'=') => {
                    let state = State::BeforeValue;
                    (Place { state, ..place }, blank + 1)
                }
                Some(_) => {
                    let state = State::Tag;
                    (Place { state, ..place }, blank)
                }
            })
        }
        State::BeforeValue => {
            let blank = blanks(text);
            let (delimiter, length) = match text.get(blank) {
                None => return Ok((place, text.len())),
                Some(b'"') => (Delimiter::Double, blank + 1),
                Some(b'\'') => (Delimiter::Single, blank + 1),
                Some(_) => (Delimiter::SpaceOrTagEnd, blank),
            };
            let state = State::Value;
            let value = Place {
                state,
                delimiter,
                ..place
            };
            Ok((value, length))
        }
        State::Comment => Ok(match memchr::memmem::find(text, b"-->") {
            Some(end) => (Place::TEXT, end + "-->".len()),
            None => (place, text.len()),
        }),
        State::Title | State::Raw | State::Value => Ok((place, text.len())),
    }
}

fn in_text(place: Place, text: &[u8]) -> (Place, usize) {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'<', text.get(from..).unwrap_or_default()) {
        let start = from + found;
        if text[start..].starts_with(b"<!--") {
            let state = State::Comment;
            return (
                Place {
                    state,
                    ..Place::TEXT
                },
                start + "<!--".len(),
            );
        }
        let is_end = text.get(start + 1) == Some(&b'/');
        let name = start + 1 + usize::from(is_end);
        let length = tag_name(text.get(name..).unwrap_or_default());
        if length > 0 {
            let element = match is_end {
                true => Element::Other,
                false => Element::named(&text[name..name + length]),
            };
            let tag = Place {
                state: State::Tag,
                element,
                ..Place::TEXT
            };
            return (tag, name + length);
        }
        from = name;
    }
    (place, text.len())
}

fn in_tag(place: Place, text: &[u8]) -> Step {
    let blank = blanks(text);
    let rest = &text[blank..];
    if rest.is_empty() {
        return Ok((place, text.len()));
    }
    if rest[0] == b'>' {
        let state = content(place.element);
        return Ok((Place { state, ..place }, blank + 1));
    }
    let length = attribute_name(rest)?;
    if length == 0 {
        return Err("an attribute's name or the end of the tag was expected");
    }
    let state = match length == rest.len() {
        true => State::AttributeName,
        false => State::AfterName,
    };
    let attribute = Attribute::named(&rest[..length]);
    let name = Place {
        state,
        attribute,
        ..place
    };
    Ok((name, blank + length))
}

fn in_value(place: Place, text: &[u8]) -> Step {
    let ends = |byte: &u8| match place.delimiter {
        Delimiter::Double => *byte == b'"',
        Delimiter::Single => *byte == b'\'',
        _ => matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b'>'),
    };
    let end = text.iter().position(ends);
    let value = &text[..end.unwrap_or(text.len())];
    let is_unquoted = place.delimiter == Delimiter::SpaceOrTagEnd;
    if is_unquoted && value.iter().any(|byte| b"\"'<=`".contains(byte)) {
        return Err("an attribute without quotes holds a quote or another sign that it must not");
    }
    let Some(end) = end else {
        return Ok((place, text.len()));
    };
    let tag = Place {
        state: State::Tag,
        element: place.element,
        ..Place::TEXT
    };
    Ok((tag, end + usize::from(!is_unquoted)))
}

/// Where the end tag of an element begins whose content is not HTML.
fn end_of_element(element: Element, text: &[u8]) -> Option<usize> {
    let name = element.name()?;
    memchr::memmem::find_iter(text, b"</").find(|&start| {
        let rest = &text[start + "</".len()..];
        starts_with(rest, name)
            && rest
                .get(name.len())
                .is_some_and(|byte| b"> \t\n\x0c/".contains(byte))
    })
}

/// Number of blanks at the beginning.
fn blanks(text: &[u8]) -> usize {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r');
    text.iter().take_while(|byte| blank(byte)).count()
}

pub(super) fn starts_with(text: &[u8], lower_case: &[u8]) -> bool {
    let start = text.get(..lower_case.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(lower_case))
}

/// Length of the tag's name at the beginning; `x-y` and `x:y` are names, `x-` is not one.
fn tag_name(text: &[u8]) -> usize {
    if !text.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let mut length = 1;
    while let Some(byte) = text.get(length) {
        let joins = matches!(byte, b':' | b'-')
            && text.get(length + 1).is_some_and(u8::is_ascii_alphanumeric);
        length += match (byte.is_ascii_alphanumeric(), joins) {
            (true, _) => 1,
            (_, true) => 2,
            _ => break,
        };
    }
    length
}

fn attribute_name(text: &[u8]) -> Result<usize, &'static str> {
    for (length, byte) in text.iter().enumerate() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b'=' | b'>' => return Ok(length),
            b'\'' | b'"' | b'<' => return Err("a quote or < stands in the name of an attribute"),
            _ => {}
        }
    }
    Ok(text.len())
}

/// What kind of content the element has.
fn content(element: Element) -> State {
    match element {
        Element::Other => State::Text,
        Element::Script | Element::Style => State::Raw,
        Element::Textarea | Element::Title => State::Title,
    }
}
