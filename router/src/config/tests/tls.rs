//! Everything with certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

use super::*;

/// A certificate with its key, as PEM text.
struct Pem {
    cert: String,
    key: String,
}

/// A self-signed authority as PEM text.
fn authority(organization: &str) -> String {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new([]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params
        .distinguished_name
        .push(DnType::CommonName, "client root");
    params.self_signed(&key).expect("certificate").pem()
}

fn leaf(name: &str) -> Pem {
    let authority_key = KeyPair::generate().expect("key");
    let issuer = Issuer::new(CertificateParams::new([]).expect("params"), authority_key);
    let key = KeyPair::generate().expect("key");
    let params = CertificateParams::new([name.to_owned()]).expect("params");
    let cert = params.signed_by(&key, &issuer).expect("certificate");
    Pem {
        cert: cert.pem(),
        key: key.serialize_pem(),
    }
}

/// PEM text as a YAML value.
fn quoted(pem: &str) -> String {
    format!("{pem:?}")
}

/// A valid front end, to which a test adds or from which it departs.
fn front(pem: &Pem, rest: &str) -> String {
    format!(
        "enable_ssl: true\nclient_cert_validation: none\n\
         cipher_suites: \"ECDHE-RSA-AES128-GCM-SHA256:TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\"\n\
         tls_pem: [{{cert_chain: {}, private_key: {}}}]\n{rest}",
        quoted(&pem.cert),
        quoted(&pem.key),
    )
}

#[test]
fn a_front_end_with_a_matching_pair_is_accepted() {
    let config = load(&front(
        &leaf("front.test"),
        "max_tls_version: TLSv1.3\ndisable_http: true\n",
    ))
    .config;
    assert_eq!(config.max_tls_version, MaxTlsVersion::Tls13);
    assert_eq!(config.cipher_suites.tls12().count(), 2);
    assert!(config.disable_http);
}

#[test]
fn r_004_r_005_r_007_everything_that_enable_ssl_needs_is_named_at_once() {
    assert_eq!(
        report("enable_ssl: true\ncipher_suites: \" \"\ntls_pem: []\n"),
        "\
gorouter.yml has 3 problems:
  line 2: cipher_suites: \" \"; expected cipher suite names joined by colons, because enable_ssl is true
  line 3: tls_pem: not set; expected at least one entry with cert_chain and private_key, because enable_ssl is true
  client_cert_validation: not set; expected `none`, `request` or `require`, because enable_ssl is true"
    );
}

#[test]
fn r_006_unknown_cipher_names_are_named() {
    let text = front(&leaf("a.test"), "").replace(
        "ECDHE-RSA-AES128-GCM-SHA256:",
        "ECDHE-RSA-AES128-GCM-SHA256:NONSENSE:RC5:",
    );
    let text = report(&text);
    assert!(
        text.contains("line 3: cipher_suites: unknown cipher suite NONSENSE; expected"),
        "{text}"
    );
    assert!(
        text.contains("line 3: cipher_suites: unknown cipher suite RC5; expected"),
        "{text}"
    );
}

#[test]
fn old_ciphers_are_skipped_with_a_note_and_alone_stand_for_all() {
    let pem = leaf("a.test");
    let mixed = front(&pem, "").replace(
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-SHA",
    );
    let loaded = load(&mixed);
    assert_eq!(
        loaded.notes[0].to_string(),
        "line 3: cipher_suites: TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA is skipped: the TLS library does not have it"
    );
    let alone = mixed.replace("ECDHE-RSA-AES128-GCM-SHA256:", "");
    let notes = load(&alone).notes;
    assert!(
        notes[1]
            .to_string()
            .contains("names no suite of TLS 1.2 that can be served"),
        "{}",
        notes[1]
    );
    // Clients of TLS 1.2 come as ever.
    let with_13 = load(&format!("{alone}max_tls_version: TLSv1.3\n"));
    assert_eq!(with_13.notes, notes);
    let only_13 = load(&format!(
        "{alone}max_tls_version: TLSv1.3\nmin_tls_version: TLSv1.3\n"
    ));
    assert_eq!(only_13.notes.len(), 1);
}

#[test]
fn suites_of_tls_1_3_alone_are_noted_with_what_they_leave() {
    let named = |rest: &str| {
        let front = front(&leaf("a.test"), rest);
        let list = "ECDHE-RSA-AES128-GCM-SHA256:TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        load(&front.replace(list, "TLS_AES_128_GCM_SHA256")).notes
    };
    let notes = named("");
    assert!(
        notes[0].text.ends_with("no client can connect"),
        "{notes:?}"
    );
    let notes = named("max_tls_version: TLSv1.3\n");
    assert!(notes[0].text.ends_with("connect with TLS 1.2"), "{notes:?}");
    let only = "max_tls_version: TLSv1.3\nmin_tls_version: TLSv1.3\n";
    assert_eq!(named(only), []);
}

#[test]
fn both_names_of_a_cipher_mean_the_same_suite() {
    for (left, right) in [
        (
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        ("AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384"),
        (
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
    ] {
        let suite = CipherSuite::from_name(left).expect(left);
        assert_eq!(Some(suite), CipherSuite::from_name(right));
        assert_eq!(suite.name, right);
    }
    assert!(CipherSuite::from_name("ecdhe-rsa-aes128-gcm-sha256").is_none());
    assert!(CipherSuite::from_name("").is_none());
}

#[test]
fn r_007_an_unknown_client_certificate_mode() {
    let text = front(&leaf("a.test"), "").replace("validation: none", "validation: maybe");
    assert_eq!(
        report(&text),
        "gorouter.yml has a problem:\n  line 2: client_cert_validation: maybe; expected `none`, `request` or `require`"
    );
}

//
#[test]
fn r_008_the_maximum_is_at_least_1_2_and_the_minimum_may_be_lower() {
    let pem = leaf("a.test");
    assert!(
        report(&front(&pem, "max_tls_version: TLSv1.1"))
            .contains("TLSv1.1; expected `TLSv1.2` or `TLSv1.3`")
    );
    let loaded = load(&front(&pem, "min_tls_version: TLSv1.1"));
    assert_eq!(loaded.config.min_tls_version, MinTlsVersion::Tls11);
    assert!(
        loaded.notes[0].text.contains("TLSv1.2 is the lowest"),
        "{:?}",
        loaded.notes
    );
}

#[test]
fn without_enable_ssl_ciphers_versions_and_modes_may_hold_anything() {
    let config = load("cipher_suites: NONSENSE\nmin_tls_version: old\nmax_tls_version: TLSv1.1\nclient_cert_validation: maybe").config;
    assert_eq!(config, Config::default());
}

#[test]
fn r_013_half_of_a_status_certificate_is_refused() {
    let pem = leaf("status.test");
    let text = report(&format!(
        "status:\n  tls:\n    port: 8443\n    certificate: {}\n",
        quoted(&pem.cert)
    ));
    assert_eq!(
        text,
        "gorouter.yml has a problem:\n  line 2: status.tls.key: not set; expected a private key as PEM text, because status.tls is given"
    );
    let whole = format!(
        "status: {{enable_nontls_health_checks: false, tls: {{port: 9443, certificate: {}, key: {}}}}}",
        quoted(&pem.cert),
        quoted(&pem.key)
    );
    assert!(load(&whole).config.status.tls.is_enabled());
    assert!(
        !load("status: {tls: {port: 8443, certificate: \"\", key: \"\"}}")
            .config
            .status
            .tls
            .is_enabled()
    );
    assert!(report("status: {tls: {port: 8444}}").contains("status.tls.certificate: not set"));
}

#[test]
fn a_key_of_another_certificate_is_refused_wherever_a_pair_stands() {
    let (one, other) = (leaf("one.test"), leaf("other.test"));
    let pair = format!(
        "cert_chain: {}, private_key: {}",
        quoted(&one.cert),
        quoted(&other.key)
    );
    for (text, key) in [
        (
            front(
                &Pem {
                    cert: one.cert.clone(),
                    key: other.key.clone(),
                },
                "",
            ),
            "tls_pem[0].private_key",
        ),
        (format!("backends: {{{pair}}}"), "backends.private_key"),
        (
            format!("route_services: {{{pair}}}"),
            "route_services.private_key",
        ),
        (
            format!(
                "nats: {{tls_enabled: true, ca_certs: {}, {pair}}}",
                quoted(&one.cert)
            ),
            "nats.private_key",
        ),
        (
            format!(
                "routing_api: {{uri: http://api, port: 3000, ca_certs: {}, {pair}}}",
                quoted(&one.cert)
            ),
            "routing_api.private_key",
        ),
    ] {
        let text = report(&text);
        assert!(
            text.contains(&format!("{key}: is not the key of the certificate")),
            "{text}"
        );
        assert!(!text.contains("BEGIN"), "{text}");
    }
}

#[test]
fn nats_and_routing_api_over_tls_need_pair_and_authorities() {
    let text = report("nats: {tls_enabled: true}");
    for key in ["cert_chain", "private_key", "ca_certs"] {
        assert!(text.contains(&format!("nats.{key}: not set")), "{text}");
    }
    load("nats: {tls_enabled: false, ca_certs: nonsense, cert_chain: nonsense}");
    assert!(
        report("routing_api: {uri: http://api, port: 3000}")
            .contains("routing_api.ca_certs: not set")
    );
    load("routing_api: {uri: http://api, port: 0}");
}

#[test]
fn half_a_backend_identity_is_ignored_with_a_note() {
    let loaded = load(&format!(
        "backends: {{cert_chain: {}}}",
        quoted(&leaf("a.test").cert)
    ));
    assert_eq!(
        loaded.notes[0].to_string(),
        "line 1: backends.cert_chain: has no effect without backends.private_key"
    );
}

#[test]
fn authorities_must_hold_a_certificate() {
    assert_eq!(
        report("ca_certs:\n- \"\"\n- nonsense\n"),
        "gorouter.yml has a problem:\n  line 3: ca_certs[1]: holds no certificate that can be read; expected at least one certificate as PEM text"
    );
    assert!(report("client_ca_certs: nonsense").contains("client_ca_certs: holds no certificate"));
    let both = format!("{}\njunk between\n{}", authority("A"), authority("B"));
    load(&format!(
        "ca_certs: [{}]\nclient_ca_certs: {}",
        quoted(&both),
        quoted(&both)
    ));
}

#[test]
fn trusting_only_client_authorities_needs_some() {
    let pem = leaf("a.test");
    for mode in ["request", "require"] {
        let text = front(&pem, "only_trust_client_ca_certs: true\n")
            .replace("validation: none", &format!("validation: {mode}"));
        assert!(report(&text).contains("client_ca_certs: not set"), "{mode}");
        load(&format!(
            "{text}client_ca_certs: {}\n",
            quoted(&authority("A"))
        ));
    }
    load(&front(&pem, "only_trust_client_ca_certs: true\n"));
}

#[test]
fn a_metadata_rule_must_name_a_known_authority() {
    let authority = authority("Good");
    let text = |organization: &str| {
        format!(
            "enable_verify_client_certificate_metadata: true\nclient_ca_certs: {}\n\
             verify_client_certificate_metadata:\n- issuer_in_chain:\n    organization: [{organization}]\n    common_name: client root\n\
             \x20 valid_cert_subjects: [{{common_name: client}}]\n",
            quoted(&authority)
        )
    };
    let config = load(&text("Good")).config;
    assert_eq!(
        config.verify_client_certificate_metadata[0].valid_cert_subjects[0].common_name,
        "client"
    );
    let refused = report(&text("God"));
    assert!(
        refused.contains("line 4: verify_client_certificate_metadata[0].issuer_in_chain: \"CN=client root,O=God\" is no subject of client_ca_certs"),
        "{refused}"
    );
}

//
#[test]
fn a_domain_needs_a_name_and_authorities() {
    let text = report("domains:\n- {xfcc_format: envoy, forwarded_client_cert: always_forward}\n");
    for part in [
        "domains[0].domain: not set",
        "domains[0].ca_certs: not set",
        "domains[0].xfcc_format: envoy; expected raw",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let good = format!(
        "domains: [{{name: \"*.apps.identity\", ca_certs: {}}}]",
        quoted(&authority("A"))
    );
    let domain = load(&good).config.domains.remove(0);
    assert_eq!(domain.domain, "*.apps.identity");
    assert_eq!(
        domain.forwarded_client_cert,
        ForwardedClientCert::SanitizeSet
    );
}

#[test]
fn a_domain_that_no_host_can_be_on_is_refused() {
    let long = format!("*.{}.test", ["x".repeat(60).as_str(); 5].join("."));
    for name in ["*.b\u{fc}ro.identity", "a.*.identity", "*.", "a..b", &long] {
        let text = format!(
            "domains: [{{domain: {name:?}, ca_certs: {}}}]",
            quoted(&authority("A"))
        );
        let report = report(&text);
        assert!(
            report.contains("expected a host, or *. and a host"),
            "{report}"
        );
    }
}

/// A Routing API with a valid identity, to which a test adds `rest`.
fn routing_api(rest: &str) -> String {
    let pem = leaf("router.test");
    format!(
        "routing_api: {{uri: http://api, port: 3000, cert_chain: {}, private_key: {}, ca_certs: {}{rest}}}\n",
        quoted(&pem.cert),
        quoted(&pem.key),
        quoted(&pem.cert),
    )
}

#[test]
fn r_023_r_024_check_wants_a_uaa_only_when_a_token_is_needed() {
    let oauth = "oauth: {token_endpoint: uaa.test, port: 0, ca_certs: /does/not/exist}\n";
    let needed = format!("{}{oauth}", routing_api(""));
    load(&needed);
    let Check { text, code } = check(&needed);
    assert_eq!(code, 1);
    assert!(
        text.contains(
            "line 2: oauth.port: 0; expected a TLS port, because the Routing API needs a token"
        ),
        "{text}"
    );
    assert!(
        text.contains("line 2: oauth.ca_certs: \"/does/not/exist\": No such file"),
        "{text}"
    );
    assert_eq!(
        check(&format!("{}{oauth}", routing_api(", auth_disabled: true"))).code,
        0
    );
    assert_eq!(check(oauth).code, 0);
}

#[test]
fn check_reads_the_files_of_the_metrics_listener() {
    let folder = Folder::new();
    let (one, other) = (leaf("one.test"), leaf("other.test"));
    for (name, text) in [
        ("one.crt", &one.cert),
        ("one.key", &one.key),
        ("other.key", &other.key),
    ] {
        std::fs::write(folder.path(name), text).expect("written");
    }
    let with = |key: &str, authorities: &str| {
        check(&format!(
            "prometheus:\n  port: 9100\n  cert_path: {:?}\n  key_path: {:?}\n  ca_path: {:?}\n",
            folder.path("one.crt"),
            folder.path(key),
            folder.path(authorities),
        ))
    };
    assert_eq!(with("one.key", "one.crt").code, 0);
    let Check { text, code } = with("other.key", "one.key");
    assert_eq!(code, 1);
    assert!(
        text.contains("line 4: prometheus.key_path: the file is not the key of the certificate"),
        "{text}"
    );
    assert!(
        text.contains("line 5: prometheus.ca_path: the file holds no certificate"),
        "{text}"
    );
    assert!(
        with("missing", "one.crt")
            .text
            .contains("prometheus.key_path: ")
    );
}
