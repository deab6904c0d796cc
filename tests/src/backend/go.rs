//! Go's `crypto/tls`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::process::Process;
use crate::pki::Identity;
use crate::program;
use crate::scratch::Scratch;

/// An `http.Serve` over TLS, as it is by default. It speaks TLS 1.2 and 1.3, with tickets.
#[derive(Debug)]
pub struct Go {
    address: SocketAddr,
    _process: Process,
}

impl Go {
    /// A server with this certificate.
    pub fn start(scratch: &Scratch, identity: &Identity) -> Self {
        let mut command = Command::new(server());
        command.arg(&identity.chain).arg(&identity.key);
        let (process, _, output) = Process::start_talking(scratch, &mut command);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        Self { address: line.trim().parse().unwrap(), _process: process }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The program, built once a process.
fn server() -> &'static PathBuf {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    SERVER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let program = test.with_file_name(format!("go-{}", test.file_stem().unwrap().display()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/go/server.go");
        program::run(Command::new("go").arg("build").arg("-o").arg(&program).arg(source), b"").succeeded();
        program
    })
}
