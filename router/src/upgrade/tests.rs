use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// A name for a socket, and what becomes of it.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloverleaf-upgrade-{}-{number}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn attempt(place: &Place) -> Option<(TakeOver, Inherited)> {
    let path = place.0.clone();
    tokio::task::spawn_blocking(move || TakeOver::attempt(&path))
        .await
        .unwrap()
        .unwrap()
}

async fn is_taken(offer: &Offer) -> bool {
    tokio::time::timeout(Duration::from_secs(10), offer.taken())
        .await
        .is_ok()
}

#[tokio::test]
async fn who_waits_in_a_queue_is_accepted_by_the_next_process() {
    let place = Place::new();
    let (a, port) = listener();
    let (b, other) = listener();
    let mut waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    waiting.write_all(b"hello").unwrap();
    let offer = Offer::open(&place.0, vec![a, b]).unwrap();
    let (take_over, mut inherited) = attempt(&place).await.unwrap();
    assert_eq!(inherited.len(), 2);
    assert!(inherited.has_one_of(&[1, other]));
    assert!(inherited.take(port, Some([10, 0, 0, 1].into())).is_empty());
    let mut listeners = inherited.take(port, Some(Ipv4Addr::LOCALHOST.into()));
    take_over.serving().unwrap();
    assert!(is_taken(&offer).await);
    drop(offer);
    let (mut accepted, _) = listeners.pop().unwrap().accept().unwrap();
    let mut said = [0; 5];
    accepted.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello");
    assert!(inherited.take(port, None).is_empty(), "taken");
}

#[tokio::test]
async fn a_next_process_that_ends_before_it_serves_changes_nothing() {
    let place = Place::new();
    let (a, port) = listener();
    let offer = Offer::open(&place.0, vec![a]).unwrap();
    drop(attempt(&place).await.unwrap());
    let (again, inherited) = attempt(&place).await.unwrap();
    assert!(inherited.has_one_of(&[port]));
    again.serving().unwrap();
    assert!(is_taken(&offer).await);
}

#[tokio::test]
async fn where_nobody_offers_anything_there_is_nothing_to_take_over() {
    let place = Place::new();
    assert!(attempt(&place).await.is_none());
    drop(Offer::open(&place.0, vec![]).unwrap());
    assert!(!place.0.exists(), "the offer took its file with it");
    // As a process leaves it that is killed.
    drop(std::os::unix::net::UnixListener::bind(&place.0).unwrap());
    assert!(attempt(&place).await.is_none());
    let offer = Offer::open(&place.0, vec![listener().0]).unwrap();
    assert!(attempt(&place).await.is_some());
    drop(offer);
}
