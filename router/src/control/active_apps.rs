//! `router.active_apps`: which applications had requests lately (spec 2.1).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_bus::Bus;
use tokio::time::MissedTickBehavior;

use crate::observe::registry::Metrics;

/// Publishes the ids of the applications that had requests since the last message, every `interval`, until the future is
/// dropped.
pub async fn publish_active_apps(bus: Bus, metrics: Arc<Metrics>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut seen = HashMap::new();
    loop {
        ticks.tick().await;
        let totals = metrics.requests_by_app();
        let payload = message(&seen, &totals);
        seen = totals;
        if let Err(error) = bus.publish("router.active_apps", payload).await {
            tracing::warn!(target: "nats", %error, "active-apps-not-published");
        }
    }
}

/// A JSON list of those whose count has grown, in zlib's format.
fn message(seen: &HashMap<Arc<str>, u64>, totals: &HashMap<Arc<str>, u64>) -> Bytes {
    let active = totals
        .iter()
        .filter(|(app, total)| seen.get(*app) != Some(total));
    let mut active: Vec<&str> = active.map(|(app, _)| &**app).collect();
    active.sort_unstable();
    zlib(serde_json::json!(active).to_string().as_bytes()).into()
}

/// Text in zlib's format (RFC 1950) as blocks that are stored and not compressed (RFC 1951 section 3.2.4): readers cannot
/// tell the difference, and random ids would shrink by half at best. Nothing else here packs anything, so that a library for
/// it would come for this alone.
fn zlib(text: &[u8]) -> Vec<u8> {
    /// A block's length has 16 bits.
    const LONGEST: usize = u16::MAX as usize;
    let mut out = vec![0x78, 0x01];
    let mut blocks = text.chunks(LONGEST).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(text).to_be_bytes());
    out
}

/// The check sum of RFC 1950 section 8.
fn adler32(text: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (a, b) = text.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % MODULUS;
        (a, (b + a) % MODULUS)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(apps: &[(&str, u64)]) -> HashMap<Arc<str>, u64> {
        apps.iter()
            .map(|(app, total)| (Arc::from(*app), *total))
            .collect()
    }

    #[test]
    fn only_applications_with_new_requests_are_named() {
        let text = |seen: &[(&str, u64)], now: &[(&str, u64)]| {
            let message = message(&totals(seen), &totals(now));
            String::from_utf8(message[7..message.len() - 4].to_vec()).unwrap()
        };
        assert_eq!(text(&[], &[("b", 1), ("a", 2)]), r#"["a","b"]"#);
        assert_eq!(text(&[("a", 2)], &[("b", 1), ("a", 2)]), r#"["b"]"#);
        assert_eq!(text(&[("a", 2)], &[("a", 2)]), "[]");
    }

    /// The bytes that a zlib library gives at compression level 0.
    #[test]
    fn the_format_is_that_of_zlib() {
        assert_eq!(
            zlib(b"Wikipedia"),
            b"\x78\x01\x01\x09\x00\xf6\xffWikipedia\x11\xe6\x03\x98"
        );
    }

    #[test]
    fn long_texts_are_stored_in_several_blocks() {
        let packed = zlib(&vec![b'a'; 65_536]);
        assert_eq!(packed[2..7], [0, 0xff, 0xff, 0, 0]);
        assert_eq!(packed[7 + 65_535..][..5], [1, 1, 0, 0xfe, 0xff]);
        assert_eq!(packed.len(), 2 + 5 + 65_535 + 5 + 1 + 4);
    }
}
