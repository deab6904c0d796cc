//! `openssl s_client`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use raincheck_keyring::KeyName;

use super::{Ending, Seen, Version, Visit};
use crate::pki::Identity;
use crate::program::{self, Finished};
use crate::raw::REQUEST;
use crate::scratch::Scratch;
use crate::site::Site;

/// One connection of `openssl s_client`, put together.
#[derive(Debug)]
pub struct Connection {
    command: Command,
    version: &'static str,
    input: Vec<u8>,
}

impl Connection {
    /// A connection that sends one HTTP request and reads the answer to its end.
    pub fn new(visit: &Visit) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-verify_return_error"]);
        command.args(["-connect", &visit.address.to_string(), "-servername", &visit.name]);
        command.args(["-verify_hostname", &visit.name]).arg("-CAfile").arg(&visit.ca);
        let version = match visit.version {
            Version::Tls12 => "-tls1_2",
            Version::Tls13 => "-tls1_3",
        };
        Self { command, version, input: REQUEST.to_vec() }
    }

    /// Offers the session in this file.
    pub fn offering(mut self, session: &Path) -> Self {
        self.command.arg("-sess_in").arg(session);
        self
    }

    /// Leaves the session in this file.
    pub fn keeping(mut self, session: &Path) -> Self {
        self.command.arg("-sess_out").arg(session);
        self
    }

    /// Shows this certificate when asked.
    pub fn showing(mut self, identity: &Identity) -> Self {
        self.command.arg("-cert").arg(&identity.chain).arg("-key").arg(&identity.key);
        self
    }

    /// Speaks this version in place of the visit's: an option like `-tls1_1`.
    pub fn held_to(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Takes this file for the system's configuration.
    pub fn configured_by(mut self, file: &Path) -> Self {
        self.command.env("OPENSSL_CONF", file);
        self
    }

    /// Adds arguments as they are.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sends this in place of the HTTP request.
    pub fn sending(mut self, input: &[u8]) -> Self {
        self.input = input.to_vec();
        self
    }

    /// Makes the connection; gives all that came of it, a failed one too.
    pub fn run(mut self) -> Finished {
        program::run(self.command.arg(self.version), &self.input)
    }

    /// Makes the connection, which must succeed.
    pub fn seen(self) -> Seen {
        read(&self.run())
    }
}

/// A connection, then another with its session.
pub fn twice(visit: &Visit) -> [Seen; 2] {
    let scratch = Scratch::new();
    let session: PathBuf = scratch.join("session.pem");
    let first = Connection::new(visit).keeping(&session).seen();
    let second = Connection::new(visit).offering(&session).seen();
    [first, second]
}

/// A client that keeps sessions in files, and offers them wherever and as often as it is told to.
pub struct Visitor<'a> {
    site: &'a Site,
    version: Version,
}

impl<'a> Visitor<'a> {
    /// A client that speaks this version only.
    pub fn new(site: &'a Site, version: Version) -> Self {
        Self { site, version }
    }

    /// Makes a full handshake, and keeps what it got under this name.
    pub fn keep_session(&self, address: SocketAddr, name: &str) {
        assert!(!self.connection(address).keeping(&self.session(name)).seen().resumed);
    }

    /// Whether the session of this name is resumed.
    pub fn resumes(&self, address: SocketAddr, name: &str) -> bool {
        self.connection(address).offering(&self.session(name)).seen().resumed
    }

    /// The key's name in front of the ticket.
    pub fn sealing_key(&self, name: &str) -> KeyName {
        let mut command = Command::new("openssl");
        let shown = program::run(command.args(["sess_id", "-text", "-noout", "-in"]).arg(self.session(name)), b"");
        let text = shown.succeeded().stdout;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("0000 - ")).expect("there is a ticket");
        line[..47].replace([' ', '-'], "").parse().unwrap()
    }

    fn connection(&self, address: SocketAddr) -> Connection {
        Connection::new(&self.site.visit(address, self.version))
    }

    fn session(&self, name: &str) -> PathBuf {
        self.site.scratch.join(&format!("session-{name}.pem"))
    }
}

fn read(finished: &Finished) -> Seen {
    let output = finished.output();
    let resumed = match (output.contains("\nReused, TLSv1"), output.contains("\nNew, TLSv1")) {
        (true, false) => true,
        (false, true) => false,
        _ => panic!("no finished handshake: {output}"),
    };
    let ending = if output.contains("unexpected eof") {
        Ending::Truncated
    } else if output.contains("read:errno=104") {
        Ending::Reset
    } else {
        assert!(output.contains("\nclosed"), "{output}");
        Ending::Clean
    };
    Seen { resumed, answer: finished.stdout.clone(), ending }
}
