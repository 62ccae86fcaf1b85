//! A message and its subject.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// One message as a subscription receives it.
///
/// Over NATS the parts share the connection's read buffer: keep a copy of what is needed for long,
/// not the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it was published to.
    pub subject: Subject,
    /// Where an answer is expected, if one is.
    pub reply: Option<Subject>,
    /// The content.
    pub payload: Bytes,
}

/// The words that a message is addressed to, separated by points; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(pub(crate) async_nats::Subject);

impl Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq<str> for Subject {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl From<&str> for Subject {
    fn from(text: &str) -> Subject {
        Subject(async_nats::Subject::from(text))
    }
}
