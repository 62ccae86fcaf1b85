//! Readers while the writer is at work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::world::{World, plain};
use crate::table::{Settings, Table, Writer};

#[test]
fn the_table_and_its_writer_may_live_on_any_thread() {
    fn any_thread<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    any_thread::<Writer>();
    shared::<Table>();
}

#[test]
fn a_route_that_stays_is_found_whatever_else_changes() {
    let mut world = World::with(Settings {
        shards: 1,
        ..Settings::default()
    });
    world.register(&["stays.test", "stays.test/p", "*.w.test"], &plain(1));
    let table = world.table.clone();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = || {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds < 100 {
                for (host, path, uri) in [
                    ("stays.test", "/x", "stays.test"),
                    ("stays.test", "/p/x", "stays.test/p"),
                    ("x.y.w.test", "/", "*.w.test"),
                ] {
                    let pool = table.lookup(host.as_bytes(), path.as_bytes()).unwrap();
                    assert_eq!(pool.uri(), uri);
                    assert_eq!(pool.endpoints()[0].endpoint().port(), 1);
                }
                rounds += 1;
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for round in 0..300_u16 {
            let host = format!("h{}.test", round % 20);
            let path = format!("stays.test/{}", round % 10);
            let uris = [&*host, &path, "stays.test", "*.w.test"];
            world.register(&uris, &plain(2 + round % 3));
            if round % 2 == 0 {
                for uri in uris {
                    world.unregister(uri, 2 + round % 3);
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_host_is_found_and_listed_once_while_its_second_route_comes() {
    const NONE: usize = 0;
    const END: usize = usize::MAX;
    let mut world = World::with(Settings {
        shards: 1,
        ..Settings::default()
    });
    let table = world.table.clone();
    // The number of a host that is registered just now.
    let there = AtomicUsize::new(NONE);
    let found = AtomicUsize::new(0);
    thread::scope(|scope| {
        let reader = || {
            loop {
                let number = there.load(Ordering::SeqCst);
                let host = match number {
                    NONE => continue,
                    END => return,
                    number => format!("h{number}.test"),
                };
                let pool = table.lookup(host.as_bytes(), b"/");
                let listed = table.pools();
                if there.load(Ordering::SeqCst) == number {
                    assert_eq!(pool.unwrap().uri(), host);
                    assert_eq!(listed.iter().filter(|pool| pool.uri() == host).count(), 1);
                    found.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        let mut number = 0;
        while number < 1000 || found.load(Ordering::Relaxed) < 1000 {
            number += 1;
            let uris = [format!("h{number}.test"), format!("h{number}.test/p")];
            world.register(&[&uris[0]], &plain(1));
            there.store(number, Ordering::SeqCst);
            world.register(&[&uris[1]], &plain(1));
            there.store(NONE, Ordering::SeqCst);
            for uri in uris {
                world.unregister(&uri, 1);
            }
            if readers.iter().any(|reader| reader.is_finished()) {
                break;
            }
        }
        there.store(END, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
