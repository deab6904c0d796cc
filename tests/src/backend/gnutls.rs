//! `gnutls-serv`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use super::process::Process;
use super::{Backend, Handshakes, Resumption};
use crate::pki::Identity;
use crate::scratch::Scratch;

/// A `gnutls-serv --http`, which listens on all addresses. It speaks HTTP/1.0 without a length: the close alone ends an
/// answer, so that there is no keep-alive.
#[derive(Debug)]
pub struct Gnutls {
    address: SocketAddr,
    process: Process,
}

impl Gnutls {
    /// A server with this certificate.
    pub fn start(scratch: &Scratch, identity: &Identity, resumption: Resumption) -> Self {
        // It cannot be told to choose a port, and somebody may take the one we chose: then another.
        loop {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let mut command = command(identity, resumption);
            command.args(["--port", &port.to_string()]);
            let mut process = Process::start(scratch, &mut command);
            let listens = process.says("gnutls-serv listens", |said| {
                // It goes on with IPv6 alone.
                let failed = said.contains("bind() failed");
                (failed || said.contains(&format!("0.0.0.0 port {port}...done"))).then_some(!failed)
            });
            if listens {
                return Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), process };
            }
        }
    }
}

impl Backend for Gnutls {
    fn address(&self) -> SocketAddr {
        self.address
    }

    /// It describes each session, and says first if that is a resumed one.
    fn handshakes(&self) -> Handshakes {
        let mut handshakes = Handshakes::default();
        let mut resumed = false;
        for line in self.process.said().lines() {
            if line.contains("This is a resumed session") {
                resumed = true;
            } else if line.starts_with("- Description: ") {
                handshakes.count(resumed);
                resumed = false;
            }
        }
        handshakes
    }
}

fn command(identity: &Identity, resumption: Resumption) -> Command {
    let mut command = Command::new("gnutls-serv");
    command.args(["--http", "--disable-client-cert"]);
    command.arg("--x509certfile").arg(&identity.chain).arg("--x509keyfile").arg(&identity.key);
    command.arg(format!("--priority=NORMAL:-VERS-ALL:+VERS-TLS{}", resumption.version().number()));
    if resumption == Resumption::SessionIds {
        command.arg("--noticket");
    }
    command
}
