//! The servers behind a listener, and a connection to one of them.

pub mod balance;
mod builtin;
pub mod check;
mod connect;
pub mod health;
mod io;
mod resolve;
mod server;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use raincheck_tls::Scratch;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::balance::{Candidate, Choice};
use self::check::Checks;
pub use self::connect::ConnectError;
pub use self::io::UpstreamIo;
pub use self::server::{Change, Server, Standing, Target, Wanted};
use crate::config;
use crate::counters::{Purpose, Within};
use crate::notice::Notices;
use crate::proxy_protocol::{self, Addresses, Tls};

/// A group of servers of which any will do.
#[derive(Debug)]
pub struct Upstream {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Servers(Pool),
    /// Answers by itself how the connection was resumed.
    Builtin,
}

/// Servers, and how one is chosen and connected to.
#[derive(Debug)]
struct Pool {
    servers: Vec<Arc<Server>>,
    balance: config::Balance,
    turn: AtomicUsize,
    send_proxy: Option<config::ProxyVersion>,
    connect_timeout: Duration,
    resolve_every: Duration,
    check: Option<Arc<config::Check>>,
}

/// What a server is told, or answers, about the client's side.
pub struct Client<'a> {
    /// Who connected, and where to.
    pub addresses: Addresses,
    /// What TLS is known by.
    pub tls: Tls<'a>,
    /// What the built-in upstream answers with.
    pub about: &'a (dyn Fn() -> serde_json::Value + Sync),
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub io: UpstreamIo,
    /// What was to be sent first and is not sent yet.
    pub unsent: Vec<u8>,
    /// What the server has said already.
    pub answer: Vec<u8>,
    /// Which server it is, where there is a choice.
    pub server: Option<Arc<Server>>,
    /// Counts it among the server's connections.
    pub within: Option<Within>,
}

impl Upstream {
    /// The upstream that `config` describes. Servers that its `predecessor` had keep what is known and counted of them.
    ///
    /// # Errors
    /// What rustls has to say against its TLS settings.
    pub fn new(config: &config::Upstream, predecessor: Option<&Self>) -> Result<Self, rustls::Error> {
        let before = predecessor.map_or(&[][..], Self::servers);
        let server = |server: &config::Server| {
            let same = before.iter().find(|before| before.name == server.name);
            Server::new(server, config, same.map(|server| &**server)).map(Arc::new)
        };
        let kind = match config.kind {
            config::UpstreamKind::Builtin => Kind::Builtin,
            config::UpstreamKind::Servers => Kind::Servers(Pool {
                servers: config.servers.iter().map(server).collect::<Result<_, _>>()?,
                balance: config.balance,
                turn: AtomicUsize::new(0),
                send_proxy: config.send_proxy,
                connect_timeout: config.connect_timeout,
                resolve_every: config.resolve_every,
                check: config.check.clone().map(Arc::new),
            }),
        };
        Ok(Self { name: config.name.clone(), kind })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its servers; the built-in upstream has none.
    pub fn servers(&self) -> &[Arc<Server>] {
        self.pool().map_or(&[], |pool| &pool.servers)
    }

    /// How its servers take turns.
    pub fn balance(&self) -> config::Balance {
        self.pool().map_or(config::Balance::LeastConnections, |pool| pool.balance)
    }

    /// How its servers are checked, if they are.
    pub fn check(&self) -> Option<&config::Check> {
        self.pool()?.check.as_deref()
    }

    /// The servers a new connection may go to `now`, backups among them. As in the choice itself, ejected ones are better
    /// than none.
    pub fn usable(&self, now: Instant) -> Vec<&Server> {
        let usable = |spare_ejected| {
            let servers = self.servers().iter().map(|server| &**server);
            servers.filter(|server| server.share(now, spare_ejected) > 0).collect::<Vec<_>>()
        };
        let unejected = usable(false);
        if unejected.is_empty() { usable(true) } else { unejected }
    }

    /// Connects to a server; one that fails is passed over for another. `first` is sent right away.
    ///
    /// # Errors
    /// The last server's, if none could be reached.
    pub async fn connect(&self, client: &Client<'_>, first: Vec<u8>) -> Result<Connected, ConnectError> {
        match &self.kind {
            Kind::Servers(pool) => pool.connect(client, first).await,
            Kind::Builtin => Ok(Connected {
                io: UpstreamIo::Builtin(builtin::connect((client.about)())),
                unsent: first,
                answer: Vec::new(),
                server: None,
                within: None,
            }),
        }
    }

    /// Checks its servers and looks up their names, as far as the configuration asks for it, until `stop` says so. Checks of all upstreams count from
    /// `origin`.
    pub fn watch(
        &self,
        tasks: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
        notices: &Notices,
        origin: tokio::time::Instant,
    ) {
        let Some(pool) = self.pool() else { return };
        for server in &pool.servers {
            if let Some(check) = &pool.check {
                let checks = Checks {
                    server: Arc::clone(server),
                    upstream: self.name.clone(),
                    check: Arc::clone(check),
                    send_proxy: pool.send_proxy,
                    notices: notices.clone(),
                    origin,
                };
                tasks.spawn(checks.run(stop.clone()));
            }
            if let Some(host) = server.host.clone() {
                let mut stop = stop.clone();
                let name = self.name.clone();
                let following = resolve::follow(Arc::clone(server), host, name, pool.resolve_every, notices.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = following => {}
                        _ = stop.wait_for(|stop| *stop) => {}
                    }
                });
            }
        }
    }

    fn pool(&self) -> Option<&Pool> {
        match &self.kind {
            Kind::Servers(pool) => Some(pool),
            Kind::Builtin => None,
        }
    }
}

impl Pool {
    async fn connect(&self, client: &Client<'_>, first: Vec<u8>) -> Result<Connected, ConnectError> {
        let header = match self.send_proxy {
            None => Vec::new(),
            Some(config::ProxyVersion::V1) => proxy_protocol::write_v1(client.addresses),
            Some(config::ProxyVersion::V2) => proxy_protocol::write_v2(client.addresses, client.tls),
        };
        let mut source = DefaultHasher::new();
        client.addresses.source.ip().hash(&mut source);
        let choice = Choice {
            turn: self.turn.fetch_add(1, Ordering::Relaxed),
            random: fastrand::u64(..),
            source: source.finish(),
        };
        let mut tried = Vec::new();
        let mut failure = ConnectError::NoServer;
        let begun = Instant::now();
        while let Some(index) = self.pick(&choice, &tried) {
            let server = &self.servers[index];
            let within = server.counters.open.enter();
            let reached = timeout(self.connect_timeout, reach(server, &header, &first)).await;
            failure = match reached.unwrap_or(Err(ConnectError::TimedOut(self.connect_timeout))) {
                Ok((io, sent, answer)) => {
                    server.succeeded();
                    let mut unsent = first;
                    unsent.drain(..sent);
                    return Ok(Connected {
                        io,
                        unsent,
                        answer,
                        server: Some(Arc::clone(server)),
                        within: Some(within),
                    });
                }
                Err(error) if error.is_ours() => return Err(error),
                Err(error) => error,
            };
            server.failed(Instant::now());
            tried.push(index);
            if begun.elapsed() > self.connect_timeout * MOST_TIMEOUTS {
                break;
            }
        }
        Err(failure)
    }

    /// The server that comes next. Ejected ones are better than none.
    fn pick(&self, choice: &Choice, tried: &[usize]) -> Option<usize> {
        let now = Instant::now();
        let pick = |spare_ejected| {
            let candidate = |server: &Arc<Server>| Candidate {
                open: server.counters.open.value(),
                weight: server.share(now, spare_ejected),
                backup: server.backup,
                key: server.key,
            };
            let candidates: Vec<_> = self.servers.iter().map(candidate).collect();
            balance::pick(self.balance, &candidates, choice, tried)
        };
        pick(false).or_else(|| pick(true))
    }
}

/// A connection to `server`, how much of `first` was sent on it, and what the server has said already.
async fn reach(server: &Server, header: &[u8], first: &[u8]) -> Result<(UpstreamIo, usize, Vec<u8>), ConnectError> {
    let target = server.target();
    let Some(connector) = &target.connector else {
        // In one packet, if it may be.
        let both = if header.is_empty() { Cow::Borrowed(first) } else { Cow::Owned([header, first].concat()) };
        let (tcp, sent) = connect::tcp(target.address, &both).await?;
        let tcp = connect::rest_of(header, sent, tcp).await?;
        return Ok((UpstreamIo::Tcp(tcp), sent.saturating_sub(header.len()), Vec::new()));
    };
    let tcp = connect::tcp_after(target.address, header).await?;
    let raincheck_tls::Connected { mut stream, first: answer, .. } =
        connect::tls(tcp, connector, &server.counters, Purpose::Traffic, !first.is_empty()).await?;
    if !first.is_empty() {
        Scratch::lend(|scratch| stream.write(first, &mut scratch.outgoing))?;
    }
    Ok((UpstreamIo::tls(stream), first.len(), answer))
}

/// How many servers in a row may take all the time there is to connect.
const MOST_TIMEOUTS: u32 = 3;
