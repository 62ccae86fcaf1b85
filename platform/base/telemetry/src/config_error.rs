//! The one line that is written before there is a log.

use std::io::{self, Write};

use time::OffsetDateTime;
use tracing::Level;

use crate::json::push_string;
use crate::line::{TimestampFormat, write_json_start};

/// Writes the line that says why a configuration was refused, and flushes `out`.
///
/// It has no `source`, for the name to give is itself in the configuration (drop-in 1.3, R-001 to
/// R-016). `error` goes to `data.error`. The caller then ends the process with code 1.
///
/// # Errors
///
/// What writing to `out` fails with.
pub fn write_config_error(out: &mut impl Write, error: &str) -> io::Result<()> {
    let line = config_error_line(OffsetDateTime::now_utc(), error);
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn config_error_line(at: OffsetDateTime, error: &str) -> String {
    let mut line = String::new();
    write_json_start(
        &mut line,
        Level::ERROR,
        TimestampFormat::UnixSeconds,
        at,
        "Error loading config:",
    );
    line.push_str(",\"data\":{\"error\":");
    push_string(&mut line, error);
    line.push_str("}}\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_reason_and_no_source() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_000_042).unwrap();
        assert_eq!(
            config_error_line(at, "port: expected a number, found \"http\""),
            concat!(
                r#"{"log_level":3,"timestamp":1700000000.000000042,"message":"Error loading config:","#,
                r#""data":{"error":"port: expected a number, found \"http\""}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn it_is_written_whole() {
        let mut out = Vec::new();
        write_config_error(&mut out, "no such file").unwrap();
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["data"]["error"], "no such file");
        assert_eq!(line["message"], "Error loading config:");
    }
}
