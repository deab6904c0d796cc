//! What an edge is to do: read from `raincheck.toml` and flags, checked as a whole before anything begins.
//!
//! In two stages: the text becomes a tree of the right types, then a [`Config`] in which nothing is left to check. All that
//! is wrong is reported at once ([`ConfigErrors`]), each with its file, line, key and remedy.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use raincheck_control::KeySource;
use raincheck_control::agent::{self, Outlet};
use raincheck_control::serve::{Serve, Setup};
use raincheck_keyring::Schedule;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use crate::certificate::Certificates;
use draft::{Draft, Purpose};

mod address;
mod check;
mod document;
mod draft;
pub mod duration;
mod error;
mod flags;
mod keys;
mod listener;
mod raw;
mod reader;
mod serve;
mod server;
mod sink;
mod upstream;
mod upstream_tls;

pub(crate) use address::collide;
pub use address::listening_address;
pub use error::{ConfigError, ConfigErrors};
pub use flags::EdgeFlags;

/// A configuration in which nothing contradicts itself and every file it names was read.
///
/// The ticket key file is the exception: its keys belong to [`raincheck_control::Keys`], which reads it.
#[derive(Debug)]
pub struct Config {
    /// Worker threads; at least 1.
    pub workers: usize,
    /// Where metrics, health and status are served; nowhere if none.
    pub admin: Option<SocketAddr>,
    /// The path of the stats socket, if there is one.
    pub stats_socket: Option<PathBuf>,
    /// Where a line for each connection goes.
    pub access_log: AccessLog,
    /// Where ticket keys come from and how long each serves.
    pub keys: Keys,
    /// Whom `raincheck keys serve` hands the keys out to.
    pub serve: Option<Serve>,
    /// What `raincheck keys agent` feeds; no two have a name in common.
    pub outlets: Vec<Outlet>,
    /// The admin address of that agent.
    pub agent_admin: Option<SocketAddr>,
    /// No two have a name or an address in common. At least one, if nothing is served or fed either.
    pub listeners: Vec<Listener>,
    /// What [`Listener::upstream`] counts in; no two have a name in common.
    pub upstreams: Vec<Upstream>,
    /// What is odd but can be done, each in one line. For the operator, on stderr.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads a configuration file, and the certificates it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Draft::from_file(path, Purpose::Any).finish()
    }

    /// Reads the configuration file of a server of keys. Gives what is odd about it, too. What is in it for edges may name
    /// files that are not here.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn to_serve_keys(path: &Path) -> Result<(Setup, Vec<String>), ConfigErrors> {
        let config = Draft::from_file(path, Purpose::ServeKeys).finish()?;
        let serve = config.serve.expect("that is what it is for");
        Ok((Setup { source: config.keys.source, schedule: config.keys.schedule, serve }, config.warnings))
    }

    /// Reads the configuration file of an agent. Gives what is odd about it, too.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn to_feed_products(path: &Path) -> Result<(agent::Setup, Vec<String>), ConfigErrors> {
        let config = Draft::from_file(path, Purpose::FeedProducts).finish()?;
        let Keys { source, schedule } = config.keys;
        let setup = agent::Setup { source, schedule, outlets: config.outlets, admin: config.agent_admin };
        Ok((setup, config.warnings))
    }

    /// What the command line asks for, on top of the file that it names, if it does. With no flag at all: a demonstration
    /// on localhost. What is in the file for a server of keys may name files that are not here.
    ///
    /// # Errors
    /// All that is wrong with the file, and flags that contradict one another or make no sense alone.
    pub fn from_flags(flags: &EdgeFlags) -> Result<Self, ConfigErrors> {
        let from_file = |path| Draft::from_file(path, Purpose::Edge);
        let mut draft = flags.config.as_deref().map_or_else(Draft::default, from_file);
        draft.add(flags);
        draft.finish()
    }
}

/// Where the access log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// To standard output.
    Stdout,
    /// To standard error.
    Stderr,
    /// Nowhere.
    Off,
}

/// Ticket keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Where they come from.
    pub source: KeySource,
    /// How long each seals, opens and chains.
    pub schedule: Schedule,
}

/// What is accepted on a set of addresses.
#[derive(Debug)]
pub struct Listener {
    /// In metrics and logs.
    pub name: String,
    /// At least one.
    pub bind: Vec<SocketAddr>,
    /// Where in [`Config::upstreams`] the upstream stands.
    pub upstream: usize,
    /// Protocols offered by ALPN (RFC 7301), the preferred one first; none if empty.
    pub alpn: Vec<Vec<u8>>,
    /// The oldest version spoken.
    pub min_version: MinVersion,
    /// TLS 1.3 tickets per full handshake, at most 255. 0: no tickets at all, in no version.
    pub tickets: usize,
    /// TLS 1.3 tickets after a resumption, at most 255.
    pub tickets_on_resumption: usize,
    /// Session IDs kept per node; 0: none.
    pub session_cache: usize,
    /// Whether connections begin with a PROXY protocol header.
    pub accept_proxy: bool,
    /// Connections open at once; at least 1.
    pub max_connections: usize,
    /// How long a handshake may take, from accept on.
    pub handshake_timeout: Duration,
    /// How long a connection may be silent in both directions.
    pub idle_timeout: Duration,
    /// Whether TLS 1.2 tickets are renewed inside the abbreviated handshake.
    pub renewal: Renewal,
    /// Whose names the listener serves.
    pub certificates: Arc<Certificates>,
    /// Whether clients are asked for certificates.
    pub client_auth: Option<ClientAuth>,
}

/// The oldest TLS version spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MinVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 9846).
    Tls13,
}

/// When a TLS 1.2 ticket is renewed inside an abbreviated handshake (RFC 5077 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Never: some clients break on it.
    Never,
    /// When it was sealed under another key than the issuing one.
    Inline,
}

/// How clients prove who they are.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    /// Whether they must.
    pub mode: ClientAuthMode,
    /// Who vouches for them; also consulted before a session that carries a client certificate resumes.
    pub verifier: Arc<dyn ClientCertVerifier>,
    /// SHA-256 of the CAs' DER, sorted: part of the policy a ticket is bound to.
    pub ca_digests: Vec<[u8; 32]>,
}

/// Whether a client must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthMode {
    /// The handshake fails without.
    Required,
    /// Without is fine; a wrong one is not.
    Optional,
}

/// The servers behind listeners.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// In metrics and logs.
    pub name: String,
    /// What answers.
    pub kind: UpstreamKind,
    /// Which server a connection goes to.
    pub balance: Balance,
    /// At least one if [`kind`](Self::kind) is `Servers`, else none; no two have a name in common.
    pub servers: Vec<Server>,
    /// Which PROXY protocol header each connection to a server begins with.
    pub send_proxy: Option<ProxyVersion>,
    /// How long a server has to accept a connection, the TLS handshake included; not zero.
    pub connect_timeout: Duration,
    /// How long a server that comes back takes to get its full share; zero: it has it at once.
    pub slow_start: Duration,
    /// After how many failures in a row to connect, or to shake hands, a server is left out; 0: never.
    pub eject_after: u32,
    /// How long it is left out then; not zero.
    pub eject_for: Duration,
    /// How often the names of servers are looked up again; not zero.
    pub resolve_every: Duration,
    /// How servers are spoken to by TLS; in plain TCP if none.
    pub tls: Option<UpstreamTls>,
    /// How it is found out which servers can serve; nobody asks if none.
    pub check: Option<Check>,
}

/// What answers for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    /// Servers, over TCP or TLS.
    Servers,
    /// The edge itself, with how the connection was resumed.
    Builtin,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As written, in metrics and logs.
    pub name: String,
    /// Where it is, as looked up when the configuration was read.
    pub address: SocketAddr,
    /// The DNS name to look up again, a sound [`ServerName`]; none where the address itself was written.
    pub host: Option<String>,
    /// Its share of connections beside the others'; at most 256. 0: it takes no new ones.
    pub weight: u32,
    /// Whether it is kept for when no other server can serve.
    pub backup: bool,
}

/// Versions of the PROXY protocol header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Which of an upstream's servers takes the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The one with the fewest connections for its weight.
    LeastConnections,
    /// Each in turn, as often as its weight says.
    RoundRobin,
    /// The one with fewer connections of two drawn at random.
    RandomTwo,
    /// The one that the client's address is hashed to, so that a client comes back to its server.
    SourceHash,
}

/// TLS to the servers of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// Whose certificate is asked for and expected; none: that of the host in each server's address.
    pub server_name: Option<ServerName<'static>>,
    /// Who is believed.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// The edge's own certificate, for servers that ask for one.
    pub identity: Option<Arc<CertifiedKey>>,
    /// Protocols offered by ALPN (RFC 7301), the preferred one first; none if empty.
    pub alpn: Vec<Vec<u8>>,
    /// The oldest version spoken.
    pub min_version: MinVersion,
    /// Sessions kept for each server, at most 1024. 0: none, so every handshake is a full one.
    pub sessions: usize,
    /// SHA-256 over who is believed and what the edge shows of itself: sessions outlive a reload that leaves it the same.
    pub digest: [u8; 32],
}

/// How it is found out whether a server can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is tried.
    pub kind: CheckKind,
    /// How often; not zero.
    pub every: Duration,
    /// How often while a server's state is in question; not zero, and not longer than [`every`](Self::every).
    pub fast_every: Duration,
    /// How long it may take, from connecting on; not zero.
    pub timeout: Duration,
    /// How many passed in a row bring a server back; 1 to 1000.
    pub rise: u32,
    /// How many failed in a row take a server out; 1 to 1000.
    pub fall: u32,
    /// Whether the connection is kept for the next one; only with [`CheckKind::Http`].
    pub keep_alive: bool,
}

/// What a check tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// To connect.
    Tcp,
    /// To shake hands; the upstream has [`tls`](Upstream::tls).
    Tls,
    /// To get an answer, over TLS where the upstream has it.
    Http(HttpCheck),
}

/// A check's request, and the answer it passes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// A token without small letters.
    pub method: String,
    /// Begins with `/`; visible ASCII.
    pub path: String,
    /// What the field `Host` says; none: the TLS server name if there is one, else the host of the server's address.
    pub host: Option<String>,
    /// What passes.
    pub expect: Expect,
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Its status is in one of these, all within 100 to 599; at least one.
    pub status: Vec<RangeInclusive<u16>>,
    /// What must stand in the first 64 KiB of its body; not empty, and not longer than they.
    pub body: Option<String>,
}

#[cfg(test)]
mod tests;
