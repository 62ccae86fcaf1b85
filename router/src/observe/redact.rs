//! `logging.redact_query_params`: what the log shows of a query (spec 10.3).

use sha1::{Digest, Sha1};

use super::escape::{LOWER_HEX, push_escaped};
use crate::config::RedactQueryParams;

/// What becomes of the query of a GET request. Queries of other methods are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Redact {
    #[default]
    None,
    All,
    Hash,
}

impl From<&RedactQueryParams> for Redact {
    fn from(setting: &RedactQueryParams) -> Redact {
        match setting {
            RedactQueryParams::None => Redact::None,
            RedactQueryParams::All => Redact::All,
            RedactQueryParams::Hash => Redact::Hash,
        }
    }
}

impl Redact {
    /// Appends the query, with its `?`; an empty one has nothing to hide.
    pub(super) fn push_query(self, out: &mut Vec<u8>, method: &[u8], query: &[u8]) {
        let redact = if method == b"GET" && !query.is_empty() {
            self
        } else {
            Redact::None
        };
        match redact {
            Redact::None => {
                out.push(b'?');
                push_escaped(out, query);
            }
            Redact::All => {}
            Redact::Hash => {
                out.extend_from_slice(b"?hash=");
                for byte in Sha1::digest(query) {
                    out.extend_from_slice(&[
                        LOWER_HEX[usize::from(byte >> 4)],
                        LOWER_HEX[usize::from(byte & 15)],
                    ]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(redact: Redact, method: &str, query: &str) -> String {
        let mut out = Vec::new();
        redact.push_query(&mut out, method.as_bytes(), query.as_bytes());
        String::from_utf8(out).unwrap()
    }

    ///
    #[test]
    fn queries_of_get_are_hidden_or_hashed() {
        assert_eq!(shown(Redact::None, "GET", "query=value"), "?query=value");
        assert_eq!(shown(Redact::All, "GET", "query=value"), "");
        assert_eq!(
            shown(Redact::Hash, "GET", "query=value"),
            "?hash=9c9042adbe045596c2299990920eaa18536d66a1"
        );
    }

    ///
    #[test]
    fn other_methods_and_empty_queries_are_untouched() {
        for redact in [Redact::All, Redact::Hash] {
            assert_eq!(shown(redact, "DELETE", "query=value"), "?query=value");
            assert_eq!(shown(redact, "get", "query=value"), "?query=value");
            assert_eq!(shown(redact, "GET", ""), "?");
        }
    }
}
