//! What the process takes of its machine.

use std::fs;
use std::time::Duration;

/// Memory in use, in KiB; `None` where the system does not tell.
pub fn memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Processor time spent so far by all threads; `None` where the system does not tell.
pub fn cpu_time() -> Option<Duration> {
    /// Linux counts for its readers in hundredths of a second, whatever its own tick is.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold blanks. Behind it, user and system time are the 12th and the 13th.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let times = behind_name.split_ascii_whitespace().skip(11).take(2);
    let ticks: u32 = times.map_while(|time| time.parse::<u32>().ok()).sum();
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_processor_time_are_known() {
        assert!(memory_kib().unwrap() > 500);
        let before = cpu_time().unwrap();
        let mut spun = 0_u64;
        while cpu_time().unwrap() < before + Duration::from_millis(30) {
            spun = spun.wrapping_add(1);
        }
        assert!(spun > 0);
    }
}
