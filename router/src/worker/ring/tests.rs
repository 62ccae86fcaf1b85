use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{spawn_local, yield_now};

use super::*;

/// Runs `test` on a thread with a ring; not at all where the kernel has none to give.
fn with_ring<F: Future>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(async {
        let driver = match start() {
            Ok(driver) => spawn_local(driver),
            Err(error) => return eprintln!("not tested: {error}"),
        };
        let timed = tokio::time::timeout(Duration::from_secs(60), test).await;
        assert!(timed.is_ok(), "the test hangs");
        driver.abort();
    });
}

/// A stream on the ring, and its other end on the runtime.
async fn pair() -> (Stream, tokio::net::TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    pair_of(&listener).await
}

async fn pair_of(listener: &TcpListener) -> (Stream, tokio::net::TcpStream) {
    let address: SocketAddr = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let near = near.unwrap();
    near.set_nodelay(true).unwrap();
    (
        Stream::new(near.into_std().unwrap()).unwrap(),
        far.unwrap().0,
    )
}

/// Bytes whose order shows.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Waits until `holds` does.
async fn until(mut holds: impl FnMut(&mut Ring) -> bool) {
    while !RING.with_borrow_mut(|ring| holds(ring.as_mut().unwrap())) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn small_messages_go_both_ways() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        let mut read = [0; 64];
        for round in 0..100u8 {
            near.write_all(&[round; 10]).await.unwrap();
            far.read_exact(&mut read[..10]).await.unwrap();
            assert_eq!(read[..10], [round; 10]);
            far.write_all(&[round; 20]).await.unwrap();
            near.read_exact(&mut read[..20]).await.unwrap();
            assert_eq!(read[..20], [round; 20]);
        }
    });
}

/// The kernel can raise its flag behind what was taken already, and then it stays raised.
#[test]
fn a_flag_that_stands_for_nothing_keeps_nobody_from_running() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        RING.with_borrow_mut(|ring| ring.as_mut().unwrap().kernel.raised = true);
        let mut read = [0; 64];
        for round in 0..20u8 {
            near.write_all(&[round; 10]).await.unwrap();
            far.read_exact(&mut read[..10]).await.unwrap();
            until(|ring| !ring.awake).await;
            far.write_all(&[round; 20]).await.unwrap();
            near.read_exact(&mut read[..20]).await.unwrap();
            assert_eq!(read[..20], [round; 20]);
        }
    });
}

#[test]
fn pieces_are_read_in_parts_and_in_order() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        let sent = bytes(5000);
        far.write_all(&sent[..4000]).await.unwrap();
        let mut read = vec![0; 7];
        near.read_exact(&mut read).await.unwrap();
        far.write_all(&sent[4000..]).await.unwrap();
        drop(far);
        near.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, sent);
        // The end stays the end.
        assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 0);
    });
}

#[test]
fn long_bodies_come_whole_and_give_all_buffers_back() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        let sent = bytes(20_000_000);
        let whole = sent.clone();
        spawn_local(async move {
            far.write_all(&whole).await.unwrap();
            far.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        near.read_to_end(&mut read).await.unwrap();
        assert!(read == sent, "{} bytes", read.len());
        // With messages in between that bring it back to the ring.
        for _ in 0..50 {
            let (mut near, mut far) = pair().await;
            for length in [10, 100_000, 20, 300_000, 30] {
                let sent = bytes(length);
                let mut read = vec![0; length];
                let (written, got) = tokio::join!(far.write_all(&sent), near.read_exact(&mut read));
                written.unwrap();
                got.unwrap();
                assert!(read == sent);
            }
        }
    });
}

#[test]
fn a_slow_reader_gets_everything_and_holds_the_writer_back() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        SockRef::from(&RING.with_borrow(|ring| {
            let ring = ring.as_ref().unwrap();
            ring.slots[near.index].socket.try_clone().unwrap()
        }))
        .set_send_buffer_size(8 * 1024)
        .unwrap();
        // Small enough to go through the ring, each flushed as an answer is.
        let sent = bytes(3_000_000);
        let whole = sent.clone();
        let writer = spawn_local(async move {
            for piece in whole.chunks(9_999) {
                near.write_all(piece).await.unwrap();
                near.flush().await.unwrap();
            }
            near.shutdown().await.unwrap();
        });
        until(|ring| ring.slots.iter().any(|(_, slot)| slot.awaits_room)).await;
        assert!(!writer.is_finished());
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        writer.await.unwrap();
        assert!(read == sent, "{} bytes", read.len());
    });
}

#[test]
fn a_rest_goes_out_while_its_task_waits_for_something_else() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        near.with(|ring, index| {
            let socket = SockRef::from(&ring.slots[index].socket);
            socket.set_send_buffer_size(8 * 1024).unwrap();
        })
        .unwrap();
        let sent = bytes(3_000_000);
        let (whole, written) = (sent.clone(), Rc::new(Cell::new(0)));
        let count = Rc::clone(&written);
        let writer = spawn_local(async move {
            let mut at = 0;
            let is_cut = |near: &Stream| {
                let slot = near.with(|ring, index| !ring.slots[index].unsent.is_empty());
                slot.unwrap()
            };
            while !is_cut(&near) {
                near.write_all(&whole[at..at + 9_999]).await.unwrap();
                at += 9_999;
                yield_now().await;
            }
            count.set(at);
            assert_eq!(near.read(&mut [0; 9]).await.unwrap(), 1);
        });
        until(|_| written.get() > 0).await;
        let mut read = vec![0; written.get()];
        far.read_exact(&mut read).await.unwrap();
        assert!(read[..] == sent[..read.len()]);
        far.write_all(b"!").await.unwrap();
        writer.await.unwrap();
    });
}

#[test]
fn what_was_written_goes_out_before_the_connection_is_closed() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"last words").await.unwrap();
        drop(near);
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last words");
    });
}

#[test]
fn a_dropped_stream_ends_the_connection_whatever_is_under_way() {
    with_ring(async {
        // Receiving, waiting for bytes, waiting for room.
        let (mut receiving, mut far) = pair().await;
        let mut room = [0; 9];
        let wait = tokio::time::timeout(Duration::from_millis(5), receiving.read(&mut room));
        assert!(wait.await.is_err());
        drop(receiving);
        assert_eq!(far.read(&mut [0; 9]).await.unwrap(), 0);

        let (mut direct, mut far) = pair().await;
        RING.with_borrow_mut(|ring| ring.as_mut().unwrap().slots[direct.index].direct = true);
        let wait = tokio::time::timeout(Duration::from_millis(5), direct.read(&mut room));
        assert!(wait.await.is_err());
        drop(direct);
        assert_eq!(far.read(&mut [0; 9]).await.unwrap(), 0);

        let (mut stuck, mut far) = pair().await;
        let much = vec![7; 30_000_000];
        let wait = tokio::time::timeout(Duration::from_millis(50), stuck.write_all(&much));
        assert!(wait.await.is_err());
        drop(stuck);
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert!(read.len() < much.len());
    });
}

#[test]
fn numbers_of_sockets_and_places_are_used_again_without_mixing_up() {
    with_ring(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        for round in 0..300u32 {
            let (mut near, mut far) = pair_of(&listener).await;
            // Left behind: unread bytes, a read under way, a send that nobody reads.
            far.write_all(&round.to_be_bytes()).await.unwrap();
            let mut read = [0; 4];
            near.read_exact(&mut read).await.unwrap();
            assert_eq!(u32::from_be_bytes(read), round);
            far.write_all(b"unread").await.unwrap();
            near.write_all(b"unread").await.unwrap();
            if round % 3 == 0 {
                yield_now().await;
            }
        }
        until(|ring| ring.slots.is_empty() && ring.kernel.is_empty()).await;
    });
}

#[test]
fn a_reset_is_an_error_behind_what_has_come() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        far.write_all(b"partial").await.unwrap();
        let mut read = [0; 7];
        near.read_exact(&mut read).await.unwrap();
        SockRef::from(&far)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(far);
        let error = near.read(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(near.write_all(b"more").await.is_err());
    });
}

#[test]
fn a_send_that_is_refused_is_known_to_have_reached_nobody() {
    with_ring(async {
        let (mut near, far) = pair().await;
        SockRef::from(&far)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(far);
        near.write_all(b"request").await.unwrap();
        assert!(!near.has_refused());
        let error = near.read(&mut [0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(near.has_refused());

        let (mut near, mut far) = pair().await;
        near.write_all(b"request").await.unwrap();
        far.read_exact(&mut [0; 7]).await.unwrap();
        SockRef::from(&far)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(far);
        near.write_all(b"body").await.unwrap();
        assert!(near.read(&mut [0; 9]).await.is_err());
        assert!(!near.has_refused());
    });
}

#[test]
fn an_idle_connection_is_stale_once_anything_has_come() {
    with_ring(async {
        let cx = Context::from_waker(Waker::noop());
        let (near, far) = pair().await;
        assert!(!near.is_stale(&cx));
        drop(far);
        until(|ring| ring.slots[near.index].ended).await;
        assert!(near.is_stale(&cx));

        let (near, mut far) = pair().await;
        assert!(!near.is_stale(&cx));
        far.write_all(b"unasked").await.unwrap();
        until(|ring| !ring.slots[near.index].received.is_empty()).await;
        assert!(near.is_stale(&cx));
    });
}

#[test]
fn more_streams_than_buffers_all_get_their_bytes() {
    with_ring(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut tasks = Vec::new();
        for number in 0..300usize {
            let (mut near, mut far) = pair_of(&listener).await;
            tasks.push(spawn_local(async move {
                let sent = bytes(10_000 + number * 100);
                let mut read = vec![0; sent.len()];
                for _ in 0..5 {
                    let sent_and_read = tokio::join!(
                        async {
                            far.write_all(&sent).await.unwrap();
                            // Every buffer that the kernel fills stays taken for a while.
                            for _ in 0..20 {
                                yield_now().await;
                            }
                        },
                        near.read_exact(&mut read)
                    );
                    sent_and_read.1.unwrap();
                    assert!(read == sent);
                    near.write_all(&read).await.unwrap();
                    far.read_exact(&mut read).await.unwrap();
                    assert!(read == sent);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        // Streams that nobody reads cannot starve the others.
        let mut unread = Vec::new();
        for _ in 0..40 {
            let (near, mut far) = pair_of(&listener).await;
            assert!(!near.is_stale(&Context::from_waker(Waker::noop())));
            far.write_all(&bytes(200_000)).await.unwrap();
            unread.push((near, far));
        }
        let (mut near, mut far) = pair_of(&listener).await;
        far.write_all(b"hello").await.unwrap();
        let mut read = [0; 5];
        near.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
        for (mut near, far) in unread {
            drop(far);
            let mut read = Vec::new();
            near.read_to_end(&mut read).await.unwrap();
            assert!(read == bytes(200_000));
        }
    });
}

#[test]
fn writes_in_one_turn_keep_their_order() {
    with_ring(async {
        let (mut near, mut far) = pair().await;
        let sent = bytes(400_000);
        let mut rest = &sent[..];
        // Small, small, large: through the ring, behind one that is queued, and past the ring.
        for length in [100, 5_000, 100_000, 16 * 1024, 16 * 1024 + 1, 7] {
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            near.write_all(piece).await.unwrap();
        }
        let count = sent.len() - rest.len();
        let mut read = vec![0; count];
        far.read_exact(&mut read).await.unwrap();
        assert!(read == sent[..count]);
    });
}

#[test]
fn streams_that_outlive_the_driver_are_closed_too() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    let ends = runtime.block_on(async {
        let Ok(driver) = start() else { return None };
        let driver = spawn_local(driver);
        let (mut near, far) = pair().await;
        near.write_all(b"last words").await.unwrap();
        driver.abort();
        Some((near, far.into_std().unwrap()))
    });
    drop(runtime);
    if let Some((near, mut far)) = ends {
        drop(near);
        far.set_nonblocking(false).unwrap();
        let mut read = String::new();
        std::io::Read::read_to_string(&mut far, &mut read).unwrap();
        assert_eq!(read, "last words");
    }
}
