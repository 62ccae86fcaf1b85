//! Which registrations concern this router (spec 2.5).

use crate::config::{Config, ShardingMode};

/// The router's share of the isolation segments.
#[derive(Clone, Debug)]
pub struct Segments {
    mode: ShardingMode,
    names: Vec<Box<str>>,
}

impl Segments {
    /// From the configuration.
    pub fn new(config: &Config) -> Segments {
        let names = config
            .isolation_segments
            .iter()
            .map(|name| name.as_str().into())
            .collect();
        Segments {
            mode: config.routing_table_sharding_mode,
            names,
        }
    }

    /// Whether an endpoint in `segment` (empty: in none) is served by this router.
    pub fn include(&self, segment: &str) -> bool {
        let listed = || self.names.iter().any(|name| &**name == segment);
        match self.mode {
            ShardingMode::All => true,
            ShardingMode::Segments => listed(),
            ShardingMode::SharedAndSegments => segment.is_empty() || listed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(mode: ShardingMode) -> Segments {
        Segments {
            mode,
            names: vec!["a".into()],
        }
    }

    #[test]
    fn each_mode_includes_its_segments() {
        //
        let includes = |mode| ["a", "b", ""].map(|segment| segments(mode).include(segment));
        assert_eq!(includes(ShardingMode::All), [true, true, true]);
        assert_eq!(includes(ShardingMode::Segments), [true, false, false]);
        assert_eq!(
            includes(ShardingMode::SharedAndSegments),
            [true, false, true]
        );
    }
}
