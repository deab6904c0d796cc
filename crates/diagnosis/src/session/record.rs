use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use super::given::{Given, given, has_only_tickets};
use crate::digest::digest;
use crate::evidence::{Answer, Close, CloseNotify, Connection, Description, Kind, Offer, Version};
use crate::{Moment, Side, Sides};

/// What is kept of a connection that is over.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who opened it.
    pub client: SocketAddr,
    /// The client's address, by number.
    pub address: u32,
    /// Who accepted it, by number.
    pub server: u32,
    /// The name of the server that the client asked for, by number.
    pub server_name: Option<u32>,
    /// The client's fingerprint, by number.
    pub ja4: Option<u32>,
    /// What of the ClientHello tells one client from another: the same software with the same settings has the same.
    pub shape: u32,
    /// The client's random bytes, of which a connection seen on two legs has the same on both.
    pub random: Option<u64>,
    /// When it was first seen.
    pub start: Moment,
    /// When the whole ClientHello was seen.
    pub hello: Option<Moment>,
    /// When the handshake was over, if it came to that.
    pub established: Option<Moment>,
    /// When the client began to end it.
    pub client_ended: Option<Moment>,
    /// When it was last seen.
    pub last: Moment,
    /// The version the server chose.
    pub version: Option<Version>,
    /// The highest version the client offers.
    pub highest: Version,
    /// What was offered.
    pub offered: Offered,
    /// The session that was offered; [`Graph`](super::Graph) turns it from a digest into a number.
    pub(super) session: Option<u64>,
    /// The name of the key that the offered ticket is sealed under, by number.
    pub offered_key_name: Option<u32>,
    /// How the handshake went.
    pub kind: Kind,
    /// What both sides had agreed to, though one of them ended it.
    pub agreed: Kind,
    /// Whether a ticket came inside an abbreviated handshake of TLS 1.2.
    pub renewed_inline: Answer,
    /// Whether the client had a session to offer next, once this was over.
    pub given: Given,
    /// How each side ended.
    pub close: Sides<Close>,
    /// Alerts that could be read: those of the first few.
    pub(super) alerts: [Option<(Side, Description)>; 4],
    /// Bytes of application data.
    pub bytes: Sides<u64>,
    /// Records of application data, TLS 1.3's tickets among the server's.
    pub records: Sides<u32>,
    /// How long the server's certificates are, in bytes.
    pub certificate: u32,
    /// What was said on it.
    pub speech: Speech,
    pub(super) flags: u16,
}

/// What a client offered to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offered {
    /// Nothing.
    None,
    /// A session ID that a server had issued.
    SessionId,
    /// A TLS 1.2 ticket.
    Ticket,
    /// A TLS 1.3 ticket, or an external key.
    Psk,
    /// What would tell is missing.
    Unknown,
}

impl Offered {
    /// The word for it, in reports for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SessionId => "session-id",
            Self::Ticket => "ticket",
            Self::Psk => "psk",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Offer<'_>> for Offered {
    fn from(offer: Offer<'_>) -> Self {
        match offer {
            Offer::None => Self::None,
            Offer::SessionId(_) => Self::SessionId,
            Offer::Ticket(_) => Self::Ticket,
            Offer::Psk(_) => Self::Psk,
            Offer::Unknown => Self::Unknown,
        }
    }
}

/// What was said on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// TLS.
    Tls,
    /// Something else, or the middle of something.
    Foreign,
    /// Nothing.
    Silence,
}

impl Record {
    /// What is kept of `connection`, but for what is known by number. Sessions are told apart by digests with `seed`.
    pub(super) fn of(connection: &Connection, seed: u64) -> Self {
        let hello = connection.client_hello.as_deref();
        let established = connection
            .is_established()
            .then(|| [connection.finished.client, connection.finished.server].into_iter().flatten().max())
            .flatten();
        let kind = connection.kind();
        let mut alerts = [None; 4];
        alerts.iter_mut().zip(connection.read_alerts()).for_each(|(place, alert)| *place = Some(alert));
        let bytes = Sides { client: connection.application.client.bytes, server: connection.application.server.bytes };
        let records = Sides {
            client: connection.application.client.records.try_into().unwrap_or(u32::MAX),
            server: connection.application.server.records.try_into().unwrap_or(u32::MAX),
        };
        Self {
            client: connection.client,
            address: 0,
            server: 0,
            server_name: None,
            ja4: None,
            shape: hello.map_or(0, |hello| {
                let mut hasher = DefaultHasher::new();
                (hello.version, &hello.profile.suites, hello.extended_master_secret).hash(&mut hasher);
                hasher.finish() as u32
            }),
            random: hello.map(|hello| digest(seed, &hello.random)),
            start: connection.start,
            hello: hello.map(|hello| hello.at),
            established,
            client_ended: client_ended(connection),
            last: connection.last,
            version: connection.version(),
            highest: hello.map_or(Version(0), |hello| hello.version),
            offered: offered(connection, kind),
            session: offered_session(connection).map(|session| digest(seed, session)),
            offered_key_name: None,
            kind,
            agreed: connection.agreed(),
            renewed_inline: renewed_inline(connection, kind),
            given: given(connection, kind),
            close: Sides { client: connection.close(Side::Client), server: connection.close(Side::Server) },
            alerts,
            bytes,
            records,
            certificate: connection.certificate.unwrap_or(0),
            speech: speech(connection),
            flags: flags(connection),
        }
    }

    /// The alerts that could be read, with who sent them.
    pub fn alerts(&self) -> impl Iterator<Item = (Side, Description)> {
        self.alerts.iter().copied().flatten()
    }

    /// The session that was offered, by its place among the graph's.
    pub fn session(&self) -> Option<usize> {
        self.session.and_then(|session| usize::try_from(session).ok())
    }

    /// Whether a session was offered, and the handshake was full all the same.
    pub fn refused(&self) -> Answer {
        match (self.offered, self.kind) {
            (Offered::None, _) => Answer::No,
            (_, Kind::Aborted) => Answer::No,
            (_, kind) if kind.is_resumed() => Answer::No,
            (Offered::Unknown, _) | (_, Kind::Unknown) => Answer::Unknown,
            (_, _) => Answer::Yes,
        }
    }

    /// Whether the client was done with it at `at`, and had whatever session it left.
    pub fn was_left_by(&self, at: Moment) -> bool {
        self.client_ended.unwrap_or(self.last) < at
    }

    /// Whether bytes of either side are missing, or its beginning.
    pub fn is_partial(&self) -> bool {
        self.has(Self::PARTIAL)
    }

    /// Whether what was offered is an external key, which no server issued: it has no age (RFC 8446 §4.2.11).
    pub fn offers_external_key(&self) -> bool {
        self.has(Self::EXTERNAL_KEY)
    }

    /// Whether what was offered is too short to hold a session: the server must have kept that.
    pub fn offers_handle(&self) -> bool {
        self.has(Self::HANDLE)
    }

    /// Whether the client says that it comes back with a lower version (RFC 7507).
    pub fn is_fallback(&self) -> bool {
        self.has(Self::FALLBACK)
    }

    /// Whether the server resumed, or answered in TLS 1.3, without the session ID that the client sent (RFC 5077 §3.4, RFC
    /// 8446 §4.1.3).
    pub fn has_other_session_id(&self) -> bool {
        self.has(Self::OTHER_SESSION_ID)
    }

    /// Whether the client asks for tickets in TLS 1.2, or speaks TLS 1.3.
    pub fn takes_tickets(&self) -> bool {
        self.has(Self::TAKES_TICKETS)
    }

    /// Whether the server sent nothing in TLS 1.3 but what may be tickets, and some of that.
    pub fn has_only_tickets(&self) -> bool {
        self.has(Self::ONLY_TICKETS)
    }

    /// Whether early data was accepted.
    pub fn took_early_data(&self) -> bool {
        self.has(Self::EARLY_DATA)
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    const PARTIAL: u16 = 1;
    const EXTERNAL_KEY: u16 = 1 << 1;
    const HANDLE: u16 = 1 << 2;
    const FALLBACK: u16 = 1 << 3;
    const OTHER_SESSION_ID: u16 = 1 << 4;
    const TAKES_TICKETS: u16 = 1 << 5;
    const ONLY_TICKETS: u16 = 1 << 6;
    const EARLY_DATA: u16 = 1 << 7;
}

fn offered(connection: &Connection, kind: Kind) -> Offered {
    match connection.offer() {
        // What ended before a ClientHello offered nothing.
        Offer::Unknown if kind == Kind::Aborted => Offered::None,
        offer => offer.into(),
    }
}

/// The session that was offered: of several, the one the server took, or else the first.
pub(super) fn offered_session(connection: &Connection) -> Option<&[u8]> {
    let taken = connection.server_hello.as_ref().and_then(|hello| hello.psk).map(usize::from);
    match (connection.offer(), taken, &connection.client_hello) {
        (Offer::Psk(first), Some(taken), Some(hello)) => Some(hello.psks.get(taken).map_or(first, |psk| &psk.identity)),
        (Offer::SessionId(session) | Offer::Ticket(session) | Offer::Psk(session), ..) => Some(session),
        (Offer::None | Offer::Unknown, ..) => None,
    }
}

/// Whether what a client offers is too short to hold a session.
pub(super) fn is_handle(session: &[u8]) -> bool {
    session.len() <= LONGEST_HANDLE
}

fn renewed_inline(connection: &Connection, kind: Kind) -> Answer {
    match connection.renewed_inline() {
        Answer::Unknown if kind == Kind::Aborted => Answer::No,
        answer => answer,
    }
}

fn client_ended(connection: &Connection) -> Option<Moment> {
    let end = connection.end.client;
    let close_notify = match end.close_notify {
        CloseNotify::Sent(at) | CloseNotify::Likely(at) => Some(at),
        CloseNotify::None => None,
    };
    [close_notify, end.fin, end.reset].into_iter().flatten().min()
}

fn speech(connection: &Connection) -> Speech {
    let said = connection.client_hello.is_some()
        || connection.server_hello.is_some()
        || connection.version().is_some()
        || connection.application.client.records + connection.application.server.records > 0
        || !connection.alerts.is_empty();
    let foreign = connection.foreign.client || connection.foreign.server;
    match (said, foreign || connection.missing.client || connection.missing.server) {
        (true, _) => Speech::Tls,
        (false, true) => Speech::Foreign,
        (false, false) => Speech::Silence,
    }
}

fn flags(connection: &Connection) -> u16 {
    let (hello, answer) = (connection.client_hello.as_deref(), connection.server_hello.as_ref());
    let psk = hello.and_then(|hello| hello.psks.first());
    let tls13 = connection.version() >= Some(Version::TLS13);
    let resumed_by_ticket = connection.agreed() == Kind::ResumedTicket;
    let other_id = hello.zip(answer).is_some_and(|(hello, answer)| {
        (tls13 || (resumed_by_ticket && !hello.session_id.is_empty())) && hello.session_id != answer.session_id
    });
    [
        (!connection.from_the_start || connection.missing.client || connection.missing.server, Record::PARTIAL),
        (psk.is_some_and(|psk| psk.obfuscated_age == 0), Record::EXTERNAL_KEY),
        (offered_session(connection).is_some_and(is_handle), Record::HANDLE),
        (hello.is_some_and(|hello| hello.fallback), Record::FALLBACK),
        (other_id, Record::OTHER_SESSION_ID),
        (hello.is_some_and(|hello| hello.ticket.is_some() || hello.version >= Version::TLS13), Record::TAKES_TICKETS),
        (has_only_tickets(connection), Record::ONLY_TICKETS),
        (connection.early_data == Some(true), Record::EARLY_DATA),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .fold(0, |flags, (_, flag)| flags | flag)
}

// A ticket that holds a session has at least its secret, 32 bytes, with a nonce of 12 and a tag of 16. Session IDs have 32 at
// most, and so have the handles that OpenSSL and JSSE give out in TLS 1.3 where they keep the session themselves.
pub(super) const LONGEST_HANDLE: usize = 48;
