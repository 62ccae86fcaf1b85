//! The proofs under load with the sizes that count. `benches/soak --help` teaches.
#![allow(clippy::expect_used, reason = "a proof ends by panicking")]

use std::process::ExitCode;
use std::time::Duration;

use cloverleaf_tests::soak::{
    Closing, Cores, Descriptors, Findings, Handshakes, Part, Readers, Resets, Slowloris, Upgrade,
    When,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const USAGE: &str = "\
benches/soak [PROOF...] [--small] [--seed N] [--seconds N]

  slowloris     20,000 clients send their heads a byte at a time: p99 of other clients stays within twice of what it
                was, memory within the bound of docs/performance.md
  uploads       2,000 clients send their bodies a byte at a time: the same
  closing       2,000,000 GETs against backends that close idle connections at random moments: no client sees it
  descriptors   no file descriptor left: who is there is served, who comes waits, and is served afterwards
  readers       250 clients ask for 256 MiB each and read nothing: memory within the bound (of the process: the
                kernel's own buffers, some 4 MiB for each, are shown; with many more they are what runs out)
  handshakes    1,000 full TLS handshakes a second for a minute while the certificate is replaced every 3 s: none fails
  upgrade       the binary is upgraded 5 times under load with 1,000 WebSockets open: nobody is refused, nothing is cut
  resets        100 clients of HTTP/2 open streams and reset them, as fast as they are let, and come again when they are
                ended: p99 of other clients stays within twice of what it was, memory within the bound of docs/http2.md
  cancels       the same with requests that have reached an application before they are reset: memory within the bound; the
                others' p99 is shown and not judged, since these are load like any other
  all           all of them, one after the other (the default)

  --small       the sizes of the test suite
  --seed N      where chance begins (closing)
  --seconds N   how long a phase is (resets, cancels)

Builds what it needs in the release profile. Needs nats-server, and for the full sizes more than 20,000 file descriptors
for each process: with fewer it takes as many clients as there is room for, and says so. Wants a machine that does
nothing else. Exit code 0 when everything held, 1 when something did not, 2 for a wrong option.
";

const PROOFS: [&str; 9] = [
    "slowloris",
    "uploads",
    "closing",
    "descriptors",
    "readers",
    "handshakes",
    "upgrade",
    "resets",
    "cancels",
];

fn main() -> ExitCode {
    let (mut proofs, mut small, mut seed, mut seconds) = (Vec::new(), false, 1, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            "--small" => small = true,
            "--seed" => match arguments.next().and_then(|text| text.parse().ok()) {
                Some(number) => seed = number,
                None => return wrong("--seed wants a number"),
            },
            "--seconds" => match arguments.next().and_then(|text| text.parse().ok()) {
                Some(number) => seconds = Some(number),
                None => return wrong("--seconds wants a number"),
            },
            proof if PROOFS.contains(&proof) => proofs.push(argument),
            "all" => {}
            other => return wrong(&format!("{other:?} is neither a proof nor an option")),
        }
    }
    if proofs.is_empty() {
        proofs = PROOFS.map(str::to_owned).to_vec();
    }
    let files = raise_limit();
    let mut faults = 0;
    for proof in &proofs {
        println!("{proof}");
        let findings = run(proof, small, seed, seconds, files);
        println!("{findings}");
        faults += findings.faults.len();
    }
    match faults {
        0 => {
            println!("everything held");
            ExitCode::SUCCESS
        }
        _ => {
            println!("{faults} did not hold");
            ExitCode::FAILURE
        }
    }
}

fn wrong(why: &str) -> ExitCode {
    eprintln!("{why}; see benches/soak --help");
    ExitCode::from(2)
}

fn run(proof: &str, small: bool, seed: u64, seconds: Option<u64>, files: usize) -> Findings {
    // What the router keeps for connections to backends and for itself, and the clients that are measured.
    let room = files.saturating_sub(1300);
    let sized = |large: usize, little: usize| if small { little } else { large };
    let fitting = |wanted: usize| {
        if wanted > room {
            println!("  {wanted} wanted, but {files} file descriptors leave room for {room}");
        }
        wanted.min(room)
    };
    let time = Duration::from_secs(sized(20, 2) as u64);
    match proof {
        "slowloris" => Slowloris {
            part: Part::Head,
            connections: fitting(sized(20_000, 500)),
            time,
            slack: Duration::from_micros(sized(200, 20_000) as u64),
        }
        .run(),
        // Two connections for each, and a thread of ours for the second.
        "uploads" => Slowloris {
            part: Part::Body,
            connections: fitting(sized(4_000, 400)) / 2,
            time,
            slack: Duration::from_micros(sized(200, 20_000) as u64),
        }
        .run(),
        "closing" => Closing {
            requests: sized(2_000_000, 20_000),
            clients: sized(16, 8),
            endpoints: sized(4, 3),
            seed,
        }
        .run(),
        "descriptors" => Descriptors {
            limit: sized(2_000, 200),
            keeps_alive: true,
        }
        .run(),
        "handshakes" => Handshakes {
            rate: sized(1000, 100) as u32,
            time: time * 3,
            changes: sized(19, 2) as u32,
            least_percent: sized(95, 20) as u32,
        }
        .run(),
        "upgrade" => Upgrade {
            websockets: fitting(sized(2_000, 200)) / 2,
            newcomers: sized(8, 3),
            regulars: sized(8, 3),
            times: sized(5, 1),
        }
        .run(),
        "resets" | "cancels" => Resets {
            connections: sized(100, 20),
            when: match proof {
                "resets" => When::AtOnce,
                _ => When::UnderWay,
            },
            rate: sized(1000, 200) as u32,
            rounds: sized(3, 1),
            time: Duration::from_secs(seconds.unwrap_or(sized(12, 2) as u64)),
            cores: if small { None } else { Cores::divide() },
            slack: Duration::from_micros(sized(0, 500_000) as u64),
        }
        .run(),
        // Two connections for each.
        _ => Readers {
            clients: fitting(sized(500, 80)) / 2,
            size: sized(256, 64) as u64 * 1024 * 1024,
            time,
        }
        .run(),
    }
}

/// Raises the limit of open files to what is allowed, for this process and those that it starts; says what it is then.
fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // What cannot be raised stays as it is.
    setrlimit(Resource::Nofile, wanted).ok();
    let reached = getrlimit(Resource::Nofile).current;
    usize::try_from(reached.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)
}
