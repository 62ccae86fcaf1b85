//! How fast a subscription over NATS receives. Run: `cargo bench -p cloverleaf-bus`.
//!
//! A raw socket sends rendered `PUB` lines through a real `nats-server`; the receiver runs on one
//! thread. Printed are messages a second, which all three processes share the machine for, and the
//! receiver's own CPU time a message, which says what one core could receive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a measurement may panic"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use cloverleaf_bus::{Bus, NatsOptions};
use support::NatsServer;
use support::certificates::Certificates;
use tokio::time::timeout;

const MESSAGES: u64 = 2_000_000;
const IN_A_WRITE: u64 = 256;

fn main() {
    for size in [64, 400] {
        let server = NatsServer::start(&[]);
        measure("plain", size, server.port(), server.options());

        let certificates = Certificates::make();
        let config = certificates.server_config("allow_non_tls: true");
        let server = NatsServer::start_with(&config);
        let options = NatsOptions {
            tls: Some(certificates.client()),
            ..server.options()
        };
        measure("tls", size, server.port(), options);
    }
}

fn measure(kind: &str, size: usize, port: u16, options: NatsOptions) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let bus = Bus::connect(options).await.unwrap();
        let mut messages = bus.subscribe("router.*").await.unwrap();
        bus.flush(Duration::from_secs(5)).await.unwrap();
        let sender = thread::spawn(move || send(port, size));
        messages.next().await.unwrap();
        let (started, cpu_before) = (Instant::now(), thread_cpu());
        let mut received = 1;
        while received < MESSAGES {
            // What was dropped does not come any more.
            let Ok(next) = timeout(Duration::from_secs(5), messages.next()).await else {
                break;
            };
            next.unwrap();
            received += 1;
            while messages.try_next().is_some() {
                received += 1;
            }
        }
        let cpu = thread_cpu() - cpu_before;
        let rate = received as f64 / started.elapsed().as_secs_f64();
        println!(
            "{kind:5} {size:3} bytes: {rate:9.0} messages/s, {:.3} us CPU a message in the receiver, {} dropped",
            cpu.as_secs_f64() * 1e6 / received as f64,
            bus.stats().dropped
        );
        sender.join().unwrap();
    });
}

/// Sends all messages and waits until the server has taken them.
fn send(port: u16, size: usize) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap()).lines();
    answers.next().unwrap().unwrap();
    socket
        .write_all(b"CONNECT {\"verbose\":false}\r\n")
        .unwrap();
    let one = format!("PUB router.register {size}\r\n{}\r\n", "x".repeat(size));
    let many = one.repeat(IN_A_WRITE as usize);
    let mut left = MESSAGES;
    while left > 0 {
        let now = left.min(IN_A_WRITE);
        socket
            .write_all(&many.as_bytes()[..now as usize * one.len()])
            .unwrap();
        left -= now;
    }
    socket.write_all(b"PING\r\n").unwrap();
    let pong = answers.find(|line| line.as_ref().is_ok_and(|line| line == "PONG"));
    assert!(pong.is_some());
}

/// The CPU time that this thread has used.
fn thread_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}
