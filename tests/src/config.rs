//! `raincheck.toml`, put together.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::address;
use crate::pki::Identity;
use crate::scratch::Scratch;

/// A configuration of an edge. The admin address and the stats socket are always on, since the harness asks them.
#[derive(Clone, Debug)]
pub struct Config {
    edge: Vec<(String, String)>,
    keys: Vec<(String, String)>,
    key_file: Option<PathBuf>,
    key_servers: Vec<(String, String)>,
    /// `[keys.etcd]`, which is there once it has a key.
    fleet: Vec<(String, String)>,
    listeners: Vec<Listener>,
    upstreams: Vec<Upstream>,
    admin: SocketAddr,
    stats_socket: PathBuf,
}

/// A `[[listener]]`.
#[derive(Clone, Debug)]
pub struct Listener {
    name: String,
    address: SocketAddr,
    settings: Vec<(String, String)>,
    certificates: Vec<Identity>,
    client_auth: Option<(PathBuf, Option<PathBuf>, String)>,
}

/// An `[[upstream]]`.
#[derive(Clone, Debug)]
pub struct Upstream {
    name: String,
    servers: Vec<SocketAddr>,
    settings: Vec<(String, String)>,
    tls: Vec<(String, String)>,
    check: Vec<(String, String)>,
}

impl Config {
    /// An edge of two workers with local keys and no listener yet.
    pub fn new(scratch: &Scratch) -> Self {
        let admin = address::unused();
        Self {
            edge: vec![("workers".into(), "2".into())],
            keys: Vec::new(),
            key_file: None,
            key_servers: Vec::new(),
            fleet: Vec::new(),
            listeners: Vec::new(),
            upstreams: Vec::new(),
            admin,
            // Named by the port, because one scratch directory may hold several nodes.
            stats_socket: scratch.join(&format!("stats-{}.sock", admin.port())),
        }
    }

    /// Has its admin page at that address.
    pub fn admin_on(mut self, address: SocketAddr) -> Self {
        self.admin = address;
        self
    }

    /// Makes its keys together with the other nodes of a fleet.
    pub fn fleet(mut self, fleet: Vec<(String, String)>) -> Self {
        self.fleet = fleet;
        self.keys("source", quoted("etcd"))
    }

    /// Takes the ticket keys from a file.
    pub fn key_file(mut self, path: &Path) -> Self {
        self.key_file = Some(path.to_owned());
        self
    }

    /// Takes the ticket keys from these URLs, as the node of this name.
    pub fn key_servers(mut self, urls: &[String], node: &str, ca: &Path, identity: &Identity) -> Self {
        self.key_servers = source_http(urls, ca, Some(identity));
        self.keys("node", quoted(node))
    }

    /// Sets a key of `[keys.http]` to a TOML value.
    pub fn key_server(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.key_servers, key, value);
        self
    }

    /// Sets a key of `[edge]` to a TOML value.
    pub fn edge(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.edge, key, value);
        self
    }

    /// Sets a key of `[keys]` to a TOML value.
    pub fn keys(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.keys, key, value);
        self
    }

    /// Adds a listener.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds an upstream called `app` with one server: where listeners go that say nothing else.
    pub fn app(self, server: SocketAddr) -> Self {
        self.upstream(Upstream::new("app", &[server]))
    }

    /// Adds an upstream.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstreams.push(upstream);
        self
    }

    /// Where the admin page is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the stats socket is.
    pub fn stats_socket(&self) -> &Path {
        &self.stats_socket
    }

    /// Where the listener of this name listens.
    pub fn address(&self, listener: &str) -> SocketAddr {
        let found = self.listeners.iter().find(|candidate| candidate.name == listener);
        found.unwrap_or_else(|| panic!("no listener {listener}")).address
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        table(&mut text, "[edge]", &self.edge);
        line(&mut text, "admin", quoted(self.admin));
        line(&mut text, "stats-socket", quoted(self.stats_socket.display()));
        table(&mut text, "[keys]", &self.keys);
        if let Some(path) = &self.key_file {
            line(&mut text, "source", quoted("file"));
            table(&mut text, "[keys.file]", &[]);
            line(&mut text, "path", quoted(path.display()));
        }
        if !self.key_servers.is_empty() {
            line(&mut text, "source", quoted("http"));
            table(&mut text, "[keys.http]", &self.key_servers);
        }
        if !self.fleet.is_empty() {
            table(&mut text, "[keys.etcd]", &self.fleet);
        }
        self.listeners.iter().for_each(|listener| listener.write(&mut text));
        self.upstreams.iter().for_each(|upstream| upstream.write(&mut text));
        text
    }
}

impl Listener {
    /// A listener on an unused address, in front of the upstream `app`.
    pub fn new(name: &str, certificate: &Identity) -> Self {
        Self {
            name: name.to_owned(),
            address: address::unused(),
            settings: vec![("upstream".into(), quoted("app"))],
            certificates: vec![certificate.clone()],
            client_auth: None,
        }
    }

    /// Sets a key to a TOML value.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.settings, key, value);
        self
    }

    /// Listens where another one does.
    pub fn on(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Adds a certificate after those it has.
    pub fn certificate(mut self, certificate: &Identity) -> Self {
        self.certificates.push(certificate.clone());
        self
    }

    /// Asks clients for a certificate of `ca`; `mode` is `required` or `optional`.
    pub fn client_auth(mut self, ca: &Path, crl: Option<&Path>, mode: &str) -> Self {
        self.client_auth = Some((ca.to_owned(), crl.map(Path::to_owned), mode.to_owned()));
        self
    }

    fn write(&self, text: &mut String) {
        table(text, "[[listener]]", &self.settings);
        line(text, "name", quoted(&self.name));
        line(text, "bind", format!("[{}]", quoted(self.address)));
        for certificate in &self.certificates {
            table(text, "[[listener.certificate]]", &[]);
            line(text, "chain", quoted(certificate.chain.display()));
            line(text, "key", quoted(certificate.key.display()));
        }
        if let Some((ca, crl, mode)) = &self.client_auth {
            table(text, "[listener.client-auth]", &[]);
            line(text, "ca", quoted(ca.display()));
            if let Some(crl) = crl {
                line(text, "crl", quoted(crl.display()));
            }
            line(text, "mode", quoted(mode));
        }
    }
}

impl Upstream {
    /// An upstream of these servers.
    pub fn new(name: &str, servers: &[SocketAddr]) -> Self {
        let [settings, tls, check] = [const { Vec::new() }; 3];
        Self { name: name.to_owned(), servers: servers.to_vec(), settings, tls, check }
    }

    /// Sets a key to a TOML value.
    pub fn set(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.settings, key, value);
        self
    }

    /// The same servers under another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Sets a key of `[upstream.tls]`, a table that is there once it has one.
    pub fn tls(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.tls, key, value);
        self
    }

    /// Sets a key of `[upstream.check]`, a table that is there once it has one.
    pub fn check(mut self, key: &str, value: impl Display) -> Self {
        set(&mut self.check, key, value);
        self
    }

    fn write(&self, text: &mut String) {
        table(text, "[[upstream]]", &self.settings);
        line(text, "name", quoted(&self.name));
        let servers: Vec<String> = self.servers.iter().map(quoted).collect();
        line(text, "servers", format!("[{}]", servers.join(", ")));
        for (header, settings) in [("[upstream.tls]", &self.tls), ("[upstream.check]", &self.check)] {
            if !settings.is_empty() {
                table(text, header, settings);
            }
        }
    }
}

/// A TOML string; nothing the tests write needs escaping.
pub fn quoted(text: impl Display) -> String {
    format!("\"{text}\"")
}

/// `[keys.http]`.
pub(crate) fn source_http(urls: &[String], ca: &Path, identity: Option<&Identity>) -> Vec<(String, String)> {
    let urls: Vec<String> = urls.iter().map(quoted).collect();
    let mut settings = vec![("url".to_owned(), format!("[{}]", urls.join(", ")))];
    settings.push(("ca".to_owned(), quoted(ca.display())));
    if let Some(identity) = identity {
        settings.push(("certificate".to_owned(), quoted(identity.chain.display())));
        settings.push(("key".to_owned(), quoted(identity.key.display())));
    }
    settings
}

pub(crate) fn set(settings: &mut Vec<(String, String)>, key: &str, value: impl Display) {
    settings.retain(|(name, _)| name != key);
    settings.push((key.to_owned(), value.to_string()));
}

pub(crate) fn table(text: &mut String, header: &str, settings: &[(String, String)]) {
    writeln!(text, "\n{header}").unwrap();
    for (key, value) in settings {
        line(text, key, value);
    }
}

pub(crate) fn line(text: &mut String, key: &str, value: impl Display) {
    writeln!(text, "{key} = {value}").unwrap();
}
