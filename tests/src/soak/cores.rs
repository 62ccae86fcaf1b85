//! Who runs on which core, so that the program under test and what drives it do not take time from each other.

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The lowest priority of a thread.
const LAST: i32 = 19;

/// The cores of this machine that a proof divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The router's.
    pub router: usize,
    /// Everybody else's.
    pub load: usize,
}

impl Cores {
    /// The lowest core that this process may use, and the next one; `None` when there is only one.
    pub fn divide() -> Option<Cores> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Cores {
            router: cores.next()?,
            load: cores.next()?,
        })
    }

    /// Leaves the router's core, with all threads and processes that the caller starts from now on.
    ///
    /// # Panics
    /// When the system does not allow it.
    pub fn leave(self) {
        pin(self.load);
    }

    /// Does `work` as who runs on the router's core: threads and processes that it starts stay there. The caller
    /// leaves it again.
    ///
    /// # Panics
    /// When the system does not allow it.
    pub fn as_router<T>(self, work: impl FnOnce() -> T) -> T {
        pin(self.router);
        let done = work();
        pin(self.load);
        done
    }
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).expect("a core");
}

/// Lets everybody else on this core go first, for as long as the calling thread lives.
pub(super) fn step_back() {
    // Without it the load is less even, no more.
    setpriority_process(None, LAST).ok();
}
