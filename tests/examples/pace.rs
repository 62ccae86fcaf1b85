//! Load for `benches/run changes`: requests at a fixed rate to a port of this machine.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use cloverleaf_tests::soak::{OpenLoop, Version};

const USAGE: &str = "usage: pace PORT HOST RATE MILLISECONDS SEED

Sends RATE GETs a second for HOST to 127.0.0.1:PORT over 16 connections of HTTP/1.1, at moments that are fixed beforehand
(SEED is where chance begins), and prints {\"requests\", \"microseconds\": {latency: how often}}. A latency counts from the
moment at which the request was due. Ends with an error when one is not answered with 200.";

const CLIENTS: u32 = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, host, rate, time, seed] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let (Ok(port), Ok(rate), Ok(time), Ok(seed)) =
        (port.parse(), rate.parse(), time.parse(), seed.parse())
    else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let clients = OpenLoop {
        port,
        host,
        version: Version::Http1,
        clients: CLIENTS,
        rate,
    };
    let seen = clients.run(Duration::from_millis(time), seed);
    let mut counts = BTreeMap::<u128, u64>::new();
    for latency in &seen {
        *counts.entry(latency.as_micros()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(latency, count)| format!("\"{latency}\": {count}"))
        .collect();
    println!(
        "{{\"requests\": {}, \"microseconds\": {{{}}}}}",
        seen.len(),
        counts.join(", ")
    );
    ExitCode::SUCCESS
}
