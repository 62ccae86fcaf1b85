//! Readers while the writer is at work.

use std::sync::atomic::{AtomicBool, Ordering};
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
