//! Clients and backends that speak HTTP/2: over the h2 library, and frame by frame for what that library would not say.

mod backend;
mod body;
mod client;
mod frames;
mod runtime;

pub use backend::{Http2Backend, Http2Request, Http2Settings};
pub use body::{Broken, Incoming, Outgoing};
pub use client::{Conversation, Http2Answer, Http2Client, request};
pub use frames::{Frame, FrameClient, Outcome, flag, frame_kind, header_block};
