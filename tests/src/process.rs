//! Processes that end with the test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually::{LIMIT, poll};

/// A program under test, killed when dropped. Its output goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

/// The file of a binary of this workspace: where cargo put it beside the running test, or in the folder that the
/// variable `CLOVERLEAF_BIN_DIR` names.
///
/// # Panics
/// When it was not built.
pub fn binary(name: &str) -> PathBuf {
    let folder = match std::env::var_os("CLOVERLEAF_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let test = std::env::current_exe().expect("a running program has a file");
            // target/PROFILE/deps/suites-0123456789abcdef, target/PROFILE/examples/soak
            test.ancestors()
                .nth(2)
                .expect("a test lies in target/PROFILE/deps")
                .to_owned()
        }
    };
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build --workspace --bins --tests` first",
        path.display()
    );
    path
}

impl Process {
    /// Starts `command` with both its outputs going to the end of the file `output`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, output: &Path) -> Process {
        Process::start_with_input(name, command, Stdio::null(), output)
    }

    /// The same, with something on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with_input(
        name: &str,
        command: &mut Command,
        input: Stdio,
        output: &Path,
    ) -> Process {
        let open = || File::options().create(true).append(true).open(output);
        let (stdout, stderr) = (
            open().expect("an output file"),
            open().expect("an output file"),
        );
        let child = command.stdin(input).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Process {
            name: name.to_owned(),
            child,
            output: output.to_owned(),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, on standard output and standard error.
    pub fn output(&self) -> String {
        fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(id, signal)
            .unwrap_or_else(|error| panic!("{} takes no signal: {error}", self.name));
    }

    /// The exit status, when it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it goes on for longer than [`LIMIT`].
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_for(LIMIT)
    }

    /// As [`Process::wait`], with a limit of one's own.
    #[track_caller]
    pub fn wait_for(&mut self, limit: Duration) -> ExitStatus {
        let ended = poll(limit, || self.child.try_wait().ok().flatten());
        ended.unwrap_or_else(|| {
            panic!(
                "{} still runs after {limit:?}: {}",
                self.name,
                self.output()
            )
        })
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
