//! Refusals that come after the configuration is loaded, found early for `-check`: files that
//! cannot be read, addresses that are missing. At a real start each has its own log message
//! (drop-in 1.3), so [`Config::load`](super::Config::load) leaves them alone.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use cloverleaf_config::Reader;
use cloverleaf_config::pem::{Identity, trust_bundle};

use super::Config;
use super::load::TemplateCheck;

impl Config {
    /// Reads `html_error_template_file`; `None` where there is no such file configured.
    pub fn error_template(&self) -> Option<io::Result<String>> {
        let file = &self.html_error_template_file;
        (!file.is_empty()).then(|| std::fs::read_to_string(file))
    }
}

/// Reports what would end the process later.
pub(super) fn check(config: &Config, template: TemplateCheck, reader: &mut Reader<'_>) {
    let logging = &config.logging;
    if config.enable_envelope_v1_metrics && logging.metron_address.is_empty() {
        let expected = "an address, because enable_envelope_v1_metrics is true";
        reader.refuse("logging.metron_address", expected);
    }
    let network = &logging.syslog_network;
    let known = network.starts_with("udp") || network.starts_with("tcp");
    if config.access_log.enable_streaming && !known {
        reader.refuse(
            "logging.syslog_network",
            "a network that begins with udp or tcp",
        );
    }
    if !config.access_log.file.is_empty() {
        unless_ok(
            "access_log.file",
            appendable(Path::new(&config.access_log.file)),
            reader,
        );
    }
    if let Some(text) = config.error_template()
        && let Some(text) = unless_ok("html_error_template_file", text, reader)
        && let Err(error) = template(&text)
    {
        let expected = "a template as docs/error-pages.md describes it";
        reader.refuse_because(
            "html_error_template_file",
            format!("the file, {error}"),
            expected,
        );
    }
    let api = &config.routing_api;
    if api.is_enabled() {
        if api.scheme_and_host().is_none() {
            reader.refuse(
                "routing_api.uri",
                "https:// or http:// and a host, without port",
            );
        }
        if !api.auth_disabled {
            oauth(config, reader);
        }
    }
    if config.prometheus.enabled && !config.prometheus.cert_path.is_empty() {
        prometheus(config, reader);
    }
}

/// Whether a line could be appended, without creating the file.
fn appendable(path: &Path) -> io::Result<()> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            File::open(folder.unwrap_or(Path::new("."))).map(drop)
        }
        opened => opened.map(drop),
    }
}

fn oauth(config: &Config, reader: &mut Reader<'_>) {
    let oauth = &config.oauth;
    let reason = "the Routing API needs a token";
    if oauth.token_endpoint.is_empty() {
        reader.refuse("oauth.token_endpoint", format!("a host, because {reason}"));
    }
    if oauth.tls_port().is_none() {
        reader.refuse("oauth.port", format!("a TLS port, because {reason}"));
    }
    if let Some(pem) = oauth.authorities()
        && let Some(pem) = unless_ok("oauth.ca_certs", pem, reader)
        && let Err(error) = trust_bundle(&pem)
    {
        let found = format!("the file {error}");
        reader.refuse_because("oauth.ca_certs", found, "a file with certificates");
    }
}

fn prometheus(config: &Config, reader: &mut Reader<'_>) {
    let files = &config.prometheus;
    let mut read = |key: &str, path: &str| unless_ok(key, std::fs::read_to_string(path), reader);
    let chain = read("prometheus.cert_path", &files.cert_path);
    let key = read("prometheus.key_path", &files.key_path);
    let authorities = read("prometheus.ca_path", &files.ca_path);
    if let (Some(chain), Some(key)) = (chain, key)
        && let Err(error) = Identity::load(&chain, &key)
    {
        let name = if error.is_about_key() {
            "prometheus.key_path"
        } else {
            "prometheus.cert_path"
        };
        reader.refuse_because(
            name,
            format!("the file {error}"),
            "a certificate and its key",
        );
    }
    if let Some(pem) = authorities
        && let Err(error) = trust_bundle(&pem)
    {
        let found = format!("the file {error}");
        reader.refuse_because("prometheus.ca_path", found, "a file with certificates");
    }
}

/// The value, or nothing after the error has been reported with the path as configured.
fn unless_ok<T>(key: &str, result: io::Result<T>, reader: &mut Reader<'_>) -> Option<T> {
    result
        .map_err(|error| {
            let path = reader.text(key).unwrap_or_default().to_owned();
            reader.refuse_because(
                key,
                format!("{path:?}: {error}"),
                "a file that can be opened",
            );
        })
        .ok()
}
