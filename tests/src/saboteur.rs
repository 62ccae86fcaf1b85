//! Breaks what a process has open, from outside.

use std::collections::HashSet;
use std::fs;
use std::os::fd::OwnedFd;

use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::process::Process;

/// State of a listening socket in the system's tables.
const LISTENING: &str = "0A";

/// Shuts one of the sockets on which a process listens on this port: it will never accept again.
///
/// # Panics
/// When there is none, or when the system does not let us.
#[track_caller]
pub fn break_listener(process: &Process, port: u16) {
    let sockets = listening(port);
    let folder = format!("/proc/{}/fd", process.id());
    let files = fs::read_dir(&folder)
        .expect("a list of open files")
        .flatten();
    let found = files.filter_map(|file| {
        let target = fs::read_link(file.path()).ok()?;
        let inode = target
            .to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?;
        let number: i32 = file.file_name().to_str()?.parse().ok()?;
        sockets.contains(inode).then_some(number)
    });
    let number = found
        .min()
        .unwrap_or_else(|| panic!("nobody listens on port {port}"));
    let socket = taken(process, number);
    shutdown(&socket, Shutdown::Both).expect("a socket that can be shut");
}

/// Inodes of all sockets that listen on this port.
fn listening(port: u16) -> HashSet<String> {
    let mut inodes = HashSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, local, _, state, ..] = fields[..] else {
                continue;
            };
            if state == LISTENING && local.ends_with(&format!(":{port:04X}")) {
                inodes.extend(fields.get(9).map(|inode| (*inode).to_owned()));
            }
        }
    }
    inodes
}

/// A handle of our own on an open file of another process.
fn taken(process: &Process, number: i32) -> OwnedFd {
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let handle = pidfd_open(id.expect("a process id"), PidfdFlags::empty()).expect("a process");
    pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()).expect("an open file of our child")
}
