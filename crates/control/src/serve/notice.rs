//! What an operator is told while a server of keys runs.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use raincheck_keyring::NodeName;

use super::refused::Refusal;
use crate::Event;

/// Something worth a line on standard error.
#[derive(Debug)]
pub enum Notice {
    /// An address is open.
    Listening {
        /// The address, with its port.
        address: SocketAddr,
        /// What is served there.
        what: &'static str,
    },
    /// The admin address is open.
    Admin(SocketAddr),
    /// Something happened to the keys.
    Keys(Event),
    /// A node asks for the ring that did not before, or has started anew.
    Registered(NodeName),
    /// A node has not asked for so long that it may be gone.
    Lapsed(NodeName),
    /// Somebody was turned away. Each reason is told once in a while.
    Refused {
        /// Who.
        address: IpAddr,
        /// Why.
        refusal: Refusal,
    },
    /// A reload took effect.
    Reloaded,
    /// A reload found a setting changed that is only read at the start.
    NeedsRestart {
        /// The setting.
        setting: &'static str,
    },
    /// A reload failed, and nothing has changed.
    ReloadFailed(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address, what } => write!(f, "listening on {address} ({what})"),
            Self::Admin(address) => write!(f, "admin on http://{address}"),
            Self::Keys(event) => write!(f, "keys: {event}"),
            Self::Registered(node) => write!(f, "node {node} has registered: rotation waits for it"),
            Self::Lapsed(node) => write!(
                f,
                "node {node} has not asked for {} s: rotation waits for it no longer than rotation-patience, once",
                super::nodes::LEASE.as_secs()
            ),
            Self::Refused { address, refusal } => write!(f, "refused {address}: {}", refusal.in_words()),
            Self::Reloaded => f.write_str("reloaded"),
            Self::NeedsRestart { setting } => {
                write!(f, "{setting} has changed, and stays as it was: it takes a restart")
            }
            Self::ReloadFailed(error) => write!(f, "reload failed, nothing has changed: {error}"),
        }
    }
}

/// What a start can fail of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({what}): {error}; choose another address, or stop what has it")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        what: &'static str,
        /// The system's answer.
        error: io::Error,
    },
    /// There are no keys to start with.
    #[error(transparent)]
    Keys(#[from] crate::Error),
    /// The system has no threads, or no descriptors, left.
    #[error("cannot start: {0}")]
    System(io::Error),
}
