//! `cloverleaf up`: the first thing that anyone tries.

use cloverleaf_tests::{Client, End, Platform, base64, eventually};
use rustix::process::Signal;

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
