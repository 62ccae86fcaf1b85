//! The calls of the Routing API (routing-api 6).

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION};
use tokio::task::{JoinError, spawn_blocking};

use super::entry::Entry;
use super::tokens::{TokenError, Tokens, Wanted};
use crate::config::Config;
use crate::control::call::{Answer, CallError, CallTls, Server};
use crate::tls::{self, CallsError};

/// How long an answer, or a whole list, may take (spec 2.7).
const LIMIT: Duration = Duration::from_secs(60);
/// A list of a million routes is some 300 MB.
const MOST: usize = 1024 * 1024 * 1024;

/// Why the Routing API cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `routing_api.uri`
    #[error("routing_api.uri {0:?}: expected https:// or http:// and a host")]
    Uri(String),
    /// `oauth.port`
    #[error("UAA client requires TLS enabled: oauth.port {0} is no port")]
    UaaPort(i32),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] CallsError),
    /// No token, after all tries.
    #[error("unable-to-fetch-token: {0}")]
    Token(String),
    /// No list.
    #[error("{0}")]
    Routes(String),
    /// The process is ending.
    #[error(transparent)]
    Interrupted(#[from] JoinError),
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// There is no token.
    #[error("unable-to-fetch-token: {0}")]
    Token(#[from] TokenError),
    /// The call itself.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The API refuses.
    #[error("the Routing API answered {status}: {text}")]
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// What it gives is no list of routes.
    #[error("the Routing API's list: {0}")]
    Json(#[from] serde_json::Error),
    /// The process is ending.
    #[error(transparent)]
    Interrupted(#[from] JoinError),
}

impl ClientError {
    /// Whether the UAA is to blame.
    pub(super) fn is_about_token(&self) -> bool {
        matches!(self, ClientError::Token(_))
    }
}

/// A Routing API and who we are to it.
pub(super) struct Client {
    api: Server,
    /// `None` with `routing_api.auth_disabled`.
    tokens: Option<Tokens>,
}

impl Client {
    /// See [`RoutingApi::connect`](super::RoutingApi::connect).
    pub(super) async fn connect(config: &Arc<Config>) -> Result<Client, ConnectError> {
        let keys = &config.routing_api;
        let (secure, host) = keys
            .scheme_and_host()
            .ok_or_else(|| ConnectError::Uri(keys.uri.clone()))?;
        let tls = match secure {
            true => Some(tls::to_routing_api(config)?),
            false => None,
        };
        let client = Client {
            api: Server::new(host, keys.port, tls),
            tokens: tokens(config).await?,
        };
        if let Some(tokens) = &client.tokens {
            let token = tokens.get(Wanted::Any).await;
            token.map_err(|error| ConnectError::Token(error.to_string()))?;
        }
        let routes = client.routes().await;
        routes.map_err(|error| ConnectError::Routes(error.to_string()))?;
        Ok(client)
    }

    /// How TLS is spoken with the API, to be changed.
    pub(super) fn tls(&self) -> Option<&CallTls> {
        self.api.tls()
    }

    /// All routes. Safe to cancel.
    pub(super) async fn routes(&self) -> Result<Vec<Entry>, ClientError> {
        let answer = self.get("/routing/v1/routes", "application/json").await?;
        let body = answer.body(MOST, LIMIT).await?;
        // A large list takes a while: not on the thread that handles registrations.
        let list = spawn_blocking(move || serde_json::from_slice(&body)).await?;
        Ok(list?)
    }

    /// The stream of events. Safe to cancel.
    pub(super) async fn events(&self) -> Result<Answer, ClientError> {
        self.get("/routing/v1/events", "text/event-stream").await
    }

    /// What is refused for its token is asked once more with a new one.
    async fn get(&self, path: &str, accept: &'static str) -> Result<Answer, ClientError> {
        let answer = self.try_get(path, accept, Wanted::Any).await?;
        let answer = match answer.status {
            401 if self.tokens.is_some() => self.try_get(path, accept, Wanted::New).await?,
            _ => answer,
        };
        match answer.status {
            200 => Ok(answer),
            status => Err(ClientError::Refused {
                status,
                text: answer.refusal().await,
            }),
        }
    }

    async fn try_get(
        &self,
        path: &str,
        accept: &'static str,
        wanted: Wanted,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::get(path).header(ACCEPT, accept);
        if let Some(tokens) = &self.tokens {
            request = request.header(AUTHORIZATION, tokens.get(wanted).await?);
        }
        Ok(self.api.call(request, String::new(), LIMIT).await?)
    }
}

async fn tokens(config: &Arc<Config>) -> Result<Option<Tokens>, ConnectError> {
    if config.routing_api.auth_disabled {
        tracing::info!(target: "main", "using-noop-token-fetcher");
        return Ok(None);
    }
    let oauth = &config.oauth;
    let port = oauth.tls_port().ok_or(ConnectError::UaaPort(oauth.port))?;
    // Authorities are read from files.
    let read = {
        let config = Arc::clone(config);
        spawn_blocking(move || tls::to_uaa(&config))
    };
    let uaa = Server::new(&oauth.token_endpoint, port, Some(read.await??));
    Ok(Some(Tokens::new(uaa, config)))
}
