//! Handshakes of names whose clients are verified against authorities of their own (spec 14.3).

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::{Begun, FrontEndError, Terms, clients};
use crate::callers::{Domain, Domains};
use crate::config::Config;

/// One way to shake hands for each domain.
pub(super) struct Handshakes {
    domains: Domains,
    /// In the order of the configuration.
    configs: Box<[Arc<ServerConfig>]>,
}

impl Handshakes {
    /// `None` where no domains are configured.
    pub(super) fn new(config: &Config, terms: &Terms) -> Result<Option<Handshakes>, FrontEndError> {
        let Some(domains) = Domains::new(&config.domains) else {
            return Ok(None);
        };
        let configs = config.domains.iter().enumerate().map(|(place, domain)| {
            let provider = Arc::clone(terms.offer.provider());
            let verifier = clients::of_domain(config, domain, provider)
                .map_err(|error| FrontEndError::Domain { place, error })?;
            Ok(terms.with(Some(verifier))?)
        });
        Ok(Some(Handshakes {
            configs: configs.collect::<Result<_, FrontEndError>>()?,
            domains,
        }))
    }

    /// Shakes hands by the name that the client asks for: on a domain as the domain wants it, which is then given too, else
    /// as `base` does.
    pub(super) async fn accept(
        &self,
        begun: Begun,
        base: &TlsAcceptor,
    ) -> io::Result<(Box<TlsStream<Begun>>, Option<Arc<Domain>>)> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), begun).await?;
        let hello = start.client_hello();
        let name = hello.server_name().unwrap_or_default();
        let domain = self.domains.find(name.as_bytes()).cloned();
        let config = match &domain {
            Some(domain) => &self.configs[domain.place],
            None => base.config(),
        };
        let stream = start.into_stream(Arc::clone(config)).await?;
        Ok((Box::new(stream), domain))
    }
}
