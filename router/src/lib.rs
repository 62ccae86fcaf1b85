//! The HTTP data plane: a router of Cloud Foundry, as a library with a thin binary.
//!
//! The rooms, in the order in which a request meets them:
//!
//! ```text
//! worker      the thread that a request lives and dies on: buffers, deadlines, counters
//! accept      listeners, socket options, spread over the workers
//! serve       one client connection: keep-alive, one request after the other, bodies back
//! http1       the HTTP/1.1 codec: strict head parsing, framing (bytes in, bytes out)
//! http2       HTTP/2 on both sides, shown to all others as HTTP/1.1
//! message     the request and response head that every later room works on
//! exchange    one request's life: ids, times, attempts, outcome
//! filters     one file per rule, an ordered static list
//! table       host and path look-up, pools, endpoints, staleness
//! balance     round robin, least connection, zone, sessions
//! callers     hosts whose clients prove who they are, and what routes let them do
//! route_service  what goes to a route service first, and what comes back from it
//! upstream    connect, pooled connections, attempt, classify, retry
//! tls         what both sides' TLS have in common: versions, suites, trust
//! respond     the only place that turns an error into a response
//! observe     access log, metrics
//! control     NATS, admin listeners, drain
//! upgrade     listening sockets passed from one process to the next
//! app         the only file that wires the rest; cli is the command around it
//! ```

pub mod worker;

pub mod accept;
pub mod serve;

pub mod http1;
pub mod http2;
pub mod message;

pub mod exchange;
pub mod filters;

pub mod table;

pub mod balance;

pub mod callers;

pub mod route_service;

pub mod upstream;

pub mod tls;

pub mod respond;

pub mod observe;

pub mod control;

pub mod config;
pub mod policy;

pub mod upgrade;

pub mod app;
pub mod cli;
