use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::{debug, error, info, warn};

use super::*;
use crate::json::Json;
use crate::line::{Colour, TimestampFormat};

/// An output whose text can be looked at afterwards.
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

/// What `body` logs. Level changes are process-wide for `tracing`, so tests take turns.
fn logged_at(level: Level, format: Format, body: impl FnOnce(&LogHandle)) -> String {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let out = Shared::default();
    let settings = Settings {
        source: "gorouter.stdout".to_owned(),
        level,
        format,
    };
    let (log, handle) = ComponentLog::new(settings, Box::new(out.clone())).unwrap();
    let subscriber = Registry::default().with(log.into_layer());
    tracing::subscriber::with_default(subscriber, || body(&handle));
    assert!(handle.flush(Duration::from_secs(60)));
    let bytes = out.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn logged(body: impl FnOnce(&LogHandle)) -> String {
    logged_at(
        Level::Info,
        Format::Json(TimestampFormat::UnixSeconds),
        body,
    )
}

/// The line without its timestamp, which is checked to be of `seconds.nanoseconds` form.
fn without_time(line: &str) -> String {
    let (before, rest) = line.split_once("\"timestamp\":").unwrap();
    let (time, after) = rest.split_once(",\"message\"").unwrap();
    let (seconds, fraction) = time.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000);
    assert!(fraction.len() == 9 && fraction.bytes().all(|b| b.is_ascii_digit()));
    format!("{before}\"message\"{after}")
}

#[test]
fn a_line_has_the_keys_of_gorouter_in_their_order() {
    let line = logged(|_| {
        info!(
            target: "nats",
            host = "localhost:4222",
            addr = %std::net::Ipv4Addr::LOCALHOST,
            "Successfully-connected-to-nats"
        );
    });
    assert_eq!(
        without_time(&line),
        concat!(
            r#"{"log_level":1,"message":"Successfully-connected-to-nats","source":"gorouter.stdout.nats","#,
            r#""data":{"host":"localhost:4222","addr":"127.0.0.1"}}"#,
            "\n"
        )
    );
}

#[test]
fn the_component_is_left_out_for_main_and_for_module_targets() {
    let lines = logged(|_| {
        info!(target: "main", "starting");
        info!("starting");
    });
    for line in lines.lines() {
        assert_eq!(
            without_time(line),
            r#"{"log_level":1,"message":"starting","source":"gorouter.stdout","data":{}}"#
        );
    }
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn every_level_has_its_number() {
    let lines = logged_at(
        Level::Debug,
        Format::Json(TimestampFormat::UnixSeconds),
        |_| {
            debug!("0");
            info!("1");
            warn!("2");
            error!("3");
        },
    );
    let levels: Vec<(Value, Value)> = lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["log_level"].clone(), line["message"].clone())
        })
        .collect();
    assert_eq!(
        levels,
        [
            (json!(0), json!("0")),
            (json!(1), json!("1")),
            (json!(2), json!("2")),
            (json!(3), json!("3"))
        ]
    );
}

#[test]
fn json_fields_are_inserted_as_they_are() {
    let line = logged(|_| {
        info!(
            "isolation_segments.json" = %Json(["is1", "is2"]),
            "route-endpoint.json" = r#"{"ApplicationId":"a"}"#,
            after = 1,
            "retrieved-isolation-segments"
        );
    });
    assert!(
        line.contains(
            r#""data":{"isolation_segments":["is1","is2"],"route-endpoint":{"ApplicationId":"a"},"after":1}"#
        ),
        "{line}"
    );
}

#[test]
fn values_keep_their_type() {
    let line = logged(|_| {
        info!(
            unsigned = u64::MAX,
            signed = -1,
            wide = u128::MAX,
            fraction = 0.25,
            whole = 3.0,
            none = f64::NAN,
            flag = true,
            text = "1",
            debug = ?Some(1),
            "types"
        );
    });
    assert!(
        line.contains(
            r#""data":{"unsigned":18446744073709551615,"signed":-1,"wide":340282366920938463463374607431768211455,"fraction":0.25,"whole":3,"none":"NaN","flag":true,"text":"1","debug":"Some(1)"}"#
        ),
        "{line}"
    );
}

#[test]
fn an_error_is_written_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("route service: cannot connect")]
    struct Outer(#[source] io::Error);

    let error = Outer(io::Error::other("refused"));
    let line = logged(|_| {
        error!(error = &error as &dyn std::error::Error, "failed");
    });
    assert!(
        line.contains(r#""data":{"error":"route service: cannot connect: refused"}"#),
        "{line}"
    );
}

#[test]
fn hostile_text_stays_within_its_line() {
    let line = logged(|_| {
        info!(uri = "a\n{\"log_level\":3}", "line\nbreak {}", "\"x\"");
    });
    assert_eq!(line.lines().count(), 1);
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["message"], "line\nbreak \"x\"");
    assert_eq!(value["data"]["uri"], "a\n{\"log_level\":3}");
}

#[test]
fn the_level_can_be_changed_while_running() {
    let lines = logged(|handle| {
        for level in [Level::Info, Level::Debug, Level::Error, Level::Fatal] {
            handle.set_level(level);
            assert_eq!(handle.level(), level);
            debug!("debug at {level}");
            info!("info at {level}");
            error!("error at {level}");
        }
    });
    let messages: Vec<String> = lines
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        messages,
        [
            "info at info",
            "error at info",
            "debug at debug",
            "info at debug",
            "error at debug",
            "error at error",
            "error at fatal"
        ]
    );
}

#[test]
fn a_hidden_event_is_not_even_looked_at() {
    struct Untouchable;
    impl std::fmt::Display for Untouchable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("shown although hidden");
        }
    }
    let lines = logged(|_| debug!(value = %Untouchable, "hidden"));
    assert_eq!(lines, "");
}

#[test]
fn the_timestamp_is_text_when_so_configured() {
    let line = logged_at(Level::Info, Format::Json(TimestampFormat::Rfc3339), |_| {
        info!("now");
    });
    let value: Value = serde_json::from_str(&line).unwrap();
    let time = value["timestamp"].as_str().unwrap();
    assert_eq!(time.len(), "2031-03-04T05:06:07.000000089Z".len());
}

#[test]
fn a_terminal_gets_short_lines_and_no_control_characters() {
    let lines = logged_at(Level::Info, Format::Terminal(Colour::Off), |_| {
        warn!(
            target: "router",
            path = "/a b",
            agent = "\u{1b}[2J",
            port = 80,
            "list.json" = %Json([1]),
            "odd-request"
        );
    });
    let (time, rest) = lines.split_once(' ').unwrap();
    assert_eq!(time.len(), "10:15:30.123".len());
    assert_eq!(
        rest,
        "WARN  router odd-request path=\"/a b\" agent=\\u{1b}[2J port=80 list=[1]\n"
    );
}

#[test]
fn colours_are_closed_again_on_the_line() {
    let line = logged_at(Level::Info, Format::Terminal(Colour::On), |_| {
        info!(port = 80, "listening");
    });
    assert!(line.contains("\u{1b}[32mINFO \u{1b}[0m"), "{line:?}");
    assert!(line.ends_with("\u{1b}[0m80\n"), "{line:?}");
}

#[test]
fn a_configured_word_chooses_the_timestamp() {
    assert_eq!(
        TimestampFormat::from_config("rfc3339"),
        TimestampFormat::Rfc3339
    );
    for other in ["unix-epoch", "", "RFC3339"] {
        assert_eq!(
            TimestampFormat::from_config(other),
            TimestampFormat::UnixSeconds
        );
    }
}
