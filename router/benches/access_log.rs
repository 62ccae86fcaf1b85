//! What a line of the access log costs, with warm memory: the worker's part, and the log thread's (formatting and
//! writing), which is the time that its thread was on a CPU as Linux tells it, so that other load does not matter.
//!
//! `cargo bench -p cloverleaf-router --bench access_log`

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run may as well stop"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloverleaf_router::observe::access_log::{AccessLog, LogSettings};
use cloverleaf_router::observe::losses::Losses;
use cloverleaf_router::observe::record::{Record, Text};
use criterion::{Criterion, criterion_group, criterion_main};

/// Records pushed in one go: less than the queue takes.
const BURST: u64 = 4_000;

/// A request as a browser behind a load balancer makes it.
fn record() -> Record {
    let mut record = Record::default();
    record.entry.received_unix_ns = 1_930_367_167_000_000_089;
    record.entry.status = 200;
    record.entry.response_bytes = 1024;
    record.entry.response_time_ns = 12_345_678;
    record.entry.gorouter_time_ns = 21_000;
    record.entry.peer = Some(([10, 0, 16, 4], 51514).into());
    for (which, value) in [
        (Text::Host, "shop.apps.example.com"),
        (Text::Method, "GET"),
        (
            Text::Target,
            "/api/v2/products/4711?fields=name,price&lang=en",
        ),
        (Text::Protocol, "HTTP/1.1"),
        (Text::Referer, "https://shop.apps.example.com/products"),
        (
            Text::UserAgent,
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ),
        (Text::ForwardedFor, "203.0.113.7, 10.0.16.4"),
        (Text::ForwardedProto, "https"),
        (Text::RequestId, "6f0c2c1e-93b4-4f0a-a5a2-0d5a7b1f7f10"),
        (Text::Endpoint, "10.0.32.17:61012"),
        (Text::AppId, "0b8e5c0e-1111-2222-3333-444455556666"),
        (Text::AppIndex, "0"),
        (Text::InstanceId, "9a1d77de-0d44-4a6f-7f3a-5c2e"),
    ] {
        record.set(which, value.as_bytes());
    }
    record
}

/// How long the log thread has been on a CPU; `None` when it has yet to start.
fn on_cpu() -> Option<Duration> {
    let tasks = fs::read_dir("/proc/self/task").expect("a Linux system");
    for task in tasks.flatten() {
        let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").trim() == "access-log" {
            let ns = read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse().ok());
            return Some(Duration::from_nanos(ns.expect("nanoseconds")));
        }
    }
    None
}

/// How long the log thread has been on a CPU once it has nothing left to do: it might wait for the disk, or for a CPU.
fn settled() -> Duration {
    let (mut before, mut same) = (None, 0);
    loop {
        std::thread::sleep(Duration::from_millis(4));
        let now = on_cpu();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        if let (Some(now), 5) = (now, same) {
            return now;
        }
    }
}

/// Pushes at least `records`, in bursts. Gives what they took of the worker's and of the log thread's time.
fn run(file: &Path, records: u64) -> (Duration, Duration) {
    let record = record();
    let settings = LogSettings {
        file: Some(file.to_owned()),
        ..LogSettings::default()
    };
    let losses = Arc::new(Losses::default());
    let log = AccessLog::start(&settings, Arc::clone(&losses)).expect("a writable file");
    let mut worker = log.worker();
    let mut burst = || {
        let began = Instant::now();
        for _ in 0..BURST {
            worker.push(black_box(&record));
        }
        worker.flush();
        began.elapsed()
    };
    burst();
    let cold = settled();
    let bursts = records.div_ceil(BURST);
    let mut pushed = Duration::ZERO;
    let mut written = cold;
    for _ in 0..bursts {
        pushed += burst();
        written = settled();
        if let Ok(file) = fs::OpenOptions::new().write(true).open(file) {
            // A file that grows and grows would measure the disk. Of no effect on a device.
            file.set_len(0).ok();
        }
    }
    drop(worker);
    log.shutdown();
    assert_eq!(losses.dropped_records() + losses.failed_records(), 0);
    let share = |time: Duration| time.mul_f64(records as f64 / (bursts * BURST) as f64);
    (share(pushed), share(written - cold))
}

fn access_log(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("cloverleaf-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the log");
    let file = folder.join("access.log");
    let nowhere = Path::new("/dev/null");
    let mut group = criterion.benchmark_group("access_log");
    group.sample_size(10);
    group.bench_function("worker", |bencher| {
        bencher.iter_custom(|records| run(nowhere, records).0)
    });
    group.bench_function("log thread, to nowhere", |bencher| {
        bencher.iter_custom(|records| run(nowhere, records).1)
    });
    group.bench_function("log thread, to a file", |bencher| {
        bencher.iter_custom(|records| {
            fs::remove_file(&file).ok();
            run(&file, records).1
        });
    });
    group.finish();
    fs::remove_dir_all(&folder).ok();
}

criterion_group!(benches, access_log);
criterion_main!(benches);
