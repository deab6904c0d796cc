use std::net::SocketAddr;

use super::{
    Alert, AlertContent, Answer, ClientHello, Close, CloseNotify, End, KeyName, NewTicket, ServerHello, Version,
};
use crate::{Moment, Side, Sides};

/// What was seen of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
    /// When it was first seen.
    pub start: Moment,
    /// When it was last seen.
    pub last: Moment,
    /// Whether its beginning was seen.
    pub from_the_start: bool,
    /// The ClientHello; after a HelloRetryRequest, the second.
    pub client_hello: Option<Box<ClientHello>>,
    /// When the server asked for another ClientHello (HelloRetryRequest).
    pub retry: Option<Moment>,
    /// The ServerHello.
    pub server_hello: Option<ServerHello>,
    /// How long the server's Certificate message is, in bytes, where it was sent in clear or could be decrypted.
    pub certificate: Option<u32>,
    /// What the handshake's messages say about its kind (TLS 1.2 and before).
    pub flight: Flight,
    /// When each side had finished its part of the handshake.
    pub finished: Sides<Option<Moment>>,
    /// The tickets that could be read: all of TLS 1.2, those of TLS 1.3 by a key log.
    pub tickets: Vec<NewTicket>,
    /// What the server sent in TLS 1.3 after the client had finished, before the client's application spoke; the first few.
    pub sealed: Vec<Sealed>,
    /// Whether the server accepted early data, where that could be decrypted.
    pub early_data: Option<bool>,
    /// Application data of each side.
    pub application: Sides<Application>,
    /// Alerts, close_notify not among them.
    pub alerts: Vec<Alert>,
    /// How each side ended.
    pub end: Sides<End>,
    /// Whether bytes of a side are missing.
    pub missing: Sides<bool>,
    /// When a side sent what is no TLS, and nothing that was TLS before.
    pub foreign: Sides<Option<Moment>>,
}

/// What the messages of a handshake say about its kind, in TLS 1.2 and before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flight {
    /// Not enough was seen.
    #[default]
    Unknown,
    /// A message of a full handshake: a certificate, a key exchange.
    Full,
    /// The server's Finished, or what leads to it, came without any (RFC 5246 §7.3).
    Abbreviated,
}

/// An encrypted record that may hold a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// When it was seen.
    pub at: Moment,
    /// How long its ciphertext is, in bytes.
    pub length: u16,
}

/// Application data of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// How many bytes its records hold, encryption included.
    pub bytes: u64,
    /// How many records there were.
    pub records: u64,
    /// When the first was seen.
    pub first: Option<Moment>,
}

/// What a client offered to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<'a> {
    /// Nothing.
    None,
    /// A session ID; what is not known to have been issued by a server may be random, for compatibility's sake
    /// (RFC 8446 §D.4).
    SessionId(&'a [u8]),
    /// A TLS 1.2 ticket.
    Ticket(&'a [u8]),
    /// A TLS 1.3 ticket, or an external key: the first of those offered.
    Psk(&'a [u8]),
    /// The ClientHello was not seen.
    Unknown,
}

/// How a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A new session was made.
    Full,
    /// A session was resumed by its ID.
    ResumedSessionId,
    /// A session was resumed by a TLS 1.2 ticket.
    ResumedTicket,
    /// A session was resumed by a TLS 1.3 ticket.
    ResumedPsk,
    /// The connection ended before the handshake did.
    Aborted,
    /// What would tell is missing.
    Unknown,
}

impl Kind {
    /// Whether a session was resumed.
    pub fn is_resumed(self) -> bool {
        matches!(self, Self::ResumedSessionId | Self::ResumedTicket | Self::ResumedPsk)
    }
}

impl Connection {
    /// A connection between two addresses of which nothing but `start` was seen yet.
    pub fn new(client: SocketAddr, server: SocketAddr, start: Moment, from_the_start: bool) -> Self {
        Self {
            client,
            server,
            start,
            last: start,
            from_the_start,
            client_hello: None,
            retry: None,
            server_hello: None,
            certificate: None,
            flight: Flight::default(),
            finished: Sides::default(),
            tickets: Vec::new(),
            sealed: Vec::new(),
            early_data: None,
            application: Sides::default(),
            alerts: Vec::new(),
            end: Sides::default(),
            missing: Sides::default(),
            foreign: Sides::default(),
        }
    }

    /// The version that the server chose.
    pub fn version(&self) -> Option<Version> {
        self.server_hello.as_ref().map(|hello| hello.version)
    }

    /// What the client offered to resume.
    pub fn offer(&self) -> Offer<'_> {
        let Some(hello) = &self.client_hello else {
            return Offer::Unknown;
        };
        if let Some(first) = hello.psks.first() {
            return Offer::Psk(&first.identity);
        }
        match &hello.ticket {
            Some(ticket) if !ticket.is_empty() => Offer::Ticket(ticket),
            _ if !hello.session_id.is_empty() => Offer::SessionId(hello.session_id.as_bytes()),
            _ => Offer::None,
        }
    }

    /// The name of the key that the offered ticket is sealed under.
    pub fn offered_key_name(&self) -> Option<KeyName> {
        match self.offer() {
            Offer::Ticket(ticket) | Offer::Psk(ticket) => KeyName::of(ticket),
            Offer::None | Offer::SessionId(_) | Offer::Unknown => None,
        }
    }

    /// How the handshake went.
    pub fn kind(&self) -> Kind {
        let agreed = self.agreed();
        if self.is_established() {
            return agreed;
        }
        match (self.is_over(), self.missing.client || self.missing.server || !self.from_the_start) {
            (true, false) => Kind::Aborted,
            (false, false) | (_, true) => Kind::Unknown,
        }
    }

    /// What the two sides had agreed to, whether or not they came to an end with it.
    pub fn agreed(&self) -> Kind {
        let Some(hello) = &self.server_hello else {
            return Kind::Unknown;
        };
        if hello.version >= Version::TLS13 {
            return if hello.psk.is_some() { Kind::ResumedPsk } else { Kind::Full };
        }
        match (self.flight, self.offer()) {
            (Flight::Full, _) => Kind::Full,
            (Flight::Abbreviated, Offer::Ticket(_)) => Kind::ResumedTicket,
            (Flight::Abbreviated, Offer::SessionId(_)) => Kind::ResumedSessionId,
            (Flight::Abbreviated, Offer::None | Offer::Psk(_) | Offer::Unknown) | (Flight::Unknown, _) => Kind::Unknown,
        }
    }

    /// Whether a new ticket came inside an abbreviated TLS 1.2 handshake (RFC 5077 §3.3).
    pub fn renewed_inline(&self) -> Answer {
        match (self.version(), self.flight) {
            (Some(version), _) if version >= Version::TLS13 => Answer::No,
            (Some(_), Flight::Abbreviated) => Answer::from(!self.tickets.is_empty()),
            (Some(_), Flight::Full) => Answer::No,
            _ => Answer::Unknown,
        }
    }

    /// Whether the handshake came to its end.
    pub fn is_established(&self) -> bool {
        self.finished.client.is_some() && (self.finished.server.is_some() || self.version() >= Some(Version::TLS13))
    }

    /// Whether either side ended the connection.
    pub fn is_over(&self) -> bool {
        [self.end.client, self.end.server].iter().any(|end| end.fin.is_some() || end.reset.is_some())
    }

    /// How `side` ended the connection.
    pub fn close(&self, side: Side) -> Close {
        let End { close_notify, fin, reset } = self.end[side];
        match (close_notify, fin, reset) {
            (CloseNotify::Sent(_) | CloseNotify::Likely(_), ..) => Close::Clean,
            (CloseNotify::None, _, _) if self.missing[side] => Close::Unknown,
            (CloseNotify::None, Some(_), _) => Close::Truncated,
            (CloseNotify::None, None, Some(_)) => Close::Reset,
            (CloseNotify::None, None, None) => Close::Open,
        }
    }

    /// The alerts that could be read, with who sent them.
    pub fn read_alerts(&self) -> impl Iterator<Item = (Side, super::Description)> {
        self.alerts.iter().filter_map(|alert| match alert.content {
            AlertContent::Read(description) => Some((alert.side, description)),
            AlertContent::Sealed => None,
        })
    }
}
