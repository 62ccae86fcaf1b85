//! Whether a failed request may be sent again. Nothing else decides that (design invariant 4).

use super::classify::{Cause, Failure, Fault, Sent};
use crate::message::{Name, View};
use crate::table::{Limiter, RetryBudget};

/// What the request itself allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Idempotent (by method or key, spec 4.12) and without a body: sending it twice does no harm.
    Harmless,
    /// Only what provably did not reach the application may be sent again.
    OnlyUnsent,
}

/// What happens after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The client gets the error.
    GiveUp,
    /// The same endpoint, over a new connection: an idle one had died.
    SameEndpoint,
    /// Another endpoint.
    OtherEndpoint,
    /// The client gets the error, because its route has no retries left.
    BudgetSpent,
}

impl Next {
    /// Whether the client gets the error.
    pub fn is_final(self) -> bool {
        matches!(self, Next::GiveUp | Next::BudgetSpent)
    }
}

/// How often a request may be sent.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Attempts, at least 1.
    pub max_attempts: u32,
    /// What retries are paid from, where the route has such a budget.
    pub budget: Option<&'a RetryBudget>,
}

impl<'a> Bounds<'a> {
    /// The route's own, and the router's `max_attempts` where it has none.
    pub fn of(limiter: Option<&'a Limiter>, max_attempts: u32) -> Bounds<'a> {
        let own = limiter.and_then(|limiter| limiter.limits().max_attempts);
        Bounds {
            max_attempts: own.filter(|own| *own > 0).unwrap_or(max_attempts),
            budget: limiter.map(Limiter::retries),
        }
    }
}

/// How the request may be repeated.
pub fn replay(request: &View<'_>, has_body: bool) -> Replay {
    let idempotent = matches!(request.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
        || request.head.find(Name::IdempotencyKey).is_some();
    if idempotent && !has_body {
        Replay::Harmless
    } else {
        Replay::OnlyUnsent
    }
}

/// Decides after attempt number `attempt` (from 1) within `bounds`. `replayed` says that the request was already
/// repeated on the same endpoint.
pub fn decide(
    failure: &Failure,
    replay: Replay,
    attempt: u32,
    bounds: Bounds<'_>,
    replayed: bool,
) -> Next {
    // Whatever the failure says: what would be sent is not the request any more.
    if failure.fault() != Fault::Backend || failure.given {
        return Next::GiveUp;
    }
    // A reused connection that ended before a byte of the answer: closed by the backend while it was idle.
    let died_idle = failure.reused && failure.is_closed_unanswered();
    if died_idle && (replay == Replay::Harmless || failure.sent == Sent::Nothing) && !replayed {
        return Next::SameEndpoint;
    }
    let allowed = match &failure.cause {
        Cause::Dial { .. } => true,
        // The backend refused to talk: it has not looked at the request, even where the head was written.
        Cause::Tls(failure) if failure.is_conclusive() => true,
        _ if failure.sent < Sent::Head => true,
        Cause::Eof => replay == Replay::Harmless,
        _ => false,
    };
    if !allowed || attempt >= bounds.max_attempts {
        Next::GiveUp
    } else if bounds.budget.is_none_or(RetryBudget::withdraw) {
        Next::OtherEndpoint
    } else {
        Next::BudgetSpent
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::upstream::classify::DialError;
    use crate::upstream::tls::TlsFailure;

    fn decided(
        failure: &Failure,
        replay: Replay,
        attempt: u32,
        max_attempts: u32,
        replayed: bool,
    ) -> Next {
        let bounds = Bounds::of(None, max_attempts);
        decide(failure, replay, attempt, bounds, replayed)
    }

    fn failure(cause: Cause, sent: Sent, reused: bool) -> Failure {
        Failure {
            cause,
            sent,
            reused,
            given: false,
            client_slow: false,
            local_address: None,
        }
    }

    fn refused() -> Failure {
        let error = DialError::Io(io::ErrorKind::ConnectionRefused.into());
        Failure::unsent(Cause::Dial {
            address: "h:1".into(),
            error,
        })
    }

    #[test]
    fn what_was_not_sent_goes_to_another_endpoint_whatever_the_method() {
        assert_eq!(
            decided(&refused(), Replay::OnlyUnsent, 1, 3, false),
            Next::OtherEndpoint
        );
        assert_eq!(
            decided(&refused(), Replay::OnlyUnsent, 3, 3, false),
            Next::GiveUp
        );
    }

    #[test]
    fn what_the_backend_may_have_read_is_repeated_only_when_harmless() {
        let eof = failure(Cause::Eof, Sent::Head, false);
        assert_eq!(
            decided(&eof, Replay::Harmless, 1, 3, false),
            Next::OtherEndpoint
        );
        assert_eq!(decided(&eof, Replay::OnlyUnsent, 1, 3, false), Next::GiveUp);
        let reset = failure(
            Cause::Io(io::ErrorKind::ConnectionReset.into()),
            Sent::Head,
            false,
        );
        assert_eq!(decided(&reset, Replay::Harmless, 1, 3, false), Next::GiveUp);
    }

    #[test]
    fn a_request_whose_body_has_begun_to_go_out_is_not_sent_again() {
        let alert = || Cause::Tls(TlsFailure::Handshake);
        let mut refused = failure(alert(), Sent::Head, false);
        let next = |failure: &Failure| decided(failure, Replay::OnlyUnsent, 1, 3, false);
        assert_eq!(next(&refused), Next::OtherEndpoint);
        refused.given = true;
        assert_eq!(next(&refused), Next::GiveUp);
    }

    #[test]
    fn a_dead_idle_connection_is_replaced_once_without_counting() {
        let eof = failure(Cause::Eof, Sent::Head, true);
        assert_eq!(
            decided(&eof, Replay::Harmless, 1, 1, false),
            Next::SameEndpoint
        );
        assert_eq!(decided(&eof, Replay::Harmless, 1, 1, true), Next::GiveUp);
        assert_eq!(decided(&eof, Replay::OnlyUnsent, 1, 3, false), Next::GiveUp);
    }

    #[test]
    fn a_client_that_left_or_erred_ends_the_request() {
        assert_eq!(
            decided(
                &failure(Cause::ClientGone, Sent::Nothing, false),
                Replay::Harmless,
                1,
                3,
                false
            ),
            Next::GiveUp
        );
        assert_eq!(
            decided(
                &failure(Cause::Timeout, Sent::Head, false),
                Replay::Harmless,
                1,
                3,
                false
            ),
            Next::GiveUp
        );
    }
}
