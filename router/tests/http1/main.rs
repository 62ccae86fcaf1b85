//! The HTTP/1.1 codec under generated input: against plain readers of our own, and against hyper.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used)]

mod chunked;
mod generate;
mod heads;
mod hyper_requests;
mod hyper_responses;
mod progress;

// What holds for any input at all; the fuzz targets check the same.
#[path = "../../fuzz/src/chunked_body.rs"]
#[allow(dead_code)]
mod chunked_body;
#[path = "../../fuzz/src/head.rs"]
mod head;
#[path = "../../fuzz/src/naive.rs"]
mod naive;
#[path = "../../fuzz/src/relay.rs"]
mod relay;
#[path = "../../fuzz/src/request_head.rs"]
mod request_head;
#[path = "../../fuzz/src/response_head.rs"]
mod response_head;
