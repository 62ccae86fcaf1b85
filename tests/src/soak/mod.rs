//! Proofs under load: what must hold with very many connections, dying backends, no descriptors left, slow readers.
//!
//! How large each is, is a parameter: small in the suites, large in `benches/soak`. What does not hold is a fault in
//! the findings, so that a run says all that it saw.

mod closing;
mod cores;
mod descriptors;
mod handshakes;
mod latency;
mod open_loop;
mod readers;
mod resets;
mod resetting;
mod slowloris;
mod upgrade;

use std::fmt;

pub use closing::Closing;
pub use cores::Cores;
pub use descriptors::Descriptors;
pub use handshakes::Handshakes;
pub use open_loop::{OpenLoop, Version};
pub use readers::Readers;
pub use resets::Resets;
pub use resetting::When;
pub use slowloris::{Part, Slowloris};
pub use upgrade::Upgrade;

/// What a proof found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Figures by name.
    pub figures: Vec<(&'static str, String)>,
    /// What does not hold.
    pub faults: Vec<String>,
}

impl Findings {
    fn note(&mut self, name: &'static str, figure: impl fmt::Display) {
        self.figures.push((name, figure.to_string()));
    }

    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// Ends the test when there are faults.
    ///
    /// # Panics
    /// With all figures and faults.
    #[track_caller]
    pub fn must_hold(&self) {
        println!("{self}");
        assert!(self.faults.is_empty(), "{self}");
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, figure) in &self.figures {
            writeln!(out, "  {name:48} {figure}")?;
        }
        for fault in &self.faults {
            writeln!(out, "  FAILED: {fault}")?;
        }
        Ok(())
    }
}

/// A generator that is the same everywhere.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}
