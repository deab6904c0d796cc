//! The terminators: where they are, how they are configured, started and stopped.

use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::client::SERVER_NAME;
use crate::error::Error;
use crate::machine::spawn_on;
use crate::measure::ProcessTree;

/// A terminator that can be measured.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Product {
    /// HAProxy, from Debian
    Haproxy,
    /// nginx with its stream module, from Debian
    Nginx,
    /// `raincheck edge`
    Raincheck,
}

impl Product {
    pub(crate) const ALL: [Self; 3] = [Self::Haproxy, Self::Nginx, Self::Raincheck];

    /// Where this product is on this machine; `raincheck` overrides where raincheck is looked for.
    pub(crate) fn find(self, raincheck: Option<&Path>) -> Result<Installed, Error> {
        let (path, version, remedy) = match self {
            Self::Haproxy => (in_path("haproxy"), "-v", "install Debian's by `apt-get install haproxy`"),
            Self::Nginx => (in_path("nginx"), "-v", "install Debian's by `apt-get install nginx libnginx-mod-stream`"),
            Self::Raincheck => (
                raincheck.map_or_else(beside_this_program, Path::to_owned),
                "--version",
                "build it by `cargo build --release --package raincheck`, or say where it is by --raincheck",
            ),
        };
        match Command::new(&path).arg(version).output() {
            Ok(output) => Ok(Installed { product: self, version: first_line(&[output.stdout, output.stderr]), path }),
            Err(_) => Err(Error::Missing { product: self, path, remedy }),
        }
    }

    /// The command that runs this product in the foreground on `listen`, in front of `upstream`; writes what files it needs.
    pub(crate) fn terminator(
        self,
        path: &Path,
        site: &Site,
        listen: SocketAddr,
        upstream: SocketAddr,
    ) -> Result<Command, Error> {
        let mut command = Command::new(path);
        match self {
            Self::Haproxy => {
                let config = site.write("haproxy.cfg", &haproxy_config(site, listen, upstream))?;
                command.arg("-db").arg("-f").arg(config);
            }
            Self::Nginx => {
                let config = site.write("nginx.conf", &nginx_config(site, listen, upstream))?;
                command.args(["-e", "stderr"]).arg("-p").arg(site.files.path()).arg("-c").arg(config);
            }
            Self::Raincheck => {
                command.arg("edge").args(["--workers", "1"]);
                command.arg("--listen").arg(listen.to_string()).arg("--to").arg(upstream.to_string());
                command.arg("--cert").arg(site.certificate()).arg("--key").arg(site.key());
            }
        }
        Ok(command)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Raincheck => "raincheck",
        })
    }
}

/// A product that is on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) product: Product,
    pub(crate) path: PathBuf,
    /// As it says itself.
    pub(crate) version: String,
}

/// What every server gets: a core, a certificate, room for connections, and a directory that is gone afterwards.
pub(crate) struct Site {
    files: TempDir,
    core: usize,
    connections: u32,
}

impl Site {
    /// A site with a new ECDSA P-256 certificate, whose servers take `idle` connections and the busy ones.
    pub(crate) fn new(core: usize, idle: u32) -> Result<Self, Error> {
        let files = tempfile::Builder::new()
            .prefix("raincheck-bench-")
            .tempdir()
            .map_err(Error::system("make a temporary directory"))?;
        let site = Self { files, core, connections: idle + BUSY_CONNECTIONS };
        let mut ca = CertificateParams::new([])?;
        ca.distinguished_name.push(DnType::CommonName, "raincheck-bench CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let signing_key = KeyPair::generate()?;
        let certificate = CertificateParams::new([SERVER_NAME.to_owned()])?.signed_by(&signing_key, &ca)?;
        let (certificate, key) = (certificate.pem(), signing_key.serialize_pem());
        site.write(CA, &ca.pem())?;
        site.write(CERTIFICATE, &certificate)?;
        site.write(KEY, &key)?;
        site.write(BOTH, &(certificate + &key))?;
        Ok(site)
    }

    /// Who issued the certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.files.path().join(CA)
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.files.path().join(CERTIFICATE)
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.files.path().join(KEY)
    }

    /// Certificate and key in one file, as HAProxy wants them.
    fn both(&self) -> PathBuf {
        self.files.path().join(BOTH)
    }

    /// Where what `of` writes to stderr goes.
    pub(crate) fn log(&self, of: impl fmt::Display) -> PathBuf {
        self.files.path().join(format!("{of}.log"))
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.files.path().join(name);
        fs::write(&path, text).map_err(Error::system(format!("write {}", path.display())))?;
        Ok(path)
    }
}

/// A running server; killed, with its children, when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server by `command`, which is told where to listen, and waits until it accepts connections.
    pub(crate) async fn start(
        installed: &Installed,
        site: &Site,
        command: impl FnOnce(SocketAddr) -> Result<Command, Error>,
    ) -> Result<Self, Error> {
        let address = free_address()?;
        let mut command = command(address)?;
        let log = site.log(installed.product);
        let stderr = File::create(&log).map_err(Error::system(format!("create {}", log.display())))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child =
            spawn_on(site.core, &mut command).map_err(Error::system(format!("start {}", installed.path.display())))?;
        let mut server = Self { address, child, log };
        match server.ready().await {
            Ok(()) => Ok(server),
            Err(what) => Err(Error::NotStarted { product: installed.product, what, said: server.said() }),
        }
    }

    /// What it has written to stderr so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The server's processes as they are now.
    pub(crate) fn processes(&self) -> ProcessTree {
        ProcessTree::of(self.child.id())
    }

    async fn ready(&mut self) -> Result<(), &'static str> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return Err("it ended at once");
            }
            if begun.elapsed() > PATIENCE {
                return Err("it does not accept connections");
            }
            sleep(BETWEEN_TRIES).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Parents first, or a master would replace its workers. There is nothing to save, so there is no asking first.
        for pid in self.processes().pids {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _already_gone = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
        let _status = self.child.wait();
    }
}

fn haproxy_config(site: &Site, listen: SocketAddr, upstream: SocketAddr) -> String {
    let (both, connections) = (site.both(), site.connections);
    let both = both.display();
    format!(
        "\
global
    nbthread 1
    maxconn {connections}
defaults
    mode tcp
    timeout connect 10s
    timeout client 10m
    timeout server 10m
listen bench
    bind {listen} ssl crt {both}
    server upstream {upstream}
"
    )
}

fn nginx_config(site: &Site, listen: SocketAddr, upstream: SocketAddr) -> String {
    let (certificate, key) = (site.certificate(), site.key());
    let (certificate, key) = (certificate.display(), key.display());
    // nginx counts the connection to the upstream too.
    let connections = 2 * site.connections;
    // Debian builds the module to be loaded; elsewhere it may be built in.
    let module =
        if Path::new(NGINX_STREAM).exists() { format!("load_module {NGINX_STREAM};\n") } else { String::new() };
    format!(
        "\
{module}daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{
    worker_connections {connections};
}}
stream {{
    server {{
        listen {listen} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        proxy_pass {upstream};
    }}
}}
"
    )
}

/// An address nobody listens on just now.
fn free_address() -> Result<SocketAddr, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Error::system("find a free port"))
}

/// Where `program` is: in PATH, or else in the directory of system programs, which PATH leaves out for most users.
pub(crate) fn in_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| Path::new("/usr/sbin").join(program))
}

/// The release build in the target directory this program is in, whatever profile this program was built with.
fn beside_this_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    target.join("release/raincheck")
}

/// The first line of whichever output has one.
pub(crate) fn first_line(outputs: &[Vec<u8>]) -> String {
    let said = outputs.iter().map(|output| String::from_utf8_lossy(output));
    said.filter_map(|text| text.lines().next().map(str::to_owned)).next().unwrap_or_default()
}

const CA: &str = "ca.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const BOTH: &str = "certificate-and-key.pem";
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
/// Connections beside the idle ones; at least the largest --concurrency, and what of it is still closing.
const BUSY_CONNECTIONS: u32 = 2048;
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_first_line() {
        assert_eq!(first_line(&[b"HAProxy 2.6\nmore\n".to_vec(), vec![]]), "HAProxy 2.6");
        assert_eq!(first_line(&[vec![], b"nginx 1.22\n".to_vec()]), "nginx 1.22");
        assert_eq!(first_line(&[vec![], vec![]]), "");
    }

    #[test]
    fn a_product_that_is_not_there_is_named_with_its_remedy() {
        let missing = Product::Raincheck.find(Some(Path::new("/nowhere/raincheck"))).unwrap_err();
        let said = missing.to_string();
        assert!(said.contains("/nowhere/raincheck") && said.contains("--raincheck"), "{said}");
    }
}
