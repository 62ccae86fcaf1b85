//! The side of the process that serves.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::is_trusted;
use super::wire::{END, LISTENER, SERVING, say};

/// How long the next process may take to receive a socket.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause after nobody could be received.
const BREATHE: Duration = Duration::from_millis(100);

/// Offers the listening sockets to the next process of the same user, until it is dropped.
#[derive(Debug)]
pub struct Offer {
    taken: watch::Receiver<bool>,
    socket: PathBuf,
    /// Device and number of the socket's file.
    file: (u64, u64),
    _task: JoinSet<()>,
}

impl Offer {
    /// Offers `listeners` at the Unix socket `socket`, in place of whoever did before.
    ///
    /// # Errors
    /// When the socket cannot be made there.
    pub fn open(socket: &Path, listeners: Vec<TcpListener>) -> io::Result<Offer> {
        let mut new = socket.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(new);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        // Before it has the name that it is found by.
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        let file = identity(&new)?;
        fs::rename(&new, socket)?;
        let (told, taken) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(async move {
            offer(&listener, listeners.into()).await;
            told.send_replace(true);
            // Whoever comes now is served by the next process.
            drop(listener);
        });
        Ok(Offer {
            taken,
            socket: socket.to_owned(),
            file,
            _task: task,
        })
    }

    /// Waits until another process serves on the sockets. Safe to cancel.
    pub async fn taken(&self) {
        let mut taken = self.taken.clone();
        if taken.wait_for(|taken| *taken).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // The next process has a file of its own there, or will have.
        let is_ours = identity(&self.socket).is_ok_and(|file| file == self.file);
        if is_ours && !*self.taken.borrow() {
            // Left there it does no harm.
            drop(fs::remove_file(&self.socket));
        }
    }
}

fn identity(file: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Ready when somebody has taken over.
async fn offer(listener: &UnixListener, listeners: Arc<[TcpListener]>) {
    loop {
        let outcome = match listener.accept().await {
            Ok((stream, _)) => pass(stream, Arc::clone(&listeners)).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(target: "main", { error = %error }, "upgrade-not-completed");
                tokio::time::sleep(BREATHE).await;
            }
        }
    }
}

/// Passes the sockets on and waits until the other side serves.
async fn pass(stream: tokio::net::UnixStream, listeners: Arc<[TcpListener]>) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if !is_trusted(peer.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let process = peer.pid();
    tracing::info!(target: "main", { process, listeners = listeners.len() }, "upgrade-requested");
    let stream = stream.into_std()?;
    let said = tokio::task::spawn_blocking(move || {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        say_all(&stream, &listeners)?;
        stream.set_nonblocking(true)?;
        Ok::<_, io::Error>(stream)
    });
    let mut stream = tokio::net::UnixStream::from_std(said.await??)?;
    match stream.read_u8().await? {
        SERVING => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn say_all(stream: &UnixStream, listeners: &[TcpListener]) -> io::Result<()> {
    for listener in listeners {
        say(stream, LISTENER, Some(listener.as_fd()))?;
    }
    say(stream, END, None)
}
