//! The component log: JSON lines on standard output.

use serde_json::Value;

use crate::eventually::eventually;
use crate::process::Process;

/// The log of a process so far.
#[derive(Clone, Debug)]
pub struct ComponentLog {
    text: String,
}

/// One line of it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The line as written.
    pub text: String,
    value: Value,
}

impl ComponentLog {
    /// What `process` has logged so far.
    pub fn of(process: &Process) -> ComponentLog {
        ComponentLog {
            text: process.output(),
        }
    }

    /// Its events, oldest first; a line that is not complete yet is left out.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<Event> {
        let complete = self.text.rfind('\n').map_or("", |end| &self.text[..end]);
        let event = |line: &str| match serde_json::from_str(line) {
            Ok(value) => Event {
                text: line.to_owned(),
                value,
            },
            Err(error) => panic!("a log line that is not JSON ({error}): {line}"),
        };
        complete.lines().map(event).collect()
    }

    /// The events with this message.
    #[track_caller]
    pub fn with_message(&self, message: &str) -> Vec<Event> {
        self.events()
            .into_iter()
            .filter(|event| event.message() == message)
            .collect()
    }

    /// Waits until `process` has logged an event with this message, and gives the first.
    #[track_caller]
    pub fn wait_for(process: &Process, message: &str) -> Event {
        eventually(&format!("the log event {message}"), || {
            ComponentLog::of(process)
                .with_message(message)
                .into_iter()
                .next()
        })
    }
}

impl Event {
    /// Its message.
    pub fn message(&self) -> &str {
        self.value["message"].as_str().unwrap_or_default()
    }

    /// Its level, 0 to 3.
    pub fn level(&self) -> u64 {
        self.value["log_level"].as_u64().unwrap_or(u64::MAX)
    }

    /// What it comes from.
    pub fn source(&self) -> Option<&str> {
        self.value["source"].as_str()
    }

    /// A field of its data.
    pub fn data(&self, field: &str) -> &Value {
        &self.value["data"][field]
    }
}
