//! `balancing`: how new and failing endpoints are treated.

use std::time::Duration;

use cloverleaf_config::section;

section! {
    /// `balancing`: how new and failing endpoints are treated. GoRouter has no such keys, and passes over them.
    pub struct Balancing {
        /// How long a new endpoint gets less than its share, from a tenth on; 0 is not at all.
        slow_start: Duration => Works,
        /// When failing endpoints are left out.
        ejection: Ejection => Works,
    }
}

section! {
    /// `balancing.ejection`: leaving out endpoints that fail again and again.
    pub struct Ejection {
        /// Requests in a row that an endpoint has to fail: no answer by its fault, or 502, 503, 504; at most 255, 0 is never.
        consecutive_errors: u16 => Works,
        /// How long an endpoint is left out the first time; each further time is twice as long.
        base_time: Duration = Duration::from_secs(30) => Works,
        /// The longest time; an endpoint that was in service again for so long has a clean record.
        longest_time: Duration = Duration::from_secs(300) => Works,
        /// Most endpoints of a route that are left out at a time, in percent.
        most_percent: u16 = 50 => Works,
    }
}
