//! How a line looks: which format, and the fields that every line has.

use std::fmt::Write;
use std::io::IsTerminal;

use time::OffsetDateTime;
use tracing::{Event, Level};

use crate::event::{FieldSink, Fields, Value};
use crate::json::{push_displayed, push_raw, push_string};
use crate::origin::Origin;
use crate::terminal;

/// What the lines are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// GoRouter's JSON lines.
    Json(TimestampFormat),
    /// Short lines for a person.
    Terminal(Colour),
}

/// How `timestamp` is written in JSON lines (`logging.format.timestamp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampFormat {
    /// A number: seconds since 1970 with nine decimals.
    #[default]
    UnixSeconds,
    /// A string: RFC 3339 in UTC with nine decimals and a `Z`.
    Rfc3339,
}

impl TimestampFormat {
    /// Reads the configuration's word: `rfc3339` is that, anything else is Unix seconds
    /// (drop-in 1.2).
    pub fn from_config(word: &str) -> TimestampFormat {
        if word == "rfc3339" {
            TimestampFormat::Rfc3339
        } else {
            TimestampFormat::UnixSeconds
        }
    }
}

/// Whether lines for a terminal carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With escape sequences.
    On,
    /// Plain text.
    Off,
}

impl Colour {
    /// On when standard output is a terminal and the variable `NO_COLOR` is empty or not set.
    pub fn detect() -> Colour {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted {
            Colour::On
        } else {
            Colour::Off
        }
    }
}

/// Writes events as lines, always in the same manner.
#[derive(Clone, Debug)]
pub(crate) struct LineFormat {
    pub(crate) source: Box<str>,
    pub(crate) format: Format,
}

/// The parts of a line that are known before its fields are.
pub(crate) struct Head<'a> {
    pub(crate) at: OffsetDateTime,
    pub(crate) level: Level,
    pub(crate) origin: Origin<'a>,
}

/// Buffers that are reused from line to line.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    line: String,
    message: String,
    fields: String,
}

impl LineFormat {
    /// The line for `event`, line end included.
    pub(crate) fn event<'s>(
        &self,
        scratch: &'s mut Scratch,
        at: OffsetDateTime,
        event: &Event<'_>,
    ) -> &'s str {
        let metadata = event.metadata();
        let head = Head {
            at,
            level: *metadata.level(),
            origin: Origin::of(metadata),
        };
        let Scratch {
            line,
            message,
            fields,
        } = scratch;
        line.clear();
        message.clear();
        fields.clear();
        match self.format {
            Format::Json(_) => event.record(&mut Fields {
                sink: &mut JsonFields(fields),
                message,
            }),
            Format::Terminal(colour) => event.record(&mut Fields {
                sink: &mut terminal::Fields::new(fields, colour),
                message,
            }),
        }
        self.write(line, &head, message, fields);
        line
    }

    /// Appends a line of the log about itself, with one number.
    pub(crate) fn write_own(
        &self,
        out: &mut String,
        at: OffsetDateTime,
        message: &str,
        field: (&str, u64),
    ) {
        let head = Head {
            at,
            level: Level::WARN,
            origin: Origin::Component("log"),
        };
        let (name, number) = field;
        let mut fields = String::new();
        let number = Value::Plain(&number);
        match self.format {
            Format::Json(_) => JsonFields(&mut fields).field(name, number),
            Format::Terminal(colour) => {
                terminal::Fields::new(&mut fields, colour).field(name, number);
            }
        }
        self.write(out, &head, message, &fields);
    }

    fn write(&self, out: &mut String, head: &Head<'_>, message: &str, fields: &str) {
        let timestamp = match self.format {
            Format::Json(timestamp) => timestamp,
            Format::Terminal(colour) => {
                return terminal::write_line(out, colour, head, message, fields);
            }
        };
        write_json_start(out, head.level, timestamp, head.at, message);
        out.push_str(",\"source\":");
        match &head.origin {
            Origin::Main => push_string(out, &self.source),
            Origin::Component(name) => {
                push_displayed(out, &format_args!("{}.{name}", self.source));
            }
            Origin::Library(name) => {
                push_displayed(out, &format_args!("{}.lib.{name}", self.source));
            }
        }
        out.push_str(",\"data\":{");
        out.push_str(fields);
        out.push_str("}}\n");
    }
}

/// Appends the opening brace and the keys that stand before `source`.
pub(crate) fn write_json_start(
    out: &mut String,
    level: Level,
    timestamp: TimestampFormat,
    at: OffsetDateTime,
    message: &str,
) {
    out.push_str("{\"log_level\":");
    out.push(level_digit(level));
    out.push_str(",\"timestamp\":");
    write_timestamp(out, timestamp, at);
    out.push_str(",\"message\":");
    push_string(out, message);
}

fn level_digit(level: Level) -> char {
    match level {
        Level::TRACE | Level::DEBUG => '0',
        Level::INFO => '1',
        Level::WARN => '2',
        Level::ERROR => '3',
    }
}

fn write_timestamp(out: &mut String, format: TimestampFormat, at: OffsetDateTime) {
    // Writing to a `String` cannot fail.
    match format {
        TimestampFormat::UnixSeconds => {
            write!(out, "{}.{:09}", at.unix_timestamp(), at.nanosecond()).ok();
        }
        TimestampFormat::Rfc3339 => {
            write!(
                out,
                "\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z\"",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second(),
                at.nanosecond()
            )
            .ok();
        }
    }
}

/// The members of `data`, without its braces.
struct JsonFields<'a>(&'a mut String);

impl FieldSink for JsonFields<'_> {
    fn field(&mut self, name: &str, value: Value<'_>) {
        let out = &mut *self.0;
        if !out.is_empty() {
            out.push(',');
        }
        push_string(out, name);
        out.push(':');
        match value {
            Value::Text(text) => push_string(out, text),
            Value::Shown(shown) => push_displayed(out, shown),
            Value::Plain(plain) => {
                write!(out, "{plain}").ok();
            }
            Value::Json(json) => push_raw(out, json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(format: TimestampFormat, nanos: i128) -> String {
        let mut out = String::new();
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
        write_timestamp(&mut out, format, at);
        out
    }

    #[test]
    fn both_timestamps_have_nine_decimals() {
        let at = 1_930_367_167_000_000_089;
        assert_eq!(
            timestamp(TimestampFormat::UnixSeconds, at),
            "1930367167.000000089"
        );
        assert_eq!(
            timestamp(TimestampFormat::Rfc3339, at),
            "\"2031-03-04T05:06:07.000000089Z\""
        );
    }
}
