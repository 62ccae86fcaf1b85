//! A real `nats-server`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::{Map, Value, json};

use crate::certificates::Authority;
use crate::eventually::{LIMIT, poll};
use crate::folder::Folder;
use crate::nats_client::NatsClient;
use crate::port::Port;
use crate::process::Process;

/// What it takes to be let in.
#[derive(Clone, Debug, Default)]
pub struct BusAccess {
    user: Option<(String, String)>,
    tls: Option<Tls>,
}

#[derive(Clone, Debug)]
struct Tls {
    authority: String,
    server: crate::Identity,
    client: crate::Identity,
    config: Arc<ClientConfig>,
}

/// A NATS server of its own port and folder, ended when dropped.
#[derive(Debug)]
pub struct NatsServer {
    port: Port,
    folder: Folder,
    access: BusAccess,
    process: Option<Process>,
}

impl BusAccess {
    /// User name and password.
    pub fn password(user: &str, password: &str) -> BusAccess {
        BusAccess {
            user: Some((user.into(), password.into())),
            tls: None,
        }
    }

    /// Certificates on both sides.
    pub fn mutual_tls() -> BusAccess {
        let authority = Authority::new("bus authority");
        let (server, client) = (
            authority.identity(&["127.0.0.1"]),
            authority.identity(&["router.test"]),
        );
        let config = authority.client_config(&client);
        BusAccess {
            user: None,
            tls: Some(Tls {
                authority: authority.certificate().into(),
                server,
                client,
                config,
            }),
        }
    }

    /// What the router's configuration says below `nats`, without the hosts.
    pub fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        if let Some((user, password)) = &self.user {
            config.insert("user".into(), json!(user));
            config.insert("pass".into(), json!(password));
        }
        if let Some(tls) = &self.tls {
            config.insert("tls_enabled".into(), json!(true));
            config.insert("ca_certs".into(), json!(tls.authority));
            config.insert("cert_chain".into(), json!(tls.client.certificate));
            config.insert("private_key".into(), json!(tls.client.key));
        }
        config
    }

    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.user
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()))
    }
}

impl NatsServer {
    /// A server that lets everyone in.
    ///
    /// # Panics
    /// When `nats-server` is not installed.
    pub fn start() -> NatsServer {
        NatsServer::start_with(BusAccess::default())
    }

    /// A server that asks for `access`.
    ///
    /// # Panics
    /// When `nats-server` is not installed.
    pub fn start_with(access: BusAccess) -> NatsServer {
        let mut server = NatsServer::reserve();
        server.access = access;
        server.resume();
        server
    }

    /// A server that is not running yet: [`NatsServer::resume`] starts it.
    pub fn reserve() -> NatsServer {
        NatsServer {
            port: Port::reserve(),
            folder: Folder::new(),
            access: BusAccess::default(),
            process: None,
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// What it takes to be let in.
    pub fn access(&self) -> &BusAccess {
        &self.access
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When it is not running.
    pub fn client(&self) -> NatsClient {
        NatsClient::connect(self.port(), &self.access)
            .unwrap_or_else(|error| panic!("NATS: {error}"))
    }

    /// Asks for `access` from its next start on.
    pub fn require(&mut self, access: BusAccess) {
        self.access = access;
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it, again on the same port, and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn resume(&mut self) {
        let mut command = Command::new(program());
        command.args(["-a", "127.0.0.1", "-p", &self.port().to_string()]);
        if let Some((user, password)) = self.access.credentials() {
            command.args(["--user", user, "--pass", password]);
        }
        if let Some(tls) = &self.access.tls {
            command.arg("--tlsverify");
            for (flag, name, text) in [
                ("--tlscert", "server.crt", &tls.server.certificate),
                ("--tlskey", "server.key", &tls.server.key),
                ("--tlscacert", "authority.crt", &tls.authority),
            ] {
                command.arg(flag).arg(self.folder.write(name, text));
            }
        }
        let process = Process::start(
            "nats-server",
            &mut command,
            &self.folder.path().join("nats.log"),
        );
        let up = poll(LIMIT, || {
            NatsClient::connect(self.port(), &self.access).ok()
        });
        assert!(
            up.is_some(),
            "nats-server does not serve: {}",
            process.output()
        );
        self.process = Some(process);
    }
}

/// Debian installs it where only root looks by default.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders
        .map(|folder| folder.join("nats-server"))
        .find(|file| file.is_file());
    found.expect("nats-server is not installed: `apt-get install nats-server`, or run ./test")
}
