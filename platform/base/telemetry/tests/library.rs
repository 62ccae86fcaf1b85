//! A process-wide log, seen from a crate that is not ours: to it, this test is a library.

#![allow(clippy::unwrap_used, reason = "what tests share may panic as they may")]

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloverleaf_telemetry::{ComponentLog, Format, Level, Settings, StartError, TimestampFormat};
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Talkative;

impl fmt::Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        warn!("inner");
        f.write_str("value")
    }
}

fn settings() -> Settings {
    Settings {
        source: "gorouter.stdout".to_owned(),
        level: Level::Debug,
        format: Format::Json(TimestampFormat::UnixSeconds),
    }
}

#[test]
fn libraries_are_heard_at_warn_and_error_only() {
    let out = Shared::default();
    let (log, handle) = ComponentLog::new(settings(), Box::new(out.clone())).unwrap();
    let subscriber = tracing_subscriber::registry().with(log.into_layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    info!("chatter");
    info!(target: "nats", "chatter under a component's name");
    warn!(target: "nats", "trouble");
    // A value that logs while it is being shown.
    warn!(value = %Talkative, "outer");
    handle.set_level(Level::Error);
    warn!("hidden by the level");
    error!("serious");

    assert!(handle.flush(Duration::from_secs(60)));
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<(String, String)> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            (line["source"].to_string(), line["message"].to_string())
        })
        .collect();
    let of_library = |message: &str| {
        (
            r#""gorouter.stdout.lib.library""#.to_owned(),
            format!("{message:?}"),
        )
    };
    assert_eq!(
        lines,
        ["trouble", "inner", "outer", "serious"].map(of_library)
    );

    let again = cloverleaf_telemetry::start(settings());
    assert!(matches!(again, Err(StartError::Twice(_))));
}
