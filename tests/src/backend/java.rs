//! Java's JSSE.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex, OnceLock};

use super::process::Process;
use super::{Backend, Handshakes};
use crate::client::Version;
use crate::deadline::until;
use crate::java::{self, Release};
use crate::pki::Identity;
use crate::scratch::Scratch;

/// A virtual machine that is not started yet. What it is told holds for all of its servers.
#[derive(Copy, Clone, Debug)]
pub struct Jvm {
    release: Release,
    tickets: bool,
    strict: bool,
}

/// Which of JSSE's two faces a server uses.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Api {
    /// `SSLSocket`, with a thread for each connection.
    Socket,
    /// `SSLEngine`, with one thread for all.
    Engine,
}

/// One server of a virtual machine, with sessions of its own. The machine ends with the last of them.
#[derive(Debug)]
pub struct Java {
    machine: Arc<Machine>,
    port: u16,
}

impl Jvm {
    /// As Java does by default. Java 17 puts its sessions into tickets; Java 11 keeps them, and gives out their names: in
    /// TLS 1.2 session IDs, in TLS 1.3 tickets that hold no more than that.
    pub fn new(release: Release) -> Self {
        Self { release, tickets: true, strict: false }
    }

    /// Makes Java 17 keep its sessions as Java 11 does (`jdk.tls.server.enableSessionTicketExtension=false`).
    pub fn without_tickets(self) -> Self {
        Self { tickets: false, ..self }
    }

    /// Makes it insist on close_notify (`com.sun.net.ssl.requireCloseNotify=true`).
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Starts it with a server for each of these, in their order, all with this certificate.
    pub fn serve(self, scratch: &Scratch, identity: &Identity, servers: &[(Api, Version)]) -> Vec<Java> {
        let options = [
            format!("-Djdk.tls.server.enableSessionTicketExtension={}", self.tickets),
            format!("-Dcom.sun.net.ssl.requireCloseNotify={}", self.strict),
        ];
        let mut command = self.release.run(&options.each_ref().map(String::as_str), classes(), "Backend");
        command.arg(&identity.chain).arg(&identity.key);
        for (api, version) in servers {
            let api = match api {
                Api::Socket => "socket",
                Api::Engine => "engine",
            };
            command.args([api, version.number()]);
        }
        let (process, input, output) = Process::start_talking(scratch, &mut command);
        let mut talk = Talk { input, output: BufReader::new(output) };
        let ports = talk.hear();
        let machine = Arc::new(Machine { talk: Mutex::new(talk), _process: process });
        let ports = ports.split_ascii_whitespace().map(|port| port.parse().unwrap());
        ports.map(|port| Java { machine: machine.clone(), port }).collect()
    }
}

impl Java {
    /// Waits until no connection is open, and all that JSSE does at its end is done.
    pub fn idle(&self) {
        until("all connections to Java are over", || (self.ask()[2] == 0).then_some(()));
    }

    /// Full handshakes, resumed ones, open connections, answers.
    fn ask(&self) -> [u64; 4] {
        let mut talk = self.machine.talk.lock().unwrap();
        writeln!(talk.input, "{}", self.port).unwrap();
        let answer = talk.hear();
        let numbers: Vec<u64> = answer.split_ascii_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("not four numbers: {answer}"))
    }
}

impl Backend for Java {
    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn handshakes(&self) -> Handshakes {
        let [full, resumed, ..] = self.ask();
        Handshakes { full, resumed }
    }
}

#[derive(Debug)]
struct Machine {
    talk: Mutex<Talk>,
    _process: Process,
}

#[derive(Debug)]
struct Talk {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    /// The next line.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "Java has ended");
        line
    }
}

/// The directory with the compiled program; compiled once a process.
fn classes() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    CLASSES.get_or_init(|| java::compile("Backend"))
}
