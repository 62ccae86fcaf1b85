//! One connection to a backend.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::classify::Cause;
use super::idle::Target;
use crate::http2::{Asked, Multiplexed};
use crate::worker::{Timer, ring};

/// A connection to a backend, new or taken from the idle ones.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What it is connected to.
    pub target: Target,
    /// Whether another request was answered on it before.
    pub reused: bool,
    /// Whether bytes have passed, either way, since this was last set back.
    moved: bool,
    /// Whether the backend has ever said anything behind a TLS handshake.
    heard: bool,
    /// The [`Connector::trust`](super::Connector::trust) under which an endpoint proved its name.
    trust: Option<u64>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    /// In plain text as well, where the thread has a ring.
    Ring(ring::Stream),
    Tls(Box<TlsStream<TcpStream>>),
    /// One stream of a connection that others share.
    Http2(Box<Asked>, Option<SocketAddr>),
    /// To the router itself.
    Inside(DuplexStream),
}

impl Connection {
    /// Connects to `address`. `keep_alive` is the interval of TCP keep-alive probes; zero sends none.
    pub async fn dial(address: SocketAddr, keep_alive: Duration) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if !keep_alive.is_zero() {
            let probes = socket2::TcpKeepalive::new()
                .with_time(keep_alive)
                .with_interval(keep_alive);
            socket2::SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        }
        Ok(stream)
    }

    /// A connection in plain text over `stream`, which is connected to what `target` stands for.
    ///
    /// # Errors
    /// When the connection cannot be put on the thread's ring.
    pub fn plain(target: Target, stream: TcpStream) -> io::Result<Connection> {
        let stream = match ring::is_on() {
            true => Stream::Ring(ring::Stream::new(stream.into_std()?)?),
            false => Stream::Plain(stream),
        };
        Ok(Connection {
            stream,
            target,
            reused: false,
            moved: false,
            heard: false,
            trust: None,
        })
    }

    /// A connection over TLS, behind its handshake.
    pub fn over_tls(target: Target, stream: TlsStream<TcpStream>) -> Connection {
        Connection {
            stream: Stream::Tls(Box::new(stream)),
            target,
            reused: false,
            moved: false,
            heard: false,
            trust: None,
        }
    }

    /// One stream of `connection`, as a connection of its own.
    pub fn stream(target: Target, connection: &Multiplexed, reused: bool) -> Connection {
        let stream = Box::new(connection.stream());
        Connection {
            stream: Stream::Http2(stream, connection.local_address),
            target,
            reused,
            moved: false,
            heard: false,
            trust: None,
        }
    }

    /// Whether it carries one request only: there is nothing to keep behind the answer.
    pub fn is_stream(&self) -> bool {
        matches!(self.stream, Stream::Http2(..))
    }

    /// A connection to the router itself.
    pub fn inside(target: Target, stream: DuplexStream) -> Connection {
        Connection {
            stream: Stream::Inside(stream),
            target,
            reused: false,
            moved: false,
            heard: false,
            trust: None,
        }
    }

    /// Notes the [`Connector::trust`](super::Connector::trust) under which the endpoint proved its name.
    pub fn under(mut self, trust: u64) -> Connection {
        self.trust = Some(trust);
        self
    }

    /// Whether it was made under this [`Connector::trust`](super::Connector::trust), or proves nothing.
    pub fn is_under(&self, trust: u64) -> bool {
        self.trust.is_none_or(|made_under| made_under == trust)
    }

    /// Whether the timer has expired; if not, the task is woken when it does. What has passed since the last look counts
    /// against an idle time-out.
    #[inline]
    pub fn is_late(&mut self, timer: &Timer, cx: &Context<'_>) -> bool {
        if std::mem::take(&mut self.moved) {
            timer.touch();
        }
        timer.has_expired(cx)
    }

    /// Takes in what may come without end while nobody reads; the task is woken when there is more.
    ///
    /// # Errors
    /// When it is too much.
    pub(super) fn take_in(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Http2(stream, _) => stream.take_in(cx),
            _ => Ok(()),
        }
    }

    /// What an error on it is, before the head of an answer.
    pub(super) fn cause(&self, error: io::Error) -> Cause {
        Cause::behind_handshake(error, self.heard)
    }

    /// Our own address on this connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.stream {
            Stream::Plain(stream) => stream.local_addr().ok(),
            Stream::Ring(stream) => stream.local_addr().ok(),
            Stream::Tls(stream) => stream.get_ref().0.local_addr().ok(),
            Stream::Http2(_, address) => *address,
            Stream::Inside(_) => None,
        }
    }

    /// Whether the first bytes of the request were refused: nothing has reached the backend, although they counted as sent.
    pub fn has_refused(&self) -> bool {
        matches!(&self.stream, Stream::Ring(stream) if stream.has_refused())
    }

    /// Whether an idle connection has become useless: the backend closed it, or sent what nobody asked for. Costs no
    /// system call while nothing has arrived.
    pub fn is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        if let Stream::Plain(stream) = &self.stream
            && stream.poll_read_ready(cx).is_pending()
        {
            return false;
        }
        if let Stream::Ring(stream) = &self.stream {
            return stream.is_stale(cx);
        }
        // With TLS, bytes may wait that were read already, and what arrives may be about the session only.
        let mut byte = [0; 1];
        Pin::new(self)
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
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Ring(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => {
                let before = buf.filled().len();
                let polled = Pin::new(stream).poll_read(cx, buf);
                self.heard |= buf.filled().len() > before;
                polled
            }
            Stream::Http2(stream, _) => Pin::new(&mut **stream).poll_read(cx, buf),
            Stream::Inside(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        self.moved |= polled.is_ready();
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Ring(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Http2(stream, _) => Pin::new(&mut **stream).poll_write(cx, buf),
            Stream::Inside(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.moved |= polled.is_ready();
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Ring(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Http2(stream, _) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
            Stream::Inside(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        self.moved |= polled.is_ready();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Ring(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Http2(stream, _) => Pin::new(&mut **stream).poll_flush(cx),
            Stream::Inside(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Ring(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Http2(stream, _) => Pin::new(&mut **stream).poll_shutdown(cx),
            Stream::Inside(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
