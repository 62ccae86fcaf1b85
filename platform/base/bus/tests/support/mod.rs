//! Real NATS servers for tests: each on a port of its own, gone with its owner.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary uses its part; what tests share may panic as they may"
)]

pub mod certificates;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use cloverleaf_bus::{NatsOptions, ServerAddress};

/// Far above what anything here takes; reached only when a test fails.
pub const LONG: Duration = Duration::from_secs(60);

/// A running `nats-server`.
pub struct NatsServer {
    process: Child,
    port: u16,
    arguments: Vec<String>,
    log: Receiver<String>,
    scratch: Option<Scratch>,
}

impl NatsServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start(arguments: &[&str]) -> NatsServer {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        NatsServer::on_port(-1, &arguments).unwrap_or_else(|log| panic!("{log:#?}"))
    }

    /// Starts a server with the text of a configuration file.
    pub fn start_with(config: &str) -> NatsServer {
        let scratch = Scratch::new();
        let file = scratch.file("nats.conf", config);
        let mut server = NatsServer::start(&["-c", file.to_str().unwrap()]);
        server.scratch = Some(scratch);
        server
    }

    /// Starts a server, -1 standing for any port, and waits until it serves. Its log if it ends.
    fn on_port(port: i32, arguments: &[String]) -> Result<NatsServer, Vec<String>> {
        let mut process = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &port.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start nats-server ({error}): install the package `nats-server`")
            });
        let (lines, log) = channel();
        let output = BufReader::new(process.stderr.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                lines.send(line).ok();
            }
        });
        let mut server = NatsServer {
            process,
            port: 0,
            arguments: arguments.to_vec(),
            log,
            scratch: None,
        };
        let listening = server.find_in_log("Listening for client connections on")?;
        server.port = port_at_the_end(&listening);
        server.find_in_log("Server is ready")?;
        Ok(server)
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's address, with the host's name.
    pub fn address(&self) -> ServerAddress {
        ServerAddress {
            host: "localhost".to_owned(),
            port: self.port,
        }
    }

    /// Options to connect to this server alone, which do not wait long.
    pub fn options(&self) -> NatsOptions {
        options_for([self.address()])
    }

    /// The port for other servers of a cluster; to be asked once.
    pub fn port_in_cluster(&self) -> u16 {
        port_at_the_end(&self.wait_for_log("Listening for route connections on"))
    }

    /// Waits until this server tells its clients of the one at `port`.
    pub fn wait_until_announced(&self, port: u16) {
        let deadline = Instant::now() + LONG;
        loop {
            let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            let mut info = String::new();
            BufReader::new(socket).read_line(&mut info).unwrap();
            if info.contains(&format!("\"127.0.0.1:{port}\"")) {
                return;
            }
            assert!(Instant::now() < deadline, "{info}");
        }
    }

    /// Waits for a line of the server's log that contains `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.find_in_log(text)
            .unwrap_or_else(|log| panic!("no `{text}` in the server's log: {log:#?}"))
    }

    fn find_in_log(&self, text: &str) -> Result<String, Vec<String>> {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(LONG) {
            if line.contains(text) {
                return Ok(line);
            }
            seen.push(line);
        }
        Err(seen)
    }

    /// Kills the server and waits until it is gone, and its port with it.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the killed server anew on the same port, as soon as that is free.
    pub fn restart(&mut self) {
        self.restart_with(&self.arguments.clone());
    }

    /// Starts the killed server anew on the same port, with other arguments.
    pub fn restart_with(&mut self, arguments: &[impl ToString]) {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let deadline = Instant::now() + LONG;
        loop {
            match NatsServer::on_port(self.port.into(), &arguments) {
                Ok(mut server) => {
                    server.scratch = self.scratch.take();
                    *self = server;
                    return;
                }
                Err(log) => assert!(Instant::now() < deadline, "{log:#?}"),
            }
        }
    }

    /// Stops the server's clock: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn port_at_the_end(line: &str) -> u16 {
    line.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Options to connect to any of these servers, which do not wait long.
pub fn options_for(servers: impl IntoIterator<Item = ServerAddress>) -> NatsOptions {
    NatsOptions {
        servers: servers.into_iter().collect(),
        start_wait: Duration::from_millis(1),
        reconnect_wait: Duration::from_millis(10),
        ..NatsOptions::default()
    }
}

/// A folder that no other test shares, gone with its owner.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("bus-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    /// Writes a file into the folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
