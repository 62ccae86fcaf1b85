//! The next process's side.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::wire::{END, LISTENER, SERVING, hear, say};
use super::{Inherited, is_trusted};

/// How long the process before may take for each of its sockets.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that serves, whose place this one is about to take.
#[derive(Debug)]
pub struct TakeOver {
    stream: UnixStream,
}

impl TakeOver {
    /// Asks the process that serves, if there is one, for its listening sockets. It goes on serving until
    /// [`TakeOver::serving`], or for good when this value is dropped. Waits for the other side: not for a thread that serves.
    ///
    /// # Errors
    /// When there is a process but no understanding with it.
    pub fn attempt(socket: &Path) -> io::Result<Option<(TakeOver, Inherited)>> {
        let stream = match UnixStream::connect(socket) {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    // Left by a process that was killed, or never there.
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                    _ => Err(error),
                };
            }
        };
        // What listens in this process's place must not be anybody's.
        if !is_trusted(fs::metadata(socket)?.uid()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut inherited = Inherited::default();
        loop {
            match hear(&stream)? {
                (LISTENER, Some(descriptor)) => inherited.add(TcpListener::from(descriptor)),
                (END, None) => return Ok(Some((TakeOver { stream }, inherited))),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Ready when the other side has ended, or offers nothing any more. To be called on a runtime.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn ended(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let stream = self.stream.try_clone()?;
        // For the other descriptor too, which is left with a single byte to send.
        stream.set_nonblocking(true)?;
        let mut stream = tokio::net::UnixStream::from_std(stream)?;
        Ok(async move {
            // It has said everything: what can come is its end.
            drop(stream.read_u8().await);
        })
    }

    /// Tells the other side that this process serves now.
    ///
    /// # Errors
    /// When the other side is gone, which is as good.
    pub fn serving(self) -> io::Result<()> {
        say(&self.stream, SERVING, None)
    }
}
