use std::net::SocketAddr;

use super::{
    Alert, AlertContent, Answer, ClientHello, Close, CloseNotify, End, KeyName, NewTicket, ServerHello, Version,
};
use crate::{Moment, Side, Sides};

/// What was seen of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whether the server asked for another ClientHello (HelloRetryRequest).
    pub retry: bool,
    /// The ServerHello.
    pub server_hello: Option<ServerHello>,
    /// The version that the records themselves tell, where the ServerHello was not seen.
    pub implied_version: Option<Version>,
    /// Whether the server was seen to ask for a certificate of the client.
    pub client_authentication: bool,
    /// How long the server's Certificate message is, in bytes, where it was sent in clear or could be decrypted.
    pub certificate: Option<u32>,
    /// What the handshake's messages say about its kind (TLS 1.2 and before).
    pub flight: Flight,
    /// When each side had finished its part of the handshake.
    pub finished: Sides<Option<Moment>>,
    /// The tickets that could be read: all of TLS 1.2, those of TLS 1.3 by a key log.
    pub tickets: Vec<NewTicket>,
    /// What the server sent in TLS 1.3 after it or the client had finished, the first few: what could be decrypted only if it
    /// was no application data.
    pub sealed: Vec<Sealed>,
    /// Whether the server accepted early data, where that could be decrypted.
    pub early_data: Option<bool>,
    /// How many tickets the server said it would send (RFC 9149 §3), where that could be decrypted.
    pub expected_tickets: Option<u8>,
    /// How many records of each side the secrets that there are did not open, early data not among them.
    pub unopened: Sides<u32>,
    /// Application data of each side.
    pub application: Sides<Application>,
    /// Alerts, close_notify not among them.
    pub alerts: Vec<Alert>,
    /// How each side ended.
    pub end: Sides<End>,
    /// Whether bytes of a side are missing.
    pub missing: Sides<bool>,
    /// Whether a side reset the connection in the middle of a record.
    pub cut: Sides<bool>,
    /// Whether a side sent what is no TLS, and nothing that was TLS before.
    pub foreign: Sides<bool>,
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

impl Application {
    pub(crate) fn add(&mut self, at: Moment, length: u16) {
        self.bytes += u64::from(length);
        self.records += 1;
        self.first.get_or_insert(at);
    }
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
    /// The ClientHello was not seen, though there may have been one.
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
    /// The word for it, in reports for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ResumedSessionId => "resumed-session-id",
            Self::ResumedTicket => "resumed-ticket",
            Self::ResumedPsk => "resumed-psk",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        }
    }

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
            retry: false,
            server_hello: None,
            implied_version: None,
            client_authentication: false,
            certificate: None,
            flight: Flight::default(),
            finished: Sides::default(),
            tickets: Vec::new(),
            sealed: Vec::new(),
            early_data: None,
            expected_tickets: None,
            unopened: Sides::default(),
            application: Sides::default(),
            alerts: Vec::new(),
            end: Sides::default(),
            missing: Sides::default(),
            cut: Sides::default(),
            foreign: Sides::default(),
        }
    }

    /// The version that the server chose.
    pub fn version(&self) -> Option<Version> {
        self.server_hello.as_ref().map(|hello| hello.version).or(self.implied_version)
    }

    /// What the client offered to resume.
    pub fn offer(&self) -> Offer<'_> {
        let Some(hello) = &self.client_hello else {
            return if self.is_whole() && self.is_over() { Offer::None } else { Offer::Unknown };
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
        if self.is_over() && self.is_whole() { Kind::Aborted } else { Kind::Unknown }
    }

    /// What the two sides had agreed to, whether or not they came to an end with it.
    pub fn agreed(&self) -> Kind {
        match &self.server_hello {
            Some(hello) if hello.version >= Version::TLS13 => match hello.psk {
                Some(_) => return Kind::ResumedPsk,
                None => return Kind::Full,
            },
            _ => {}
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
            (Some(_), Flight::Abbreviated) if !self.tickets.is_empty() => Answer::Yes,
            (Some(_), Flight::Abbreviated) if self.server_hello.is_none() || self.missing.server => Answer::Unknown,
            (Some(_), Flight::Abbreviated | Flight::Full) => Answer::No,
            (None, _) if self.is_whole() && self.is_over() => Answer::No,
            _ => Answer::Unknown,
        }
    }

    /// Whether the handshake came to its end.
    pub fn is_established(&self) -> bool {
        let (client, server) = (self.finished.client.is_some(), self.finished.server.is_some());
        if self.version() >= Some(Version::TLS13) {
            return client;
        }
        match self.flight {
            // The client's is the last one.
            Flight::Abbreviated => client,
            // Who speaks has the other's: its own is before, or the other waits for it (False Start waits for less).
            Flight::Full | Flight::Unknown => {
                (client && server) || (client && !self.is_whole() && self.application.client.records > 0)
            }
        }
    }

    /// Whether either side ended the connection.
    pub fn is_over(&self) -> bool {
        [self.end.client, self.end.server].iter().any(|end| end.fin.is_some() || end.reset.is_some())
    }

    /// Whether all bytes were seen: a client does not finish without a ServerHello.
    fn is_whole(&self) -> bool {
        let unanswered = self.finished.client.is_some() && self.server_hello.is_none();
        self.from_the_start && !self.missing.client && !self.missing.server && !unanswered
    }

    /// How `side` ended the connection.
    pub fn close(&self, side: Side) -> Close {
        let End { close_notify, fin, reset } = self.end[side];
        match (close_notify, fin, reset) {
            (CloseNotify::Sent(_), ..) => Close::Clean,
            (CloseNotify::Likely(at), ..) => self.likely_close(side, at),
            (CloseNotify::None, None, None) if !self.missing[side] => Close::Open,
            (CloseNotify::None, ..) if self.missing[side] || self.hides_alerts(side) || self.may_have_ended(side) => {
                Close::Unknown
            }
            (CloseNotify::None, Some(_), _) => Close::Truncated,
            (CloseNotify::None, None, _) => Close::Reset,
        }
    }

    /// Whether what `side` sent may be alerts that look like data: where the version is not known, and in TLS 1.3 where
    /// the client's Finished, behind which they are told by their size, may have been seen too late for the server's.
    fn hides_alerts(&self, side: Side) -> bool {
        match self.version() {
            Some(version) => version >= Version::TLS13 && self.missing.client,
            None => self.application[side].records > 0,
        }
    }

    /// Whether `side` may have sent close_notify, or its FIN, before anything was seen of it.
    fn may_have_ended(&self, side: Side) -> bool {
        !self.from_the_start && self.application[side].records == 0 && self.finished[side].is_none()
    }

    /// How `side` ended whose last record may be close_notify.
    fn likely_close(&self, side: Side, at: Moment) -> Close {
        let other = self.end[!side];
        let has_ended = other.fin.map_or(self.missing[!side], |fin| fin < at);
        let complains = other.close_notify == CloseNotify::None && has_ended;
        if complains || self.missing[side] || !self.from_the_start {
            // After an end without close_notify it is as likely to be a fatal alert, as JSSE sends. Where bytes are
            // missing, records were found by guess.
            Close::Unknown
        } else if self.version() >= Some(Version::TLS13) && !self.is_over() {
            // Nothing but its size speaks for it, and more may follow.
            Close::Open
        } else {
            Close::Clean
        }
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        let hello = self.client_hello.as_ref().map_or(0, |hello| hello.memory());
        let tickets = self.tickets.iter().map(|ticket| ticket.ticket.len()).sum::<usize>();
        size_of::<Self>()
            + hello
            + tickets
            + self.tickets.capacity() * size_of::<NewTicket>()
            + self.sealed.capacity() * size_of::<Sealed>()
            + self.alerts.capacity() * size_of::<Alert>()
    }

    pub(crate) fn add_alert(&mut self, alert: Alert) {
        if self.alerts.len() < MAX_ALERTS {
            self.alerts.push(alert);
        }
    }

    /// What was taken for the client is the server.
    pub(crate) fn swap(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        self.finished.swap();
        self.unopened.swap();
        self.application.swap();
        self.end.swap();
        self.missing.swap();
        self.cut.swap();
        self.foreign.swap();
        self.alerts.iter_mut().for_each(|alert| alert.side = !alert.side);
    }

    /// The alerts that could be read, with who sent them.
    pub fn read_alerts(&self) -> impl Iterator<Item = (Side, super::Description)> {
        self.alerts.iter().filter_map(|alert| match alert.content {
            AlertContent::Read(description) => Some((alert.side, description)),
            AlertContent::Sealed => None,
        })
    }
}

// No connection survives more than a few; warnings may be repeated for ever.
const MAX_ALERTS: usize = 16;
