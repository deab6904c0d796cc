//! h2o.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::process::Process;
use crate::address;
use crate::pki::Identity;
use crate::scratch::Scratch;
use crate::upstream::BODY;

/// An h2o that seals TLS 1.2 tickets with the keys of a file.
#[derive(Debug)]
pub struct H2o {
    address: SocketAddr,
    process: Process,
}

impl H2o {
    /// A server with this certificate.
    pub fn start_with_key_file(scratch: &Scratch, identity: &Identity, keys: &Path) -> Self {
        let address = address::unused();
        let directory = scratch.join(&format!("h2o-{}", address.port()));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("index.html"), BODY).unwrap();
        // Root has to say whom it becomes.
        let user = if fs::metadata(&directory).unwrap().uid() == 0 { "user: root" } else { "" };
        let config = format!(
            "\
{user}
num-threads: 1
listen:
  host: {host}
  port: {port}
  ssl:
    certificate-file: {chain}
    key-file: {key}
    ocsp-update-interval: 0
ssl-session-resumption:
  mode: ticket
  ticket-store: file
  ticket-file: {keys}
hosts:
  default:
    paths:
      /:
        file.dir: {directory}
",
            host = address.ip(),
            port = address.port(),
            chain = identity.chain.display(),
            key = identity.key.display(),
            keys = keys.display(),
            directory = directory.display(),
        );
        let config = scratch.write(&format!("h2o-{}.conf", address.port()), config);
        let mut process = Process::start(scratch, Command::new("h2o").arg("-c").arg(config));
        process.accepts(address);
        Self { address, process }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has read the keys as often. It looks every ten seconds.
    pub fn expect_loads(&mut self, count: usize) {
        let loads = |said: &str| said.matches("session ticket secrets have been (re)loaded").count() >= count;
        self.process.says("h2o reads the keys", |said| loads(said).then_some(()));
    }
}
