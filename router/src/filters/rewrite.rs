//! `http_rewrite.responses`: headers taken out of every response, and headers added where they are missing (spec 4.6,
//!
//!
//! Works on the finished head, the last thing before it goes out, so that it reaches what the router says itself and is
//! the same for a backend's answer, an error and an interim response.

use std::collections::HashSet;

use crate::config::{Config, is_rewritable};
use crate::message::Name;
use crate::observe::record::{Record, Text};

#[derive(Clone, Debug)]
pub(super) struct Rewrite {
    /// In lower case.
    removed: HashSet<Vec<u8>>,
    added: Vec<Addition>,
    hides_router_error: bool,
}

#[derive(Clone, Debug)]
struct Addition {
    name: Vec<u8>,
    /// `Name: value` and the line's end.
    line: Vec<u8>,
}

impl Rewrite {
    /// `None` when nothing is to be changed.
    pub(super) fn new(config: &Config) -> Option<Box<Rewrite>> {
        let rules = &config.http_rewrite.responses;
        let removed: HashSet<Vec<u8>> = rules
            .remove_headers
            .iter()
            .filter(|header| is_rewritable(&header.name))
            .map(|header| header.name.to_ascii_lowercase().into_bytes())
            .collect();
        let added: Vec<Addition> = rules
            .add_headers_if_not_present
            .iter()
            .filter(|header| is_rewritable(&header.name))
            .map(|header| {
                // A value cannot draw lines of its own.
                let value = header.value.replace(|c: char| c.is_control(), " ");
                Addition {
                    name: header.name.to_ascii_lowercase().into_bytes(),
                    line: format!("{}: {}\r\n", header.name, value.trim()).into_bytes(),
                }
            })
            .collect();
        let hides_router_error = removed
            .iter()
            .any(|name| Name::of(name) == Name::CfRouterError);
        (!removed.is_empty() || !added.is_empty()).then(|| {
            Box::new(Rewrite {
                removed,
                added,
                hides_router_error,
            })
        })
    }

    /// Changes the head at the beginning of `out`; what stands behind it is moved along.
    pub(super) fn apply(&self, out: &mut Vec<u8>) {
        let Some(last_line) = memchr::memmem::find(out, b"\r\n\r\n") else {
            return;
        };
        let (head, rest) = out.split_at(last_line + b"\r\n".len());
        let mut changed = Vec::with_capacity(out.len() + 256);
        let mut names = HashSet::new();
        for (number, line) in head.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if number > 0 {
                let colon = memchr::memchr(b':', line).unwrap_or(line.len());
                let name = line[..colon].to_ascii_lowercase();
                if self.removed.contains(&name) {
                    continue;
                }
                names.insert(name);
            }
            changed.extend_from_slice(line);
        }
        for addition in &self.added {
            if !names.contains(&addition.name) {
                changed.extend_from_slice(&addition.line);
            }
        }
        changed.extend_from_slice(rest);
        *out = changed;
    }

    /// The log shows the error that the client sees.
    pub(super) fn note(&self, record: &mut Record) {
        if self.hides_router_error {
            record.set(Text::RouterError, b"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HeaderToAdd, HeaderToRemove};

    fn rewrite(remove: &[&str], add: &[(&str, &str)]) -> Option<Box<Rewrite>> {
        let mut config = Config::default();
        let rules = &mut config.http_rewrite.responses;
        rules.remove_headers = remove
            .iter()
            .map(|&name| HeaderToRemove { name: name.into() })
            .collect();
        rules.add_headers_if_not_present = add
            .iter()
            .map(|&(name, value)| HeaderToAdd {
                name: name.into(),
                value: value.into(),
            })
            .collect();
        Rewrite::new(&config)
    }

    fn changed(rewrite: &Rewrite, head: &str) -> String {
        let mut out = head.as_bytes().to_vec();
        rewrite.apply(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn removing_comes_before_adding_and_the_body_stays() {
        let rewrite = rewrite(
            &["SERVER"],
            &[("Server", "new"), ("X-A", "1"), ("x-a", "2")],
        );
        let head = "HTTP/1.1 200 OK\r\nServer: old\r\nX-B: b\r\n\r\nServer: body\r\n\r\n";
        assert_eq!(
            changed(&rewrite.unwrap(), head),
            "HTTP/1.1 200 OK\r\nX-B: b\r\nServer: new\r\nX-A: 1\r\nx-a: 2\r\n\r\nServer: body\r\n\r\n"
        );
    }

    #[test]
    fn framing_is_not_for_rules_to_change() {
        let remove = [
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Date",
            "no name",
        ];
        assert!(rewrite(&remove, &[("Content-Length", "1"), ("X:Y", "")]).is_none());
    }

    #[test]
    fn a_value_draws_no_line_of_its_own() {
        let rewrite = rewrite(&[], &[("X-A", "1\r\nX-B: 2")]).unwrap();
        assert_eq!(
            changed(&rewrite, "HTTP/1.1 200 OK\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nX-A: 1  X-B: 2\r\n\r\n"
        );
    }
}
