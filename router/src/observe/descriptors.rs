//! How many file descriptors the process has open.

use std::fs;

const OPEN: &str = "/proc/self/fd";

/// Their number; `None` where the system does not tell.
pub(super) fn open() -> Option<i64> {
    // Since Linux 6.2 the size of the directory is their number; before, it is 0 and they have to be counted.
    let open = match fs::metadata(OPEN).ok()?.len() {
        // Without the one that reads the directory.
        0 => (fs::read_dir(OPEN).ok()?.count() as u64).saturating_sub(1),
        size => size,
    };
    i64::try_from(open).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_counted() {
        // Other tests open files meanwhile, but not so many.
        let before = open().unwrap();
        let files: Vec<_> = (0..500)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let after = open().unwrap();
        assert!(
            after >= before + 400 && after <= before + 600,
            "{before} {after}"
        );
        drop(files);
    }
}
