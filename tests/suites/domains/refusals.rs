//! Configurations that a router does not start with.

use cloverleaf_tests::{Authority, Start};
use serde_json::{Value, json};

//
#[test]
fn a_domain_that_would_not_protect_its_hosts_ends_the_start_with_code_1() {
    let authority = Authority::new("instance authority");
    let whole = json!({ "domain": "*.apps.identity", "ca_certs": authority.certificate() });
    let with = |changes: Value| {
        let mut entry = whole.clone();
        for (key, value) in changes.as_object().into_iter().flatten() {
            entry[key] = value.clone();
        }
        entry
    };
    for (entry, named) in [
        (
            with(json!({ "xfcc_format": "envoy", "forwarded_client_cert": "always_forward" })),
            "domains[1].xfcc_format",
        ),
        (with(json!({ "ca_certs": null })), "domains[1].ca_certs"),
        (
            with(json!({ "ca_certs": "-----BEGIN CERTIFICATE-----\nnonsense\n" })),
            "domains[1].ca_certs",
        ),
        (
            with(json!({ "xfcc_format": "xml" })),
            "domains[1].xfcc_format",
        ),
        (
            with(json!({ "forwarded_client_cert": "sometimes" })),
            "domains[1].forwarded_client_cert",
        ),
        (with(json!({ "domain": null })), "domains[1].domain"),
        (with(json!({ "domain": "" })), "domains[1].domain"),
        (
            with(json!({ "domain": "a.*.identity" })),
            "domains[1].domain",
        ),
        (with(json!({ "domain": "*" })), "domains[1].domain"),
    ] {
        let config = json!({ "domains": [whole.clone(), entry] }).to_string();
        let finished = Start::run(&config, &[]);
        assert_eq!(finished.status.code(), Some(1), "{config}");
        assert!(finished.output.contains(named), "{}", finished.output);
        assert!(
            !finished.output.contains("domains[0]"),
            "{}",
            finished.output
        );
    }
}
