//! The access log, read strictly: a line that does not have the form of spec 10.1 is a failure.

use std::fs;
use std::path::{Path, PathBuf};

use crate::eventually::eventually;

/// An access log file.
#[derive(Clone, Debug)]
pub struct AccessLog {
    path: PathBuf,
}

/// One line: the ten leading parts, then named fields in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line as written.
    pub text: String,
    /// The Host header.
    pub host: String,
    /// When the request was received.
    pub received: String,
    /// Method, target and protocol.
    pub request: String,
    /// The status.
    pub status: String,
    /// Bytes of the request's body.
    pub request_bytes: String,
    /// Bytes of the response's body.
    pub response_bytes: String,
    /// Referer.
    pub referer: String,
    /// User-Agent.
    pub user_agent: String,
    /// The client's address.
    pub client: String,
    /// The endpoint's address.
    pub endpoint: String,
    /// The fields behind, names and values in order; quotes are taken off.
    pub fields: Vec<(String, String)>,
}

impl AccessLog {
    pub(crate) fn at(path: &Path) -> AccessLog {
        AccessLog {
            path: path.to_owned(),
        }
    }

    /// The lines written so far; one that is not complete yet is left out.
    ///
    /// # Panics
    /// When a line does not have the documented form.
    #[track_caller]
    pub fn lines(&self) -> Vec<Line> {
        let text = fs::read(&self.path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let line = |text: &str| {
            Line::parse(text).unwrap_or_else(|| panic!("not an access log line: {text}"))
        };
        complete.lines().map(line).collect()
    }

    /// Waits until there are so many lines, and gives them.
    ///
    /// # Panics
    /// When there are more.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Line> {
        let lines = eventually(&format!("{count} lines in the access log"), || {
            Some(self.lines()).filter(|lines| lines.len() >= count)
        });
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    /// Waits for the only line.
    #[track_caller]
    pub fn line(&self) -> Line {
        self.wait_for(1).remove(0)
    }
}

impl Line {
    /// The value of a named field.
    ///
    /// # Panics
    /// When the line does not have it.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        match self.fields.iter().find(|field| field.0 == name) {
            Some((_, value)) => value,
            None => panic!("no {name} in {}", self.text),
        }
    }

    /// The names of the fields in order.
    pub fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.0.as_str()).collect()
    }

    fn parse(text: &str) -> Option<Line> {
        let mut rest = Rest(text);
        let host = rest.word()?;
        rest.literal("- [")?;
        let received = rest.up_to("] ")?;
        let request = rest.quoted()?;
        let (status, request_bytes, response_bytes) = (rest.word()?, rest.word()?, rest.word()?);
        let (referer, user_agent, client, endpoint) = (
            rest.quoted()?,
            rest.quoted()?,
            rest.quoted()?,
            rest.quoted()?,
        );
        let mut fields = Vec::new();
        while !rest.0.is_empty() {
            let name = rest.up_to(":")?;
            let value = if rest.0.starts_with('"') {
                rest.quoted()?
            } else {
                rest.word()?
            };
            fields.push((name, value));
        }
        let text = text.to_owned();
        Some(Line {
            text,
            host,
            received,
            request,
            status,
            request_bytes,
            response_bytes,
            referer,
            user_agent,
            client,
            endpoint,
            fields,
        })
    }
}

/// What is left to read of a line. Every part but the last is followed by one blank.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn up_to(&mut self, mark: &str) -> Option<String> {
        let (before, behind) = self.0.split_once(mark)?;
        self.0 = behind;
        Some(before.to_owned())
    }

    /// An unquoted part; a status that is not known is written as `"-"`.
    fn word(&mut self) -> Option<String> {
        if self.0.starts_with('"') {
            return self.quoted();
        }
        let end = self.0.find(' ').unwrap_or(self.0.len());
        let word = self.0[..end].to_owned();
        self.0 = &self.0[end..];
        self.blank()?;
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self) -> Option<String> {
        self.literal("\"")?;
        let mut escaped = false;
        let end = self.0.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        })?;
        let value = self.0[..end].to_owned();
        self.0 = &self.0[end + 1..];
        self.blank()?;
        Some(value)
    }

    fn blank(&mut self) -> Option<()> {
        if self.0.is_empty() {
            Some(())
        } else {
            self.literal(" ").filter(|()| !self.0.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = concat!(
        r#"shop.example.com - [2031-03-04T05:06:07.000000089Z] "POST /cart?id=7 HTTP/1.1" 201 17 342 "-" "curl/\"9\"" "#,
        r#""10.1.0.9:51514" "10.2.0.5:61012" x_forwarded_for:"203.0.113.7, 10.1.0.9" x_forwarded_proto:"https" "#,
        r#"vcap_request_id:"6f0c" response_time:0.012345 gorouter_time:0.000321 app_id:"0b8e" app_index:"0" "#,
        r#"instance_id:"9a1d" x_cf_routererror:"-""#
    );

    #[test]
    fn the_documented_example_is_read() {
        let line = Line::parse(EXAMPLE).expect("the documented form");
        assert_eq!(
            (line.host.as_str(), line.status.as_str()),
            ("shop.example.com", "201")
        );
        assert_eq!(line.user_agent, r#"curl/\"9\""#);
        assert_eq!(line.field("x_forwarded_for"), "203.0.113.7, 10.1.0.9");
        assert_eq!(line.field("response_time"), "0.012345");
        assert_eq!(line.names().last(), Some(&"x_cf_routererror"));
    }

    #[test]
    fn a_line_with_a_blank_too_many_or_without_a_part_is_refused() {
        for (from, to) in [
            (" 201 ", "  201 "),
            (" 201 ", " "),
            (r#" "-" "#, " "),
            (r#""10.1"#, "10.1"),
        ] {
            assert_eq!(Line::parse(&EXAMPLE.replacen(from, to, 1)), None, "{to:?}");
        }
        assert_eq!(Line::parse(&format!("{EXAMPLE} ")), None);
    }
}
