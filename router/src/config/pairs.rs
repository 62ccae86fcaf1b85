//! Checks of certificates and keys given as PEM text.

use std::collections::BTreeSet;

use cloverleaf_config::Reader;
use cloverleaf_config::pem::{Identity, trust_bundle, whole_trust_bundle};

/// A certificate chain and its key, each with the path of its configuration key.
pub(super) struct Pair<'a> {
    pub(super) chain_key: &'a str,
    pub(super) private_key: &'a str,
    pub(super) chain: &'a str,
    pub(super) private: &'a str,
}

impl Pair<'_> {
    /// Reports when either is missing, cannot be used, or does not match the other.
    pub(super) fn require(&self, reason: &str, reader: &mut Reader<'_>) {
        let (chain_key, private_key) = (
            given(self.chain_key, reader),
            given(self.private_key, reader),
        );
        if self.chain.is_empty() && !reader.has_problem(&chain_key) {
            let expected = format!("a certificate chain as PEM text, because {reason}");
            reader.refuse(&chain_key, expected);
        }
        if self.private.is_empty() && !reader.has_problem(&private_key) {
            let expected = format!("a private key as PEM text, because {reason}");
            reader.refuse(&private_key, expected);
        }
        if !self.chain.is_empty() && !self.private.is_empty() {
            self.check(reader);
        }
    }

    /// Reports a pair that cannot be used. Half a pair is ignored, as in the original.
    pub(super) fn check_if_given(&self, reader: &mut Reader<'_>) {
        match (self.chain.is_empty(), self.private.is_empty()) {
            (true, true) => {}
            (false, false) => self.check(reader),
            (true, false) => {
                reader.note(
                    self.private_key,
                    format!("has no effect without {}", self.chain_key),
                );
            }
            (false, true) => {
                reader.note(
                    self.chain_key,
                    format!("has no effect without {}", self.private_key),
                );
            }
        }
    }

    fn check(&self, reader: &mut Reader<'_>) {
        let Err(error) = Identity::load(self.chain, self.private) else {
            return;
        };
        let chain_key = given(self.chain_key, reader);
        if error.is_about_key() {
            let private_key = given(self.private_key, reader);
            let expected = format!("the unencrypted private key of {chain_key}");
            reader.refuse_because(&private_key, error.to_string(), expected);
        } else {
            let expected = "a certificate chain as PEM text, the leaf first";
            reader.refuse_because(&chain_key, error.to_string(), expected);
        }
    }
}

/// The key that the file gives a PEM text: the one for the text itself, or the one that names a file with it.
pub(super) fn given(key: &str, reader: &Reader<'_>) -> String {
    let file_key = format!("{key}_file");
    match reader.is_set(&file_key) {
        true => file_key,
        false => key.to_owned(),
    }
}

/// Judges trust bundles, above all those of which only a part can be read.
///
/// A start takes that part, as the original does. While the router runs such a bundle is refused, since whoever writes it may
/// not have come to its end; one that is in force already keeps nothing else from changing.
pub(super) struct Bundles<'a> {
    in_force: Option<&'a Damaged>,
    damaged: Damaged,
}

/// The texts of bundles that are in force although a part of them cannot be read.
pub(super) type Damaged = BTreeSet<String>;

impl<'a> Bundles<'a> {
    /// For a start.
    pub(super) fn at_start() -> Bundles<'a> {
        Bundles {
            in_force: None,
            damaged: Damaged::new(),
        }
    }

    /// For a change, with those that are in force.
    pub(super) fn while_running(in_force: &'a Damaged) -> Bundles<'a> {
        Bundles {
            in_force: Some(in_force),
            ..Bundles::at_start()
        }
    }

    /// Those that were taken in part.
    pub(super) fn damaged(self) -> Damaged {
        self.damaged
    }

    /// Reports a trust bundle without a certificate; `reason` says why one is needed.
    pub(super) fn check(&mut self, key: &str, pem: &str, reason: &str, reader: &mut Reader<'_>) {
        let mut expected = "at least one certificate as PEM text".to_owned();
        if !reason.is_empty() {
            expected.push_str(&format!(", because {reason}"));
        }
        let key = given(key, reader);
        if reader.has_problem(&key) {
            // It could not be read.
        } else if pem.is_empty() {
            reader.refuse(&key, expected);
        } else if let Err(error) = trust_bundle(pem) {
            reader.refuse_because(&key, error.to_string(), expected);
        } else if let Err(error) = whole_trust_bundle(pem) {
            if self.in_force.is_some_and(|known| !known.contains(pem)) {
                let expected = "whole certificates as PEM text; the former ones stay in force";
                reader.refuse_because(&key, error.to_string(), expected);
            } else {
                reader.note(
                    &key,
                    format!("{error}, which is passed over: its authority is not trusted"),
                );
                self.damaged.insert(pem.to_owned());
            }
        }
    }
}
