//! Keeping ticket keys out of core dumps and swap.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes sure, as far as the system lets it, that what is in this process' memory is nowhere else. Says so where it cannot.
pub(crate) fn keep_memory_here() {
    if let Err(error) = refuse_core_dumps() {
        eprintln!("warning: a core dump may hold ticket keys: {error}; run with LimitCORE=0");
    }
    if !lock_memory() && machine_swaps() {
        eprintln!(
            "warning: ticket keys may reach swap, because memory cannot be locked; run with LimitMEMLOCK=infinity"
        );
    }
}

/// One byte rather than none, where that is allowed: the kernel leaves out a dump into a pipe for no other limit.
fn refuse_core_dumps() -> rustix::io::Result<()> {
    let limit = getrlimit(Resource::Core);
    let least = limit.maximum.map_or(1, |maximum| maximum.min(1));
    setrlimit(Resource::Core, Rlimit { current: Some(least), ..limit })
}

/// Under a limit memory is better not locked: at the limit, whatever asks for more would fail.
fn lock_memory() -> bool {
    let unlimited = Rlimit { current: None, maximum: None };
    let may_lock = getrlimit(Resource::Memlock).current.is_none() || setrlimit(Resource::Memlock, unlimited).is_ok();
    may_lock && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}

/// `/proc/swaps` has a heading, and a line for each device.
fn machine_swaps() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() > 1)
}
