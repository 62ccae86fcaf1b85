//! The component log: what a service says about itself, one line an event.
//!
//! Code logs through `tracing`; this crate turns the events into GoRouter's JSON lines
//! (spec: drop-in 1.4) or, for a person at a terminal, into short readable ones. It is not the
//! access log, which has a writer of its own, and it holds no metrics.
//!
//! ```no_run
//! use cloverleaf_telemetry::{Format, Json, Level, Settings, TimestampFormat};
//!
//! let log = cloverleaf_telemetry::start(Settings {
//!     source: "gorouter.stdout".to_owned(),
//!     level: Level::Info,
//!     format: Format::Json(TimestampFormat::UnixSeconds),
//! })?;
//! let segments = ["is1", "is2"];
//! tracing::info!(
//!     target: "main",
//!     { "isolation_segments.json" = %Json(&segments), routing_table_sharding_mode = "all" },
//!     "retrieved-isolation-segments"
//! );
//! log.flush(std::time::Duration::from_secs(1));
//! # Ok::<(), cloverleaf_telemetry::StartError>(())
//! ```
//!
//! # Conventions for events
//!
//! * The message is the event's name, as operators know it (`Successfully-connected-to-nats`).
//! * `target: "nats"` names the component; it becomes the dotted part of `source`
//!   (`gorouter.stdout.nats`). `target: "main"`, or none, means no component.
//! * Fields keep their order and type. A field whose name ends in `.json` carries JSON text: its
//!   `Display` output goes into the line as it is, under the name without the ending. Names with
//!   a point or a hyphen are best quoted; behind a `target:` they need braces around the fields.
//! * An error is the field `error = &err as &dyn Error` or `error = %err`.
//! * Events of libraries are shown at warn and error only, as component `lib.<crate>`.
//!
//! # What it costs
//!
//! An event below the level costs one atomic load and a comparison. One that is shown is formatted
//! on the calling thread into a reused buffer and handed to a writer thread; the caller never waits
//! for the output. When the output is slower than the events, lines are dropped and counted, and a
//! line says how many as soon as there is room.

mod config_error;
mod event;
mod json;
mod layer;
mod level;
mod line;
mod origin;
mod queue;
mod terminal;

pub use config_error::write_config_error;
pub use json::Json;
pub use layer::{ComponentLog, LogHandle, Settings, StartError, start};
pub use level::{Level, LevelError};
pub use line::{Colour, Format, TimestampFormat};
