//! What a router says about itself on `router.start`.

use serde::{Deserialize, Serialize};

/// The payload of `router.start` and of the answer to `router.greet` (drop-in 1.7, R-030, R-031).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartMessage {
    /// `<index>-<uuid>`, the same for the life of the process.
    pub id: String,
    /// The router's own addresses.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// How often, in seconds, emitters are asked to repeat their registrations
    /// (`start_response_delay_interval`).
    #[serde(rename = "minimumRegisterIntervalInSeconds")]
    pub minimum_register_interval_in_seconds: u64,
    /// After how many seconds without a registration the router forgets an endpoint
    /// (`droplet_stale_threshold`).
    #[serde(rename = "pruneThresholdInSeconds")]
    pub prune_threshold_in_seconds: u64,
}

impl StartMessage {
    /// The message as JSON.
    pub fn to_json(&self) -> String {
        // Texts and numbers can always be written; there is no error to hand on.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> StartMessage {
        StartMessage {
            id: "0-6f0c2c1e".to_owned(),
            hosts: vec!["10.0.0.7".to_owned()],
            minimum_register_interval_in_seconds: 20,
            prune_threshold_in_seconds: 120,
        }
    }

    #[test]
    fn the_keys_are_those_that_emitters_read() {
        assert_eq!(
            message().to_json(),
            r#"{"id":"0-6f0c2c1e","hosts":["10.0.0.7"],"minimumRegisterIntervalInSeconds":20,"pruneThresholdInSeconds":120}"#
        );
    }

    #[test]
    fn it_is_read_back_and_unknown_keys_do_not_matter() {
        let text = r#"{"id":"0-6f0c2c1e","hosts":["10.0.0.7"],"minimumRegisterIntervalInSeconds":20,
            "pruneThresholdInSeconds":120,"later":true}"#;
        assert_eq!(
            serde_json::from_str::<StartMessage>(text).unwrap(),
            message()
        );
    }
}
