//! What is counted and noted about an endpoint's backend.

use super::Endpoint;
use crate::table::Millis;
use crate::table::backend::InFlight;
use crate::table::strikes::Ejection;

impl Endpoint {
    /// Attempts that wait for their response headers, over all threads.
    pub fn in_flight(&self) -> u32 {
        self.backend.in_flight()
    }

    /// Counts an attempt unless `max` are under way already (0 = no limit); never above `max`.
    pub fn begin(&self, max: u32) -> Option<InFlight> {
        self.backend.begin(max)
    }

    /// When the last marking failure was, whether or not the mark has expired.
    pub fn failed_at(&self) -> Option<Millis> {
        self.backend.failed_at()
    }

    /// Marks the endpoint as failed: round robin passes it by for a while (spec 3.5).
    pub fn mark_failed(&self, now: Millis) {
        self.backend.failed().set(now);
    }

    /// Takes the mark away.
    pub fn clear_mark(&self) {
        self.backend.failed().clear();
    }

    /// Whether there is a mark that is not older than `mark_ttl`.
    pub fn is_failed(&self, now: Millis, mark_ttl: Millis) -> bool {
        self.failed_at()
            .is_some_and(|at| now.saturating_sub(at) <= mark_ttl)
    }

    /// Whether the endpoint is left out for its failures in a row.
    pub fn is_ejected(&self, now: Millis) -> bool {
        self.backend.strikes().is_ejected(now)
    }

    /// A request went well: failures before it do not count any more.
    pub fn forget_errors(&self) {
        self.backend.strikes().forget_errors();
    }

    /// A request failed. Says for how many milliseconds the endpoint is left out if this was one too many and `may`
    /// agrees, which may be asked several times.
    pub fn count_error(
        &self,
        now: Millis,
        ejection: &Ejection,
        may: impl Fn() -> bool,
    ) -> Option<Millis> {
        self.backend.strikes().count_error(now, ejection, may)
    }

    /// Number of the pooled connections to this backend, unique in the process. Kept when a
    /// registration replaces the endpoint by one with the same address, TLS flag and certificate
    /// name; otherwise the old connections must not be used for the new endpoint.
    pub fn connection_id(&self) -> u64 {
        self.backend.connection_id()
    }

    /// Whether no pool holds this endpoint's backend any more: its connections can be closed.
    pub fn is_gone(&self) -> bool {
        self.backend.is_gone()
    }
}
