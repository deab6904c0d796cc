use std::fmt;

use super::Version;

/// A way to resume a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// TLS 1.3: a ticket in pre_shared_key.
    Psk,
    /// TLS 1.2: a ticket.
    Ticket,
    /// TLS 1.2: a session ID.
    SessionId,
}

impl Way {
    /// All ways, those that most clients go first.
    pub const ALL: [Self; 3] = [Self::Psk, Self::Ticket, Self::SessionId];

    /// The version it belongs to.
    pub fn version(self) -> Version {
        match self {
            Self::Psk => Version::TLS13,
            Self::Ticket | Self::SessionId => Version::TLS12,
        }
    }

    /// What `doctor` calls it: `psk`, `ticket`, `session-id`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Psk => "psk",
            Self::Ticket => "ticket",
            Self::SessionId => "session-id",
        }
    }

    /// What a client shows, as a sentence has it.
    pub fn token(self) -> &'static str {
        match self {
            Self::Psk | Self::Ticket => "ticket",
            Self::SessionId => "session ID",
        }
    }
}

impl fmt::Display for Way {
    /// `TLSv1.2 ticket` and its like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version(), self.as_str())
    }
}
