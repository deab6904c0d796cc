//! What a server has used so far, as the kernel tells it in /proc.
//!
//! CPU time is the first field (nanoseconds on a CPU) of `/proc/PID/task/*/schedstat`: `utime` and `stime`
//! count in ticks of 10 ms. Memory is `Pss_Anon` of `/proc/PID/smaps_rollup`, which walks the page tables and
//! is exact where `RssAnon` is kept per CPU and lags behind; a page that nginx's master and worker share counts once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

/// A process and its descendants.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTree {
    /// Parents come before their children.
    pub(crate) pids: Vec<u32>,
}

impl ProcessTree {
    /// The tree below and with `root`, as it is now.
    pub(crate) fn of(root: u32) -> Self {
        let mut pids = vec![root];
        let mut next = 0;
        while let Some(&pid) = pids.get(next) {
            pids.extend(children(pid));
            next += 1;
        }
        Self { pids }
    }

    /// CPU time of all threads that are alive.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Error> {
        let mut total = Duration::ZERO;
        for &pid in &self.pids {
            for task in tasks(pid)? {
                total += read_cpu_time(&task.join("schedstat"))?;
            }
        }
        Ok(total)
    }

    /// Bytes of anonymous memory, shared pages in proportion.
    pub(crate) fn memory(&self) -> Result<u64, Error> {
        let mut total = 0;
        for pid in &self.pids {
            let file = PathBuf::from(format!("/proc/{pid}/smaps_rollup"));
            total += parse_pss_anon(&read(&file)?).ok_or(Error::Proc { file, what: "Pss_Anon" })?;
        }
        Ok(total)
    }
}

/// CPU time of the calling thread.
pub(crate) fn own_cpu_time() -> Result<Duration, Error> {
    read_cpu_time(Path::new("/proc/thread-self/schedstat"))
}

fn read_cpu_time(file: &Path) -> Result<Duration, Error> {
    parse_schedstat(&read(file)?).ok_or_else(|| Error::Proc { file: file.into(), what: "CPU time" })
}

/// `schedstat` is "time on the CPU, time waiting for it (ns), number of times run".
fn parse_schedstat(text: &str) -> Option<Duration> {
    let nanos = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Bytes in the line `Pss_Anon:   112 kB`; kB is 1024 bytes here.
fn parse_pss_anon(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

/// Children that live; none when the process is gone.
fn children(pid: u32) -> Vec<u32> {
    let threads = tasks(pid).unwrap_or_default();
    let lists = threads.iter().filter_map(|task| fs::read_to_string(task.join("children")).ok());
    lists.flat_map(|list| parse_pids(&list)).collect()
}

fn parse_pids(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn tasks(pid: u32) -> Result<Vec<PathBuf>, Error> {
    let directory = format!("/proc/{pid}/task");
    let list = || -> io::Result<_> { fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect() };
    list().map_err(Error::system(format!("list {directory}")))
}

fn read(file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(Error::system(format!("read {}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat() {
        assert_eq!(parse_schedstat("910523 17 1\n"), Some(Duration::from_nanos(910_523)));
        assert_eq!(parse_schedstat(""), None);
        assert_eq!(parse_schedstat("-1 0 0"), None);
    }

    #[test]
    fn smaps_rollup() {
        let text = "55b0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:  1764 kB\nPss:   419 kB\nPss_Anon:      112 kB\n";
        assert_eq!(parse_pss_anon(text), Some(112 * 1024));
        assert_eq!(parse_pss_anon("Pss: 4 kB\n"), None);
        assert_eq!(parse_pss_anon("Pss_Anon: 4\n"), None);
    }

    #[test]
    fn pids() {
        assert_eq!(parse_pids("12 345 \n"), [12, 345]);
        assert!(parse_pids("").is_empty());
    }

    /// Another process, for the threads of this one come and go with the tests.
    #[test]
    fn a_busy_process_uses_time_and_memory() {
        let mut busy = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let tree = ProcessTree::of(busy.id());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while tree.cpu_time().unwrap().is_zero() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (time, memory) = (tree.cpu_time(), tree.memory());
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(!time.unwrap().is_zero());
        assert!(memory.unwrap() > 0);
    }
}
