//! The words of the routing keys.

use cloverleaf_config::choice;

choice! {
    /// `balancing_algorithm`: how an endpoint is chosen.
    pub enum BalancingAlgorithm {
        /// One after the other.
        #[default]
        RoundRobin = "round-robin",
        /// The one with the fewest requests in flight.
        LeastConnection = "least-connection",
    }
}

choice! {
    /// `balancing_algorithm_az_preference`: whether endpoints in the router's own zone go first.
    pub enum AzPreference {
        /// Zones do not matter.
        #[default]
        None = "none",
        /// The first attempt goes to the own zone.
        LocallyOptimistic = "locally-optimistic",
    }
}

choice! {
    /// `routing_table_sharding_mode`: which registrations are taken.
    pub enum ShardingMode {
        /// All.
        #[default]
        All = "all",
        /// Only those of `isolation_segments`.
        Segments = "segments",
        /// Those of `isolation_segments`, and those without a segment.
        SharedAndSegments = "shared-and-segments",
    }
}

choice! {
    /// `forwarded_client_cert`: what becomes of `X-Forwarded-Client-Cert`.
    pub enum ForwardedClientCert {
        /// Passed on.
        #[default]
        AlwaysForward = "always_forward",
        /// Passed on from clients with a certificate, else removed.
        Forward = "forward",
        /// Set from the client's certificate, else removed.
        SanitizeSet = "sanitize_set",
    }
}
