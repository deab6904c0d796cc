//! A network namespace, for what listens on fixed ports.

use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command, Stdio};

use crate::deadline::until;
use crate::program;

/// A network namespace with nothing but loopback; gone when dropped. Making one needs root.
#[derive(Debug)]
pub struct Namespace {
    /// Keeps the namespace alive.
    holder: Child,
}

impl Namespace {
    /// Makes one, with loopback up.
    pub fn new() -> Self {
        let holder = Command::new("unshare").args(["--net", "sleep", "infinity"]).stdin(Stdio::null()).spawn().unwrap();
        let namespace = Self { holder };
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        until("the namespace is there", || {
            fs::read_link(format!("/proc/{}/ns/net", namespace.holder.id())).ok().filter(|theirs| *theirs != ours)
        });
        program::run(namespace.command("ip").args(["link", "set", "lo", "up"]), b"").succeeded();
        namespace
    }

    /// Sets what `/proc/sys/net` holds in here, such as `ipv4/tcp_tw_reuse`.
    pub fn set(&self, key: &str, value: &str) {
        let mut command = self.command("tee");
        program::run(command.arg(format!("/proc/sys/net/{key}")), value.as_bytes()).succeeded();
    }

    /// Runs a test of this program inside, where it knows by [`is_inside`] that it has to do its work. Panics with what it
    /// said if it fails.
    pub fn test(&self, name: &str) {
        let mut command = self.command(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--include-ignored", "--nocapture"]).env(INSIDE, "");
        let output = program::spawn(&mut command).wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The ID of a process in it, by which `ip` knows the namespace.
    pub fn id(&self) -> String {
        self.holder.id().to_string()
    }

    /// A program to run inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).arg(program);
        command
    }
}

/// Whether this program runs in a namespace of [`Namespace::test`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

const INSIDE: &str = "RAINCHECK_TEST_INSIDE";
