//! Bytes on a connection, with a limit on every wait.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::eventually::LIMIT;

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The other side ended the stream in order.
    Closed,
    /// The other side broke it off.
    Reset,
    /// Nothing came for a long time.
    Silent,
}

/// A connection with what was read from it but not yet used.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Wire {
        drop(stream.set_nodelay(true));
        drop(stream.set_read_timeout(Some(LIMIT)));
        drop(stream.set_write_timeout(Some(LIMIT)));
        Wire {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Our own address.
    pub fn local_address(&self) -> SocketAddr {
        self.stream
            .local_addr()
            .expect("a connected socket has an address")
    }

    /// The address of the other side.
    pub fn peer_address(&self) -> SocketAddr {
        self.stream
            .peer_addr()
            .expect("a connected socket has a peer")
    }

    /// What was read but not yet used.
    pub fn unread(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads once, behind what is unread.
    ///
    /// # Errors
    /// How the stream ended.
    pub fn more(&mut self) -> Result<(), End> {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(End::Closed),
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Ok(())
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Err(End::Silent)
            }
            Err(_) => Err(End::Reset),
        }
    }

    /// As [`Wire::more`], but gives up after `time` with [`End::Silent`].
    ///
    /// # Errors
    /// How the stream ended.
    pub fn more_within(&mut self, time: Duration) -> Result<(), End> {
        drop(self.stream.set_read_timeout(Some(time)));
        let read = self.more();
        drop(self.stream.set_read_timeout(Some(LIMIT)));
        read
    }

    /// Everything up to and with `mark`.
    ///
    /// # Errors
    /// How the stream ended before it; what came until then stays unread.
    pub fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, End> {
        loop {
            if let Some(at) = self
                .buffer
                .windows(mark.len())
                .position(|window| window == mark)
            {
                return Ok(self.buffer.drain(..at + mark.len()).collect());
            }
            self.more()?;
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// How the stream ended before the last of them; what came until then stays unread.
    pub fn exactly(&mut self, count: usize) -> Result<Vec<u8>, End> {
        while self.buffer.len() < count {
            self.more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Reads and forgets so many bytes.
    ///
    /// # Errors
    /// How the stream ended before the last of them.
    pub fn skip(&mut self, mut count: u64) -> Result<(), End> {
        loop {
            let here = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len());
            self.buffer.drain(..here);
            count -= here as u64;
            if count == 0 {
                return Ok(());
            }
            self.more()?;
        }
    }

    /// All that comes until the stream ends, and how it ends.
    pub fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            if let Err(end) = self.more() {
                return (std::mem::take(&mut self.buffer), end);
            }
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// When the other side does not take it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Writes so much of it as the other side takes within `time`, and says how much that was.
    pub fn send_within(&mut self, bytes: &[u8], time: Duration) -> usize {
        drop(self.stream.set_write_timeout(Some(time)));
        let mut sent = 0;
        while let Ok(count @ 1..) = self.stream.write(&bytes[sent..]) {
            sent += count;
        }
        drop(self.stream.set_write_timeout(Some(LIMIT)));
        sent
    }

    /// Ends our direction of the stream.
    pub fn half_close(&self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Has the other side see a reset once this value is dropped.
    ///
    /// # Panics
    /// When the system refuses the option.
    pub fn break_off_when_dropped(&self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a linger time");
    }
}
