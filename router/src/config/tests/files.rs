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
