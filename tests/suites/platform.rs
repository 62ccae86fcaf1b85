//! `cloverleaf up`: the first thing that anyone tries.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use cloverleaf_tests::{Client, End, Folder, Platform, Port, Process, base64, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn up_says_what_to_try_and_it_works() {
    let platform = Platform::start();
    let output = platform.output();
    for word in ["demo.localhost", "/health", "/routes", "/metrics", "Ctrl-C"] {
        assert!(output.contains(word), "{word} in {output}");
    }
    let demo = || {
        Some(platform.client().get("demo.localhost", "/any?path"))
            .filter(|answer| answer.status == 200)
    };
    let response = eventually("the demo app", demo);
    assert!(
        response.text().contains("GET /any?path"),
        "{}",
        response.text()
    );
    assert!(
        response.text().contains("x-forwarded-for: 127.0.0.1"),
        "{}",
        response.text()
    );
    assert_eq!(platform.client().get("other.localhost", "/").status, 404);
}

#[test]
fn the_commands_that_up_prints_work_as_they_are() {
    let platform = Platform::start();
    let suggestions = platform.suggestions();
    assert!(suggestions.len() >= 4, "{suggestions:?}");
    for command in suggestions {
        let (port, request) = as_curl_would(&command);
        let response = eventually(&format!("an answer to {command}"), || {
            let mut client = Client::connect(port);
            client.send(&request);
            Some(client.response()).filter(|answer| answer.status == 200)
        });
        assert!(!response.body.is_empty(), "{command}");
    }
}

/// The port and the request of a command line for curl.
fn as_curl_would(command: &str) -> (u16, String) {
    let mut words = command
        .split(' ')
        .skip(1)
        .map(|word| word.trim_matches('\''));
    let (mut host, mut headers) = (None, String::new());
    while let Some(word) = words.next() {
        match word {
            "-H" => {
                assert_eq!(words.next(), Some("Host:"), "{command}");
                host = words.next();
            }
            "-u" => {
                let token = base64(words.next().expect("credentials"));
                headers = format!("Authorization: Basic {token}\r\n");
            }
            url => {
                let rest = url.strip_prefix("http://").expect("a URL");
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                let port = authority
                    .rsplit_once(':')
                    .expect("a port")
                    .1
                    .parse()
                    .expect("a port");
                let host = host.unwrap_or(authority);
                return (
                    port,
                    format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"),
                );
            }
        }
    }
    panic!("no URL in {command}");
}

#[test]
fn up_drains_on_ctrl_c() {
    let mut platform = Platform::start();
    let mut client = platform.client();
    eventually("the demo app", || {
        (client.get("demo.localhost", "/").status == 200).then_some(())
    });
    platform.process().signal(Signal::INT);
    assert_eq!(client.end(), End::Closed);
    assert_eq!(platform.process().wait().code(), Some(0));
    assert!(platform.output().contains("Stopp"), "{}", platform.output());
}

#[test]
fn a_port_that_is_taken_is_named_with_the_flag_that_chooses_another() {
    let folder = Folder::new();
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    let port = taken.local_addr().expect("an address").port().to_string();
    for flag in ["--port", "--health-port", "--routes-port", "--metrics-port"] {
        let flags = ["--port", "--health-port", "--routes-port", "--metrics-port"];
        let mut command = Command::new(binary("cloverleaf"));
        command.arg("up");
        for other in flags {
            command.args([other, if other == flag { &port } else { "0" }]);
        }
        let output = folder.path().join(flag);
        let mut process = Process::start("cloverleaf up", &mut command, &output);
        assert_eq!(process.wait().code(), Some(1));
        let (output, advice) = (process.output(), format!("{flag} chooses another port"));
        assert!(output.contains(&port), "{output}");
        assert!(output.contains(&advice), "{output}");
    }
}

#[test]
fn up_goes_on_when_nobody_reads_what_it_prints() {
    let (health, metrics) = (Port::reserve(), Port::reserve());
    let mut command = Command::new(binary("cloverleaf"));
    command.args(["up", "--port", "0", "--routes-port", "0"]);
    command.args(["--health-port", &health.number().to_string()]);
    command.args(["--metrics-port", &metrics.number().to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a process");
    drop(child.stdout.take());
    eventually("a healthy router", || {
        let is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, health.number())).is_ok();
        let answer = is_open.then(|| Client::connect(health.number()).get("127.0.0.1", "/health"));
        (answer?.status == 200).then_some(())
    });
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("a process id"), Signal::INT).expect("a running process");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}
