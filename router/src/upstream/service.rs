//! The leg to a route service (spec 8.2): each attempt over a TLS connection of its own, to an address that is allowed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use cloverleaf_config::pem::{Identity, PemError};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::attempt::converse;
use super::classify::{Cause, Failure, Fault};
use super::connection::Connection;
use super::dial::{To, connect};
use super::forward::Outcome;
use super::idle::Target;
use super::retry::{Bounds, Next, Replay, decide};
use super::tls::TlsFailure;
use super::{Answer, Downstream};
use crate::config::Config;
use crate::exchange::{Exchange, nanoseconds};
use crate::route_service::{NoSignature, RouteServices, Service, Way};
use crate::tls::{self, ServerTrust, Unverified};
use crate::worker::{Timer, Worker};

/// Route services, and how they are spoken to; shared by all workers.
#[derive(Debug)]
pub struct Services {
    /// Who goes where.
    pub rules: RouteServices,
    /// `None` where the configuration leaves no TLS version.
    client: Option<Arc<ClientConfig>>,
}

/// Why there are no route services although they are configured.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// `route_services_secret` and the one before it.
    #[error("route_services_secret: {0}")]
    Secret(#[from] NoSignature),
    /// `route_services.cert_chain` and `route_services.private_key`.
    #[error("route_services: {0}")]
    Identity(#[from] PemError),
    /// The authorities cannot judge anybody.
    #[error("ca_certs: {0}")]
    Trust(#[from] rustls::client::VerifierBuilderError),
    /// Nothing to speak.
    #[error("TLS to route services: {0}")]
    Offer(#[from] Error),
}

impl Services {
    /// What `config` asks for; `None` where route services are off. Derives keys and reads the system's authorities: not
    /// for a worker's thread. The versions are the front end's (spec 8.2), as are the cipher suites where it has any.
    ///
    /// # Errors
    /// See [`ServicesError`].
    pub fn new(config: &Config) -> Result<Option<Services>, ServicesError> {
        let Some(rules) = RouteServices::new(config)? else {
            return Ok(None);
        };
        let client = match &*tls::versions(config) {
            [] => None,
            versions => {
                let provider = Arc::new(match config.enable_ssl {
                    true => tls::provider(config),
                    false => rustls::crypto::aws_lc_rs::default_provider(),
                });
                let verifier: Arc<dyn ServerCertVerifier> = match config.skip_ssl_validation {
                    true => Arc::new(Unverified::new(&provider)),
                    false => Arc::new(ServerTrust::new(config, Arc::clone(&provider))?),
                };
                let client = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(versions)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier);
                let keys = &config.route_services;
                Some(Arc::new(
                    match keys.cert_chain.is_empty() || keys.private_key.is_empty() {
                        true => client.with_no_client_auth(),
                        false => {
                            let identity = Identity::load(&keys.cert_chain, &keys.private_key)?;
                            let identity = SingleCertAndKey::from(identity.certified_key());
                            client.with_client_cert_resolver(Arc::new(identity))
                        }
                    },
                ))
            }
        };
        Ok(Some(Services { rules, client }))
    }

    async fn handshake(
        &self,
        service: &Service,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, io::Error> {
        let failed = |why: &str| io::Error::other(Error::General(why.to_owned()));
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| failed("no supported versions satisfy MinVersion and MaxVersion"))?;
        let name = ServerName::try_from(service.host().to_owned())
            .map_err(|_| failed("the host of the route service is no name"))?;
        tokio_rustls::TlsConnector::from(Arc::clone(client))
            .connect(name, stream)
            .await
    }
}

/// Sends the request in `exchange.out`, which is complete, to `service`.
pub async fn forward_to_service<D: Downstream>(
    worker: &Worker,
    services: &Services,
    exchange: &mut Exchange,
    service: &Service,
    down: &mut D,
    timer: &Timer,
    replay: Replay,
) -> Outcome {
    let max_attempts = services.rules.max_attempts;
    let mut number = 1;
    loop {
        match attempt(worker, services, exchange, service, down, timer).await {
            Ok(answer) => {
                answered(worker, exchange, service);
                return Outcome::Answered(answer);
            }
            Err(failure) => {
                // Each connection is new, so that there is none to replace.
                let bounds = Bounds::of(None, max_attempts);
                let next = decide(&failure, replay, number, bounds, true);
                failed(exchange, service, &failure, number, next);
                if next == Next::GiveUp {
                    return Outcome::Failed(failure);
                }
                number += 1;
            }
        }
    }
}

async fn attempt<D: Downstream>(
    worker: &Worker,
    services: &Services,
    exchange: &mut Exchange,
    service: &Service,
    down: &mut D,
    timer: &Timer,
) -> Result<Answer, Failure> {
    let connection = match service.way() {
        Way::Outside => dial(worker, services, exchange, service, timer).await,
        Way::Inside => Ok(Connection::inside(Target::Service, worker.hairpin())),
    };
    let connection = connection.map_err(Failure::unsent)?;
    converse(worker, exchange, connection, down, timer).await
}

async fn dial(
    worker: &Worker,
    services: &Services,
    exchange: &mut Exchange,
    service: &Service,
    timer: &Timer,
) -> Result<Connection, Cause> {
    let attempts = &mut exchange.record.entry.attempts;
    (attempts.dns_ns, attempts.tls_ns) = (Some(0), Some(0));
    let (host, port) = (service.host(), service.port());
    let address = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let to = To {
        literal: host
            .parse()
            .ok()
            .map(|ip: IpAddr| SocketAddr::new(ip, port)),
        address: &address,
        blocklist: Some(&services.rules.blocklist),
    };
    let stream = match connect(worker, exchange, &to, timer).await {
        Ok(stream) => stream,
        Err(error) => return Err(Cause::Dial { address, error }),
    };
    // The time for handshakes with backends does not hold here.
    timer.arm(super::attempt::limit(worker, exchange));
    let began = std::time::Instant::now();
    let secured = timer.within(services.handshake(service, stream)).await;
    exchange.record.entry.attempts.tls_ns = Some(nanoseconds(began.elapsed()));
    match secured {
        Some(Ok(stream)) => Ok(Connection::over_tls(Target::Service, stream)),
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cause::Eof),
        Some(Err(error)) => Err(error.into()),
        None => Err(Cause::Tls(TlsFailure::Timeout)),
    }
}

/// Counts the answer, and names it to the operator where it is not the way on to the application.
fn answered(worker: &Worker, exchange: &Exchange, service: &Service) {
    let status = exchange.reply.status;
    worker.counters.route_service_response(status);
    if !(200..300).contains(&status) {
        let trace = exchange.notes.trace.as_deref();
        let (trace_id, span_id) = (trace.map(|ids| &*ids.trace), trace.map(|ids| &*ids.span));
        tracing::info!(target: "router", { "route-service-endpoint" = service.url(), "status-code" = status,
            vcap_request_id = %exchange.request_id, "trace-id" = trace_id, "span-id" = span_id },
            "route-service-response");
    }
}

#[cold]
fn failed(exchange: &mut Exchange, service: &Service, failure: &Failure, attempt: u32, next: Next) {
    let attempts = &mut exchange.record.entry.attempts;
    let (dns_ns, dial_ns, tls_ns) = (attempts.dns_ns, attempts.dial_ns, attempts.tls_ns);
    attempts.failed += 1;
    attempts.failed_time_ns = exchange
        .times
        .received
        .map(|received| nanoseconds(received.elapsed()));
    (attempts.dns_ns, attempts.dial_ns, attempts.tls_ns) = (None, None, None);
    if failure.fault() == Fault::Client {
        return;
    }
    let trace = exchange.notes.trace.as_deref();
    let (trace_id, span_id) = (trace.map(|ids| &*ids.trace), trace.map(|ids| &*ids.span));
    let seconds = |ns: Option<u64>| ns.unwrap_or_default() as f64 / 1e9;
    tracing::error!(
        target: "router",
        {
            error = %failure.cause,
            "route-service-endpoint" = service.url(),
            attempt,
            vcap_request_id = %exchange.request_id,
            retriable = next != Next::GiveUp,
            "got-connection" = !matches!(failure.cause, Cause::Dial { .. }),
            "wrote-headers" = failure.sent == super::Sent::Head,
            "conn-reused" = false,
            "dns-lookup-time" = seconds(dns_ns),
            "dial-time" = seconds(dial_ns),
            "tls-handshake-time" = seconds(tls_ns),
            "trace-id" = trace_id,
            "span-id" = span_id,
        },
        "route-service-connection-failed"
    );
}
