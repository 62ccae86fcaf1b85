//! Where in the HTML each action stands, and so how its value is to be escaped: the state machine of Go's html/template,
//! without the states inside scripts, styles and URLs, where an action is refused.
//!
//! It also makes the text what is sent: HTML comments are left out, and a `<` that begins no tag is written `&lt;`.

mod names;
mod step;

use names::{Attribute, Element};
use step::{starts_with, step};

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
