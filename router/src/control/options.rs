//! What the options of a registration mean (spec 14.2, docs/route-options.md).

use std::borrow::Cow;

use cloverleaf_model::RouteOptions as Said;

use crate::table::{Algorithm, RouteOptions};

/// The options that the table knows; `None` when there are none. Header and balance count with `hash` alone.
pub(super) fn of<'a>(said: &'a Said<'_>, algorithm: Option<Algorithm>) -> Option<RouteOptions<'a>> {
    let mut options = RouteOptions::default();
    if algorithm == Some(Algorithm::Hash) {
        options.hash_header = Cow::Borrowed(&said.hash_header);
        options.hash_balance = said.hash_balance.max(0.0);
    }
    (!options.is_empty()).then_some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_balance_count_with_hash_alone() {
        let said = Said {
            hash_header: "X-Tenant".into(),
            hash_balance: 1.25,
            ..Said::default()
        };
        let options = of(&said, Some(Algorithm::Hash)).unwrap();
        assert_eq!(
            (&*options.hash_header, options.hash_balance),
            ("X-Tenant", 1.25)
        );
        assert_eq!(of(&said, Some(Algorithm::RoundRobin)), None);
        assert_eq!(of(&said, None), None);
        assert_eq!(of(&Said::default(), Some(Algorithm::Hash)), None);
    }
}
