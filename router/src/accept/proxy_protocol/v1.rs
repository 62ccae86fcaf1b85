//! Version 1, a line of text: `PROXY TCP4 192.0.2.7 198.51.100.1 51234 80` and CR LF.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, Preamble, Refusal};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";
/// Bytes of the longest line, its end included (section 2.1 of the protocol).
const LONGEST: usize = 107;

/// `bytes` begin with the signature.
pub(super) fn parse(bytes: &[u8]) -> Preamble {
    let line = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = memchr::memchr(b'\n', line) else {
        return match line.len() {
            LONGEST => Preamble::Refused(Refusal::TooLong),
            _ => Preamble::Incomplete,
        };
    };
    match source(&line[SIGNATURE.len()..end]) {
        Ok(source) => Preamble::Header(Header {
            length: end + 1,
            source: Some(source),
        }),
        Err(refusal) => Preamble::Refused(refusal),
    }
}

/// The client in a line without its signature and its LF.
fn source(line: &[u8]) -> Result<SocketAddr, Refusal> {
    let line = line.strip_suffix(b"\r").ok_or(Refusal::Fields)?;
    let line = std::str::from_utf8(line).map_err(|_| Refusal::Fields)?;
    let mut fields = line.split(' ');
    let address = match fields.next() {
        Some("TCP4") => v4,
        Some("TCP6") => v6,
        Some("UNKNOWN") => return Err(Refusal::Unknown),
        _ => return Err(Refusal::Protocol),
    };
    let mut field = || fields.next().ok_or(Refusal::Fields);
    let (source, destination) = (field()?, field()?);
    let (source_port, destination_port) = (field()?, field()?);
    if fields.next().is_some() {
        return Err(Refusal::Fields);
    }
    address(destination)?;
    port(destination_port)?;
    Ok(SocketAddr::new(address(source)?, port(source_port)?))
}

fn v4(text: &str) -> Result<IpAddr, Refusal> {
    let address: Ipv4Addr = text.parse().map_err(|_| Refusal::Address)?;
    Ok(address.into())
}

fn v6(text: &str) -> Result<IpAddr, Refusal> {
    let address: Ipv6Addr = text.parse().map_err(|_| Refusal::Address)?;
    Ok(address.into())
}

/// Decimal digits without a zero before them.
fn port(text: &str) -> Result<u16, Refusal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    match text.parse() {
        Ok(port) if is_plain && is_short => Ok(port),
        _ => Err(Refusal::Port),
    }
}
