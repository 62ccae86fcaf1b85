//! Clients of HTTP/2 that open streams to reset them, as fast as they are let, and an application that they reach.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::sleep;

use super::cores::step_back;
use crate::http2::{Frame, flag, frame_kind, header_block};

/// What a client says first: preface and settings.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Streams that are open at a time; the router allows 128.
const STREAMS: u32 = 100;
/// Bytes that the kernel keeps for such a client: filling megabytes that nobody reads would only take time from others here.
const BUFFERED: u32 = 64 * 1024;
/// Until a request has reached the application.
const UNDER_WAY: Duration = Duration::from_millis(5);
/// Pause before another try where the router is not to be reached.
const AGAIN: Duration = Duration::from_millis(10);
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nquick";

/// When streams are reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In the same breath.
    AtOnce,
    /// When their requests have reached an application that takes its time.
    UnderWay,
}

/// Clients that reset streams, until it is dropped. Who is cut off comes again at once.
#[derive(Debug)]
pub(super) struct Resetting {
    /// Streams opened and reset, as far as they were written.
    pub streams: Arc<AtomicU64>,
    /// Connections that the router has ended.
    pub ended: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resetting {
    /// So many connections to a port of this machine. They leave the core to whoever else wants it.
    pub fn start(port: u16, connections: usize, when: When) -> Resetting {
        let (streams, ended) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counts = (Arc::clone(&streams), Arc::clone(&ended));
        let work = move || {
            step_back();
            for _ in 0..connections {
                let (streams, ended) = counts.clone();
                spawn_local(async move {
                    loop {
                        match attack(port, when, &streams).await {
                            Ok(()) => drop(ended.fetch_add(1, Ordering::Relaxed)),
                            Err(_) => sleep(AGAIN).await,
                        }
                    }
                });
            }
        };
        let over = Arc::<AtomicBool>::default();
        let thread = Some(run_until(&over, work));
        Resetting {
            streams,
            ended,
            over,
            thread,
        }
    }
}

impl Drop for Resetting {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

/// An application that answers `/quick` at once and everything else never, until it is dropped.
#[derive(Debug)]
pub(super) struct Application {
    /// Where it listens.
    pub port: u16,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Application {
    /// Starts it.
    pub fn start() -> Application {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        listener.set_nonblocking(true).expect("a mode");
        let port = listener.local_addr().expect("an address").port();
        let work = move || {
            let listener = TcpListener::from_std(listener).expect("a listener");
            spawn_local(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => drop(spawn_local(async { serve(stream).await.ok() })),
                        Err(_) => sleep(AGAIN).await,
                    }
                }
            });
        };
        let over = Arc::<AtomicBool>::default();
        let thread = Some(run_until(&over, work));
        Application { port, over, thread }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

/// A thread for what `begin` spawns; all of it is dropped when it is over.
fn run_until(over: &Arc<AtomicBool>, begin: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let over = Arc::clone(over);
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let work = async {
            begin();
            while !over.load(Ordering::Acquire) {
                sleep(AGAIN).await;
            }
        };
        let local = LocalSet::new();
        runtime.expect("a runtime").block_on(local.run_until(work));
    })
}

/// One connection, until the router ends it.
async fn attack(port: u16, when: When, streams: &AtomicU64) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(BUFFERED)?;
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
    stream.set_nodelay(true)?;
    let (mut read, write) = stream.into_split();
    let hear = async {
        let mut some = vec![0; 4096];
        while matches!(read.read(&mut some).await, Ok(1..)) {}
    };
    tokio::select! {
        () = hear => {}
        // It takes no more: this is its end, too.
        _ = speak(write, when, streams) => {}
    }
    Ok(())
}

async fn speak(mut write: OwnedWriteHalf, when: When, streams: &AtomicU64) -> io::Result<()> {
    write.write_all(BEGINNING).await?;
    let block = header_block(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/attack"),
        (":authority", "app.test"),
    ]);
    let whole = flag::END_STREAM | flag::END_HEADERS;
    for first in (1..i32::MAX as u32).step_by(2 * STREAMS as usize) {
        let (mut opened, mut reset) = (Vec::new(), Vec::new());
        for stream in (first..first + 2 * STREAMS).step_by(2) {
            opened.extend(Frame::bytes(frame_kind::HEADERS, whole, stream, &block));
            let reset = match when {
                When::AtOnce => &mut opened,
                When::UnderWay => &mut reset,
            };
            reset.extend(Frame::bytes(frame_kind::RST_STREAM, 0, stream, &CANCEL));
        }
        write.write_all(&opened).await?;
        match when {
            When::AtOnce => yield_now().await,
            When::UnderWay => sleep(UNDER_WAY).await,
        }
        write.write_all(&reset).await?;
        streams.fetch_add(u64::from(STREAMS), Ordering::Relaxed);
    }
    Ok(())
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut some) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut some).await? {
            0 => return Ok(()),
            count => request.extend_from_slice(&some[..count]),
        }
        if request.ends_with(b"\r\n\r\n") && request.starts_with(b"GET /quick ") {
            stream.write_all(ANSWER).await?;
            request.clear();
        }
    }
}
