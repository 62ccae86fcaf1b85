//! `cloverleaf up`.

use std::process::Command;

use crate::client::Client;
use crate::eventually::eventually;
use crate::folder::Folder;
use crate::port::Port;
use crate::process::{Process, binary};

/// Everything in one process, as a newcomer starts it, but on free ports.
#[derive(Debug)]
pub struct Platform {
    process: Process,
    _folder: Folder,
    _metrics: Port,
}

impl Platform {
    /// Starts it and waits until it says that it is up.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn start() -> Platform {
        let (folder, metrics) = (Folder::new(), Port::reserve());
        let mut command = Command::new(binary("cloverleaf"));
        command.args([
            "up",
            "--port",
            "0",
            "--health-port",
            "0",
            "--routes-port",
            "0",
        ]);
        command
            .args(["--metrics-port", &metrics.number().to_string()])
            .current_dir(folder.path());
        let process = Process::start(
            "cloverleaf up",
            &mut command,
            &folder.path().join("output.log"),
        );
        let platform = Platform {
            process,
            _folder: folder,
            _metrics: metrics,
        };
        eventually("what to try, as the last thing that a start prints", || {
            platform
                .process
                .output()
                .contains("Ctrl-C stops it.")
                .then_some(())
        });
        platform
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// The commands that it suggests, as printed.
    pub fn suggestions(&self) -> Vec<String> {
        let output = self.output();
        let commands = output
            .lines()
            .filter_map(|line| line.find("curl ").map(|at| line[at..].to_owned()));
        commands.collect()
    }

    /// The port in the first suggestion: the proxy's.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn port(&self) -> u16 {
        let suggestions = self.suggestions();
        let port = suggestions
            .first()
            .and_then(|command| command.rsplit_once(':')?.1.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {suggestions:?}"))
    }

    /// A new connection to the proxy.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.port())
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
