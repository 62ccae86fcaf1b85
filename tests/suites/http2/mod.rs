//! HTTP/2 with clients and with backends.
//!
//! [`matrix`] has every version in front before every version behind, each in plain text and over TLS, through the same
//! scripts for all; [`world`], [`caller`] and [`asked`] make them look alike.

mod asked;
mod attacks;
mod backends;
mod caller;
mod clients;
mod conformance;
mod grpc;
mod limits;
mod matrix;
mod smuggling;
mod tunnels;
mod world;
