//! Reads an event's fields in their order.

use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};

/// The field that `tracing` keeps an event's text in.
const MESSAGE: &str = "message";
/// The ending of a field's name that announces JSON text.
const JSON_ENDING: &str = ".json";

/// One field's value, in the kinds that a line tells apart.
pub(crate) enum Value<'a> {
    /// Text that is known as such.
    Text(&'a str),
    /// Anything shown as text.
    Shown(&'a dyn fmt::Display),
    /// A number or a boolean, which JSON writes as it is displayed.
    Plain(&'a dyn fmt::Display),
    /// JSON text, to be written as it is.
    Json(&'a dyn fmt::Display),
}

/// Receives the fields one after the other.
pub(crate) trait FieldSink {
    /// Takes the field `name`; the message is not among them.
    fn field(&mut self, name: &str, value: Value<'_>);
}

/// Passes each field to `sink`, and keeps the message apart.
pub(crate) struct Fields<'a, S> {
    /// Where the fields go.
    pub(crate) sink: &'a mut S,
    /// Where the message is put.
    pub(crate) message: &'a mut String,
}

impl<S: FieldSink> Fields<'_, S> {
    fn text(&mut self, field: &Field, value: Value<'_>) {
        if field.name() == MESSAGE {
            match value {
                Value::Text(text) => self.message.push_str(text),
                Value::Shown(shown) | Value::Plain(shown) | Value::Json(shown) => {
                    fmt::Write::write_fmt(self.message, format_args!("{shown}")).ok();
                }
            }
            return;
        }
        match (field.name().strip_suffix(JSON_ENDING), value) {
            (None, value) => self.sink.field(field.name(), value),
            (Some(name), Value::Text(text)) => self.sink.field(name, Value::Json(&text)),
            (Some(name), Value::Shown(shown)) => self.sink.field(name, Value::Json(shown)),
            (Some(name), value) => self.sink.field(name, value),
        }
    }
}

impl<S: FieldSink> Visit for Fields<'_, S> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, Value::Shown(&ByDebug(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, Value::Text(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, Value::Shown(&WithSources(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.text(field, Value::Plain(&value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.text(field, Value::Plain(&value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.text(field, Value::Plain(&value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.text(field, Value::Plain(&value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.text(field, Value::Plain(&value));
    }

    /// JSON has no infinities and no NaN; they go as text.
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.text(field, Value::Plain(&value));
        } else {
            self.text(field, Value::Shown(&value));
        }
    }
}

/// `%value` and `?value` both arrive as `Debug`; the former's `Debug` is its `Display`.
struct ByDebug<'a>(&'a dyn fmt::Debug);

impl fmt::Display for ByDebug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error and what caused it, joined by colons.
struct WithSources<'a>(&'a (dyn Error + 'static));

impl fmt::Display for WithSources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
