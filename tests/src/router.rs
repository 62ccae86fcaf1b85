//! A running router, and everything that one can see of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::access_log::AccessLog;
use crate::base64::base64;
use crate::bus::NatsServer;
use crate::client::Client;
use crate::component_log::{ComponentLog, Event};
use crate::eventually::eventually;
use crate::folder::Folder;
use crate::http::Response;
use crate::metrics::Metrics;
use crate::process::{Process, binary};
use crate::registration::Registration;
use crate::start::{CONFIG, PROGRAM, Ports, STATUS_USER, Start, set};

/// A router process with its bus; both end when it is dropped.
#[derive(Debug)]
pub struct Router {
    process: Process,
    ports: Ports,
    buses: Vec<NatsServer>,
    folder: Folder,
    successors: usize,
}

impl Router {
    /// Starts a router with the settings that suit most tests.
    ///
    /// # Panics
    /// When it does not come up, with its log.
    #[track_caller]
    pub fn start() -> Router {
        Router::builder().start()
    }

    /// A router with settings of one's own.
    pub fn builder() -> Start {
        Start::new()
    }

    pub(crate) fn new(process: Process, folder: Folder, ports: Ports) -> Router {
        Router {
            process,
            ports,
            buses: Vec::new(),
            folder,
            successors: 0,
        }
    }

    pub(crate) fn adopt(&mut self, buses: Vec<NatsServer>) {
        self.buses = buses;
    }

    /// Waits for the line that says that the router serves.
    #[track_caller]
    pub fn wait_until_started(&self) -> Event {
        ComponentLog::wait_for(&self.process, "gorouter.started")
    }

    // --- what a client sees

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.ports.http.number()
    }

    /// A new connection to the proxy.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.port())
    }

    /// A GET on a connection of its own.
    #[track_caller]
    pub fn get(&self, host: &str, target: &str) -> Response {
        self.client().get(host, target)
    }

    /// Whether the proxy's port refuses connections.
    pub fn refuses(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).is_err()
    }

    // --- routes

    /// The first NATS server.
    pub fn bus(&self) -> &NatsServer {
        &self.buses[0]
    }

    /// One of the NATS servers, to stop or start it.
    pub fn bus_mut(&mut self, number: usize) -> &mut NatsServer {
        &mut self.buses[number]
    }

    /// All NATS servers.
    pub fn buses(&self) -> &[NatsServer] {
        &self.buses
    }

    /// Publishes a registration and waits until `/routes` shows it.
    #[track_caller]
    pub fn register(&self, registration: &Registration) {
        self.publish("router.register", registration.message());
        self.wait_for_route(registration);
    }

    /// Waits until `/routes` shows all routes of a registration.
    #[track_caller]
    pub fn wait_for_route(&self, registration: &Registration) {
        eventually(&format!("/routes to show {registration:?}"), || {
            self.shows(registration).then_some(())
        });
    }

    /// Takes a registration back and waits until `/routes` does not show it any more.
    #[track_caller]
    pub fn unregister(&self, registration: &Registration) {
        self.publish("router.unregister", registration.message());
        eventually(&format!("/routes to lose {registration:?}"), || {
            (!self.shows(registration)).then_some(())
        });
    }

    /// Publishes to the first NATS server.
    #[track_caller]
    pub fn publish(&self, subject: &str, payload: impl AsRef<[u8]>) {
        self.bus().client().publish(subject, payload);
    }

    /// Waits until the router has handled all that was published before: messages are handled in order.
    #[track_caller]
    pub fn settle(&self) {
        let marker = Registration::at("settled.test", 1);
        self.register(&marker);
        self.unregister(&marker);
    }

    /// Whether `/routes` shows the registration's address under all its routes.
    pub fn shows(&self, registration: &Registration) -> bool {
        let table = self.routes();
        let listed = |key: &String| {
            let endpoints = table[key.as_str()].as_array().into_iter().flatten();
            endpoints
                .into_iter()
                .any(|endpoint| endpoint["address"] == json!(registration.address()))
        };
        registration.keys().iter().all(listed)
    }

    /// What `/routes` shows.
    ///
    /// # Panics
    /// When it does not answer as it has to.
    #[track_caller]
    pub fn routes(&self) -> Value {
        let response = self.routes_with(Some(&base64(STATUS_USER)));
        assert_eq!(response.status, 200, "{response:?}");
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("/routes: {error}: {}", response.text()))
    }

    /// What `/routes` shows to this query.
    ///
    /// # Panics
    /// When it does not answer as it has to.
    #[track_caller]
    pub fn routes_query(&self, query: &str) -> Value {
        let response = self.ask_for_routes(&format!("?{query}"), Some(&base64(STATUS_USER)));
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("/routes?{query}: {error}: {}", response.text()))
    }

    /// The answer of `/routes` to these basic credentials.
    #[track_caller]
    pub fn routes_with(&self, token: Option<&str>) -> Response {
        self.ask_for_routes("", token)
    }

    #[track_caller]
    fn ask_for_routes(&self, query: &str, token: Option<&str>) -> Response {
        let authorization = token
            .map(|token| format!("Authorization: Basic {token}\r\n"))
            .unwrap_or_default();
        let mut client = Client::connect(self.ports.routes.number());
        client.send(format!(
            "GET /routes{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n"
        ));
        client.response()
    }

    /// The port of `/routes`.
    pub fn routes_port(&self) -> u16 {
        self.ports.routes.number()
    }

    // --- what an operator sees

    /// The answer of the health listener to a path.
    #[track_caller]
    pub fn status(&self, path: &str) -> Response {
        Client::connect(self.ports.status.number()).get("127.0.0.1", path)
    }

    /// The health listener's port.
    pub fn status_port(&self) -> u16 {
        self.ports.status.number()
    }

    /// What `/metrics` says.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        let response = Client::connect(self.ports.metrics.number()).get("127.0.0.1", "/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        Metrics::new(response.text())
    }

    /// The access log.
    pub fn access_log(&self) -> AccessLog {
        AccessLog::at(&self.folder.path().join("access.log"))
    }

    /// Starts the program once more with the same configuration, and does not wait.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn next_process(&mut self) -> Process {
        self.successors += 1;
        let mut command = Command::new(binary(PROGRAM));
        let folder = self.folder.path();
        command.args(["-c", CONFIG]).current_dir(folder);
        let output = folder.join(format!("output-{}.log", self.successors));
        Process::start(PROGRAM, &mut command, &output)
    }

    /// Starts the next process, which takes over when it serves, and waits until then. From now on this value stands for
    /// it; the former process is given back.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn succeed(&mut self) -> Process {
        let next = self.next_process();
        let former = std::mem::replace(&mut self.process, next);
        self.wait_for_event("upgrade-completed");
        former
    }

    /// Where its configuration and its logs are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Changes a key in the configuration's file, such as `backends.max_conns`; null removes it. Nobody is told.
    ///
    /// # Panics
    /// When the file is not there.
    pub fn configure(&self, key: &str, value: impl Into<Value>) {
        let text = fs::read(self.folder.path().join(CONFIG)).expect("a configuration");
        let mut config = serde_json::from_slice(&text).expect("JSON");
        set(&mut config, key, value.into());
        self.folder.write(CONFIG, &format!("{config:#}\n"));
    }

    /// The component log so far.
    pub fn log(&self) -> ComponentLog {
        ComponentLog::of(&self.process)
    }

    /// Waits for an event in the component log.
    #[track_caller]
    pub fn wait_for_event(&self, message: &str) -> Event {
        ComponentLog::wait_for(&self.process, message)
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// The most memory that the process has held so far, in KiB (`VmHWM`).
    ///
    /// # Panics
    /// When the system does not say.
    pub fn peak_memory(&self) -> u64 {
        self.status_line("VmHWM:")
    }

    /// The memory that the process holds now, in KiB (`VmRSS`).
    ///
    /// # Panics
    /// When the system does not say.
    pub fn memory(&self) -> u64 {
        self.status_line("VmRSS:")
    }

    /// The file descriptors that the process has open; 0 when the system does not say.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id()))
            .map(Iterator::count)
            .unwrap_or(0)
    }

    fn status_line(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .expect("a process status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} line"))
    }

    /// Number of rings of io_uring that the process has.
    pub fn rings(&self) -> usize {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        let descriptors = descriptors.expect("a list of descriptors").flatten();
        descriptors
            .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
            .filter(|leads_to| leads_to.as_os_str() == "anon_inode:[io_uring]")
            .count()
    }

    /// CPU time of each thread whose name begins so, by thread.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn cpu_of_threads(&self, prefix: &str) -> BTreeMap<String, Duration> {
        let tasks =
            fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("a list of threads");
        let cpu = |path: &Path| -> Option<(String, Duration)> {
            let name = fs::read_to_string(path.join("comm"))
                .ok()?
                .trim()
                .to_owned();
            let spent = fs::read_to_string(path.join("schedstat")).ok()?;
            let nanoseconds = spent.split_ascii_whitespace().next()?.parse().ok()?;
            name.starts_with(prefix)
                .then_some((name, Duration::from_nanos(nanoseconds)))
        };
        tasks
            .flatten()
            .filter_map(|task| cpu(&task.path()))
            .collect()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.process.output();
            let lines: Vec<&str> = output.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- the router's last lines\n{}\n---", last.join("\n"));
        }
    }
}
