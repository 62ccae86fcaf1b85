//! Checks of everything about TLS with clients.

use cloverleaf_config::Reader;
use cloverleaf_config::pem::trust_bundle;

use super::pairs::{Bundles, Pair, given};
use super::{CertSubject, ClientCertValidation, Config, MaxTlsVersion, MinTlsVersion};

/// Reports what keeps the HTTPS listener from opening, or the last listener from existing.
pub(super) fn check(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    if config.enable_ssl {
        certificates(config, reader);
        ciphers(config, reader);
        versions(config, reader);
    } else if config.disable_http {
        let expected = "false, or enable_ssl: true: one proxy listener is needed";
        reader.refuse("disable_http", expected);
    }
    client_certificates(config, bundles, reader);
}

fn certificates(config: &Config, reader: &mut Reader<'_>) {
    if config.tls_pem.is_empty() {
        let expected =
            "at least one entry with cert_chain and private_key, because enable_ssl is true";
        reader.refuse("tls_pem", expected);
    }
    for (pem, index) in config.tls_pem.iter().zip(reader.indexes("tls_pem")) {
        Pair {
            chain_key: &format!("tls_pem[{index}].cert_chain"),
            private_key: &format!("tls_pem[{index}].private_key"),
            chain: &pem.cert_chain,
            private: &pem.private_key,
        }
        .require("enable_ssl is true", reader);
    }
}

fn ciphers(config: &Config, reader: &mut Reader<'_>) {
    let key = "cipher_suites";
    if reader.has_problem(key) {
        return;
    }
    if config.cipher_suites.0.is_empty() {
        reader.refuse(
            key,
            "cipher suite names joined by colons, because enable_ssl is true",
        );
        return;
    }
    for suite in config.cipher_suites.skipped() {
        reader.note(
            key,
            format!(
                "{} is skipped: the TLS library does not have it",
                suite.name
            ),
        );
    }
    if config.min_tls_version == MinTlsVersion::Tls13 {
        // TLS 1.3 has suites of its own, which the list does not restrict.
    } else if !config.cipher_suites.allow_tls12() {
        let text = match config.max_tls_version {
            MaxTlsVersion::Tls12 => {
                "names suites of TLS 1.3 alone, and max_tls_version is TLSv1.2: no client can connect"
            }
            MaxTlsVersion::Tls13 => {
                "names suites of TLS 1.3 alone: no client can connect with TLS 1.2"
            }
        };
        reader.note(key, text);
    } else if config.cipher_suites.tls12().next().is_none() {
        // An old file must not keep the edge down.
        let text = "names no suite of TLS 1.2 that can be served: ALL the suites that can are offered instead; \
            name one, such as ECDHE-RSA-AES128-GCM-SHA256";
        reader.note(key, text);
    }
}

fn versions(config: &Config, reader: &mut Reader<'_>) {
    match (config.min_tls_version, config.max_tls_version) {
        (MinTlsVersion::Tls10 | MinTlsVersion::Tls11, _) => {
            let text = "TLSv1.2 is the lowest that is served: the TLS library has no older version";
            reader.note("min_tls_version", text);
        }
        (MinTlsVersion::Tls13, MaxTlsVersion::Tls12) => {
            reader.note(
                "min_tls_version",
                "is above max_tls_version: no client can connect",
            );
        }
        _ => {}
    }
}

fn client_certificates(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    let validation = config.client_cert_validation;
    let key = "client_cert_validation";
    if config.enable_ssl && validation == ClientCertValidation::Unset && !reader.has_problem(key) {
        reader.refuse(
            key,
            "`none`, `request` or `require`, because enable_ssl is true",
        );
    }
    let key = "client_ca_certs";
    let asked = matches!(
        validation,
        ClientCertValidation::Request | ClientCertValidation::Require
    );
    if !config.client_ca_certs.is_empty() {
        bundles.check(key, &config.client_ca_certs, "", reader);
    } else if config.only_trust_client_ca_certs && asked && !reader.has_problem(&given(key, reader))
    {
        let expected =
            "at least one certificate as PEM text, because only_trust_client_ca_certs is true";
        reader.refuse(&given(key, reader), expected);
    }
    if config.enable_verify_client_certificate_metadata {
        metadata_rules(config, reader);
    }
}

/// A rule whose issuer is misspelt would never apply: each must name a known authority.
fn metadata_rules(config: &Config, reader: &mut Reader<'_>) {
    let authorities: Vec<CertSubject> = trust_bundle(&config.client_ca_certs)
        .unwrap_or_default()
        .iter()
        .filter_map(|certificate| CertSubject::of(certificate).ok())
        .collect();
    let list = "verify_client_certificate_metadata";
    let rules = &config.verify_client_certificate_metadata;
    for (rule, index) in rules.iter().zip(reader.indexes(list)) {
        if !authorities.contains(&rule.issuer_in_chain) {
            let found = format!("{} is no subject of client_ca_certs", rule.issuer_in_chain);
            let expected = "the exact subject of a certificate in client_ca_certs";
            reader.refuse_because(&format!("{list}[{index}].issuer_in_chain"), found, expected);
        }
    }
}
