//! The socket to metron: many datagrams with one call of the system.

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::sockopt::UdpGsoSegment;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::breaks::Breaks;

/// Datagrams that the system is handed at a time: as many as it makes of one piece of memory.
pub(super) const AT_A_TIME: usize = 64;
/// Bytes that it takes at a time.
const MOST_BYTES: usize = 65_000;
/// Longer ones go alone: on the way to another machine each may have to be cut into packets.
const LONGEST: usize = 1_400;

/// A socket, and where it sends to.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    address: SocketAddr,
    /// Whether the system makes many datagrams of one piece of memory (Linux 4.18; `UDP_SEGMENT` in udp(7)).
    cuts: bool,
}

impl Socket {
    pub(super) fn open(address: SocketAddr) -> io::Result<Socket> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // Off, as it is: a system that does not know it says so, where it would not when a message asks for it.
        let cuts = setsockopt(&socket, UdpGsoSegment, &0).is_ok();
        // Not connected: then nothing is told of a metron that is away.
        Ok(Socket {
            socket,
            address,
            cuts,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends each as a datagram, in this order. Gives how many were sent.
    pub(super) fn send(&self, pieces: &[IoSlice<'_>], breaks: &mut Breaks) -> u64 {
        let (mut at, mut alone, mut sent, mut burst) = (0, 0, 0, 0);
        while at < pieces.len() {
            let length = if self.cuts { run(&pieces[at..]) } else { 1 };
            if at > burst && at + length - burst > AT_A_TIME {
                sent += self.send_each(&pieces[alone..at]);
                (alone, burst) = (at, at);
                breaks.take_one();
            }
            if length > 1 {
                sent += self.send_each(&pieces[alone..at]);
                sent += self.send_run(&pieces[at..at + length]);
                alone = at + length;
            }
            at += length;
        }
        sent + self.send_each(&pieces[alone..])
    }

    /// Sends pieces of one length, but for the last, which may be shorter.
    fn send_run(&self, pieces: &[IoSlice<'_>]) -> u64 {
        let length = pieces.first().map_or(0, |piece| piece.len() as u16);
        let to = SockaddrStorage::from(self.address);
        let cut = [ControlMessage::UdpGsoSegments(&length)];
        let socket = self.socket.as_raw_fd();
        match sendmsg(socket, pieces, &cut, MsgFlags::empty(), Some(&to)) {
            Ok(_) => pieces.len() as u64,
            // Such as where the way there takes only shorter ones whole.
            Err(_) => self.send_each(pieces),
        }
    }

    fn send_each(&self, pieces: &[IoSlice<'_>]) -> u64 {
        pieces
            .chunks(AT_A_TIME)
            .map(|chunk| self.send_chunk(chunk))
            .sum()
    }

    fn send_chunk(&self, pieces: &[IoSlice<'_>]) -> u64 {
        let address = self.address.as_any();
        let mut controls: Vec<_> = pieces
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut messages: Vec<_> = pieces
            .iter()
            .zip(&mut controls)
            .map(|(piece, control)| {
                MMsgHdr::new_with_addr(&address, std::slice::from_ref(piece), control)
            })
            .collect();
        let mut sent = 0;
        let mut rest = &mut messages[..];
        while !rest.is_empty() {
            match sendmmsg(&self.socket, rest, SendFlags::empty()) {
                // What stands first cannot be sent, such as one that is too long for a datagram.
                Ok(0) | Err(_) => rest = &mut rest[1..],
                Ok(count) => {
                    sent += count as u64;
                    rest = &mut rest[count..];
                }
            }
        }
        sent
    }
}

/// How many of the first pieces can be sent as one: those of one length, and one shorter behind them.
fn run(pieces: &[IoSlice<'_>]) -> usize {
    let Some(length) = pieces.first().map(|piece| piece.len()) else {
        return 0;
    };
    if length == 0 || length > LONGEST {
        return 1;
    }
    let most = AT_A_TIME.min(MOST_BYTES / length);
    let same = pieces.iter().take(most);
    let same = same.take_while(|piece| piece.len() == length).count();
    match pieces.get(same) {
        Some(shorter) if same < most && (1..length).contains(&shorter.len()) => same + 1,
        _ => same,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn runs(lengths: &[usize]) -> Vec<usize> {
        let memory = vec![0; 70_000];
        let pieces: Vec<_> = lengths
            .iter()
            .map(|&length| IoSlice::new(&memory[..length]))
            .collect();
        let mut rest = &pieces[..];
        let mut runs = Vec::new();
        while !rest.is_empty() {
            runs.push(run(rest));
            rest = &rest[runs[runs.len() - 1]..];
        }
        runs
    }

    #[test]
    fn a_run_has_one_length_and_may_end_with_a_shorter_one() {
        assert_eq!(runs(&[300, 300, 299, 299, 299, 200]), [3, 3]);
        assert_eq!(runs(&[200, 300, 300, 0, 300]), [1, 2, 1, 1]);
        assert_eq!(runs(&[1_401, 1_401, 1_400, 1_400]), [1, 1, 2]);
        assert_eq!(runs(&[300; 65]), [64, 1]);
        assert_eq!(runs(&[1_400; 50]), [46, 4]);
        assert_eq!(
            runs(&[300; 63].iter().chain(&[1]).copied().collect::<Vec<_>>()),
            [64]
        );
        assert_eq!(
            runs(&[300; 64].iter().chain(&[1]).copied().collect::<Vec<_>>()),
            [64, 1]
        );
    }

    /// What the system makes of runs, and of what is sent where it makes none.
    #[test]
    fn each_piece_arrives_as_one_datagram_in_the_same_order() {
        let metron = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let limit = Duration::from_secs(20);
        metron.set_read_timeout(Some(limit)).unwrap();
        let texts: Vec<Vec<u8>> = (0..100_u8)
            .map(|number| vec![number; [80, 80, 80, 40, 1_400, 2_000][usize::from(number) % 6]])
            .collect();
        let pieces: Vec<_> = texts.iter().map(|text| IoSlice::new(text)).collect();
        let mut socket = Socket::open(metron.local_addr().unwrap()).unwrap();
        for cuts in [socket.cuts, false] {
            socket.cuts = cuts;
            let mut buffer = [0; 4_096];
            for (pieces, texts) in pieces.chunks(25).zip(texts.chunks(25)) {
                let mut breaks = Breaks::over(limit, 0);
                assert_eq!(socket.send(pieces, &mut breaks), 25);
                for text in texts {
                    let length = metron.recv(&mut buffer).unwrap();
                    assert_eq!(&buffer[..length], text);
                }
            }
        }
    }

    #[test]
    fn what_a_run_cannot_carry_is_sent_one_by_one() {
        let metron = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = Socket::open(metron.local_addr().unwrap()).unwrap();
        // Longer than any packet: the system makes no run of these.
        let memory = vec![7; 66_000];
        let pieces = [40_000, 40_000, 66_000].map(|length| IoSlice::new(&memory[..length]));
        assert_eq!(socket.send_run(&pieces), 2);
        let mut buffer = vec![0; 70_000];
        for _ in 0..2 {
            assert_eq!(metron.recv(&mut buffer).unwrap(), 40_000);
        }
    }
}
