//! The clients people use: each makes a connection, then another that offers the first one's session, and says for itself
//! whether that was resumed.

pub mod curl;
pub mod gnutls;
pub mod java;
pub mod node;
pub mod openssl;
pub mod python;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::Finished;

/// The TLS version a client is held to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Where a client goes, and as whom.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Where it connects to. Both connections go there: a [`Tap`](crate::tap::Tap) takes them to different nodes.
    pub address: SocketAddr,
    /// The name it asks for by SNI and finds in the certificate.
    pub name: String,
    /// The authority it trusts, PEM.
    pub ca: PathBuf,
    /// The only version it speaks.
    pub version: Version,
}

/// What a client says of one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Whether the session was resumed.
    pub resumed: bool,
    /// What the server sent, perhaps among the client's own talk.
    pub answer: String,
    /// How the server's side ended.
    pub ending: Ending,
}

/// How the other side ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// close_notify, then the end of TCP.
    Clean,
    /// The end of TCP alone.
    Truncated,
    /// A reset.
    Reset,
    /// A fatal alert.
    Alert,
}

impl Version {
    /// The number after `TLS`: `1.2` or `1.3`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    /// As metrics have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

impl Visit {
    /// A visit to `app.test`.
    pub fn new(address: SocketAddr, ca: &Path, version: Version) -> Self {
        Self { address, name: "app.test".to_owned(), ca: ca.to_owned(), version }
    }

    /// The same, to another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// The arguments our scripts take: host, port, name, CA file, version.
    fn arguments(&self) -> [String; 5] {
        [
            self.address.ip().to_string(),
            self.address.port().to_string(),
            self.name.clone(),
            self.ca.display().to_string(),
            self.version.number().to_owned(),
        ]
    }
}

/// Reads what our scripts print: a line of JSON for each of two connections.
fn two_lines(finished: &Finished) -> [Seen; 2] {
    let seen: Vec<Seen> = finished.stdout.lines().map(seen).collect();
    seen.try_into().unwrap_or_else(|_| panic!("not two connections: {}", finished.output()))
}

fn seen(line: &str) -> Seen {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let ending = match value["ending"].as_str() {
        Some("clean") => Ending::Clean,
        Some("truncated") => Ending::Truncated,
        Some("reset") => Ending::Reset,
        other => panic!("an ending {other:?}: {line}"),
    };
    Seen {
        resumed: value["resumed"].as_bool().expect("a script says whether it was resumed"),
        answer: value["answer"].as_str().expect("a script says what it was answered").to_owned(),
        ending,
    }
}
