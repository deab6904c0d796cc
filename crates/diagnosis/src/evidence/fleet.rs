use std::net::SocketAddr;

use super::{Alert, AlertContent, Connection, Description, Failure, KeyName, Kind, Offer, Version, Way, Ways};
use crate::{Side, Timestamp};

/// A fleet as a probe saw it: each node gave sessions, and each was asked to resume those of the others.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The nodes. Elsewhere they go by their place in here.
    pub nodes: Vec<Node>,
    /// What they were asked, in the order of the replies.
    pub asks: Vec<Ask>,
}

/// A node of a fleet.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it was called: `HOST:PORT`.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// What sessions it gives.
    pub gives: Ways<Gives>,
    /// The key names of its tickets.
    pub key_names: Ways<KeyNames>,
    /// Its own certificate (DER), as it showed it first.
    pub certificate: Option<Box<[u8]>>,
    /// Why nothing more was asked of it after some time.
    pub gone: Option<Failure>,
}

/// What sessions a node gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gives {
    /// It was not asked for any.
    #[default]
    NotAsked,
    /// Sessions that can be offered this way.
    Sessions,
    /// None: the handshake succeeded, whatever brings sessions was done, and none came.
    Nothing,
    /// None, for it does not speak the version.
    NotSpoken,
    /// None that were seen, and nothing was said that the server could have answered, and sent them with.
    NothingSaid,
    /// None that were seen, for the connection came to less than it should.
    Unknown(Failure),
}

/// The key names of the tickets that a node gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNames {
    tickets: usize,
    distinct: usize,
    names: Vec<KeyName>,
}

/// A node was asked to resume a session.
#[derive(Clone, Debug)]
pub struct Ask {
    /// How.
    pub way: Way,
    /// The node that gave the session.
    pub issuer: usize,
    /// The node that was asked.
    pub asked: usize,
    /// Whether it is the second time that this node is asked for a session of that one, some time after the first.
    pub again: bool,
    /// When it was asked.
    pub at: Timestamp,
    /// The name of the key that the ticket is sealed under.
    pub key_name: Option<KeyName>,
    /// The cipher suite of the session.
    pub suite: u16,
    /// What it replied.
    pub reply: Reply,
}

/// What a node replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It resumed the session.
    Resumed,
    /// It made a full handshake, with this cipher suite.
    Refused(u16),
    /// Neither: the connection failed before that showed.
    Failed(Failure),
    /// The session could not be offered.
    NotOffered,
}

impl Node {
    /// Whether it gives session IDs, and tickets in no version.
    pub fn gives_ids_alone(&self) -> bool {
        self.gives.session_id == Gives::Sessions && !self.gives_tickets()
    }

    /// Whether it gives tickets.
    pub fn gives_tickets(&self) -> bool {
        [&self.gives.psk, &self.gives.ticket].contains(&&Gives::Sessions)
    }
}

impl KeyNames {
    /// Takes note of the name in another ticket.
    pub fn note(&mut self, name: KeyName) {
        self.tickets += 1;
        if self.names.contains(&name) {
            return;
        }
        self.distinct += 1;
        if self.names.len() < Self::MOST {
            self.names.push(name);
        }
    }

    /// The names, in the order they were first seen; the first few.
    pub fn names(&self) -> &[KeyName] {
        &self.names
    }

    /// Whether a ticket had this name.
    pub fn has(&self, name: KeyName) -> bool {
        self.names.contains(&name)
    }

    /// Whether tickets of the node do begin with the name of a key: with what repeats itself. Some products' do not.
    pub fn repeat(&self) -> bool {
        self.tickets >= 2 * self.distinct && self.distinct > 0
    }

    // Who has more has no names for keys.
    const MOST: usize = 8;
}

impl Reply {
    /// What a connection that was to offer a session this way shows.
    pub fn of(way: Way, connection: &Connection, failure: Option<&Failure>) -> Self {
        let offered = match connection.offer() {
            Offer::Psk(_) => way == Way::Psk,
            Offer::Ticket(_) => way == Way::Ticket,
            Offer::SessionId(_) => way == Way::SessionId,
            Offer::None | Offer::Unknown => false,
        };
        match (connection.agreed(), &connection.server_hello) {
            (kind, Some(_)) if offered && kind.is_resumed() && connection.is_established() => Self::Resumed,
            (Kind::Full, Some(hello)) if offered => Self::Refused(hello.suite),
            _ => match failure {
                Some(failure) => Self::Failed(failure.clone()),
                None => Self::NotOffered,
            },
        }
    }
}

impl Gives {
    /// What a connection that was to bring sessions this way shows; `gained` says how many it did, and `said` whether
    /// anything was said on it.
    pub fn of(way: Way, gained: usize, said: bool, connection: &Connection, failure: Option<&Failure>) -> Self {
        match failure {
            _ if gained > 0 => Self::Sessions,
            Some(failure) if declines(connection, failure, way.version()) => Self::NotSpoken,
            // In TLS 1.3 tickets may wait for the answer; in TLS 1.2 all there is came with the handshake.
            Some(failure) if way == Way::Psk || !connection.is_established() => Self::Unknown(failure.clone()),
            None if way == Way::Psk && !said => Self::NothingSaid,
            _ => Self::Nothing,
        }
    }
}

/// Whether the server made known that it does not speak `version`, which alone was offered.
fn declines(connection: &Connection, failure: &Failure, version: Version) -> bool {
    let alerted = |alert: &Alert| {
        alert.side == Side::Server && alert.content == AlertContent::Read(Description::PROTOCOL_VERSION)
    };
    matches!(failure, Failure::Version(_))
        || connection.version().is_some_and(|picked| picked != version)
        || connection.alerts.iter().any(alerted)
}

#[cfg(test)]
mod tests;
