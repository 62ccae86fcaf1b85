//! Who speaks: the service itself, one of its components, or a library.

use tracing::Metadata;

/// Crates whose name begins so are ours.
const OUR_CRATES: &str = "cloverleaf";
/// The target that stands for "no component".
const MAIN: &str = "main";

/// Where an event comes from, told by its target and by the crate that holds it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// One of our crates, without a component.
    Main,
    /// A component of ours, named by the event's target.
    Component(&'a str),
    /// Somebody else's crate, by name.
    Library(&'a str),
}

impl<'a> Origin<'a> {
    /// Judges by the crate first, so that a library that names its targets freely stays a library.
    pub(crate) fn of(metadata: &Metadata<'a>) -> Origin<'a> {
        Origin::from_parts(metadata.module_path(), metadata.target())
    }

    fn from_parts(module_path: Option<&'a str>, target: &'a str) -> Origin<'a> {
        let module = module_path.unwrap_or(target);
        let crate_name = module.split("::").next().unwrap_or(module);
        if !crate_name.starts_with(OUR_CRATES) {
            Origin::Library(crate_name)
        } else if target == module || target == MAIN || target.contains("::") {
            Origin::Main
        } else {
            Origin::Component(target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_no_module_path_is_a_component() {
        let ours = Some("cloverleaf_router::control::nats");
        assert_eq!(Origin::from_parts(ours, "nats"), Origin::Component("nats"));
        assert_eq!(
            Origin::from_parts(ours, "route-fetcher"),
            Origin::Component("route-fetcher")
        );
    }

    #[test]
    fn main_and_a_module_path_are_no_component() {
        let ours = Some("cloverleaf_router::app");
        assert_eq!(Origin::from_parts(ours, "main"), Origin::Main);
        assert_eq!(
            Origin::from_parts(ours, "cloverleaf_router::app"),
            Origin::Main
        );
        assert_eq!(
            Origin::from_parts(Some("cloverleaf"), "cloverleaf"),
            Origin::Main
        );
    }

    #[test]
    fn a_library_stays_one_whatever_its_target() {
        for target in ["async_nats::connector", "nats"] {
            assert_eq!(
                Origin::from_parts(Some("async_nats::connector"), target),
                Origin::Library("async_nats")
            );
        }
    }
}
