//! One connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::idle::Target;

/// A connection to a backend, new or taken from the idle ones.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What it is connected to.
    pub target: Target,
    /// Whether another request was answered on it before.
    pub reused: bool,
}

impl Connection {
    /// Connects to `address`, which `target` stands for. `keep_alive` is the interval of TCP keep-alive probes; zero sends
    /// none.
    pub async fn open(
        target: Target,
        address: SocketAddr,
        keep_alive: Duration,
    ) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if !keep_alive.is_zero() {
            let probes = socket2::TcpKeepalive::new()
                .with_time(keep_alive)
                .with_interval(keep_alive);
            socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        }
        Ok(Connection {
            stream,
            target,
            reused: false,
        })
    }

    /// Our own address on this connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    /// Whether an idle connection has become useless: the backend closed it, or sent what nobody asked for. Costs no
    /// system call while nothing has arrived.
    pub fn is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stream.poll_read_ready(cx).is_pending() {
            return false;
        }
        let mut byte = [0; 1];
        Pin::new(&mut self.stream)
            .poll_read(cx, &mut ReadBuf::new(&mut byte))
            .is_ready()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
