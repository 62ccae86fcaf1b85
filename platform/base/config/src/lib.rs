//! Configuration of Cloverleaf's services: YAML files, Go durations, Go flags, PEM text.
//!
//! A service describes each of its keys once, with [`section!`]: name, type, default, meaning and
//! whether the service acts on it yet. From that one place come the struct with its documentation,
//! the defaults, the reader and the reference page. Reading never stops at the first mistake: every
//! [`Problem`] is collected into one [`Report`] that names key, line, the value as written and what
//! was expected. Unknown keys are ignored, as in the originals, and listed as [`Notice`]s.
//!
//! What this crate is not: it opens no files but the one it is given, knows no service's keys and
//! does not watch for changes.
//!
//! Start at [`section!`] for how keys are described, and at [`Reader`] for how they are read.

mod change;
mod choice;
mod document;
mod duration;
mod flags;
mod key;
mod number;
pub mod pem;
mod problem;
mod reader;
mod reference;
mod secret;
mod section;
mod suggest;
mod value;
mod yaml;

pub use change::{Change, below};
pub use choice::one_of;
pub use document::{Content, Document, Entry, Node};
pub use duration::{GoDuration, ParseDurationError};
pub use flags::{Flag, FlagKind, Flags, Outcome, Parsed};
pub use key::{Key, Status};
pub use problem::{Notice, Problem, Report};
pub use reader::{Reader, Reading};
pub use reference::{Row, markdown_table, rows};
pub use secret::{REDACTED, is_secret, shown};
pub use section::Guarded;
pub use value::Value;
