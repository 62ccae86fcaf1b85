//! Ports for listeners of the programs under test.

use std::fs::File;
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::getuid;

/// Below the range from which the kernel picks the ports of clients.
const FIRST: u16 = 12_000;
const COUNT: u16 = 19_000;

/// A port that was free a moment ago and that no other test on this machine is given while this value lives.
///
/// Tests run as processes of their own, so the reservation is a locked file; the system lets go of it when they end.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port.
    ///
    /// # Panics
    /// When no lock file can be made in the system's temporary folder.
    pub fn reserve() -> Port {
        let folder =
            std::env::temp_dir().join(format!("cloverleaf-test-ports-{}", getuid().as_raw()));
        std::fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut seed = seed();
        loop {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = FIRST + (seed >> 33) as u16 % COUNT;
            let path = folder.join(number.to_string());
            let lock =
                File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if lock.try_lock().is_ok() && is_free(number) {
                return Port {
                    number,
                    _lock: lock,
                };
            }
        }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Different in every process and at every call.
fn seed() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

fn is_free(number: u16) -> bool {
    TcpListener::bind(("::", number))
        .or_else(|_| TcpListener::bind(("0.0.0.0", number)))
        .is_ok()
        && TcpListener::bind(("127.0.0.1", number)).is_ok()
}
