//! Certificates are replaced while clients shake hands at a steady rate: none of them notices.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Findings;
use crate::certificates::Authority;
use crate::folder::Folder;
use crate::port::Port;
use crate::router::Router;
use crate::tls_client::TlsClient;

/// Clients that share the rate.
const CLIENTS: usize = 8;

/// Handshakes beside changes.
#[derive(Clone, Copy, Debug)]
pub struct Handshakes {
    /// Handshakes a second, of all clients together.
    pub rate: u32,
    /// How long.
    pub time: Duration,
    /// How often the certificate is replaced in that time.
    pub changes: u32,
    /// How much of the rate must be reached: a machine that does something else as well may not have the time.
    pub least_percent: u32,
}

impl Handshakes {
    /// Runs it.
    ///
    /// # Panics
    /// When the world is not as it has to be.
    pub fn run(self) -> Findings {
        let mut findings = Findings::default();
        let (authority, folder, port) = (Authority::new("edge"), Folder::new(), Port::reserve());
        let file = |name: &str| folder.path().join(name).display().to_string();
        authority.identity(&["127.0.0.1"]).write(&folder, "edge");
        let pem = serde_json::json!([
            { "cert_chain_file": file("edge.crt"), "private_key_file": file("edge.key") }
        ]);
        let router = Router::builder()
            .with("logging.level", "debug")
            .with("enable_ssl", true)
            .with("ssl_port", port.number())
            .with("client_cert_validation", "none")
            .with("max_tls_version", "TLSv1.3")
            .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
            .with("tls_pem", pem)
            .start();
        let (done, failed, over) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicBool::new(false),
        );
        let (seen, why) = (Mutex::new(HashSet::new()), Mutex::new(None));
        let share = Duration::from_secs(1) * CLIENTS as u32 / self.rate.max(1);
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                // No ticket is used twice: each handshake is a full one.
                let client = || {
                    let mut next = Instant::now();
                    while !over.load(Ordering::Relaxed) {
                        let config = authority.anonymous_client_config(&[]);
                        match TlsClient::connect(port.number(), config) {
                            Ok(client) => {
                                done.fetch_add(1, Ordering::Relaxed);
                                lock(&seen).insert(client.certificate());
                            }
                            Err(error) => {
                                failed.fetch_add(1, Ordering::Relaxed);
                                lock(&why).get_or_insert(error.to_string());
                            }
                        }
                        next += share;
                        thread::sleep(next.saturating_duration_since(Instant::now()));
                    }
                };
                scope.spawn(client);
            }
            for _ in 0..self.changes {
                thread::sleep(self.time / (self.changes + 1));
                authority.identity(&["127.0.0.1"]).write(&folder, "edge");
            }
            thread::sleep(self.time / (self.changes + 1));
            over.store(true, Ordering::Relaxed);
        });
        let took = began.elapsed();
        let (done, failed) = (done.into_inner(), failed.into_inner());
        let rate = done as f64 / took.as_secs_f64();
        let certificates = lock(&seen).len();
        findings.note("handshakes", done);
        findings.note("handshakes a second", format!("{rate:.0}"));
        findings.note("failed", failed);
        findings.note("certificates seen", certificates);
        findings.check(failed == 0, || {
            format!("{failed} handshakes failed, the first: {:?}", lock(&why))
        });
        let of_router = router.log().with_message("tls-handshake-failed").len();
        findings.check(of_router == 0, || {
            format!("the router saw {of_router} fail")
        });
        findings.check(certificates == self.changes as usize + 1, || {
            format!(
                "{} certificates in force, {certificates} seen",
                self.changes + 1
            )
        });
        let least = f64::from(self.rate) * f64::from(self.least_percent) / 100.0;
        findings.check(rate >= least, || {
            format!("only {rate:.0} handshakes a second")
        });
        findings
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
