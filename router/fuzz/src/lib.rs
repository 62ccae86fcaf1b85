//! What every parser that reads a stranger's bytes promises about any input: one module a parser, each with a function
//! `check` that panics when the promise is broken. The fuzz targets call them, and so does the test that replays the
//! corpora (`router/tests/corpus.rs`).

pub mod chunked_body;
pub mod config_text;
pub mod error_page;
pub mod filters;
pub mod go_duration;
pub mod http2_text;
pub mod proxy_protocol;
pub mod registry_message;
pub mod request_head;
pub mod response_head;
pub mod session_cookies;

pub mod head;
pub mod naive;
pub mod relay;

/// Takes any bytes and panics when they break a promise.
pub type Check = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Check); 11] = [
    ("chunked_body", chunked_body::check),
    ("config_text", config_text::check),
    ("error_page", error_page::check),
    ("filters", filters::check),
    ("go_duration", go_duration::check),
    ("http2_text", http2_text::check),
    ("proxy_protocol", proxy_protocol::check),
    ("registry_message", registry_message::check),
    ("request_head", request_head::check),
    ("response_head", response_head::check),
    ("session_cookies", session_cookies::check),
];
