//! Ticket keys stay in the memory of whoever holds them.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::io::{Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use raincheck_tests::deadline::until;
use raincheck_tests::edge::{Edge, raincheck};
use raincheck_tests::key_file::{Key, KeyFile};
use raincheck_tests::program::run;
use raincheck_tests::site::Site;

#[test]
fn no_command_that_holds_keys_leaves_a_core_dump() {
    let site = Site::new();
    let edge = Edge::start(&site.scratch, site.web("127.0.0.1:9".parse().unwrap()));
    assert!(largest_dump(edge.pid()) <= 1);

    // It cannot write the key, so it is there to be looked at.
    let (_reader, mut full) = pipe().unwrap();
    full.write_all(&[0; CAPACITY]).unwrap();
    let command = Running::start([OsStr::new("keys"), "new".as_ref()], full);
    until("`keys new` refuses core dumps", || (largest_dump(command.0.id()) <= 1).then_some(()));

    // Its certificate never comes, so neither does its end.
    fifo(&site.certificate.chain);
    let keys = KeyFile::new(&site.scratch, "keys", &[&Key::random()]);
    let config = site.web("127.0.0.1:9".parse().unwrap()).key_file(keys.path());
    let file = site.scratch.write("checked.toml", config.text());
    let command = Running::start([OsStr::new("check-config"), file.as_os_str()], Stdio::null());
    until("`check-config` refuses core dumps", || (largest_dump(command.0.id()) <= 1).then_some(()));
}

#[test]
fn an_edge_that_is_aborted_leaves_no_core_dump() {
    let site = Site::new();
    // What a dump in this directory would be there for.
    let mut other = Command::new("sh");
    other.args(["-c", &format!("{ALLOWED}; kill -ABRT $$")]).current_dir(site.scratch.path());
    let can_be_seen = other.status().unwrap().core_dumped();

    let config = site.web("127.0.0.1:9".parse().unwrap());
    let mut command = with_dumps_allowed(raincheck().get_program());
    command.current_dir(site.scratch.path());
    let mut edge = Edge::start_by(command, &site.scratch, config);
    // Without the limit: that it is not dumpable is enough.
    let limit = format!("--pid={}", edge.pid());
    run(Command::new("prlimit").args([&limit, "--core=unlimited:unlimited"]), b"");
    edge.abort();
    let ended = edge.ended();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    assert!(can_be_seen || largest_dump_here() == 0, "no process leaves a dump here");
}

/// Bytes of a core dump this process may leave, at most.
fn largest_dump_here() -> u64 {
    let hard = run(Command::new("sh").args(["-c", "ulimit -H -c"]), b"").stdout;
    hard.trim().parse().unwrap_or(u64::MAX)
}

/// A program with core dumps allowed.
fn with_dumps_allowed(program: &OsStr) -> Command {
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), format!("{ALLOWED}; exec \"$@\"").as_ref(), "sh".as_ref(), program]);
    command
}

const ALLOWED: &str = "ulimit -S -c \"$(ulimit -H -c)\"";

/// A command that was started with core dumps allowed; killed when dropped.
struct Running(Child);

impl Running {
    fn start<const N: usize>(arguments: [&OsStr; N], stdout: impl Into<Stdio>) -> Self {
        let command = raincheck();
        let child = with_dumps_allowed(command.get_program())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .spawn()
            .unwrap();
        let running = Self(child);
        // What nobody else may read of a process that refuses dumps, its name is not.
        until("the shell is gone", || {
            let name = fs::read_to_string(format!("/proc/{}/comm", running.0.id())).unwrap();
            (name.trim_end() == "raincheck").then_some(())
        });
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts a FIFO in the place of a file.
fn fifo(path: &Path) {
    fs::remove_file(path).unwrap();
    run(Command::new("mkfifo").arg(path), b"").succeeded();
}

/// Bytes of a core dump the process would leave (`/proc/PID/limits`: name, soft limit, hard limit, unit).
fn largest_dump(pid: u32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap_or(u64::MAX)
}

/// What a pipe holds (pipe(7)).
const CAPACITY: usize = 64 * 1024;
