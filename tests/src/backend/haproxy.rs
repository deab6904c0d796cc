//! HAProxy.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{Backend, Handshakes, Resumption};
use crate::address;
use crate::edge::ask_stats;
use crate::key_file::KeyFile;
use crate::pki::Identity;
use crate::scratch::Scratch;
use crate::upstream::BODY;

/// A HAProxy that answers by itself.
#[derive(Debug)]
pub struct Haproxy {
    address: SocketAddr,
    stats: PathBuf,
    stats_address: SocketAddr,
    config: PathBuf,
    process: Process,
}

impl Haproxy {
    /// A server with this certificate that makes its own ticket key.
    pub fn start(scratch: &Scratch, identity: &Identity, resumption: Resumption) -> Self {
        Self::started(scratch, identity, resumption, "")
    }

    /// The same, with the ticket keys of a file: of its three, the second seals.
    pub fn start_with_keys(scratch: &Scratch, identity: &Identity, resumption: Resumption, keys: &KeyFile) -> Self {
        Self::start_with_key_file(scratch, identity, resumption, keys.path())
    }

    /// The same, with a key file that somebody else has written.
    pub fn start_with_key_file(scratch: &Scratch, identity: &Identity, resumption: Resumption, keys: &Path) -> Self {
        Self::started(scratch, identity, resumption, &format!("tls-ticket-keys {}", keys.display()))
    }

    fn started(scratch: &Scratch, identity: &Identity, resumption: Resumption, keys: &str) -> Self {
        let (address, stats_address) = (address::unused(), address::unused());
        let name = format!("haproxy-{}", address.port());
        let stats = scratch.join(&format!("{name}.sock"));
        let both = [&identity.chain, &identity.key].map(|file| fs::read_to_string(file).unwrap()).concat();
        let both = scratch.write(&format!("{name}.pem"), both);
        let tickets = if resumption == Resumption::SessionIds { "no-tls-tickets" } else { keys };
        let version = resumption.version().label();
        let config = format!(
            "\
global
    stats socket {stats} level admin
    stats socket {stats}.user level user
    stats socket ipv4@{stats_address} level admin
defaults
    mode http
    timeout client 1m
frontend backend
    bind {address} ssl crt {both} ssl-min-ver {version} ssl-max-ver {version} {tickets}
    http-request return status 200 content-type text/plain string \"{body}\\n\"
",
            body = BODY.trim_end(),
            stats = stats.display(),
            both = both.display(),
        );
        let config = scratch.write(&format!("{name}.cfg"), config);
        let process = Process::start(scratch, &mut command(&config));
        let mut haproxy = Self { address, stats, stats_address, config, process };
        haproxy.expect_listening();
        haproxy
    }

    /// Its stats socket, of level admin; that of level user has `.user` behind it.
    pub fn stats_socket(&self) -> &Path {
        &self.stats
    }

    /// Another of level admin, over TCP.
    pub fn stats_address(&self) -> SocketAddr {
        self.stats_address
    }

    /// A number that it says of itself (`show info`).
    pub fn info(&self, name: &str) -> u64 {
        let info = ask_stats(&self.stats, "show info");
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in: {info}"))
    }

    /// What it says of its ticket keys, a line for each: names and secrets.
    pub fn ticket_keys(&self) -> Vec<String> {
        let shown = ask_stats(&self.stats, "show tls-keys #0");
        shown.lines().filter(|line| line.starts_with("0.")).map(str::to_owned).collect()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Ends it at once, with all of its connections.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after that, with a ticket key and sessions that are new.
    pub fn restart(&mut self, scratch: &Scratch) {
        self.process = Process::start(scratch, &mut command(&self.config));
        self.expect_listening();
    }

    /// Its sockets are there one after the other; a stats socket of before may be in the place of the new one.
    fn expect_listening(&mut self) {
        self.process.accepts(self.address);
        self.process.accepts(self.stats_address);
        for stats in [self.stats.clone(), self.stats.with_extension("sock.user")] {
            self.process.says("HAProxy's stats socket", |_| UnixStream::connect(&stats).ok().map(drop));
        }
    }

    /// Stops it in its tracks, until [`thaw`](Self::thaw): connections are accepted by the kernel alone.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}

impl Backend for Haproxy {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn handshakes(&self) -> Handshakes {
        let csv = ask_stats(&self.stats, "show stat");
        let mut lines = csv.lines();
        let names = lines.next().unwrap_or_default().split(',');
        let frontend: Vec<&str> =
            lines.find(|line| line.starts_with("backend,FRONTEND,")).expect("there is one").split(',').collect();
        let number = |name: &str| -> u64 {
            let column = names.clone().position(|found| found == name);
            column.and_then(|column| frontend[column].parse().ok()).unwrap_or_else(|| panic!("no {name} in: {csv}"))
        };
        Handshakes { full: number("ssl_sess"), resumed: number("ssl_reused_sess") }
    }
}

fn command(config: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(config);
    command
}
