use std::io::Write;
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;

/// A self-signed certificate with its PKCS#8 key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().expect("key");
    (certificate(&key), key.serialize_pem())
}

fn certificate(key: &KeyPair) -> String {
    let mut params = CertificateParams::new(["a.test".to_owned()]).expect("params");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Good");
    params
        .distinguished_name
        .push(DnType::OrganizationalUnitName, "unit");
    params.self_signed(key).expect("certificate").pem()
}

/// Runs openssl, which writes the key forms that other tools write.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A certificate for a key that openssl made.
fn certificate_for(key: &str) -> String {
    let folder =
        std::env::temp_dir().join(format!("cloverleaf-pem-{}-{:p}", std::process::id(), key));
    std::fs::write(&folder, key).expect("key written");
    let path = folder.to_str().expect("text");
    let certificate = openssl(
        &[
            "req",
            "-new",
            "-x509",
            "-key",
            path,
            "-subj",
            "/CN=a.test",
            "-days",
            "30",
        ],
        "",
    );
    std::fs::remove_file(&folder).expect("key removed");
    certificate
}

#[test]
fn a_matching_pair_loads() {
    let (certificate, key) = pair();
    let identity = Identity::load(&certificate, &key).expect("loads");
    assert_eq!(identity.certified_key().cert.len(), 1);
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn a_chain_keeps_its_order_and_text_around_it_is_ignored() {
    let (leaf, key) = pair();
    let (other, _) = pair();
    let chain = format!("subject=/CN=a\n{leaf}\nissuer=/CN=b\n{other}");
    let identity = Identity::load(&chain, &key).expect("loads");
    assert_eq!(identity.certified_key().cert.len(), 2);
    assert_eq!(
        Identity::load(&format!("{other}{leaf}"), &key).expect_err("wrong order"),
        PemError::Mismatch
    );
}

#[test]
fn every_key_form_that_operators_have_loads() {
    let rsa = openssl(
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
        ],
        "",
    );
    let pkcs1 = openssl(&["rsa", "-traditional"], &rsa);
    assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"));
    let with_parameters = openssl(&["ecparam", "-name", "prime256v1", "-genkey"], "");
    assert!(with_parameters.contains("BEGIN EC PARAMETERS"));
    let sec1 = openssl(&["ec"], &with_parameters);
    assert!(sec1.contains("BEGIN EC PRIVATE KEY") && !sec1.contains("PARAMETERS"));
    let ec_pkcs8 = openssl(&["pkcs8", "-topk8", "-nocrypt"], &with_parameters);
    let ed25519 = openssl(&["genpkey", "-algorithm", "ed25519"], "");
    let p384 = openssl(&["ecparam", "-name", "secp384r1", "-genkey", "-noout"], "");
    let rsa_certificate = certificate_for(&rsa);
    let ec_certificate = certificate_for(&ec_pkcs8);
    for (name, certificate, key) in [
        ("PKCS#8", rsa_certificate.clone(), &rsa),
        ("PKCS#1", rsa_certificate.clone(), &pkcs1),
        (
            "SEC1 behind parameters",
            ec_certificate.clone(),
            &with_parameters,
        ),
        ("SEC1", ec_certificate.clone(), &sec1),
        ("EC in PKCS#8", ec_certificate, &ec_pkcs8),
        ("Ed25519", certificate_for(&ed25519), &ed25519),
        ("P-384", certificate_for(&p384), &p384),
        (
            "carriage returns",
            rsa_certificate.replace('\n', "\r\n"),
            &rsa.replace('\n', "\r\n"),
        ),
    ] {
        if let Err(error) = Identity::load(&certificate, key) {
            panic!("{name}: {error}");
        }
    }
    let encrypted = openssl(&["pkcs8", "-topk8", "-passout", "pass:x"], &rsa);
    assert_eq!(
        Identity::load(&rsa_certificate, &encrypted).expect_err("encrypted"),
        PemError::EncryptedKey
    );
    let old_encrypted = openssl(
        &["rsa", "-traditional", "-aes128", "-passout", "pass:x"],
        &rsa,
    );
    assert_eq!(
        Identity::load(&rsa_certificate, &old_encrypted).expect_err("encrypted"),
        PemError::EncryptedKey
    );
}

#[test]
fn what_is_wrong_with_a_pair_is_told_apart() {
    let (certificate, key) = pair();
    let (_, other) = pair();
    let broken_certificate = certificate.replace("\nM", "\n!");
    let broken_key = key.replace("\nM", "\n!");
    let empty_key = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    for (chain, key, error) in [
        (certificate.as_str(), other.as_str(), PemError::Mismatch),
        ("", &key, PemError::NoCertificate),
        (&key, &key, PemError::NoCertificate),
        (&broken_certificate, &key, PemError::BadCertificate),
        (&certificate[..200], &key, PemError::BadCertificate),
        (&certificate, "", PemError::NoKey),
        (&certificate, &certificate, PemError::NoKey),
        (&certificate, &broken_key, PemError::BadKey),
        (&certificate, empty_key, PemError::BadKey),
    ] {
        assert_eq!(
            Identity::load(chain, key).map(|_| ()).expect_err("refused"),
            error
        );
        assert_eq!(
            error.is_about_key(),
            !matches!(error, PemError::NoCertificate | PemError::BadCertificate)
        );
    }
}

#[test]
fn a_trust_bundle_keeps_what_can_be_read() {
    let (one, key) = pair();
    let (other, _) = pair();
    let broken = one.replace("\nM", "\n!");
    assert_eq!(
        trust_bundle(&format!("{one}{broken}{key}\n{other}"))
            .expect("two")
            .len(),
        2
    );
    for nothing in ["", "nonsense", key.as_str(), broken.as_str()] {
        assert_eq!(trust_bundle(nothing), Err(PemError::NoCertificate));
    }
}

#[test]
fn a_bundle_that_is_torn_is_not_whole_and_neither_is_one_that_cannot_be_read() {
    let (one, key) = pair();
    let (other, _) = pair();
    let both = format!("# an authority\n{one}between\n{key}{other}behind\n");
    assert_eq!(whole_trust_bundle(&both), Ok(()));
    assert_eq!(whole_trust_bundle(&both.replace('\n', "\r\n")), Ok(()));
    // Wherever the writer stopped within the second block, its last line break included or not.
    let whole = format!("{one}{other}");
    for length in one.len() + 1..whole.len() - 1 {
        let torn = &whole[..length];
        assert!(whole_trust_bundle(torn).is_err(), "{torn}");
        assert_eq!(trust_bundle(torn).expect("the first").len(), 1);
    }
    // The rest of a longer file that was written over.
    let rest = &one[one.len() / 2..];
    for torn in [format!("{one}{rest}"), format!("{rest}{one}")] {
        assert_eq!(whole_trust_bundle(&torn), Err(PemError::TornBlock));
    }
    let headless = one.replace("-----END CERTIFICATE-----\n", "");
    let torn = format!("{headless}{other}");
    assert_eq!(whole_trust_bundle(&torn), Err(PemError::TornBlock));
    assert_eq!(trust_bundle(&torn).expect("the second").len(), 1);
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for broken in [one.replace("\nM", "\n!"), nonsense.to_owned()] {
        let bundle = format!("{other}{broken}");
        assert_eq!(whole_trust_bundle(&bundle), Err(PemError::BadCertificate));
    }
}

#[test]
fn the_subject_is_listed_in_order() {
    let key = KeyPair::generate().expect("key");
    let certificates = trust_bundle(&certificate(&key)).expect("bundle");
    let subject = subject(&certificates[0]).expect("subject");
    assert!(
        subject.contains(&("2.5.4.10".to_owned(), "Good".to_owned())),
        "{subject:?}"
    );
    assert!(
        subject.contains(&("2.5.4.11".to_owned(), "unit".to_owned())),
        "{subject:?}"
    );
}
