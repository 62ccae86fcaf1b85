//! Work is spread over the workers.

use std::time::Duration;

use cloverleaf_tests::{Backend, Client, Registration, Router};

const WORKERS: usize = 4;

/// The CPU time that each worker spends on so many connections which all do the same.
///
/// Connections are counted nowhere outside the process, but the kernel counts the time of each thread, which says how
/// many of them a worker has.
fn spent(connections: usize, rounds: usize) -> Vec<Duration> {
    let (router, backend) = (
        Router::builder().with("go_max_procs", WORKERS).start(),
        Backend::saying("here"),
    );
    router.register(&Registration::of("app.test", &backend));
    // In one go, as a load balancer that starts opens them.
    let mut clients: Vec<Client> = (0..connections).map(|_| router.client()).collect();
    let mut ask = || {
        clients
            .iter_mut()
            .for_each(|client| assert_eq!(client.get("app.test", "/").text(), "here"))
    };
    // The workers' backend connections are not part of the count.
    ask();
    let before = router.cpu_of_threads("worker-");
    assert_eq!(before.len(), WORKERS, "{before:?}");
    (0..rounds).for_each(|_| ask());
    router
        .cpu_of_threads("worker-")
        .iter()
        .map(|(name, cpu)| *cpu - before[name])
        .collect()
}

#[test]
fn connections_that_come_all_at_once_are_spread_evenly_over_the_workers() {
    let spent = spent(64, 40);
    let mean = spent.iter().sum::<Duration>() / WORKERS as u32;
    let is_even = spent
        .iter()
        .all(|cpu| *cpu > mean / 2 && *cpu < mean * 3 / 2);
    assert!(is_even, "{spent:?} around {mean:?}");
}

#[test]
fn few_connections_leave_no_worker_idle() {
    // By hash alone, one run in eight would leave a worker without any.
    let spent = spent(12, 100);
    let mean = spent.iter().sum::<Duration>() / WORKERS as u32;
    assert!(spent.iter().all(|cpu| *cpu > mean / 8), "{spent:?}");
}

#[test]
fn each_worker_has_a_ring_where_io_uring_is_wanted_and_says_so_where_it_is_not_to_be_had() {
    let answered = |io_uring: bool| {
        let router = Router::builder()
            .with("go_max_procs", WORKERS)
            .with("io_uring", io_uring)
            .start();
        let backend = Backend::saying("here");
        router.register(&Registration::of("app.test", &backend));
        for _ in 0..2 * WORKERS {
            assert_eq!(router.get("app.test", "/").text(), "here");
        }
        let refused = router.log().with_message("io-uring-refused").len();
        (router.rings(), refused)
    };
    assert_eq!(answered(false), (0, 0));
    let (rings, refused) = answered(true);
    assert_eq!(rings + refused, WORKERS);
}
