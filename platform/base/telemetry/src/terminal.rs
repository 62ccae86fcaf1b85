//! Lines for a person: `10:15:30.123 INFO  nats Successfully-connected-to-nats host=localhost:4222`.

use std::fmt::{self, Write};

use tracing::Level;

use crate::event::{FieldSink, Value};
use crate::line::{Colour, Head};
use crate::origin::Origin;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[34m";

/// Appends one line. The time is UTC: what the local zone is cannot be asked safely in a process
/// with threads.
pub(crate) fn write_line(
    out: &mut String,
    colour: Colour,
    head: &Head<'_>,
    message: &str,
    fields: &str,
) {
    let at = head.at;
    painted(
        out,
        colour,
        DIM,
        format_args!(
            "{:02}:{:02}:{:02}.{:03}",
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        ),
    );
    out.push(' ');
    let (name, paint) = match head.level {
        Level::TRACE | Level::DEBUG => ("DEBUG", BLUE),
        Level::INFO => ("INFO ", GREEN),
        Level::WARN => ("WARN ", YELLOW),
        Level::ERROR => ("ERROR", RED),
    };
    painted(out, colour, paint, format_args!("{name}"));
    out.push(' ');
    match &head.origin {
        Origin::Main => {}
        Origin::Component(name) => painted(out, colour, DIM, format_args!("{name} ")),
        Origin::Library(name) => painted(out, colour, DIM, format_args!("lib.{name} ")),
    }
    write!(Harmless(out), "{message}").ok();
    out.push_str(fields);
    out.push('\n');
}

/// The fields of a line as ` name=value`.
pub(crate) struct Fields<'a> {
    text: &'a mut String,
    colour: Colour,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(text: &'a mut String, colour: Colour) -> Fields<'a> {
        Fields { text, colour }
    }
}

impl FieldSink for Fields<'_> {
    fn field(&mut self, name: &str, value: Value<'_>) {
        let out = &mut *self.text;
        out.push(' ');
        painted(out, self.colour, DIM, format_args!("{name}="));
        match value {
            Value::Text(text) => write_text(out, text),
            Value::Shown(shown) => write_text(out, &shown.to_string()),
            Value::Plain(value) | Value::Json(value) => {
                write!(Harmless(out), "{value}").ok();
            }
        }
    }
}

/// Text with blanks is quoted, so that the eye finds its end.
fn write_text(out: &mut String, text: &str) {
    if text.is_empty() || text.contains(char::is_whitespace) {
        write!(Harmless(out), "\"{text}\"").ok();
    } else {
        write!(Harmless(out), "{text}").ok();
    }
}

fn painted(out: &mut String, colour: Colour, paint: &str, text: fmt::Arguments<'_>) {
    match colour {
        Colour::On => {
            out.push_str(paint);
            write!(Harmless(out), "{text}").ok();
            out.push_str(RESET);
        }
        Colour::Off => {
            write!(Harmless(out), "{text}").ok();
        }
    }
}

/// Control characters are shown as escapes: a value may be a client's, and a terminal obeys.
struct Harmless<'a>(&'a mut String);

impl Write for Harmless<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}
