//! Tokens of the UAA (routing-api 12.1).

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;

use crate::config::Config;
use crate::control::call::{CallError, Server};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// An answer with a token is some kilobytes.
const MOST: usize = 1024 * 1024;

/// Whether a token at hand will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Yes, while it is valid.
    Any,
    /// No: the one at hand was refused.
    New,
}

/// Gets tokens and keeps the latest.
pub(super) struct Tokens {
    uaa: Server,
    credentials: HeaderValue,
    retries: u32,
    pause: Duration,
    /// How long before its end a token is renewed.
    buffer: Duration,
    latest: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    authorization: HeaderValue,
    ends: Option<Instant>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The call came to nothing.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The UAA gives none.
    #[error("the UAA answered {status}: {text}")]
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// What it gives is none.
    #[error("the UAA's answer is no token: {0}")]
    NoToken(String),
}

impl TokenError {
    /// Whether another try may help.
    fn may_pass(&self) -> bool {
        match self {
            TokenError::Call(_) => true,
            TokenError::Refused { status, .. } => *status >= 500,
            TokenError::NoToken(_) => false,
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Tokens {
    /// Tokens for the configured client.
    pub(super) fn new(uaa: Server, config: &Config) -> Tokens {
        let oauth = &config.oauth;
        let pair = format!(
            "{}:{}",
            form_encoded(&oauth.client_name),
            form_encoded(&oauth.client_secret)
        );
        let basic = format!("Basic {}", STANDARD.encode(pair));
        // Base 64 is always a header's value.
        let mut credentials =
            HeaderValue::from_str(&basic).unwrap_or_else(|_| HeaderValue::from_static(""));
        credentials.set_sensitive(true);
        let buffer = u64::try_from(config.token_fetcher_expiration_buffer_time).unwrap_or(u64::MAX);
        Tokens {
            uaa,
            credentials,
            retries: config.token_fetcher_max_retries,
            pause: config.token_fetcher_retry_interval,
            buffer: Duration::from_secs(buffer),
            latest: Mutex::default(),
        }
    }

    /// A value for `Authorization`. Safe to cancel.
    pub(super) async fn get(&self, wanted: Wanted) -> Result<HeaderValue, TokenError> {
        if wanted == Wanted::Any
            && let Some(token) = &*self.latest()
            && token.ends.is_some_and(|ends| Instant::now() < ends)
        {
            return Ok(token.authorization.clone());
        }
        let mut left = self.retries;
        loop {
            tracing::debug!(target: "route-fetcher", endpoint = %self.uaa, "started-fetching-token");
            match self.fetch().await {
                Ok(token) => {
                    let authorization = token.authorization.clone();
                    *self.latest() = Some(token);
                    return Ok(authorization);
                }
                Err(error) if left > 0 && error.may_pass() => {
                    left -= 1;
                    tracing::error!(target: "route-fetcher", { %error, retries_left = left }, "error-fetching-token");
                    tokio::time::sleep(self.pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn fetch(&self) -> Result<Token, TokenError> {
        let asked = Instant::now();
        let request = Request::post("/oauth/token")
            .header(AUTHORIZATION, &self.credentials)
            .header(ACCEPT, "application/json")
            .header(
                CONTENT_TYPE,
                "application/x-www-form-urlencoded; charset=UTF-8",
            )
            .header("X-CF-ENCODED-CREDENTIALS", "true");
        let form = "grant_type=client_credentials&token_format=jwt".to_owned();
        let answer = self.uaa.call(request, form, LIMIT).await?;
        if answer.status != 200 {
            return Err(TokenError::Refused {
                status: answer.status,
                text: answer.refusal().await,
            });
        }
        let body = answer.body(MOST, LIMIT).await?;
        let granted: Granted = serde_json::from_slice(&body)
            .map_err(|error| TokenError::NoToken(error.to_string()))?;
        let value = HeaderValue::from_str(&format!("bearer {}", granted.access_token));
        let mut authorization = value.map_err(|error| TokenError::NoToken(error.to_string()))?;
        authorization.set_sensitive(true);
        let valid = granted.expires_in.map(Duration::from_secs);
        let ends = valid.and_then(|valid| asked.checked_add(valid.saturating_sub(self.buffer)));
        Ok(Token {
            authorization,
            ends,
        })
    }

    fn latest(&self) -> MutexGuard<'_, Option<Token>> {
        // A token is whole at any time.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As in a form (RFC 6749 section 2.3.1): what is no letter, digit or one of `-._~` is written in hexadecimal.
fn form_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to memory does not fail.
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_encoded_as_in_a_form() {
        assert_eq!(form_encoded("gorouter-1_x.y~"), "gorouter-1_x.y~");
        assert_eq!(form_encoded("a b:c/ü%"), "a+b%3Ac%2F%C3%BC%25");
    }
}
