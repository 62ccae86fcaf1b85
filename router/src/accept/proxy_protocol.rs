//! The PROXY protocol's header, by which a load balancer says whose connection it passes on (spec 7).
//!
//! Bytes in, a verdict out: nothing here reads or waits. Both versions are understood; the first must be in order to the
//! letter, since what is taken from it goes into `X-Forwarded-For` and the access log.

mod checksum;
mod v1;
mod v2;

use std::net::SocketAddr;

/// What a connection begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// As far as it goes it may be a header, or something else.
    Undecided,
    /// The beginning of a header.
    Incomplete,
    /// No header: these bytes are the client's.
    Absent,
    /// A whole header.
    Header(Header),
    /// A header that does not say what it has to; where the client's bytes begin is then unknown.
    Refused(Refusal),
}

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its length in bytes; what stands behind it is the client's.
    pub length: usize,
    /// Where the client's connection comes from; `None` when the sender speaks for itself (a health check) or cannot say.
    pub source: Option<SocketAddr>,
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than a header may be.
    #[error("the header is too long")]
    TooLong,
    /// `PROXY UNKNOWN`, which GoRouter refuses too.
    #[error("the client is unknown")]
    Unknown,
    /// A protocol other than TCP over IP.
    #[error("the protocol is not TCP over IPv4 or IPv6")]
    Protocol,
    /// A version or command that does not exist.
    #[error("the version or the command does not exist")]
    Command,
    /// Not the fields that there have to be, or something else than a space or a line end around them.
    #[error("the header has not the fields that it must have")]
    Fields,
    /// No address, or one of the other family.
    #[error("an address is none of its family")]
    Address,
    /// No port.
    #[error("a port is none")]
    Port,
    /// The additional values overlap or end too late.
    #[error("the additional values do not add up")]
    Values,
    /// Altered on its way.
    #[error("the checksum is not that of the header")]
    Checksum,
}

/// Looks at the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Preamble {
    for (signature, header) in [
        (v1::SIGNATURE, v1::parse as fn(&[u8]) -> Preamble),
        (v2::SIGNATURE, v2::parse),
    ] {
        if bytes.starts_with(signature) {
            return header(bytes);
        }
        if signature.starts_with(bytes) {
            return Preamble::Undecided;
        }
    }
    Preamble::Absent
}

#[cfg(test)]
mod tests;
