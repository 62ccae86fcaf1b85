use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;

use super::*;

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
}

fn trust(ca_certs: Vec<String>) -> ServerTrust {
    let config = Config {
        ca_certs,
        ..Config::default()
    };
    ServerTrust::new(&config, Arc::new(aws_lc_rs::default_provider())).unwrap()
}

fn judge(trust: &ServerTrust, der: &CertificateDer<'_>, name: &str) -> Result<(), Error> {
    judge_at(trust, der, name, UnixTime::now())
}

fn judge_at(
    trust: &ServerTrust,
    der: &CertificateDer<'_>,
    name: &str,
    now: UnixTime,
) -> Result<(), Error> {
    let name = ServerName::try_from(name).unwrap();
    let verified = trust.verify_server_cert(der, &[], &name, &[], now);
    verified.map(|_| ())
}

#[test]
fn a_listed_authority_vouches_for_names_it_signed() {
    let mut ca = params(&[]);
    authority(&mut ca);
    let key = KeyPair::generate().unwrap();
    let pem = ca.self_signed(&key).unwrap().pem();
    let leaf_key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, key);
    let leaf = params(&["instance.test"]);
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let trust = trust(vec![pem]);
    assert_eq!(judge(&trust, leaf.der(), "instance.test"), Ok(()));
    assert!(matches!(
        judge(&trust, leaf.der(), "other.test"),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForNameContext { .. }
        ))
    ));
}

#[test]
fn a_wrong_name_is_said_before_an_unknown_authority() {
    let key = KeyPair::generate().unwrap();
    let stranger = params(&["instance.test"]).self_signed(&key).unwrap();
    let mut ca = params(&["ca.test"]);
    authority(&mut ca);
    let trust = trust(vec![
        ca.self_signed(&KeyPair::generate().unwrap()).unwrap().pem(),
    ]);
    assert!(matches!(
        judge(&trust, stranger.der(), "other.test"),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForNameContext { .. }
        ))
    ));
    assert_eq!(
        judge(&trust, stranger.der(), "instance.test"),
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    );
}

#[test]
fn a_listed_certificate_is_trusted_though_it_calls_itself_an_authority_and_only_in_its_time() {
    let mut listed = params(&["instance.test", "10.0.0.1"]);
    authority(&mut listed);
    let listed = listed.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let trust = trust(vec![listed.pem()]);
    assert_eq!(judge(&trust, listed.der(), "instance.test"), Ok(()));
    assert_eq!(judge(&trust, listed.der(), "10.0.0.1"), Ok(()));
    assert!(judge(&trust, listed.der(), "10.0.0.2").is_err());
    let valid = validity(listed.der()).unwrap();
    let late = UnixTime::since_unix_epoch(Duration::from_secs(*valid.end() as u64 + 1));
    assert_eq!(
        judge_at(&trust, listed.der(), "instance.test", late),
        Err(Error::InvalidCertificate(CertificateError::Expired))
    );
}

//
#[test]
fn a_name_in_cn_alone_does_not_count() {
    let mut params = params(&[]);
    params
        .distinguished_name
        .push(DnType::CommonName, "instance.test");
    let named = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(matches!(
        judge(&trust(vec![named.pem()]), named.der(), "instance.test"),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ))
    ));
}
