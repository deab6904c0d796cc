//! What an operator is told while the edge runs. The library says it, the command prints it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::ConfigErrors;
use crate::upstream::check::Failed;

/// Something worth a line on standard error.
#[derive(Debug)]
pub enum Notice {
    /// An address is open.
    Listening {
        /// The address, with its port.
        address: SocketAddr,
        /// The listener's name.
        listener: String,
    },
    /// The admin address is open.
    Admin(SocketAddr),
    /// The control plane did something.
    Keys(raincheck_control::Event),
    /// A reload took effect.
    Reloaded,
    /// A reload found a setting changed that is only read at the start.
    NeedsRestart {
        /// The setting.
        setting: &'static str,
    },
    /// A reload failed, and nothing has changed.
    ReloadFailed(ReloadError),
    /// No more connections are taken; those that are there go on.
    Draining {
        /// How many there are.
        connections: usize,
    },
    /// The time for draining is over.
    DrainTimeout {
        /// How many connections are cut off.
        connections: usize,
    },
    /// A listener has as many connections as it may; more wait.
    Full {
        /// The listener's name.
        listener: String,
    },
    /// A server takes no connections any more: its checks failed.
    ServerDown {
        /// The upstream's name.
        upstream: String,
        /// The server's.
        server: String,
        /// What the last check found.
        why: Arc<Failed>,
    },
    /// A server takes connections again.
    ServerUp {
        /// The upstream's name.
        upstream: String,
        /// The server's.
        server: String,
    },
    /// The name of a server leads somewhere else.
    ServerMoved {
        /// The upstream's name.
        upstream: String,
        /// The server's.
        server: String,
        /// Where it is now.
        address: SocketAddr,
    },
    /// A bug of ours broke off the checks of a server; they have begun again.
    ChecksBroken {
        /// The upstream's name.
        upstream: String,
        /// The server's.
        server: String,
        /// What the panic said.
        why: String,
    },
}

/// Why a reload failed.
#[derive(Debug)]
pub enum ReloadError {
    /// The configuration.
    Config(ConfigErrors),
    /// The keys.
    Keys(raincheck_control::Error),
    /// Something the system refuses.
    Start(crate::Error),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address, listener } => write!(f, "listening on {address} (listener {listener})"),
            Self::Admin(address) => write!(f, "admin on http://{address}"),
            Self::Keys(event) => write!(f, "keys: {event}"),
            Self::Reloaded => f.write_str("reloaded"),
            Self::NeedsRestart { setting } => {
                write!(f, "{setting} has changed, and stays as it was: it takes a restart")
            }
            Self::ReloadFailed(error) => write!(f, "reload failed, nothing has changed: {error}"),
            Self::Draining { connections } => {
                write!(f, "draining: no new connections, waiting for {connections} to end")
            }
            Self::DrainTimeout { connections } => {
                write!(f, "drain time is over: cutting off {connections} connections")
            }
            Self::Full { listener } => {
                write!(f, "listener {listener} has reached max-connections: more wait to be accepted")
            }
            Self::ServerDown { upstream, server, why } => write!(f, "server {upstream}/{server} is down: {why}"),
            Self::ServerUp { upstream, server } => write!(f, "server {upstream}/{server} is up"),
            Self::ServerMoved { upstream, server, address } => {
                write!(f, "server {upstream}/{server} is at {address} now")
            }
            Self::ChecksBroken { upstream, server, why } => write!(
                f,
                "a bug broke off the checks of server {upstream}/{server}, which begin again; please report it: {why}"
            ),
        }
    }
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
        }
    }
}

/// Who is told.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notices {
    /// Tells `observer`, which must not block.
    pub fn new(observer: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observer))
    }

    /// Tells what happened.
    pub fn tell(&self, notice: Notice) {
        (self.0)(notice);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

/// What a start can fail of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({whose}): {error}{}", remedy(.error))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        whose: String,
        /// The system's answer.
        error: io::Error,
    },
    /// An address cannot be listened on because this edge itself has it.
    #[error("cannot listen on {address} ({whose}): {why}")]
    Ours {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        whose: String,
        /// What has it, and the remedy.
        why: &'static str,
    },
    /// The stats socket cannot be made.
    #[error("cannot make the stats socket {}: {error}", .path.display())]
    StatsSocket {
        /// Its path.
        path: std::path::PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// There are no keys to start with.
    #[error(transparent)]
    Keys(#[from] raincheck_control::Error),
    /// rustls refuses the combination.
    #[error("listener {listener}: {error}")]
    Tls {
        /// The listener's name.
        listener: String,
        /// What rustls has against it.
        error: rustls::Error,
    },
    /// The same, towards servers.
    #[error("upstream {upstream}: {error}")]
    UpstreamTls {
        /// The upstream's name.
        upstream: String,
        /// What rustls has against it.
        error: rustls::Error,
    },
    /// The system has no thread, or no descriptors, left.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there already, maybe an edge that still runs: stop it, or choose another address"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need the capability CAP_NET_BIND_SERVICE (the systemd unit has it), or choose a higher port"
        }
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has that address",
        _ => "",
    }
}
