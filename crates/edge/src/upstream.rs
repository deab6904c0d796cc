//! The servers behind a listener, and a connection to one of them.

pub mod balance;
mod builtin;
pub mod health;
mod io;

use std::io as std_io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sockopt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::balance::{Candidate, Choice};
pub use self::io::UpstreamIo;
use crate::config;
use crate::counters::{Count, Gauge, Within};
use crate::proxy_protocol::{self, Addresses, Tls};

/// A group of servers of which any will do.
#[derive(Debug)]
pub struct Upstream {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Servers {
        servers: Vec<Arc<Server>>,
        turn: AtomicUsize,
        send_proxy: Option<config::ProxyVersion>,
    },
    /// Answers by itself how the connection was resumed.
    Builtin,
}

/// One server.
#[derive(Debug)]
pub struct Server {
    /// As the configuration has it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections open to it now.
    pub open: Arc<Gauge>,
    /// Connections made to it.
    pub connections: Count,
    /// Connections it refused, or did not answer in time.
    pub failures: Count,
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
    /// Which server it is, where there is a choice.
    pub server: Option<Arc<Server>>,
    /// Counts it among the server's connections.
    pub within: Option<Within>,
}

impl Upstream {
    /// The upstream that `config` describes. Servers that its `predecessor` had keep their connections and counts.
    pub fn new(config: &config::Upstream, predecessor: Option<&Self>) -> Self {
        let before = predecessor.map_or(&[][..], Self::servers);
        let server = |config: &config::Server| {
            let same = before.iter().find(|server| server.name == config.name && server.address == config.address);
            same.map_or_else(|| Arc::new(Server::new(config)), Arc::clone)
        };
        let kind = match &config.kind {
            config::UpstreamKind::Builtin => Kind::Builtin,
            config::UpstreamKind::Servers => Kind::Servers {
                servers: config.servers.iter().map(server).collect(),
                turn: AtomicUsize::new(0),
                send_proxy: config.send_proxy,
            },
        };
        Self { name: config.name.clone(), kind }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its servers; the built-in upstream has none.
    pub fn servers(&self) -> &[Arc<Server>] {
        match &self.kind {
            Kind::Servers { servers, .. } => servers,
            Kind::Builtin => &[],
        }
    }

    /// Connects to the server with the fewest connections; one that fails is passed over for the next.
    /// `first` is sent right away.
    ///
    /// # Errors
    /// The last server's, if none could be reached.
    pub async fn connect(&self, client: &Client<'_>, first: Vec<u8>) -> std_io::Result<Connected> {
        let Kind::Servers { servers, turn, send_proxy } = &self.kind else {
            let io = UpstreamIo::Builtin(builtin::connect((client.about)()));
            return Ok(Connected { io, unsent: first, server: None, within: None });
        };
        let first = match send_proxy {
            None => first,
            Some(config::ProxyVersion::V1) => [proxy_protocol::write_v1(client.addresses), first].concat(),
            Some(config::ProxyVersion::V2) => [proxy_protocol::write_v2(client.addresses, client.tls), first].concat(),
        };
        let mut tried = Vec::new();
        let mut failure = std_io::Error::other("the upstream has no servers");
        let choice = Choice { turn: turn.fetch_add(1, Ordering::Relaxed), random: 0, source: 0 };
        let candidate = |server: &Arc<Server>| Candidate {
            open: server.open.value(),
            weight: balance::WEIGHT_OF_ONE,
            backup: false,
            key: 0,
        };
        let pick = |tried: &[usize]| {
            let candidates: Vec<_> = servers.iter().map(candidate).collect();
            balance::pick(config::Balance::LeastConnections, &candidates, &choice, tried)
        };
        while let Some(index) = pick(&tried) {
            let server = &servers[index];
            let within = server.open.enter();
            match timeout(CONNECT_TIMEOUT, connect(server.address, &first)).await {
                Ok(Ok((tcp, sent))) => {
                    server.connections.increment();
                    let mut unsent = first;
                    unsent.drain(..sent);
                    let server = Some(Arc::clone(server));
                    return Ok(Connected { io: UpstreamIo::Tcp(tcp), unsent, server, within: Some(within) });
                }
                Ok(Err(error)) if is_ours(&error) => return Err(error),
                Ok(Err(error)) => failure = error,
                Err(elapsed) => failure = elapsed.into(),
            }
            server.failures.increment();
            tried.push(index);
        }
        Err(failure)
    }
}

impl Server {
    fn new(config: &config::Server) -> Self {
        Self {
            name: config.name.clone(),
            address: config.address,
            open: Arc::default(),
            connections: Count::default(),
            failures: Count::default(),
        }
    }
}

/// Whether no server could help it: we are out of descriptors, ports or memory.
fn is_ours(error: &std_io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Connects and sends `first` at once; answers how much of it was taken.
///
/// Over loopback, and often enough elsewhere, the connection stands before anybody has waited for it: so the first thing
/// tried is to send, and only where that is too early the socket is waited for.
async fn connect(address: SocketAddr, first: &[u8]) -> std_io::Result<(TcpStream, usize)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if !first.is_empty() {
        // The acknowledgement that ends the TCP handshake can wait for the data that follows at once: a packet less.
        sockopt::set_tcp_quickack(&socket, false)?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let tcp = TcpStream::from_std(socket.into())?;
    if !first.is_empty() {
        match rustix::net::send(&tcp, first, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok((tcp, sent)),
            Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tcp.writable().await?;
    match tcp.take_error()? {
        None => Ok((tcp, 0)),
        Some(error) => Err(error),
    }
}

/// How long a server has to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
