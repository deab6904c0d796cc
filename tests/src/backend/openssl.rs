//! `openssl s_server`.

use std::net::SocketAddr;
use std::process::Command;

use super::process::Process;
use super::{Backend, Handshakes, Resumption};
use crate::address;
use crate::client::Version;
use crate::pki::Identity;
use crate::scratch::Scratch;

/// An `openssl s_server -www`. It serves one connection after the other, and speaks HTTP/1.0 without a length: the
/// close alone ends an answer, so that there is no keep-alive. Anything but a GET is not answered.
#[derive(Debug)]
pub struct OpenSsl {
    address: SocketAddr,
    process: Process,
}

impl OpenSsl {
    /// A server with this certificate.
    pub fn start(scratch: &Scratch, identity: &Identity, resumption: Resumption) -> Self {
        Self::start_with(scratch, identity, resumption, &[])
    }

    /// The same, with further arguments.
    pub fn start_with(scratch: &Scratch, identity: &Identity, resumption: Resumption, arguments: &[&str]) -> Self {
        let address = address::unused();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-msg", "-accept", &address.to_string()]);
        command.arg("-cert").arg(&identity.chain).arg("-key").arg(&identity.key);
        command.arg(match resumption.version() {
            Version::Tls12 => "-tls1_2",
            Version::Tls13 => "-tls1_3",
        });
        if resumption == Resumption::SessionIds {
            command.arg("-no_ticket");
        }
        let mut process = Process::start(scratch, command.args(arguments));
        process.says("s_server accepts", |said| said.contains("\nACCEPT").then_some(()));
        Self { address, process }
    }
}

impl Backend for OpenSsl {
    fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the list of messages: a handshake is over with the client's Finished, and it was full if there was a
    /// Certificate.
    fn handshakes(&self) -> Handshakes {
        let mut handshakes = Handshakes::default();
        let mut certificate = false;
        for line in self.process.said().lines() {
            let message = line.rsplit(", ").next().unwrap_or_default();
            match (line.get(..3), message) {
                (Some("<<<"), "ClientHello") => certificate = false,
                (Some(">>>"), "Certificate") => certificate = true,
                (Some("<<<"), "Finished") => handshakes.count(!certificate),
                _ => {}
            }
        }
        handshakes
    }
}
