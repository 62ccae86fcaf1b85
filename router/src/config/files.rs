//! PEM text that stands in files of its own: `cert_chain_file` beside `cert_chain`, and so on.
//!
//! A file's text takes the place of the key's before anything is checked, so that the rest of the router does not know
//! where a certificate came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use cloverleaf_config::Reader;

use super::Config;

/// What the files hold that a configuration names. `Debug` shows no contents.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Files(BTreeMap<PathBuf, String>);

/// A key whose value may stand in a file.
pub(super) struct Slot<'a> {
    /// Path of the key, such as `tls_pem[0].cert_chain`.
    pub(super) key: String,
    /// The file as configured; empty for none.
    pub(super) file: String,
    /// The value.
    text: &'a mut String,
}

impl Slot<'_> {
    /// Path of the key that names the file.
    pub(super) fn file_key(&self) -> String {
        format!("{}_file", self.key)
    }

    /// What is judged together: a certificate and its key. The part of the path that they share, or the key itself.
    pub(super) fn unit(&self) -> &str {
        self.key
            .rsplit_once('.')
            .map_or(&self.key, |(unit, _)| unit)
    }
}

impl Files {
    /// Reads every file that `config` names into the key beside the one that names it. A text that `held` has is taken
    /// from there. What cannot be read is reported.
    pub(super) fn read(config: &mut Config, held: &Files, reader: &mut Reader<'_>) -> Files {
        let mut files = Files::default();
        for slot in slots(config, reader) {
            if slot.file.is_empty() {
                continue;
            }
            if !slot.text.is_empty() {
                let expected = format!("either {} or this", slot.key);
                reader.refuse(&slot.file_key(), expected);
                continue;
            }
            let path = PathBuf::from(&slot.file);
            let text = match held.0.get(&path).or_else(|| files.0.get(&path)) {
                Some(text) => Ok(text.clone()),
                None => std::fs::read_to_string(&path),
            };
            match text {
                Ok(text) => {
                    slot.text.clone_from(&text);
                    files.0.insert(path, text);
                }
                Err(error) => {
                    let found = format!("{:?}: {error}", slot.file);
                    reader.refuse_because(&slot.file_key(), found, "a file with PEM text");
                }
            }
        }
        // Read by others, and watched with the rest.
        let metrics = &config.prometheus;
        if !metrics.cert_path.is_empty() {
            for path in [&metrics.cert_path, &metrics.key_path, &metrics.ca_path] {
                let path = PathBuf::from(path);
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                files.0.entry(path).or_insert(text);
            }
        }
        files
    }

    /// Where they are, and what they hold.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&Path, &str)> {
        let texts = self.0.iter();
        texts.map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// Adds the text that `other` has for `path`; whether it is new here.
    pub(super) fn hold(&mut self, path: &Path, other: &Files) -> bool {
        match other.0.get(path) {
            Some(text) => self.0.insert(path.to_owned(), text.clone()).is_none(),
            None => false,
        }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Every key whose value may stand in a file. The file beside the list `ca_certs` is one more entry of it.
pub(super) fn slots<'a>(config: &'a mut Config, reader: &Reader<'_>) -> Vec<Slot<'a>> {
    let mut slots = Vec::new();
    let mut add = |key: &str, file: &str, text: &'a mut String| {
        slots.push(Slot {
            key: key.to_owned(),
            file: file.to_owned(),
            text,
        });
    };
    let indexes = reader.indexes("tls_pem");
    for (pem, index) in config.tls_pem.iter_mut().zip(indexes) {
        let key = |name: &str| format!("tls_pem[{index}].{name}");
        let (chain, private) = (&mut pem.cert_chain, &mut pem.private_key);
        add(&key("cert_chain"), &pem.cert_chain_file, chain);
        add(&key("private_key"), &pem.private_key_file, private);
    }
    let indexes = reader.indexes("domains");
    for (domain, index) in config.domains.iter_mut().zip(indexes) {
        let key = format!("domains[{index}].ca_certs");
        add(&key, &domain.ca_certs_file, &mut domain.ca_certs);
    }
    let file = &config.client_ca_certs_file;
    add("client_ca_certs", file, &mut config.client_ca_certs);
    if !config.ca_certs_file.is_empty() {
        config.ca_certs.push(String::new());
    }
    if let Some(last) = config.ca_certs.last_mut() {
        add("ca_certs", &config.ca_certs_file, last);
    }
    let keys = &mut config.backends;
    let (chain, private) = (&mut keys.cert_chain, &mut keys.private_key);
    add("backends.cert_chain", &keys.cert_chain_file, chain);
    add("backends.private_key", &keys.private_key_file, private);
    let keys = &mut config.route_services;
    let (chain, private) = (&mut keys.cert_chain, &mut keys.private_key);
    add("route_services.cert_chain", &keys.cert_chain_file, chain);
    add(
        "route_services.private_key",
        &keys.private_key_file,
        private,
    );
    let keys = &mut config.status.tls;
    let (chain, private) = (&mut keys.certificate, &mut keys.key);
    add("status.tls.certificate", &keys.certificate_file, chain);
    add("status.tls.key", &keys.key_file, private);
    let keys = &mut config.routing_api;
    let (chain, private) = (&mut keys.cert_chain, &mut keys.private_key);
    add(
        "routing_api.ca_certs",
        &keys.ca_certs_file,
        &mut keys.ca_certs,
    );
    add("routing_api.cert_chain", &keys.cert_chain_file, chain);
    add("routing_api.private_key", &keys.private_key_file, private);
    let keys = &mut config.nats;
    let (chain, private) = (&mut keys.cert_chain, &mut keys.private_key);
    add("nats.ca_certs", &keys.ca_certs_file, &mut keys.ca_certs);
    add("nats.cert_chain", &keys.cert_chain_file, chain);
    add("nats.private_key", &keys.private_key_file, private);
    slots
}
