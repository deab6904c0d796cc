use crate::evidence::{Connection, Version};

/// A way for a server to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// Nothing can be resumed.
    NoResumption,
    /// TLS 1.2, session IDs and no tickets.
    SessionIds,
    /// TLS 1.2, tickets and no session IDs.
    Tickets,
    /// TLS 1.3, tickets that come along with the first answer.
    HeldTickets,
    /// TLS 1.3, tickets that come as soon as the handshake is over.
    EarlyTickets,
    /// TLS 1.2, a key that changes, and new tickets inside the abbreviated handshakes that follow.
    Renewal,
    /// TLS 1.2, a key that changes, and tickets that go on being good without being renewed.
    Rotation,
    /// TLS 1.2, a key that is gone when the client comes back.
    UnknownKey,
    /// TLS 1.2, a session ID that is forgotten when the client comes back.
    RefusedSession,
    /// Connections that end without close_notify.
    UncleanClose,
}

impl Scenario {
    /// All of them, in the order in which to try them.
    pub const ALL: [Self; 10] = [
        Self::NoResumption,
        Self::SessionIds,
        Self::Tickets,
        Self::HeldTickets,
        Self::EarlyTickets,
        Self::Renewal,
        Self::Rotation,
        Self::UnknownKey,
        Self::RefusedSession,
        Self::UncleanClose,
    ];

    /// Its name, in lower case with hyphens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoResumption => "no-resumption",
            Self::SessionIds => "session-ids",
            Self::Tickets => "tickets",
            Self::HeldTickets => "held-tickets",
            Self::EarlyTickets => "early-tickets",
            Self::Renewal => "renewal",
            Self::Rotation => "rotation",
            Self::UnknownKey => "unknown-key",
            Self::RefusedSession => "refused-session",
            Self::UncleanClose => "unclean-close",
        }
    }

    /// What the server does, in a few words.
    pub fn description(self) -> &'static str {
        match self {
            Self::NoResumption => "nothing to resume with",
            Self::SessionIds => "TLS 1.2, session IDs",
            Self::Tickets => "TLS 1.2, tickets",
            Self::HeldTickets => "TLS 1.3, tickets with the first answer",
            Self::EarlyTickets => "TLS 1.3, tickets before any answer",
            Self::Renewal => "TLS 1.2, the key changes, tickets are renewed inline",
            Self::Rotation => "TLS 1.2, the key changes, tickets are not renewed",
            Self::UnknownKey => "TLS 1.2, the ticket's key is gone",
            Self::RefusedSession => "TLS 1.2, the session ID is forgotten",
            Self::UncleanClose => "connections end without close_notify",
        }
    }

    /// The versions of TLS that the server speaks.
    pub fn versions(self) -> &'static [Version] {
        match self {
            Self::NoResumption | Self::UncleanClose => &[Version::TLS12, Version::TLS13],
            Self::HeldTickets | Self::EarlyTickets => &[Version::TLS13],
            _ => &[Version::TLS12],
        }
    }

    /// How many connections the client is to make: first so many at once, and when they are over, so many more.
    pub fn plan(self) -> &'static [usize] {
        match self {
            Self::NoResumption => &[1, 1],
            Self::Renewal | Self::Rotation => &[1, 1, PARALLEL, 1],
            _ => &[1, 1, 1],
        }
    }

    /// How many connections the client should make next, at once, when it has made `made`; 0: no more.
    pub fn next(self, made: usize) -> usize {
        self.step_after(made).map_or(0, |total| total - made)
    }

    /// How many connections there are when those have begun that are to be made at once with the one after `made`.
    pub fn step_after(self, made: usize) -> Option<usize> {
        let mut total = 0;
        let mut totals = self.plan().iter().map(|step| {
            total += step;
            total
        });
        totals.find(|total| *total > made)
    }

    /// Whether the key, or the cache, of the server is another by now than when the client began: that goes by what the
    /// client has done, not by time.
    pub fn has_changed(self, connections: &[Connection]) -> bool {
        let mut established = connections.iter().filter(|connection| connection.is_established());
        match self {
            Self::Renewal | Self::Rotation => established.any(|connection| connection.kind().is_resumed()),
            Self::UnknownKey | Self::RefusedSession => established.next().is_some(),
            _ => false,
        }
    }
}

/// As many as a browser loads of one server without waiting for any of them.
const PARALLEL: usize = 3;
