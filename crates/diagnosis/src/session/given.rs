use std::ops::RangeInclusive;

use crate::Sides;
use crate::evidence::{Connection, Kind, Sealed, Version};

/// Whether a client got a session that it could offer on its next connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Given {
    /// It was seen.
    Yes,
    /// The sizes of the server's records speak for tickets (TLS 1.3).
    Likely,
    /// What the server sent leaves no room for tickets (TLS 1.3).
    Unlikely,
    /// It was seen that there was none.
    No,
    /// What would tell is missing, or the connection ended before.
    Unknown,
}

impl Given {
    /// Whether there was one, as far as can be told.
    pub fn is_given(self) -> bool {
        matches!(self, Self::Yes | Self::Likely)
    }

    /// Whether there was none, as far as can be told.
    pub fn is_withheld(self) -> bool {
        matches!(self, Self::No | Self::Unlikely)
    }
}

/// What a connection left the client with.
pub(super) fn given(connection: &Connection, kind: Kind) -> Given {
    let Some(version) = connection.version().filter(|_| matches!(kind, Kind::Full) || kind.is_resumed()) else {
        return Given::Unknown;
    };
    if !connection.tickets.is_empty() {
        return Given::Yes;
    }
    if version >= Version::TLS13 {
        return given13(connection);
    }
    let has_id = connection.server_hello.as_ref().is_some_and(|hello| !hello.session_id.is_empty());
    match kind {
        Kind::Full if has_id => Given::Yes,
        Kind::Full if connection.missing.server || connection.server_hello.is_none() => Given::Unknown,
        Kind::Full => Given::No,
        _ => Given::Yes,
    }
}

/// TLS 1.3 hides tickets among application data. Each has a record of its own, which answers nothing that the client said, and
/// several on one connection are of one size.
fn given13(connection: &Connection) -> Given {
    let Connection { application, sealed, missing, .. } = connection;
    let (client, server) = (application.client.records, application.server.records);
    let is_read = connection.certificate.is_some() && connection.unopened == Sides::default();
    if is_read && client + server > 0 {
        return Given::No;
    }
    if missing.client || missing.server || (client == 0 && server == 0) {
        return Given::Unknown;
    }
    let is_early = sealed.first().is_some_and(|first| is_before_client_speaks(connection, first));
    if is_early || sealed.get(..2).is_some_and(are_twins) || (client > 0 && server > client) {
        Given::Likely
    } else if server <= 1 && connection.is_over() {
        Given::Unlikely
    } else {
        Given::Unknown
    }
}

fn is_before_client_speaks(connection: &Connection, record: &Sealed) -> bool {
    connection.application.client.first.is_none_or(|spoke| record.at <= spoke)
}

/// Whether the server sent nothing in TLS 1.3, after its Finished, but what may be tickets: it came before the client's
/// application spoke, or was read, or is as alike as tickets are while the client speaks far more often or has more to say.
pub(super) fn has_only_tickets(connection: &Connection) -> bool {
    let Connection { application, sealed, tickets, .. } = connection;
    let others = if tickets.is_empty() { sealed.len() as u64 } else { 0 };
    let are_early = || sealed.iter().all(|record| is_before_client_speaks(connection, record));
    let are_answers = application.client.records <= MOST_ANSWERED * application.server.records || sealed.len() == 1;
    let are_alike = || {
        let are_sized = sealed.iter().all(|record| TICKET_SIZES.contains(&record.length));
        are_sized && sealed.windows(2).all(are_twins) && (connection.cut.client || !are_answers)
    };
    connection.version() >= Some(Version::TLS13)
        && !sealed.is_empty()
        && application.server.records == others
        && (!tickets.is_empty() || are_early() || are_alike())
}

/// Whether two records may be tickets of one connection.
fn are_twins(pair: &[Sealed]) -> bool {
    pair[0].length == pair[1].length && TICKET_SIZES.contains(&pair[0].length)
}

// A request takes a record or two.
const MOST_ANSWERED: u64 = 2;
// RFC 8446 §4.6.1: a record with a ticket of TLS 1.3 has 30 bytes and more around it; those with a client's certificates are long.
const TICKET_SIZES: RangeInclusive<u16> = 60..=4096;
