//! Where in the HTML each action stands, and so how its value is to be escaped: the state machine of Go's html/template,
//! without the states inside scripts, styles and URLs, where an action is refused.
//!
//! It also makes the text what is sent: HTML comments are left out, and a `<` that begins no tag is written `&lt;`.

use super::escape::Escape;
use super::{Node, PageError};

/// Sets each action's escape and makes each text what is sent.
pub(super) fn place(nodes: &mut [Node], last_line: usize) -> Result<(), PageError> {
    let end = walk(nodes, Place::TEXT)?;
    match end.state {
        State::Text => Ok(()),
        _ => {
            let expected = "the file ends inside a tag, a comment, a script or a title";
            Err(PageError::new(last_line, "the end", expected))
        }
    }
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    state: State,
    /// What ends the attribute's value; set in [`State::Value`] only.
    delimiter: Delimiter,
    /// What the attribute's value means to a browser.
    attribute: Attribute,
    /// The element whose tag or content this is, if it is one of those.
    element: Element,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content of an element.
    Text,
    /// In a tag, before an attribute or the end.
    Tag,
    AttributeName,
    /// Behind an attribute's name, before a `=` if there is one.
    AfterName,
    BeforeValue,
    Value,
    /// Content in which only an end tag and character references count.
    Title,
    /// Content of a script or style.
    Raw,
    Comment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    None,
    Double,
    Single,
    SpaceOrTagEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Plain,
    /// An address: what may stand there depends on more than HTML.
    Url,
    /// A script, a style, HTML, a list of addresses.
    Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Other,
    Script,
    Style,
    Textarea,
    Title,
}

impl Place {
    const TEXT: Place = Place {
        state: State::Text,
        delimiter: Delimiter::None,
        attribute: Attribute::Plain,
        element: Element::Other,
    };

    /// Where an action stands that stands here.
    fn nudged(self) -> Place {
        match self.state {
            State::Tag | State::AfterName => Place {
                state: State::AttributeName,
                attribute: Attribute::Plain,
                ..self
            },
            State::BeforeValue => Place {
                state: State::Value,
                delimiter: Delimiter::SpaceOrTagEnd,
                ..self
            },
            _ => self,
        }
    }

    /// Where both branches of an `if` end.
    fn join(self, other: Place) -> Option<Place> {
        if self == other {
            return Some(self);
        }
        Some(self.nudged()).filter(|nudged| *nudged == other.nudged())
    }
}

fn walk(nodes: &mut [Node], mut place: Place) -> Result<Place, PageError> {
    for node in nodes {
        place = match node {
            Node::Text { line, text } => {
                let (sent, behind) = literal(text, *line, place)?;
                *text = sent;
                behind
            }
            Node::Print { line, escape, .. } => {
                let place = place.nudged();
                *escape =
                    escape_at(place).map_err(|why| PageError::new(*line, "an action", why))?;
                place
            }
            Node::Branch {
                line,
                then,
                otherwise,
                ..
            } => {
                let (one, other) = (walk(then, place)?, walk(otherwise, place)?);
                one.join(other).ok_or_else(|| {
                    let expected = "its branches end in different places of the HTML, such as one inside a tag";
                    PageError::new(*line, "{{if}} or {{with}}", expected)
                })?
            }
        };
    }
    Ok(place)
}

fn escape_at(place: Place) -> Result<Escape, &'static str> {
    match (place.state, place.attribute, place.delimiter) {
        (State::Text | State::Title, ..) => Ok(Escape::Html),
        (State::Comment, ..) => Ok(Escape::Nothing),
        (State::Value, Attribute::Plain, Delimiter::SpaceOrTagEnd) => Ok(Escape::Unquoted),
        (State::Value, Attribute::Plain, _) => Ok(Escape::Html),
        (State::Value, Attribute::Url, _) => Err("not supported in an attribute with an address"),
        (State::Value, Attribute::Code, _) => {
            Err("not supported in an attribute with a script, a style or HTML")
        }
        (State::Raw, ..) => Err("not supported in a script or a style"),
        _ => Err("not supported in a tag outside the values of attributes"),
    }
}

/// What is sent of a text, and where it ends.
fn literal(text: &[u8], line: usize, mut place: Place) -> Result<(Vec<u8>, Place), PageError> {
    let (mut sent, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let (next, length) = step(place, &text[at..]).map_err(|why| {
            let line = line + memchr::memchr_iter(b'\n', &text[..at]).count();
            PageError::new(line, "HTML", why)
        })?;
        let taken = &text[at..at + length];
        match place.state {
            State::Comment => {}
            State::Text | State::Title => {
                // The `<` of the tag or comment that begins, if one does.
                let tag = match next.state == place.state {
                    true => taken.len(),
                    false => memchr::memrchr(b'<', taken).unwrap_or(taken.len()),
                };
                for (offset, &byte) in taken[..tag].iter().enumerate() {
                    let rest = text.get(at + offset..).unwrap_or_default();
                    match byte {
                        b'<' if !starts_with(rest, b"<!doctype") => sent.extend_from_slice(b"&lt;"),
                        _ => sent.push(byte),
                    }
                }
                if next.state != State::Comment {
                    sent.extend_from_slice(&taken[tag..]);
                }
            }
            _ => sent.extend_from_slice(taken),
        }
        if length == 0 && next == place {
            return Err(PageError::new(line, "HTML", "cannot be understood"));
        }
        (place, at) = (next, at + length);
    }
    Ok((sent, place))
}

type Step = Result<(Place, usize), &'static str>;

/// Where the place changes next, and behind how many bytes.
fn step(place: Place, text: &[u8]) -> Step {
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
        let state = place.element.content();
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

fn starts_with(text: &[u8], lower_case: &[u8]) -> bool {
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

impl Element {
    fn named(name: &[u8]) -> Element {
        match name.to_ascii_lowercase().as_slice() {
            b"script" => Element::Script,
            b"style" => Element::Style,
            b"textarea" => Element::Textarea,
            b"title" => Element::Title,
            _ => Element::Other,
        }
    }

    fn name(self) -> Option<&'static [u8]> {
        match self {
            Element::Other => None,
            Element::Script => Some(b"script"),
            Element::Style => Some(b"style"),
            Element::Textarea => Some(b"textarea"),
            Element::Title => Some(b"title"),
        }
    }

    fn content(self) -> State {
        match self {
            Element::Other => State::Text,
            Element::Script | Element::Style => State::Raw,
            Element::Textarea | Element::Title => State::Title,
        }
    }
}

impl Attribute {
    fn named(name: &[u8]) -> Attribute {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix(b"data-").unwrap_or(&name);
        let name = match memchr::memchr(b':', name) {
            Some(5) if name.starts_with(b"xmlns") => return Attribute::Url,
            Some(colon) => &name[colon + 1..],
            None => name,
        };
        let holds = |part| memchr::memmem::find(name, part).is_some();
        match name {
            b"style" | b"srcdoc" | b"srcset" | b"imagesrcset" => Attribute::Code,
            _ if name.starts_with(b"on") => Attribute::Code,
            b"action" | b"archive" | b"background" | b"cite" | b"classid" | b"codebase"
            | b"data" | b"formaction" | b"href" | b"icon" | b"longdesc" | b"manifest" | b"ping"
            | b"poster" | b"profile" | b"usemap" | b"xmlns" => Attribute::Url,
            _ if holds(b"src") || holds(b"uri") || holds(b"url") => Attribute::Url,
            _ => Attribute::Plain,
        }
    }
}
