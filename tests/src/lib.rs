//! The harness of the black-box suites: it starts the real binaries beside a real `nats-server`, plays clients and
//! backends byte by byte, and waits for conditions instead of sleeping.
//!
//! Not a mock of anything: what a suite asserts is what a client, a backend, an operator or a log reader would see.
//! Entry points: [`Router`] (a router with its bus), [`Backend`] and [`Client`] (the two ends of a request).
//!
//! Everything that a test starts ends with the value that stands for it. Functions panic when the world is not as it
//! has to be, with what was waited for and the last lines of the log.
#![allow(clippy::expect_used, reason = "a harness ends a test by panicking")]

mod access_log;
mod backend;
mod base64;
mod bus;
mod certificates;
mod client;
mod component_log;
mod eventually;
mod folder;
mod http;
mod http2;
mod instance;
mod metrics;
mod metron;
mod nats_client;
mod platform;
mod port;
mod process;
mod registration;
mod router;
mod routing_api;
mod saboteur;
pub mod soak;
mod start;
mod tls_client;
mod tls_front;
mod tls_passage;
mod wire;

pub use access_log::{AccessLog, Line};
pub use backend::{Backend, Peer, RefusedPort};
pub use base64::base64;
pub use bus::{BusAccess, NatsServer};
pub use certificates::{Authority, Identity};
pub use client::Client;
pub use component_log::{ComponentLog, Event};
pub use eventually::{Gate, LIMIT, eventually, remains};
pub use folder::Folder;
pub use http::{Ended, Headers, Request, Response, ok};
pub use http2::{
    Broken, Conversation, Frame, FrameClient, Http2Answer, Http2Backend, Http2Client, Http2Request,
    Http2Settings, Incoming, Outcome, Outgoing, flag, frame_kind, header_block, request,
};
pub use metrics::Metrics;
pub use metron::{EventType, Fields, Metron};
pub use nats_client::{Message, NatsClient};
pub use platform::Platform;
pub use port::Port;
pub use process::{Process, binary};
pub use registration::Registration;
pub use router::Router;
pub use routing_api::RoutingApi;
pub use saboteur::break_listener;
pub use start::{Finished, Start};
pub use tls_client::TlsClient;
pub use tls_front::TlsFront;
pub use tls_passage::TlsPassage;
pub use wire::{End, Wire};
