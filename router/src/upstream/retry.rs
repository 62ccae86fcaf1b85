//! Whether a failed request may be sent again. Nothing else decides that (design invariant 4).

use super::classify::{Cause, Failure, Fault, Sent};
use crate::message::{Name, View};

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

/// Decides after attempt number `attempt` (from 1) of at most `max_attempts`. `replayed` says that the request was already
/// repeated on the same endpoint.
pub fn decide(
    failure: &Failure,
    replay: Replay,
    attempt: u32,
    max_attempts: u32,
    replayed: bool,
) -> Next {
    if failure.fault() != Fault::Backend {
        return Next::GiveUp;
    }
    // A reused connection that ended before a byte of the answer: closed by the backend while it was idle.
    let died_idle = failure.reused && failure.is_closed_unanswered();
    if died_idle && (replay == Replay::Harmless || failure.sent == Sent::Nothing) && !replayed {
        return Next::SameEndpoint;
    }
    let allowed = match &failure.cause {
        Cause::Dial { .. } => true,
        // The backend refused to talk: it has not looked at the request, whatever was written by then.
        Cause::Tls(failure) if failure.is_conclusive() => true,
        _ if failure.sent < Sent::Head => true,
        Cause::Eof => replay == Replay::Harmless,
        _ => false,
    };
    if allowed && attempt < max_attempts {
        Next::OtherEndpoint
    } else {
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::upstream::classify::DialError;

    fn failure(cause: Cause, sent: Sent, reused: bool) -> Failure {
        Failure {
            cause,
            sent,
            reused,
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
            decide(&refused(), Replay::OnlyUnsent, 1, 3, false),
            Next::OtherEndpoint
        );
        assert_eq!(
            decide(&refused(), Replay::OnlyUnsent, 3, 3, false),
            Next::GiveUp
        );
    }

    #[test]
    fn what_the_backend_may_have_read_is_repeated_only_when_harmless() {
        let eof = failure(Cause::Eof, Sent::Head, false);
        assert_eq!(
            decide(&eof, Replay::Harmless, 1, 3, false),
            Next::OtherEndpoint
        );
        assert_eq!(decide(&eof, Replay::OnlyUnsent, 1, 3, false), Next::GiveUp);
        let reset = failure(
            Cause::Io(io::ErrorKind::ConnectionReset.into()),
            Sent::Head,
            false,
        );
        assert_eq!(decide(&reset, Replay::Harmless, 1, 3, false), Next::GiveUp);
    }

    #[test]
    fn a_dead_idle_connection_is_replaced_once_without_counting() {
        let eof = failure(Cause::Eof, Sent::Head, true);
        assert_eq!(
            decide(&eof, Replay::Harmless, 1, 1, false),
            Next::SameEndpoint
        );
        assert_eq!(decide(&eof, Replay::Harmless, 1, 1, true), Next::GiveUp);
        assert_eq!(decide(&eof, Replay::OnlyUnsent, 1, 3, false), Next::GiveUp);
    }

    #[test]
    fn a_client_that_left_or_erred_ends_the_request() {
        assert_eq!(
            decide(
                &failure(Cause::ClientGone, Sent::Nothing, false),
                Replay::Harmless,
                1,
                3,
                false
            ),
            Next::GiveUp
        );
        assert_eq!(
            decide(
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
