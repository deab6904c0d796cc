//! The machine's part: which core runs what, and how many files may be open.

use std::io;
use std::process::{Child, Command};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::Error;

/// The core of the product under test, and that of client and upstream.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
}

impl Cores {
    /// The first two cores this process may use.
    pub(crate) fn choose() -> Result<Self, Error> {
        let allowed = sched_getaffinity(None).map_err(Error::system("read the CPU affinity"))?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(load)) => Ok(Self { server, load }),
            (first, _) => Err(Error::Cores { cores: first.iter().count() }),
        }
    }
}

/// Keeps the calling thread, and what it starts from now on, on `core`.
pub(crate) fn pin(core: usize) -> Result<(), Error> {
    pin_thread(core).map_err(Error::system(format!("pin a thread to core {core}")))
}

/// Starts `command` on `core`: it inherits the affinity of the thread that starts it.
pub(crate) fn spawn_on(core: usize, command: &mut Command) -> io::Result<Child> {
    thread::scope(|scope| {
        let spawner = scope.spawn(|| {
            pin_thread(core)?;
            command.spawn()
        });
        spawner.join().expect("the closure has nothing that panics")
    })
}

/// Lets this process, and the servers that inherit it, hold `idle` connections at both their ends.
pub(crate) fn allow_open_files(idle: u64) -> Result<(), Error> {
    let needed = 2 * idle + SPARE_FILES;
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if allowed < needed {
        return Err(Error::OpenFiles { needed, allowed });
    }
    // No more than needed: some programs size tables, or loop, by the limit.
    let current = limit.current.unwrap_or(u64::MAX).max(needed).min(allowed);
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit })
        .map_err(Error::system("raise the limit of open files"))
}

fn pin_thread(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// What a process needs beside the idle connections: the busy ones, listeners, logs.
const SPARE_FILES: u64 = 4096;
