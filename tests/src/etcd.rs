//! etcd: one member, or several that are one store.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use raincheck_control::etcd::Revision;
use serde_json::{Value, json};

use crate::address;
use crate::backend::process::Process;
use crate::network::Host;
use crate::pki::{Authority, Identity};
use crate::program;
use crate::scratch::Scratch;

/// A member; killed when dropped.
pub struct Etcd {
    settings: Settings,
    process: Process,
}

/// Members that are one store. They outlive the loss of a minority.
pub struct Cluster {
    /// Each of them.
    pub members: Vec<Etcd>,
}

struct Settings {
    name: String,
    client: SocketAddr,
    peer: SocketAddr,
    directory: PathBuf,
    tls: Option<Tls>,
    /// Where it runs, if not beside the test.
    host: Option<Arc<Host>>,
    /// All members, as each is told of them.
    members: String,
}

struct Tls {
    authority: PathBuf,
    certificate: Identity,
}

impl Etcd {
    /// One member that is all of the store.
    pub fn start(scratch: &Scratch) -> Self {
        started(scratch, here(1), |_| None).remove(0)
    }

    /// The same, with a certificate of this authority for its address, and for clients with a certificate of it alone.
    pub fn start_with_tls(scratch: &Scratch, authority: &Authority) -> Self {
        started(scratch, here(1), |client| Some(tls(authority, client))).remove(0)
    }

    /// Its URL for clients.
    pub fn url(&self) -> String {
        self.settings.url()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after that, with the data it had, and waits until it serves: with others, until a majority is there.
    pub fn restart(&mut self, scratch: &Scratch) {
        self.process = self.settings.run(scratch);
        self.serves();
    }

    /// Starts it again after it was killed, with no data at all: a store of its own that begins anew.
    pub fn restart_empty(&mut self, scratch: &Scratch) {
        std::fs::remove_dir_all(&self.settings.directory).unwrap();
        self.restart(scratch);
    }

    /// Stops it in its tracks, until [`thaw`](Self::thaw): connections are accepted by the kernel alone.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// A request of its gateway, without TLS.
    fn ask(&self, path: &str, request: &Value) {
        let body = request.to_string();
        let mut stream = TcpStream::connect(self.settings.client).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {}\r\n", body.len());
        write!(stream, "{head}Connection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }

    fn serves(&mut self) {
        let client = self.settings.client;
        self.process.says("etcd serves", |said| said.contains("serving client traffic").then_some(()));
        self.process.accepts(client);
    }
}

impl Cluster {
    /// So many members.
    pub fn start(scratch: &Scratch, count: usize) -> Self {
        Self { members: started(scratch, here(count), |_| None) }
    }

    /// The same, over TLS as [`Etcd::start_with_tls`] has it. Among one another they go without.
    pub fn start_with_tls(scratch: &Scratch, count: usize, authority: &Authority) -> Self {
        Self { members: started(scratch, here(count), |client| Some(tls(authority, client))) }
    }

    /// One on each of these hosts.
    pub fn start_on(scratch: &Scratch, hosts: &[Arc<Host>]) -> Self {
        Self { members: started(scratch, hosts.iter().cloned().map(Some).collect(), |_| None) }
    }

    /// Ends all members at once.
    pub fn kill(&mut self) {
        self.members.iter_mut().for_each(Etcd::kill);
    }

    /// Starts all members again after that, with the data they had, and waits until they serve.
    pub fn restart(&mut self, scratch: &Scratch) {
        // None of them serves before a majority is there.
        self.members.iter_mut().for_each(|member| member.process = member.settings.run(scratch));
        self.members.iter_mut().for_each(Etcd::serves);
    }

    /// The same with no data at all: a store that begins anew.
    pub fn restart_empty(&mut self, scratch: &Scratch) {
        self.members.iter().for_each(|member| std::fs::remove_dir_all(&member.settings.directory).unwrap());
        self.restart(scratch);
    }

    /// Copies the data of members that were killed.
    pub fn back_up(&self) {
        for Etcd { settings, .. } in &self.members {
            copy(&settings.directory, &settings.backup());
        }
    }

    /// Starts all members again after they were killed, with the data of [`back_up`](Self::back_up).
    pub fn restart_from_backup(&mut self, scratch: &Scratch) {
        for Etcd { settings, .. } in &self.members {
            copy(&settings.backup(), &settings.directory);
        }
        self.restart(scratch);
    }

    /// Where each member keeps its data.
    pub fn directories(&self) -> Vec<&Path> {
        self.members.iter().map(|member| &*member.settings.directory).collect()
    }

    /// Forgets all revisions but the latest.
    pub fn compact(&self, revision: Revision) {
        self.members[0].ask("/v3/kv/compaction", &json!({ "revision": revision.0.to_string(), "physical": true }));
    }

    /// Their URLs for clients.
    pub fn urls(&self) -> Vec<String> {
        self.members.iter().map(Etcd::url).collect()
    }
}

impl Settings {
    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.client)
    }

    fn backup(&self) -> PathBuf {
        self.directory.with_extension("backup")
    }

    fn run(&self, scratch: &Scratch) -> Process {
        let mut command = match &self.host {
            None => Command::new("etcd"),
            Some(host) => host.command("etcd"),
        };
        command.args(["--name", &self.name]).arg("--data-dir").arg(&self.directory);
        command.args(["--listen-client-urls", &self.url(), "--advertise-client-urls", &self.url()]);
        let peer = format!("http://{}", self.peer);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &self.members, "--initial-cluster-state", "new"]);
        // An etcd that has lost its leader is to notice soon.
        command.args(["--heartbeat-interval", "50", "--election-timeout", "500"]);
        command.args(["--logger", "zap"]);
        if let Some(Tls { authority, certificate }) = &self.tls {
            command.arg("--cert-file").arg(&certificate.chain).arg("--key-file").arg(&certificate.key);
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(authority);
        }
        Process::start(scratch, &mut command)
    }
}

/// A directory with all there is in it, in place of what was there.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    program::run(Command::new("cp").arg("-a").args([from, to]), b"").succeeded();
}

fn here(count: usize) -> Vec<Option<Arc<Host>>> {
    vec![None; count]
}

fn started(scratch: &Scratch, hosts: Vec<Option<Arc<Host>>>, tls: impl Fn(SocketAddr) -> Option<Tls>) -> Vec<Etcd> {
    let unused = |host: &Option<Arc<Host>>| match host {
        None => address::unused(),
        Some(host) => SocketAddr::new(host.address, address::unused().port()),
    };
    let addresses: Vec<_> = hosts.iter().map(|host| (unused(host), unused(host))).collect();
    let name = |peer: SocketAddr| format!("etcd-{}", peer.port());
    let all: Vec<_> = addresses.iter().map(|(_, peer)| format!("{}=http://{peer}", name(*peer))).collect();
    let mut members: Vec<Etcd> = addresses
        .into_iter()
        .zip(hosts)
        .map(|((client, peer), host)| {
            let name = name(peer);
            let (directory, tls, members) = (scratch.join(&name), tls(client), all.join(","));
            let settings = Settings { name, client, peer, directory, tls, host, members };
            // None of them serves before a majority is there.
            Etcd { process: settings.run(scratch), settings }
        })
        .collect();
    members.iter_mut().for_each(Etcd::serves);
    members
}

/// Its gateway is a client of etcd itself, and shows the same certificate.
fn tls(authority: &Authority, client: SocketAddr) -> Tls {
    Tls { authority: authority.file(), certificate: authority.both(&[&client.ip().to_string()]) }
}
