//! Starting a router: its configuration, its ports, its bus.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Map, Value, json};

use crate::bus::NatsServer;
use crate::component_log::ComponentLog;
use crate::eventually::{LIMIT, poll};
use crate::folder::Folder;
use crate::port::Port;
use crate::process::{Process, binary};
use crate::router::Router;

/// User and password of `/routes` in every router that is started here.
pub(crate) const STATUS_USER: &str = "status-user:status-pass";

/// Ports can be taken by others between the look and the start.
const TRIES: usize = 3;

/// The file of the configuration in a router's folder.
pub(crate) const CONFIG: &str = "gorouter.yml";

/// The program under test.
pub(crate) const PROGRAM: &str = "cloverleaf-router";

/// A router that is about to be started: GoRouter's configuration with free ports, its own NATS server, short delays.
#[derive(Debug)]
pub struct Start {
    overrides: Vec<(String, Value)>,
    buses: Vec<NatsServer>,
    open_files: Option<usize>,
    socket: Option<TcpListener>,
    environment: Vec<(String, String)>,
}

/// How a run ended that was not to go on.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote, on both outputs.
    pub output: String,
}

#[derive(Debug)]
pub(crate) struct Ports {
    pub http: Port,
    pub status: Port,
    pub routes: Port,
    pub metrics: Port,
    pub internal: Port,
}

impl Start {
    pub(crate) fn new() -> Start {
        Start {
            overrides: Vec::new(),
            buses: Vec::new(),
            open_files: None,
            socket: None,
            environment: Vec::new(),
        }
    }

    /// Sets a key of the configuration, such as `backends.max_conns`; null removes it.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Start {
        self.overrides.push((key.to_owned(), value.into()));
        self
    }

    /// Uses this NATS server in place of one that is started along; more than one are configured in this order.
    pub fn with_bus(mut self, bus: NatsServer) -> Start {
        self.buses.push(bus);
        self
    }

    /// Allows the router so many file descriptors only.
    pub fn with_open_files(mut self, limit: usize) -> Start {
        self.open_files = Some(limit);
        self
    }

    /// Gives the router this variable in its environment.
    pub fn with_variable(mut self, name: &str, value: &str) -> Start {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives the router this socket to listen on, as a supervisor does that has opened it.
    pub fn with_socket(mut self, socket: TcpListener) -> Start {
        self.socket = Some(socket);
        self
    }

    /// Starts the router and waits until it serves.
    ///
    /// # Panics
    /// When it does not, with its log.
    #[track_caller]
    pub fn start(self) -> Router {
        let router = self.launch();
        router.wait_until_started();
        router
    }

    /// Starts the router and does not wait.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[track_caller]
    pub fn launch(mut self) -> Router {
        if self.buses.is_empty() {
            self.buses.push(NatsServer::start());
        }
        for _ in 1..TRIES {
            let mut router = self.try_launch();
            if !lost_a_port(&mut router) {
                router.adopt(self.buses);
                return router;
            }
        }
        let mut router = self.try_launch();
        router.adopt(self.buses);
        router
    }

    fn try_launch(&self) -> Router {
        let (folder, ports) = (Folder::new(), Ports::reserve());
        let config = self.config(&folder, &ports);
        // JSON is YAML.
        let file = folder.write(CONFIG, &format!("{config:#}\n"));
        // The shell becomes the program, so the process is the same.
        let shell = |script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            shell
        };
        let mut command = match (self.open_files, &self.socket) {
            (None, None) => Command::new(binary(PROGRAM)),
            (Some(limit), _) => {
                let mut shell = shell("ulimit -n \"$0\" && exec \"$@\"");
                shell.arg(limit.to_string()).arg(binary(PROGRAM));
                shell
            }
            (None, Some(_)) => {
                let pass = "exec 3<&0 0< /dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
                let mut shell = shell(pass);
                shell.arg(binary(PROGRAM));
                shell
            }
        };
        let input = match &self.socket {
            Some(socket) => OwnedFd::from(socket.try_clone().expect("a socket")).into(),
            None => Stdio::null(),
        };
        command.arg("-c").arg(&file).current_dir(folder.path());
        command.envs(self.environment.iter().cloned());
        let output = folder.path().join("output.log");
        let process = Process::start_with_input(PROGRAM, &mut command, input, &output);
        Router::new(process, folder, ports)
    }

    fn config(&self, folder: &Folder, ports: &Ports) -> Value {
        let mut nats = self
            .buses
            .first()
            .map(|bus| bus.access().config())
            .unwrap_or_default();
        let host = |bus: &NatsServer| json!({ "hostname": "127.0.0.1", "port": bus.port() });
        nats.insert("hosts".into(), self.buses.iter().map(host).collect());
        let (user, password) = STATUS_USER.split_once(':').unwrap_or_default();
        let mut config = json!({
            "port": ports.http.number(),
            "status": {
                "host": "127.0.0.1",
                "port": ports.status.number(),
                "user": user,
                "pass": password,
                "routes": { "port": ports.routes.number() },
            },
            "nats": nats,
            "logging": {
                "level": "debug",
                "syslog": "gorouter",
                "metron_address": "127.0.0.1:9",
                "format": { "timestamp": "rfc3339" },
            },
            "prometheus": { "enabled": true, "port": ports.metrics.number() },
            "access_log": { "file": folder.path().join("access.log") },
            "route_services_internal_server_port": ports.internal.number(),
            "start_response_delay_interval": "1ms",
            "endpoint_timeout": "20s",
            "endpoint_dial_timeout": "2s",
            "frontend_idle_timeout": "30s",
            "backends": { "max_attempts": 3 },
            "disable_keep_alives": false,
            "max_idle_conns": 100,
            "max_idle_conns_per_host": 100,
            "go_max_procs": 2,
        });
        if std::env::var_os("CLOVERLEAF_TEST_IO_URING").is_some() {
            set(&mut config, "io_uring", true.into());
        }
        for (key, value) in &self.overrides {
            set(&mut config, key, value.clone());
        }
        config
    }

    /// Runs the program with a configuration text of one's own until it ends.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn run(config: &str, arguments: &[&str]) -> Finished {
        let folder = Folder::new();
        folder.write(CONFIG, config);
        Start::run_in(&folder, &[&["-c", CONFIG], arguments].concat())
    }

    /// Runs the program in a folder with these arguments alone until it ends.
    ///
    /// # Panics
    /// When it goes on.
    #[track_caller]
    pub fn run_in(folder: &Folder, arguments: &[&str]) -> Finished {
        let mut command = Command::new(binary(PROGRAM));
        command.args(arguments).current_dir(folder.path());
        let mut process = Process::start(PROGRAM, &mut command, &folder.path().join("output.log"));
        let status = process.wait();
        Finished {
            status,
            output: process.output(),
        }
    }
}

impl Ports {
    fn reserve() -> Ports {
        Ports {
            http: Port::reserve(),
            status: Port::reserve(),
            routes: Port::reserve(),
            metrics: Port::reserve(),
            internal: Port::reserve(),
        }
    }
}

/// Whether the router has ended because a port was taken from under it; looks until it has started or ended.
fn lost_a_port(router: &mut Router) -> bool {
    let process = router.process();
    let ended = poll(LIMIT, || match process.ended() {
        Some(status) => Some(!status.success()),
        // Listeners other than the proxy's are open before the bus is used; the proxy's comes last.
        None => (!ComponentLog::of(process)
            .with_message("subscriber-started")
            .is_empty())
        .then_some(false),
    });
    ended == Some(true)
        && process
            .output()
            .to_lowercase()
            .contains("address already in use")
}

/// Sets a dotted key; null removes it.
pub(crate) fn set(config: &mut Value, key: &str, value: Value) {
    let (parents, last) = key
        .rsplit_once('.')
        .map_or((None, key), |(parents, last)| (Some(parents), last));
    let mut section = config;
    for name in parents.into_iter().flat_map(|parents| parents.split('.')) {
        section = &mut section[name];
        if section.is_null() {
            *section = Value::Object(Map::new());
        }
    }
    match (section, value) {
        (Value::Object(section), Value::Null) => drop(section.remove(last)),
        (Value::Object(section), value) => drop(section.insert(last.to_owned(), value)),
        (other, _) => panic!("{key}: {other} has no keys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_keys_are_set_made_and_removed() {
        let mut config = json!({ "a": { "b": 1 } });
        set(&mut config, "a.b", json!(2));
        set(&mut config, "a.c.d", json!(3));
        set(&mut config, "e", json!([4]));
        assert_eq!(
            config,
            json!({ "a": { "b": 2, "c": { "d": 3 } }, "e": [4] })
        );
        set(&mut config, "a.c", Value::Null);
        set(&mut config, "e", Value::Null);
        assert_eq!(config, json!({ "a": { "b": 2 } }));
    }
}
