//! The table as a whole. What one file does by itself is tested there.

mod empty_pools;
mod expiring;
mod looking_up;
mod loom;
mod model;
mod readers;
mod registering;
mod sharing;
pub(crate) mod world;
