//! TLS to backends: what is offered, and what a failed handshake means (spec 6.5, 4.10).

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use cloverleaf_config::pem::{Identity, PemError};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::config::Config;
use crate::table::Endpoint;
use crate::tls::{self, ServerTrust};

/// Characters of what is shown of a certificate that was refused: one can have names without end.
const LONGEST_REASON: usize = 512;

/// Makes TLS connections to backends; shared by all workers.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// The same, for endpoints that are registered for HTTP/2.
    http2: Arc<ClientConfig>,
    trust: u64,
}

/// Why there is no [`Connector`].
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// `backends.cert_chain` and `backends.private_key`.
    #[error("backends: {0}")]
    Identity(#[from] PemError),
    /// The authorities cannot judge anybody.
    #[error("ca_certs: {0}")]
    Trust(#[from] rustls::client::VerifierBuilderError),
    /// Nothing to speak.
    #[error("cipher_suites: {0}")]
    Offer(#[from] Error),
}

impl Connector {
    /// Reads the system's authorities: not for a worker's thread. The versions are 1.2 and 1.3 whatever the front end's
    /// are; the cipher suites are its own only where it has any (spec 6.5).
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub fn new(config: &Config) -> Result<Connector, ConnectorError> {
        let provider = Arc::new(match config.enable_ssl {
            true => tls::provider(config),
            false => rustls::crypto::aws_lc_rs::default_provider(),
        });
        let mut hasher = DefaultHasher::new();
        for suite in &provider.cipher_suites {
            u16::from(suite.suite()).hash(&mut hasher);
        }
        let trust = ServerTrust::new(config, Arc::clone(&provider))?;
        trust.fingerprint().hash(&mut hasher);
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust));
        let identity = &config.backends;
        let client = match identity.cert_chain.is_empty() || identity.private_key.is_empty() {
            true => client.with_no_client_auth(),
            false => {
                let identity = Identity::load(&identity.cert_chain, &identity.private_key)?;
                let identity = identity.certified_key();
                for certificate in &identity.cert {
                    certificate.as_ref().hash(&mut hasher);
                }
                client.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
        };
        let mut http2 = client.clone();
        http2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Connector {
            config: Arc::new(client),
            http2: Arc::new(http2),
            trust: hasher.finish(),
        })
    }

    /// The same for the same identity, authorities and cipher suites: a connection made under another one is not used for
    /// further requests.
    pub fn trust(&self) -> u64 {
        self.trust
    }

    /// Shakes hands with `endpoint` over `stream`: its certificate must carry the registered name, or without one its
    /// address. With `offers_http2` the backend chooses what is spoken then.
    pub(super) async fn handshake(
        &self,
        endpoint: &Endpoint,
        stream: TcpStream,
        offers_http2: bool,
    ) -> Result<TlsStream<TcpStream>, io::Error> {
        let name = match endpoint.server_cert_domain_san() {
            "" => endpoint.host().trim_matches(['[', ']']),
            name => name,
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidForName))
            .map_err(io::Error::other)?;
        let config = match offers_http2 {
            true => &self.http2,
            false => &self.config,
        };
        tokio_rustls::TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
    }
}

/// What a TLS failure was, as far as clients and retries are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// The backend answered with something else than TLS.
    NotTls,
    /// Its certificate does not carry the expected name.
    WrongName(String),
    /// Its certificate is not to be trusted for another reason.
    Untrusted(String),
    /// It does not like our certificate, or misses one.
    ClientCertificate(AlertDescription),
    /// It saw nothing to agree on.
    Handshake,
    /// `tls_handshake_timeout` ran out.
    Timeout,
    /// Anything else.
    Other(String),
}

impl TlsFailure {
    /// What is behind an error of a TLS stream; `None` when TLS is not to blame.
    pub fn of(error: &io::Error) -> Option<TlsFailure> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidMessage(_) => TlsFailure::NotTls,
            Error::InvalidCertificate(why) => match why {
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    TlsFailure::WrongName(printable(&why.to_string()))
                }
                _ => TlsFailure::Untrusted(printable(&why.to_string())),
            },
            Error::AlertReceived(alert) => match alert {
                AlertDescription::HandshakeFailure => TlsFailure::Handshake,
                AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::UnsupportedCertificate => TlsFailure::ClientCertificate(*alert),
                AlertDescription::ProtocolVersion => {
                    TlsFailure::Other("remote error: tls: protocol version not supported".into())
                }
                _ => TlsFailure::Other(format!("remote error: tls: {alert:?}")),
            },
            _ => TlsFailure::Other(format!("tls: {error}")),
        })
    }

    /// What it is when it came behind the handshake: only what can be about our certificate still says something about the
    /// endpoint, and only where it was not `heard` before.
    pub(super) fn behind_handshake(self, error: &io::Error, heard: bool) -> TlsFailure {
        match self {
            TlsFailure::ClientCertificate(_) | TlsFailure::Handshake if !heard => self,
            TlsFailure::NotTls => TlsFailure::Other(format!("tls: {error}")),
            failure => TlsFailure::Other(failure.to_string()),
        }
    }

    /// Whether it says that this endpoint is of no use (spec 3.5).
    pub fn is_conclusive(&self) -> bool {
        !matches!(self, TlsFailure::Other(_))
    }
}

/// A text that may hold what stands in a certificate that nobody has verified: it goes into a header line and into logs.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|character| !character.is_control());
    shown.take(LONGEST_REASON).collect()
}

/// The words of the original where it has some (spec 4.10).
impl fmt::Display for TlsFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFailure::NotTls => {
                out.write_str("tls: first record does not look like a TLS handshake")
            }
            TlsFailure::WrongName(why) | TlsFailure::Untrusted(why) => write!(out, "x509: {why}"),
            TlsFailure::ClientCertificate(alert) => {
                let words = match alert {
                    AlertDescription::BadCertificate => "bad certificate",
                    AlertDescription::CertificateExpired => "expired certificate",
                    AlertDescription::CertificateRequired => "certificate required",
                    AlertDescription::CertificateRevoked => "revoked certificate",
                    AlertDescription::UnknownCA => "unknown certificate authority",
                    AlertDescription::UnsupportedCertificate => "unsupported certificate",
                    _ => "unknown certificate",
                };
                write!(out, "remote error: tls: {words}")
            }
            TlsFailure::Handshake => out.write_str("remote error: tls: handshake failure"),
            TlsFailure::Timeout => out.write_str("net/http: TLS handshake timeout"),
            TlsFailure::Other(why) => out.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: Error) -> TlsFailure {
        TlsFailure::of(&io::Error::new(io::ErrorKind::InvalidData, error)).unwrap()
    }

    #[test]
    fn failures_fall_into_the_classes_that_operators_know() {
        let certificate = |why| of(Error::InvalidCertificate(why));
        assert!(matches!(
            certificate(CertificateError::NotValidForName),
            TlsFailure::WrongName(_)
        ));
        assert!(matches!(
            certificate(CertificateError::Expired),
            TlsFailure::Untrusted(_)
        ));
        let smuggled = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("app.test").unwrap(),
            presented: vec!["x\r\nSet-Cookie: a=b".into(), "y".repeat(9000)],
        };
        let shown = certificate(smuggled).to_string();
        assert!(
            shown.contains("only valid for xSet-Cookie: a=b or yyy"),
            "{shown}"
        );
        assert!(shown.len() < 600, "{shown}");
        let alert = |alert| of(Error::AlertReceived(alert));
        assert_eq!(
            alert(AlertDescription::HandshakeFailure),
            TlsFailure::Handshake
        );
        let refused = alert(AlertDescription::CertificateRequired);
        assert_eq!(
            refused.to_string(),
            "remote error: tls: certificate required"
        );
        assert!(refused.is_conclusive());
        let version = alert(AlertDescription::ProtocolVersion);
        assert!(
            version
                .to_string()
                .contains("protocol version not supported")
        );
        assert!(!version.is_conclusive());
    }

    #[test]
    fn behind_the_handshake_only_a_first_word_about_our_certificate_is_conclusive() {
        let refused = Error::AlertReceived(AlertDescription::BadCertificate);
        let garbage = Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        for (error, heard, conclusive) in [
            (refused.clone(), false, true),
            (refused, true, false),
            (garbage.clone(), false, false),
            (garbage, true, false),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            let failure = TlsFailure::of(&error).unwrap();
            assert!(failure.is_conclusive());
            let failure = failure.behind_handshake(&error, heard);
            assert_eq!(failure.is_conclusive(), conclusive, "{failure}");
        }
    }

    #[test]
    fn other_errors_are_not_about_tls() {
        assert_eq!(TlsFailure::of(&io::ErrorKind::ConnectionReset.into()), None);
        assert_eq!(TlsFailure::of(&io::Error::other("text")), None);
    }
}
