//! Chance that is the same everywhere, and how long tests play with it.

use std::time::Duration;

/// How long a test plays.
const TIME: Duration = Duration::from_secs(5);
const SEED: u64 = 0x00c1_0fe5_1eaf;

/// A generator.
pub struct Dice(u64);

impl Dice {
    /// Begins at `CLOVERLEAF_SEED`, or at the same number in every run.
    pub fn new() -> (Dice, u64) {
        let seed = number("CLOVERLEAF_SEED").unwrap_or(SEED).max(1);
        (Dice(seed), seed)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    /// One of these.
    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }

    /// Puts bytes in, takes some out, or puts pieces in, once now and then.
    pub fn damage(&mut self, text: &mut String, pieces: &[&[&str]]) {
        const BYTES: &[&str] = &[
            "\r", "\n", "\r\n", "\0", " ", "\t", ":", ";", "0", "5", "x", "\u{b}",
        ];
        for _ in 0..self.roll(3).saturating_sub(1) {
            let at = self.roll(text.len() + 1);
            match self.roll(3) {
                0 => text.insert_str(at, self.pick(BYTES)),
                1 if at < text.len() => drop(text.remove(at)),
                _ => {
                    let pieces = pieces[self.roll(pieces.len())];
                    text.insert_str(at, self.pick(pieces));
                }
            }
        }
    }
}

/// `CLOVERLEAF_SECONDS`, or a few.
pub fn time() -> Duration {
    number("CLOVERLEAF_SECONDS").map_or(TIME, Duration::from_secs)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
