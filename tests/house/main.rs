//! The house rules, checked over the sources: who may know whom, how long a file may be, what no file may hold.
//!
//! The rules themselves are data with reasons (`crates.rs`, `rooms.rs`, `text.rs`); `sources.rs` and `paths.rs` read
//! the code. A rule that stands in the way of better code is changed here, with its reason, in the same change.
#![allow(clippy::expect_used, reason = "tests end by panicking")]

mod coverage;
mod crates;
mod errors;
mod guide;
mod paths;
mod rooms;
mod sources;
mod text;
