//! PEM text in files of its own.

use super::*;

struct Pair {
    certificate: String,
    key: String,
}

fn pair(name: &str) -> Pair {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    Pair {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

impl Folder {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn write_pair(&self, name: &str, pair: &Pair) {
        self.write(&format!("{name}.crt"), &pair.certificate);
        self.write(&format!("{name}.key"), &pair.key);
    }

    /// An HTTPS listener with the pairs of these names.
    fn config(&self, names: &[&str]) -> String {
        let mut text = "enable_ssl: true\nclient_cert_validation: none\n\
            cipher_suites: ECDHE-RSA-AES128-GCM-SHA256\ntls_pem:\n"
            .to_owned();
        for name in names {
            let path = |ending: &str| self.path(&format!("{name}.{ending}")).display().to_string();
            let (chain, key) = (path("crt"), path("key"));
            text.push_str(&format!(
                "- cert_chain_file: {chain}\n  private_key_file: {key}\n"
            ));
        }
        text
    }
}

#[test]
fn a_files_text_takes_the_place_of_the_keys() {
    let (folder, a) = (Folder::new(), pair("a.test"));
    folder.write_pair("a", &a);
    folder.write("more.pem", &pair("ca.test").certificate);
    let more = folder.path("more.pem");
    let text = format!(
        "{}ca_certs_file: {}\n",
        folder.config(&["a"]),
        more.display()
    );
    let loaded = load(&text);
    assert_eq!(loaded.config.tls_pem[0].cert_chain, a.certificate);
    assert_eq!(loaded.config.tls_pem[0].private_key, a.key);
    assert_eq!(loaded.config.ca_certs.len(), 1);
    assert_eq!(loaded.origin.files().count(), 3);
    assert!(!format!("{loaded:?}").contains("PRIVATE KEY"));
}

#[test]
fn a_file_that_is_missing_or_given_twice_is_reported_under_its_key() {
    let folder = Folder::new();
    let a = pair("a.test");
    folder.write_pair("a", &a);
    std::fs::remove_file(folder.path("a.key")).expect("removed");
    let report = report(&folder.config(&["a"]));
    assert!(
        report.contains("line 6: tls_pem[0].private_key_file: "),
        "{report}"
    );
    assert!(report.contains("expected a file with PEM text"), "{report}");
    assert!(!report.contains("tls_pem[0].private_key:"), "{report}");
    folder.write("a.key", &a.key);
    let twice = folder
        .config(&["a"])
        .replace("- cert", "- private_key: x\n  cert");
    let report = super::report(&twice);
    assert!(
        report.contains("expected either tls_pem[0].private_key or this"),
        "{report}"
    );
}

#[test]
fn of_files_that_changed_the_good_ones_are_taken_and_the_bad_ones_left_as_they_were() {
    let (folder, a, b) = (Folder::new(), pair("a.test"), pair("b.test"));
    folder.write_pair("a", &a);
    folder.write_pair("b", &b);
    let loaded = load(&folder.config(&["a", "b"]));
    let (newer_a, newer_b) = (pair("a.test"), pair("b.test"));
    folder.write("a.crt", &newer_a.certificate);
    folder.write_pair("b", &newer_b);
    let refreshed = loaded.origin.refresh();
    let refused: Vec<String> = refreshed.refused.iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0].contains("tls_pem[0].private_key_file: is not the key"),
        "{refused:?}"
    );
    let half = refreshed.loaded.expect("b is good");
    assert_eq!(half.config.tls_pem[0].cert_chain, a.certificate);
    assert_eq!(half.config.tls_pem[0].private_key, a.key);
    assert_eq!(half.config.tls_pem[1].cert_chain, newer_b.certificate);

    folder.write("a.key", &newer_a.key);
    let whole = half.origin.refresh();
    assert_eq!(whole.refused, []);
    let whole = whole.loaded.expect("both are good").config;
    assert_eq!(whole.tls_pem[0].cert_chain, newer_a.certificate);
}

#[test]
fn a_reload_reads_the_configuration_too_and_takes_all_or_nothing() {
    let folder = Folder::new();
    folder.write_pair("a", &pair("a.test"));
    let file = folder.path("gorouter.yml");
    // What a reload looks at beyond a start.
    let text = format!(
        "{}logging: {{metron_address: 'localhost:3457'}}\n",
        folder.config(&["a"])
    );
    std::fs::write(&file, &text).expect("written");
    let loaded = Config::load(Some(&file)).expect("a configuration");
    let template = |_: &str| Ok(());
    std::fs::write(&file, format!("{text}port: 9999\n")).expect("written");
    assert_eq!(
        loaded.origin.reload(template).expect("good").config.port,
        9999
    );
    folder.write("a.key", "nothing");
    std::fs::write(&file, format!("{text}port: none\n")).expect("written");
    let report = loaded.origin.reload(template).expect_err("bad");
    assert_eq!(report.problems().len(), 2, "{report}");
}

/// Half of what a writer meant to write: one whole certificate, and a part of the next.
fn torn(first: &str) -> String {
    let second = pair("second.test").certificate;
    format!("{first}{}", &second[..second.len() / 2])
}

#[test]
fn a_torn_bundle_is_taken_at_a_start_with_a_note_and_keeps_nothing_else_from_changing() {
    let (folder, a) = (Folder::new(), pair("a.test"));
    folder.write_pair("a", &a);
    let bundle = torn(&pair("ca.test").certificate);
    folder.write("ca.pem", &bundle);
    let text = format!(
        "{}ca_certs_file: {}\n",
        folder.config(&["a"]),
        folder.path("ca.pem").display()
    );
    let loaded = load(&text);
    assert_eq!(loaded.config.ca_certs, [bundle.as_str()]);
    let note = loaded.notes[0].to_string();
    assert!(
        note.contains("ca_certs_file: holds a part of a block, which is passed over"),
        "{note}"
    );
    let newer = pair("a.test");
    folder.write_pair("a", &newer);
    let refreshed = loaded.origin.refresh();
    assert_eq!(refreshed.refused, []);
    let loaded = refreshed.loaded.expect("a is good");
    assert_eq!(loaded.config.tls_pem[0].cert_chain, newer.certificate);
    loaded.origin.reload(|_| Ok(())).expect("nothing is newer");
}

#[test]
fn a_torn_bundle_does_not_take_the_place_of_a_whole_one() {
    let folder = Folder::new();
    let (ca, b) = (pair("ca.test").certificate, pair("b.test").certificate);
    folder.write_pair("a", &pair("a.test"));
    let bundles = [
        "ca_certs_file",
        "client_ca_certs_file",
        "domains[0].ca_certs_file",
    ];
    for name in bundles {
        folder.write(name, &ca);
    }
    let path = |name: &str| folder.path(name).display().to_string();
    let text = format!(
        "{}ca_certs_file: {:?}\nclient_ca_certs_file: {:?}\ndomains:\n- {{domain: d.test, ca_certs_file: {:?}}}\n",
        folder.config(&["a"]),
        path(bundles[0]),
        path(bundles[1]),
        path(bundles[2]),
    );
    let loaded = load(&text);
    for name in bundles {
        folder.write(name, &torn(&b));
        let refreshed = loaded.origin.refresh();
        let keys: Vec<&str> = refreshed.refused.iter().map(|at| at.key.as_str()).collect();
        assert_eq!(keys, [name]);
        let config = refreshed.loaded.expect("the others are good").config;
        assert_eq!(config, loaded.config);
        let report = loaded.origin.reload(|_| Ok(())).expect_err("torn");
        assert_eq!(report.problems()[0].key, name);
        folder.write(name, &ca);
    }
    folder.write(bundles[0], &(ca + &b));
    let refreshed = loaded.origin.refresh();
    assert_eq!(refreshed.refused, []);
    assert!(
        refreshed
            .loaded
            .is_some_and(|newer| newer.config != loaded.config)
    );
}
