//! nginx.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{Backend, Handshakes, Resumption};
use crate::address;
use crate::key_file::Key;
use crate::pki::Identity;
use crate::scratch::Scratch;
use crate::upstream::BODY;

/// An nginx with one worker, a cache of sessions, and perhaps ticket keys of the test's.
#[derive(Debug)]
pub struct Nginx {
    site: Site,
    process: Process,
}

impl Nginx {
    /// A server with this certificate that makes its own ticket key.
    pub fn start(scratch: &Scratch, identity: &Identity, resumption: Resumption) -> Self {
        Self::start_with_keys(scratch, identity, resumption, &[])
    }

    /// The same, with these ticket keys: the first seals.
    pub fn start_with_keys(scratch: &Scratch, identity: &Identity, resumption: Resumption, keys: &[&Key]) -> Self {
        let site = Site::new(scratch, identity, resumption);
        let directives: String = keys.iter().map(|key| site.write_key(key)).collect();
        site.write_config(&directives);
        Self::started(scratch, site)
    }

    /// The same with a key of its own, and a second server, of this name, that asks for client certificates.
    pub fn start_guarding(
        scratch: &Scratch,
        identity: &Identity,
        resumption: Resumption,
        name: &str,
        authority: &Path,
    ) -> Self {
        let guarded = Some((name.to_owned(), authority.to_owned()));
        let site = Site { guarded, ..Site::new(scratch, identity, resumption) };
        site.write_config("");
        Self::started(scratch, site)
    }

    fn started(scratch: &Scratch, site: Site) -> Self {
        let mut process = Process::start(scratch, Command::new("nginx").args(site.arguments()));
        process.accepts(site.address);
        Self { site, process }
    }

    /// Where its configuration is.
    pub fn config(&self) -> PathBuf {
        self.site.config()
    }

    /// How many times it has been reloaded.
    pub fn reloads(&self) -> usize {
        self.process.said().matches("reconfiguring").count()
    }

    /// Waits until as many workers have left after a reload: each does so after the last answer it owes.
    pub fn expect_workers_gone(&mut self, count: usize) {
        let gone = |said: &str| said.matches(" exited with code 0").count() >= count;
        self.process.says("nginx reloads", |said| gone(said).then_some(()));
    }

    /// Replaces the ticket keys, reloads, and waits until the worker of before is gone: it leaves after the last answer
    /// it owes.
    pub fn replace_keys(&mut self, keys: &[&Key]) {
        let gone = |said: &str| said.matches(" exited with code 0").count();
        let before = gone(&self.process.said());
        let directives: String = keys.iter().map(|key| self.site.write_key(key)).collect();
        self.site.write_config(&directives);
        self.process.signal("HUP");
        self.process.says("nginx reloads", |said| (gone(said) > before).then_some(()));
    }
}

impl Backend for Nginx {
    fn address(&self) -> SocketAddr {
        self.site.address
    }

    /// From the debug log, which has every handshake; an access log has those with a request. Debian's nginx can do it.
    fn handshakes(&self) -> Handshakes {
        let mut handshakes = Handshakes::default();
        let said = self.process.said();
        let mut lines = said.lines();
        while let Some(line) = lines.next() {
            // The worker works on one connection until it says more about it.
            if line.contains(" SSL: TLSv1.")
                && let Some(next) = lines.next()
            {
                handshakes.count(next.contains(" SSL reused session"));
            }
        }
        handshakes
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker outlives a master that is killed.
        self.process.terminate();
    }
}

/// An nginx that does not run yet.
#[derive(Debug)]
pub struct Prepared(Site);

impl Prepared {
    /// Writes the configuration, which includes what somebody else writes.
    pub fn including(scratch: &Scratch, identity: &Identity, resumption: Resumption, file: &Path) -> Self {
        let site = Site::new(scratch, identity, resumption);
        site.write_config(&format!("include {};", file.display()));
        Self(site)
    }

    /// The words of a command that runs nginx with this configuration.
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        ["nginx".to_owned()].into_iter().chain(self.0.arguments()).chain(arguments).collect()
    }

    /// The master's pid file.
    pub fn pid_file(&self) -> PathBuf {
        self.0.directory.join("nginx.pid")
    }

    /// Starts it.
    pub fn start(self, scratch: &Scratch) -> Nginx {
        Nginx::started(scratch, self.0)
    }
}

/// What does not change with the keys.
#[derive(Debug)]
struct Site {
    address: SocketAddr,
    directory: PathBuf,
    identity: Identity,
    resumption: Resumption,
    /// A server beside the first: its name, and whose certificates it wants.
    guarded: Option<(String, PathBuf)>,
}

impl Site {
    fn new(scratch: &Scratch, identity: &Identity, resumption: Resumption) -> Self {
        let address = address::unused();
        let directory = scratch.join(&format!("nginx-{}", address.port()));
        fs::create_dir(&directory).unwrap();
        Self { address, directory, identity: identity.clone(), resumption, guarded: None }
    }

    fn config(&self) -> PathBuf {
        self.directory.join("nginx.conf")
    }

    fn arguments(&self) -> [String; 6] {
        let path = |path: &Path| path.display().to_string();
        ["-e".into(), "stderr".into(), "-p".into(), path(&self.directory), "-c".into(), path(&self.config())]
    }

    /// `keys` are directives.
    fn write_config(&self, keys: &str) {
        let guarded = self.guarded.as_ref().map_or(String::new(), |(name, authority)| {
            let guard =
                format!("server_name {name}; ssl_verify_client on; ssl_client_certificate {};", authority.display());
            self.server(&guard)
        });
        let text = format!(
            "\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr debug;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type text/plain;
    ssl_session_cache shared:sessions:1m;
{server}{guarded}
}}
",
            server = self.server(keys),
        );
        fs::write(self.config(), text).unwrap();
    }

    fn server(&self, directives: &str) -> String {
        format!(
            "\
    server {{
        listen {address} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols {version};
        ssl_session_tickets {tickets};
        {directives}
        location / {{
            return 200 '{body}\\n';
        }}
    }}
",
            address = self.address,
            chain = self.identity.chain.display(),
            key = self.identity.key.display(),
            version = self.resumption.version().label(),
            tickets = if self.resumption == Resumption::SessionIds { "off" } else { "on" },
            body = BODY.trim_end(),
        )
    }

    /// Writes a key to a file; gives the directive that names it.
    fn write_key(&self, key: &Key) -> String {
        let file = self.directory.join(key.name());
        fs::write(&file, key.bytes()).unwrap();
        format!("ssl_session_ticket_key {};", file.display())
    }
}
