//! Version 2, binary: signature, version and command, family, length, addresses, additional values.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, Preamble, Refusal, checksum};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes up to the addresses.
const FIXED: usize = 16;
/// Bytes of the longest header that is read: room for a client's certificate among the additional values.
pub(super) const LONGEST: usize = 16 * 1024;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// The additional value that holds a CRC-32C of the header.
const CRC32C: u8 = 0x03;

/// `bytes` begin with the signature.
pub(super) fn parse(bytes: &[u8]) -> Preamble {
    let Some((fixed, _)) = bytes.split_first_chunk::<FIXED>() else {
        return Preamble::Incomplete;
    };
    let [.., command, family, high, low] = *fixed;
    if !matches!(command, LOCAL | PROXY) {
        return Preamble::Refused(Refusal::Command);
    }
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Preamble::Refused(Refusal::TooLong);
    }
    let Some(header) = bytes.get(..length) else {
        return Preamble::Incomplete;
    };
    // What a sender says in its own name is passed over whole (section 2.2 of the protocol).
    let source = match command {
        LOCAL => Ok(None),
        _ => source(header, family),
    };
    match source {
        Ok(source) => Preamble::Header(Header { length, source }),
        Err(refusal) => Preamble::Refused(refusal),
    }
}

/// The client in a whole header, `None` where the family has no IP address.
fn source(header: &[u8], family: u8) -> Result<Option<SocketAddr>, Refusal> {
    let body = &header[FIXED..];
    let (source, addresses) = match family {
        // Unspecified: the sender does not know either.
        0x00 => (None, 0),
        // TCP over IPv4: two addresses, two ports.
        0x11 => {
            let (address, rest) = body.split_first_chunk::<4>().ok_or(Refusal::Fields)?;
            (Some((Ipv4Addr::from(*address), port(rest, 4)?).into()), 12)
        }
        // TCP over IPv6.
        0x21 => {
            let (address, rest) = body.split_first_chunk::<16>().ok_or(Refusal::Fields)?;
            (Some((Ipv6Addr::from(*address), port(rest, 16)?).into()), 36)
        }
        // A socket in the file system: two paths.
        0x31 => (None, 216),
        _ => return Err(Refusal::Protocol),
    };
    let values = body.get(addresses..).ok_or(Refusal::Fields)?;
    check(header, header.len() - values.len())?;
    Ok(source)
}

/// The source's port behind the destination's address of `skip` bytes.
fn port(rest: &[u8], skip: usize) -> Result<u16, Refusal> {
    let ports = rest.get(skip..).ok_or(Refusal::Fields)?;
    let (port, _) = ports.split_first_chunk::<2>().ok_or(Refusal::Fields)?;
    Ok(u16::from_be_bytes(*port))
}

/// Walks over the additional values, which begin at `at`, and checks the checksum if there is one.
fn check(header: &[u8], mut at: usize) -> Result<(), Refusal> {
    while let Some(rest) = header.get(at..).filter(|rest| !rest.is_empty()) {
        let ([kind, high, low], value) = rest.split_first_chunk().ok_or(Refusal::Values)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = value.get(..length).ok_or(Refusal::Values)?;
        let begin = at + 3;
        at = begin + length;
        if *kind == CRC32C {
            let said: [u8; 4] = value.try_into().map_err(|_| Refusal::Values)?;
            let parts = [&header[..begin], &[0; 4], &header[at..]];
            if checksum::crc32c(parts) != u32::from_be_bytes(said) {
                return Err(Refusal::Checksum);
            }
        }
    }
    Ok(())
}
