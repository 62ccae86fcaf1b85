//! What the router tells about itself: the access log and the metrics.
//!
//! A worker fills a [`record::Record`] while an exchange lasts and hands it to its [`access_log::WorkerLog`]; one thread
//! turns records into lines. It counts in its own [`counters::WorkerCounters`]; a scrape adds the workers up. Nothing here
//! locks, allocates or waits on a worker's thread once its memory is warm.

pub mod access_log;
pub mod record;

pub mod counters;
pub mod loggregator;
pub mod losses;
pub mod names;
pub mod process;
pub mod registry;
pub mod reloads;
pub mod summary;

mod address;
mod aside;
mod batch;
mod cell;
mod descriptors;
mod escape;
mod format;
mod histogram;
mod labelled;
mod meter;
mod redact;
mod registrations;
mod scrape;
mod seconds;
mod shorten;
mod sink;
mod target;
mod writer;
