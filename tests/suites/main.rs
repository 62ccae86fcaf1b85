//! The black-box suites: each test starts the real binaries and looks at them from outside.
//!
//! A line `// covers:` above a test names the lines of the behaviour checklist that it proves.
#![allow(clippy::expect_used, reason = "tests end by panicking")]

mod access_log;
mod admin;
mod attacks;
mod attempt_fields;
mod backend_tls;
mod balancing;
mod bodies;
mod bus;
mod component_log;
mod debug;
mod domains;
mod error_pages;
mod examples;
mod forwarding;
mod front_end_tls;
mod hash_balancing;
mod http2;
mod instances;
mod keep_alive;
mod loggregator;
mod lookup;
mod new_and_failing_endpoints;
mod platform;
mod proxy_protocol;
mod registration;
mod reload;
mod request_size;
mod retries;
mod rewriting;
mod route_limits;
mod route_services;
mod routing_api;
mod signals;
mod soak;
mod start;
mod status_server;
mod sticky;
mod streaming;
mod succession;
mod tls_listeners;
mod tracing;
mod upgrade;
mod workers;
