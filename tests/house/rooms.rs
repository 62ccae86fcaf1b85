//! Who may know whom inside the router.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::paths::paths;
use crate::sources::{Source, rust};

/// A room of `router/src` and what it may name of the others.
struct Room {
    name: &'static str,
    /// Paths behind `crate::`, each with all below it.
    knows: &'static [&'static str],
    why: &'static str,
}

/// In reading order. A room that is not listed is a failure, so that a new one is thought about.
const ROOMS: &[Room] = &[
    Room {
        name: "message",
        knows: &[],
        why: "what every later room works on stands on nothing",
    },
    Room {
        name: "http1",
        knows: &["message"],
        why: "a codec is bytes in, bytes out",
    },
    Room {
        name: "config",
        knows: &[],
        why: "keys and their rules; others turn them into settings of their own",
    },
    Room {
        name: "table",
        knows: &[],
        why: "routes know no sockets, no HTTP and no clock: time is an argument",
    },
    Room {
        name: "balance",
        knows: &["table"],
        why: "a choice among endpoints, nothing else",
    },
    Room {
        name: "observe",
        knows: &["config"],
        why: "it is handed records and counts; it looks nothing up",
    },
    Room {
        name: "callers",
        knows: &["config", "table"],
        why: "a judgement on names and certificates: no sockets, no HTTP",
    },
    Room {
        name: "policy",
        knows: &[
            "balance",
            "callers::Domains",
            "config",
            "http1::response::Limits",
            "respond::Page",
        ],
        why: "settings of the data path, worked out once from the configuration",
    },
    Room {
        name: "exchange",
        knows: &[
            "callers::Guard",
            "http1::Request",
            "message",
            "observe::record",
            "route_service::Service",
            "table",
            "worker::Clock",
        ],
        why: "one request's life: data that the rooms fill in",
    },
    Room {
        name: "respond",
        knows: &[
            "http1",
            "message",
            "route_service::Denial",
            "route_service::Invalid",
            "upstream::Cause",
            "upstream::Failure",
            "upstream::TlsFailure",
        ],
        why: "errors in, bytes out; it must know the errors",
    },
    Room {
        name: "filters",
        knows: &[
            "config",
            "exchange",
            "http1",
            "message",
            "observe::record",
            "policy",
            "respond::Answer",
            "table::Endpoint",
        ],
        why: "rules on a message: they see neither upstream nor the worker, so they cannot wait",
    },
    Room {
        name: "tls",
        knows: &["config"],
        why: "what is offered and who is trusted, for whoever shakes hands",
    },
    Room {
        name: "route_service",
        knows: &["callers::Caller", "config", "message", "table"],
        why: "a judgement on a head, and what is sealed: no sockets, no clock",
    },
    Room {
        name: "upstream",
        knows: &[
            "balance",
            "callers::Access",
            "config",
            "exchange",
            "http1",
            "http2::Asked",
            "http2::Multiplexed",
            "http2::Unprocessed",
            "message",
            "observe::counters::Count",
            "observe::record",
            "route_service",
            "table",
            "tls",
            "worker",
        ],
        why: "it sees the client's side only through its trait Downstream, and never answers",
    },
    Room {
        name: "serve",
        knows: &[
            "balance::overloaded",
            "callers",
            "config::ForwardedClientCert",
            "exchange",
            "filters",
            "http1",
            "message",
            "observe::counters::Count",
            "observe::record",
            "respond",
            "route_service",
            "table::Limiter",
            "table::Permit",
            "table::Pool",
            "table::Refusal",
            "table::fnv1a",
            "upstream",
            "worker",
        ],
        why: "the stages of a request joined; it reaches the table through the worker",
    },
    Room {
        name: "http2",
        knows: &["http1", "message", "serve", "worker"],
        why: "a stream looks like a connection of HTTP/1.1, so that no other room knows of HTTP/2",
    },
    Room {
        name: "accept",
        knows: &["callers", "config", "http2", "serve", "tls", "worker"],
        why: "sockets in, connections out",
    },
    Room {
        name: "worker",
        knows: &[
            "accept",
            "control::Health",
            "exchange",
            "filters",
            "observe::access_log",
            "observe::counters",
            "policy",
            "table",
            "upstream::Connector",
            "upstream::Idle",
            "upstream::Services",
            "upstream::Shared",
        ],
        why: "the thread's own things, held for those who serve on it",
    },
    Room {
        name: "control",
        knows: &[
            "config",
            "observe::loggregator",
            "observe::process",
            "observe::registry",
            "observe::summary",
            "table",
            "tls",
            "worker::FailedEndpoint",
        ],
        why: "it changes the table and reads the numbers; it does not reach into the data path",
    },
    Room {
        name: "upgrade",
        knows: &[],
        why: "sockets that pass between processes, whatever is spoken on them",
    },
    Room {
        name: "app",
        knows: &[
            "accept",
            "config",
            "control",
            "filters",
            "observe",
            "policy",
            "respond::Page",
            "table",
            "upstream::Connector",
            "upstream::ConnectorError",
            "upstream::Services",
            "upstream::ServicesError",
            "upgrade",
            "worker",
        ],
        why: "the only file that wires the rest",
    },
    Room {
        name: "cli",
        knows: &["app", "config", "respond::Page"],
        why: "arguments, log, signals, exit codes",
    },
    Room {
        name: "lib",
        knows: &[],
        why: "declares the rooms",
    },
    Room {
        name: "main",
        knows: &[],
        why: "calls the library",
    },
];

/// A path that only some files may name.
struct Reserved {
    path: &'static str,
    /// Rooms, or files below `router/src`.
    to: &'static [&'static str],
    why: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        path: "crate::app",
        to: &["app", "cli"],
        why: "nothing is built on the wiring",
    },
    Reserved {
        path: "crate::accept",
        to: &["accept", "app", "worker"],
        why: "a worker is what runs listeners",
    },
    Reserved {
        path: "crate::table::Writer",
        to: &["control/registrar.rs"],
        why: "the table has one writer",
    },
    Reserved {
        path: "httparse",
        to: &["http1"],
        why: "one parser, behind one door",
    },
    Reserved {
        path: "hyper",
        to: &["control"],
        why: "hyper serves operators; the data path has a codec of its own",
    },
    Reserved {
        path: "hyper_util",
        to: &["control"],
        why: "as hyper",
    },
    Reserved {
        path: "axum",
        to: &["control"],
        why: "as hyper",
    },
    Reserved {
        path: "async_nats",
        to: &[],
        why: "the bus hides which broker it is",
    },
    Reserved {
        path: "cloverleaf_bus",
        to: &["app", "cli", "control"],
        why: "routes come in through control",
    },
    Reserved {
        path: "cloverleaf_model",
        to: &["control"],
        why: "wire forms end where the table begins",
    },
    Reserved {
        path: "cloverleaf_config",
        to: &["accept", "callers", "config", "tls", "upstream"],
        why: "one place knows how keys are read; those who speak TLS read certificates",
    },
    Reserved {
        path: "prometheus",
        to: &["observe"],
        why: "the library can be replaced",
    },
    Reserved {
        path: "socket2",
        to: &["accept", "control/call.rs", "upstream/connection.rs"],
        why: "socket options have three homes",
    },
    Reserved {
        path: "serde_json",
        to: &["app", "control", "route_service/crypto.rs"],
        why: "no JSON on the data path, but for the little that is in a signature",
    },
    Reserved {
        path: "std::fs",
        to: &["config", "observe", "upgrade"],
        why: "a worker never blocks on a file",
    },
    Reserved {
        path: "std::thread",
        to: &[
            "app",
            "config/keys.rs",
            "config/watch.rs",
            "observe/access_log.rs",
            "observe/loggregator/breaks.rs",
            "observe/sink/syslog.rs",
            "worker/thread.rs",
        ],
        why: "every thread has an owner that joins it (the configuration only asks for the number of cores, and breaks are the log thread's)",
    },
    Reserved {
        path: "std::sync::Mutex",
        to: &["control", "observe"],
        why: "the hot path takes no lock",
    },
];

/// Rooms that do no I/O and have no clock; these paths are named nowhere in them.
const PURE: &[&str] = &[
    "message", "http1", "table", "balance", "filters", "policy", "respond",
];
const IMPURE: &[&str] = &[
    "tokio",
    "rustls",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Where a file lies: its room and the path of its module.
fn place(source: &Source) -> (String, Vec<String>) {
    let below = source
        .path
        .strip_prefix("router/src/")
        .unwrap_or(&source.path);
    let stem = below.strip_suffix(".rs").unwrap_or(below);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    let module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    (module[0].clone(), module)
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What is wrong with the paths of one file.
fn breaches(source: &Source) -> Vec<String> {
    let (room, module) = place(source);
    let file = source
        .path
        .strip_prefix("router/src/")
        .unwrap_or(&source.path);
    let Some(rule) = ROOMS.iter().find(|rule| rule.name == room) else {
        return vec![format!(
            "{}: the room `{room}` has no rule yet",
            source.path
        )];
    };
    let named: BTreeSet<String> = paths(&source.code(), &module).into_iter().collect();
    let mut breaches = Vec::new();
    for path in &named {
        if let Some(inner) = path.strip_prefix("crate::") {
            let known =
                is_below(inner, &room) || rule.knows.iter().any(|known| is_below(inner, known));
            if !known {
                breaches.push(format!(
                    "{}: `{room}` does not know `{inner}`: {}",
                    source.path, rule.why
                ));
            }
        }
        for reserved in RESERVED
            .iter()
            .filter(|reserved| is_below(path, reserved.path))
        {
            if !reserved
                .to
                .iter()
                .any(|owner| *owner == room || *owner == file)
                && path != &format!("crate::{room}")
            {
                breaches.push(format!(
                    "{}: `{path}` is not for here: {}",
                    source.path, reserved.why
                ));
            }
        }
        if PURE.contains(&room.as_str()) && IMPURE.iter().any(|impure| is_below(path, impure)) {
            breaches.push(format!(
                "{}: `{path}`, but `{room}` does no I/O and has no clock",
                source.path
            ));
        }
    }
    breaches
}

#[test]
fn every_room_of_the_router_knows_only_what_it_may() {
    let sources = rust("router/src");
    let product = sources.iter().filter(|source| !source.is_test());
    let breaches: Vec<String> = product.flat_map(breaches).collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn no_rule_is_left_of_what_is_gone() {
    let sources = rust("router/src");
    let rooms: BTreeSet<String> = sources.iter().map(|source| place(source).0).collect();
    let mut stale = String::new();
    for rule in ROOMS {
        let mut named = BTreeSet::new();
        for source in sources
            .iter()
            .filter(|source| !source.is_test() && place(source).0 == rule.name)
        {
            named.extend(paths(&source.code(), &place(source).1));
        }
        if !rooms.contains(rule.name) {
            writeln!(stale, "there is no room `{}`", rule.name).expect("text");
        }
        for known in rule.knows {
            if !named
                .iter()
                .any(|path| is_below(path, &format!("crate::{known}")))
            {
                writeln!(stale, "`{}` may know `{known}` and does not", rule.name).expect("text");
            }
        }
    }
    assert!(stale.is_empty(), "\n{stale}");
}

#[test]
fn a_breach_is_found_and_named() {
    let breach = |path: &str, text: &str| {
        breaches(&Source {
            path: path.into(),
            text: text.into(),
        })
        .join("\n")
    };
    assert_eq!(
        breach(
            "router/src/table/host.rs",
            "use std::net::IpAddr;\nuse super::pool::Pool;\n"
        ),
        ""
    );
    assert!(
        breach("router/src/table/host.rs", "use super::super::serve::Peer;")
            .contains("does not know `serve::Peer`")
    );
    assert!(
        breach("router/src/balance/mod.rs", "use std::{time::Instant};").contains("has no clock")
    );
    assert!(
        breach("router/src/filters/mod.rs", "use crate::upstream;")
            .contains("does not know `upstream`")
    );
    assert!(breach("router/src/serve/mod.rs", "use hyper::server;").contains("codec of its own"));
    assert!(breach("router/src/fresh/mod.rs", "").contains("no rule yet"));
    assert_eq!(
        breach("router/src/worker/thread.rs", "use crate::accept::accept;"),
        ""
    );
    assert!(
        breach("router/src/control/mod.rs", "use crate::accept::accept;")
            .contains("runs listeners")
    );
}
