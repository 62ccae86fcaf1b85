//! What a route may ask for itself and of its clients (docs/route-options.md).

use super::Millis;

/// Limits as a registration or the configuration has them. `None`: nothing is said; 0: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Time for an attempt, to the last byte of the answer, in place of the router's.
    pub request_timeout: Option<Millis>,
    /// Time from the request to the head of its answer.
    pub first_byte_timeout: Option<Millis>,
    /// Time without a byte to or from the endpoint, upgraded connections included.
    pub idle_timeout: Option<Millis>,
    /// Bytes of a request's content.
    pub max_body_size: Option<u64>,
    /// Requests under way, from their arrival to the last byte of their answer.
    pub max_concurrent_requests: Option<u32>,
    /// Requests in a time, of all clients together.
    pub rate: Option<Rate>,
    /// The same for each client's address.
    pub client_rate: Option<Rate>,
    /// Attempts for a request, in place of the router's.
    pub max_attempts: Option<u32>,
    /// Retries for each hundred requests.
    pub retry_budget: Option<u32>,
}

/// So many requests in so much time. 0 requests stand for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once; after them one by one, evenly over the period.
    pub requests: u32,
    /// In how much time, in milliseconds.
    pub period: Millis,
}

impl Limits {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Limits::default()
    }

    /// These, and those of `defaults` where these say nothing.
    pub fn or(self, defaults: &Limits) -> Limits {
        Limits {
            request_timeout: self.request_timeout.or(defaults.request_timeout),
            first_byte_timeout: self.first_byte_timeout.or(defaults.first_byte_timeout),
            idle_timeout: self.idle_timeout.or(defaults.idle_timeout),
            max_body_size: self.max_body_size.or(defaults.max_body_size),
            max_concurrent_requests: self
                .max_concurrent_requests
                .or(defaults.max_concurrent_requests),
            rate: self.rate.or(defaults.rate),
            client_rate: self.client_rate.or(defaults.client_rate),
            max_attempts: self.max_attempts.or(defaults.max_attempts),
            retry_budget: self.retry_budget.or(defaults.retry_budget),
        }
    }
}
