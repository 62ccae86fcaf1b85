//! Which keys hold secrets, and how values are shown in messages.

use crate::document::{Content, Node};

/// What stands in place of a secret.
pub const REDACTED: &str = "<redacted>";

/// Longest value that a message repeats, in characters.
const SHOWN: usize = 60;

/// Whether a key (its name or its whole path) holds a secret: passwords, keys and anything called
/// secret. By name, not by a mark on each definition, so that no new key can be forgotten.
/// Paths to files are not secret.
pub fn is_secret(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    let name = last.split('[').next().unwrap_or(last);
    if name.ends_with("_path") || name.ends_with("_file") {
        return false;
    }
    name.split('_').any(|word| {
        matches!(
            word,
            "pass" | "password" | "passphrase" | "secret" | "secrets" | "key"
        )
    })
}

/// A value as a message may show it: quoted, cut when long, secrets and PEM blocks left out.
pub fn shown(path: &str, node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::List(items) => match items.len() {
            1 => "a list of one value".to_owned(),
            count => format!("a list of {count} values"),
        },
        Content::Map(_) => "a map".to_owned(),
        Content::Scalar { text, plain } => {
            if text.contains("-----BEGIN ") {
                return "PEM text".to_owned();
            }
            if is_secret(path) {
                return REDACTED.to_owned();
            }
            let mut cut: String = text.chars().take(SHOWN).collect();
            if cut.len() < text.len() {
                cut.push('…');
            }
            // Quotes of a plain value would hide why `"80"` is refused and `80` is not.
            if *plain && cut.chars().all(|c| c.is_ascii_graphic()) {
                cut
            } else {
                format!("{cut:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_keys_and_secrets_are_known_by_name() {
        for path in [
            "nats.pass",
            "status.pass",
            "status.tls.key",
            "tls_pem[0].private_key",
            "route_services_secret_decrypt_only",
            "oauth.client_secret",
            "sqldb.password",
            "trace_key",
        ] {
            assert!(is_secret(path), "{path}");
        }
        for path in [
            "prometheus.key_path",
            "status.user",
            "port",
            "oauth.token_endpoint",
            "keepalive",
        ] {
            assert!(!is_secret(path), "{path}");
        }
    }

    #[test]
    fn pem_text_under_any_key_is_not_repeated() {
        let node = Node {
            line: 1,
            content: Content::Scalar {
                text: "-----BEGIN RSA PRIVATE KEY-----\nMIIE".to_owned(),
                plain: false,
            },
        };
        assert_eq!(shown("zone", &node), "PEM text");
    }
}
