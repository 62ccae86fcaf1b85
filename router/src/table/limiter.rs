//! A route's limits at work: what counts, and who is turned away. Shared by all threads and without a lock.

use std::net::IpAddr;
use std::sync::Arc;

use super::Millis;
use super::atomic::{AtomicU32, Ordering};
use super::gauge::Gauge;
use super::limits::Limits;
use super::rate::{Bucket, Clients};

/// The limits of one route, with what they have counted so far.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    under_way: Arc<Gauge>,
    rate: Option<Arc<Bucket>>,
    clients: Arc<Clients>,
    /// Tells the route from others among the clients' rates.
    route: u64,
    retries: RetryBudget,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many as are allowed are under way.
    Concurrency,
    /// Too many came lately; one would be let in after so many milliseconds.
    Rate(Millis),
    /// Too many of this client.
    ClientRate(Millis),
}

/// One request under way on a route that counts them, until this is dropped.
#[derive(Debug)]
#[must_use = "the request is counted only while this is held"]
pub struct Permit(Arc<Gauge>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Limiter {
    /// `None` when nothing is limited. What `before` has counted goes on to count as far as its limit is the same.
    pub(super) fn new(
        limits: Limits,
        before: Option<&Arc<Limiter>>,
        clients: &Arc<Clients>,
    ) -> Option<Arc<Limiter>> {
        if limits.is_empty() {
            return None;
        }
        if let Some(before) = before
            && before.limits == limits
        {
            return Some(Arc::clone(before));
        }
        let rate = limits.rate.and_then(|rate| {
            let kept = before.and_then(|before| before.rate.as_ref());
            let kept = kept.filter(|bucket| bucket.is_for(rate));
            kept.cloned().or_else(|| Bucket::new(rate).map(Arc::new))
        });
        Some(Arc::new(Limiter {
            limits,
            // The permits that are out count on.
            under_way: before.map_or_else(
                || Arc::new(Gauge::new()),
                |before| Arc::clone(&before.under_way),
            ),
            rate,
            clients: Arc::clone(clients),
            route: before.map_or_else(|| clients.route(), |before| before.route),
            retries: RetryBudget::new(limits.retry_budget),
        }))
    }

    /// What the limits are.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Retries that are left.
    pub fn retries(&self) -> &RetryBudget {
        &self.retries
    }

    /// Lets a request in, to be called once for each. With a limit of requests under way it holds a permit until its
    /// answer is out.
    ///
    /// # Errors
    /// Why it is turned away.
    pub fn admit(&self, client: IpAddr, now: Millis) -> Result<Option<Permit>, Refusal> {
        let permit = match self.limits.max_concurrent_requests {
            None | Some(0) => None,
            Some(most) if self.under_way.reserve(most) => Some(Permit(Arc::clone(&self.under_way))),
            Some(_) => return Err(Refusal::Concurrency),
        };
        if let Some(rate) = self.limits.client_rate {
            let taken = self.clients.take(self.route, client, rate, now);
            taken.map_err(Refusal::ClientRate)?;
        }
        if let Some(rate) = &self.rate {
            rate.take(now).map_err(Refusal::Rate)?;
        }
        self.retries.deposit();
        Ok(permit)
    }
}

/// How many requests of a route may be sent again, in proportion to those that came.
#[derive(Debug)]
pub struct RetryBudget {
    /// Hundredths of a retry for each request; `None`: any number.
    share: Option<u32>,
    /// Hundredths of a retry that are left.
    left: AtomicU32,
}

/// The most that is saved up, and what a new route starts with.
const SAVED: u32 = 10 * RETRY;
/// The price of a retry.
const RETRY: u32 = 100;

impl RetryBudget {
    fn new(percent: Option<u32>) -> RetryBudget {
        RetryBudget {
            share: percent.filter(|percent| *percent > 0),
            left: AtomicU32::new(SAVED),
        }
    }

    fn deposit(&self) {
        if let Some(share) = self.share {
            self.change(|left| {
                let more = left.saturating_add(share).min(SAVED);
                (more > left).then_some(more)
            });
        }
    }

    /// Whether there may be another retry; if so, it is paid for.
    pub fn withdraw(&self) -> bool {
        self.share.is_none() || self.change(|left| left.checked_sub(RETRY))
    }

    fn change(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        let updated = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        updated.is_ok()
    }
}

#[cfg(test)]
mod tests;
