//! What a client did in each of its connections, in the light of those before.

use super::Trial;
use crate::evidence::{AlertContent, Answer, Connection, Description, Identity, Kind, Offer, Version};
use crate::{Moment, Side};

/// The connections of a trial, read one after the other.
pub(super) struct Reading<'a> {
    pub(super) trial: &'a Trial,
    pub(super) deeds: Vec<Deed<'a>>,
}

/// What a client did in one connection.
pub(super) struct Deed<'a> {
    pub(super) connection: &'a Connection,
    /// Which of the trial's connections it is, from 0.
    pub(super) index: usize,
    pub(super) offered: Offered,
    /// The last connection that had left it a session when this one began. In TLS 1.3 a ticket that was offered is used up.
    pub(super) newest: Option<usize>,
    /// An earlier connection that offered the same, and had left the client another session in its place when this one began.
    pub(super) replaced_by: Option<usize>,
    pub(super) outcome: Outcome,
}

/// What a client offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// Nothing.
    Nothing,
    /// The session that an earlier connection had left it, by index.
    Left(usize),
    /// A ticket from elsewhere: from before the trial, or another server's.
    Foreign,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was established, and nobody complained.
    Established,
    /// The client gave it up, with this alert or with none.
    GaveUp(Option<Description>),
    /// The server would not go on, and said so.
    Refused(Description),
    /// It was not established up to now, or the client fell silent.
    Unfinished,
}

impl<'a> Reading<'a> {
    pub(super) fn of(trial: &'a Trial) -> Self {
        let connections = &trial.connections;
        let mut deeds: Vec<Deed<'a>> = Vec::with_capacity(connections.len());
        for (index, connection) in connections.iter().enumerate() {
            let earlier = &connections[..index];
            let left = |before: &Connection| has_session_left(before, connection, earlier);
            let offered = offered(connection, earlier);
            let is_same = |before: &Deed<'_>| offered != Offered::Nothing && before.offered == offered;
            let replaced_by = deeds.iter().rposition(|before| is_same(before) && left(before.connection));
            let (newest, outcome) = (earlier.iter().rposition(left), outcome(connection));
            deeds.push(Deed { connection, index, offered, newest, replaced_by, outcome });
        }
        Self { trial, deeds }
    }

    /// The connections in which the server renewed a ticket inside the abbreviated handshake.
    pub(super) fn renewed(&self) -> impl Iterator<Item = &Deed<'a>> {
        self.deeds.iter().filter(|deed| deed.is_renewed())
    }

    /// Whether another connection, with its handshake going on at the same time, offered the same.
    pub(super) fn is_parallel(&self, deed: &Deed<'_>) -> bool {
        self.deeds.iter().any(|other| {
            let overlap =
                other.connection.start <= deed.handshake_end() && deed.connection.start <= other.handshake_end();
            other.index != deed.index && overlap && other.offered == deed.offered && deed.offered != Offered::Nothing
        })
    }
}

impl Deed<'_> {
    pub(super) fn is_established(&self) -> bool {
        self.outcome == Outcome::Established
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.is_established() && self.connection.kind().is_resumed()
    }

    pub(super) fn is_renewed(&self) -> bool {
        self.connection.renewed_inline() == Answer::Yes
    }

    /// Whether it offered what the server had given it, and had a full handshake all the same.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.offered, Offered::Left(_)) && self.is_established() && self.connection.kind() == Kind::Full
    }

    /// Whether it had a session to offer, and offered none.
    pub(super) fn comes_empty(&self) -> bool {
        self.newest.is_some() && self.offered == Offered::Nothing
    }

    /// When its handshake was over, or given up.
    fn handshake_end(&self) -> Moment {
        self.connection.finished.client.unwrap_or(self.connection.last)
    }

    /// How it stands in a sentence: `connection 3`.
    pub(super) fn number(&self) -> usize {
        self.index + 1
    }
}

fn offered(connection: &Connection, earlier: &[Connection]) -> Offered {
    let by = |is_source: &dyn Fn(&Connection) -> bool| earlier.iter().rposition(is_source).map(Offered::Left);
    match connection.offer() {
        Offer::Ticket(ticket) => {
            by(&|before| before.tickets.iter().any(|issued| *issued.ticket == *ticket)).unwrap_or(Offered::Foreign)
        }
        Offer::Psk(_) => {
            let identities = psks(connection);
            by(&|before| identities.iter().any(|psk| issued(before, psk))).unwrap_or(Offered::Foreign)
        }
        // What no connection has issued is random, for compatibility's sake (RFC 8446 §D.4).
        Offer::SessionId(id) => by(&|before| session_id(before) == Some(id)).unwrap_or(Offered::Nothing),
        Offer::None | Offer::Unknown => Offered::Nothing,
    }
}

/// Whether `before` had left the client a session by the time that `connection` began, and the client has not used it up in
/// any of the connections `earlier` than this one.
fn has_session_left(before: &Connection, connection: &Connection, earlier: &[Connection]) -> bool {
    if !before.is_established() {
        return false;
    }
    // A ticket inside a handshake is the client's when the handshake is over (RFC 5077 §3.3).
    let by_then = |at: Moment| Some(at).max(before.finished.client) <= Some(connection.start);
    let used_up = |ticket: &[u8]| {
        before.version() >= Some(Version::TLS13)
            && earlier.iter().any(|user| psks(user).iter().any(|psk| *psk.identity == *ticket))
    };
    let has_ticket = before.tickets.iter().any(|issued| by_then(issued.at) && !used_up(&issued.ticket));
    let has_id = session_id(before).is_some() && before.finished.server.is_some_and(by_then);
    has_ticket || has_id
}

fn psks(connection: &Connection) -> &[Identity] {
    connection.client_hello.as_ref().map_or(&[], |hello| &hello.psks)
}

fn issued(connection: &Connection, psk: &Identity) -> bool {
    connection.tickets.iter().any(|issued| *issued.ticket == *psk.identity)
}

/// The session ID that the server of TLS 1.2 gave or took, if it was not about a ticket.
fn session_id(connection: &Connection) -> Option<&[u8]> {
    let hello = connection.server_hello.as_ref()?;
    let by_id = hello.version <= Version::TLS12
        && connection.tickets.is_empty()
        && !matches!(connection.offer(), Offer::Ticket(_));
    (by_id && !hello.session_id.is_empty()).then(|| hello.session_id.as_bytes())
}

fn outcome(connection: &Connection) -> Outcome {
    let end = &connection.end;
    let client_ended = [end.client.fin, end.client.reset].into_iter().flatten().min();
    let server_ended = [end.server.fin, end.server.reset].into_iter().flatten().min();
    let alert = |of: Side| {
        connection.alerts.iter().find_map(|alert| match alert.content {
            AlertContent::Read(description) if alert.side == of && !description.is_warning() => {
                Some((description, alert.at))
            }
            _ => None,
        })
    };
    // Some take offence at an end without close_notify, when all is over.
    let complaint = alert(Side::Client)
        .filter(|(_, at)| !connection.is_established() || server_ended.is_none_or(|ended| *at < ended));
    match (complaint, alert(Side::Server), client_ended) {
        (Some((alert, _)), ..) => Outcome::GaveUp(Some(alert)),
        (None, Some((alert, _)), _) => Outcome::Refused(alert),
        (None, None, _) if connection.is_established() => Outcome::Established,
        (None, None, Some(client)) if server_ended.is_none_or(|server| client <= server) => Outcome::GaveUp(None),
        _ => Outcome::Unfinished,
    }
}
