//! What a server has used so far, as the kernel tells it in /proc.
//!
//! CPU time is the first field (nanoseconds on a CPU) of `/proc/PID/task/*/schedstat`: `utime` and `stime`
//! count in ticks of 10 ms. Memory is `Pss_Anon` of `/proc/PID/smaps_rollup`, which walks the page tables and
//! is exact where `RssAnon` is kept per CPU and lags behind; a page that nginx's master and worker share counts once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::time::sleep;

use crate::error::Error;
use crate::machine::spawn_on;

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
            total += parse_bytes(&read(&file)?, "Pss_Anon:").ok_or(Error::Proc { file, what: "Pss_Anon" })?;
        }
        Ok(total)
    }

    /// Bytes that the first of them had resident at most; `None` once it has ended.
    fn peak(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pids.first()?)).ok()?;
        parse_bytes(&status, "VmHWM:")
    }
}

/// What a program took, from its start to its end.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
    /// Bytes of memory that were resident at most.
    pub(crate) memory: u64,
}

/// Runs a program on `core` to its end, its output unseen; any exit status but those in `fine` is an error.
///
/// The kernel keeps the CPU time of who has ended until it is waited for, but not the memory: so that is looked at all the
/// while.
pub(crate) async fn run(command: &mut Command, core: usize, fine: &[i32]) -> Result<Spent, Error> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = command.get_program().display().to_string();
    let begun = Instant::now();
    let child = spawn_on(core, command).map_err(Error::system(format!("start {program}")))?;
    let mut running = Running(child);
    let process = ProcessTree { pids: vec![running.0.id()] };
    let mut spent = Spent::default();
    loop {
        let has_ended = running.has_ended().map_err(Error::system(format!("wait for {program}")))?;
        spent.elapsed = begun.elapsed();
        spent.cpu = spent.cpu.max(process.cpu_time()?);
        spent.memory = spent.memory.max(process.peak().unwrap_or_default());
        if has_ended {
            break;
        }
        sleep(BETWEEN_LOOKS).await;
    }
    let status = running.0.wait().map_err(Error::system(format!("wait for {program}")))?;
    let is_fine = status.code().is_some_and(|code| fine.contains(&code));
    if is_fine { Ok(spent) } else { Err(Error::Failed { program, status }) }
}

/// A program that does not outlive who waits for it.
struct Running(Child);

impl Running {
    /// Whether it ended; it is there to be looked at all the same.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.0)), options)?.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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

/// Bytes in a line like `Pss_Anon:   112 kB`; kB is 1024 bytes here.
fn parse_bytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
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

const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

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
        assert_eq!(parse_bytes(text, "Pss_Anon:"), Some(112 * 1024));
        assert_eq!(parse_bytes("Pss: 4 kB\n", "Pss_Anon:"), None);
        assert_eq!(parse_bytes("Pss_Anon: 4\n", "Pss_Anon:"), None);
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

    #[test]
    fn what_a_program_spent() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let core = crate::machine::Cores::choose().unwrap().server;
        let run = |script: &str| runtime.block_on(run(Command::new("sh").args(["-c", script]), core, &[0, 1]));
        let idle = run("sleep 0.1").unwrap();
        let busy = run("n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done").unwrap();
        assert!(idle.elapsed >= Duration::from_millis(100) && idle.cpu < busy.cpu / 4, "{idle:?}, {busy:?}");
        assert!(busy.elapsed >= busy.cpu && busy.memory > 100_000, "{busy:?}");
        assert!(run("exit 1").is_ok());
        for fails in ["exit 3", "kill -9 $$"] {
            assert!(matches!(run(fails), Err(Error::Failed { .. })), "{fails}");
        }
    }
}
