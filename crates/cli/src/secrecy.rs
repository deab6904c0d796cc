//! Keeping ticket keys out of core dumps and swap.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// Makes sure, as far as the system lets it, that what is in this process' memory is nowhere else. Gives a warning, a line
/// for whoever runs it, of what it does not let it.
pub(crate) fn keep_memory_here() -> Vec<String> {
    let mut warnings = Vec::new();
    if let Err(error) = refuse_core_dumps() {
        warnings.push(format!("warning: a core dump may hold ticket keys: {error}; run with LimitCORE=0"));
    }
    if !lock_memory() && machine_swaps() {
        let what = "ticket keys may reach swap, because memory cannot be locked; run with LimitMEMLOCK=infinity";
        warnings.push(format!("warning: {what}"));
    }
    warnings
}

/// The same, for a command that is over in a moment: what the system does not let it is not worth a line each time.
pub(crate) fn try_to_keep_memory_here() {
    drop(keep_memory_here());
}

/// Twice, because each does what the other cannot:
///
/// - A process that is not dumpable leaves no core, neither in a file nor in a pipe (`systemd-coredump`), whatever its limit;
///   and no other process of the same user may read its memory (ptrace(2), `/proc/PID/mem`).
/// - The limit shows in `/proc/PID/limits`, and stays where something makes the process dumpable again (prctl(2) has a list).
///   One byte rather than none, where that is allowed: the kernel leaves out a dump into a pipe for no other limit.
///
/// `MADV_DONTDUMP`, which leaves single pages out of a dump, has nothing left to do.
fn refuse_core_dumps() -> rustix::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let limit = getrlimit(Resource::Core);
    let least = limit.maximum.map_or(1, |maximum| maximum.min(1));
    setrlimit(Resource::Core, Rlimit { current: Some(least), ..limit })
}

/// Under a limit memory is better not locked: at the limit, whatever asks for more would fail.
fn lock_memory() -> bool {
    let unlimited = Rlimit { current: None, maximum: None };
    let may_lock = getrlimit(Resource::Memlock).current.is_none()
        || setrlimit(Resource::Memlock, unlimited).is_ok()
        || is_above_limit();
    may_lock && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok()
}

/// Whether the limit is none for this process (mlock(2)).
fn is_above_limit() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}

/// `/proc/swaps` has a heading, and a line for each device.
fn machine_swaps() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() > 1)
}
